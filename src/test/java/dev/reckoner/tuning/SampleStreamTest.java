package dev.reckoner.tuning;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.reckoner.gemma.Gemma3;
import dev.reckoner.gemma.GemmaConfig;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.cpu.CpuBackend;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SampleStreamTest {
  private static final GemmaConfig CONFIG =
      new GemmaConfig(
          61, 64, 128, 2, 2, 1, 32, 128, 9, GemmaConfig.pattern(2, 2), 1e4, 1e6, 1, 1e-6f, 32);

  @TempDir private Path dir;

  /** Slow now and then, so that threads overtake one another. */
  private static Sample sample(SplittableRandom random) {
    int start = random.nextInt(61);
    int[] tokens = new int[random.nextInt(6, 40)];
    for (int t = 0; t < tokens.length; t++) {
      tokens[t] = (start + 3 * t) % 61;
    }
    if (start % 7 == 0) {
      Thread.yield();
    }
    return Sample.text(tokens);
  }

  private static Recipe recipe(int steps) {
    return Recipe.parse(
        """
        rank: 4
        learningRate: 0.01
        schedule: trapezoid
        tokensPerMicroBatch: 90
        accumulation: 2
        maxSteps: %d
        """
            .formatted(steps));
  }

  private byte[] train(
      CpuBackend backend, int steps, int threads, String id, Path out, TrainingListener listener) {
    Recipe recipe = recipe(steps);
    try (Gemma3 model = Gemma3.random(CONFIG, backend, Precision.NF4, 3);
        LoraAdapter adapter = LoraAdapter.create(model, "a", recipe.lora(), recipe.seed());
        Trainer trainer = new Trainer(model, adapter, recipe);
        SampleStream stream =
            new SampleStream(recipe, steps, SampleStreamTest::sample, id, threads)) {
      trainer.run(stream, List.of(), out, listener);
      adapter.save(out, "base");
      return Files.readAllBytes(out.resolve("adapter_model.safetensors"));
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  private static TrainingListener stopAfter(int steps) {
    int[] done = {0};
    return new TrainingListener() {
      @Override
      public boolean stopRequested() {
        return ++done[0] == steps;
      }
    };
  }

  @Test
  void aRunEqualsAnotherOnAnyNumberOfThreadsAndAfterAPause() {
    TrainingListener silent = new TrainingListener() {};
    try (CpuBackend backend = CpuBackend.open(2)) {
      byte[] whole = train(backend, 10, 1, "a", dir.resolve("1"), silent);
      assertThat(train(backend, 10, 4, "a", dir.resolve("4"), silent)).isEqualTo(whole);
      Path cut = dir.resolve("cut");
      assertThat(train(backend, 10, 3, "a", cut, stopAfter(4))).isNotEqualTo(whole);
      assertThat(Trainer.stepsDone(cut)).isEqualTo(4);
      assertThat(train(backend, 10, 2, "a", cut, silent)).isEqualTo(whole);
    }
  }

  @Test
  void aPausedRunMayGoOnForMoreStepsButNotOnOtherSamples() {
    try (CpuBackend backend = CpuBackend.open(2)) {
      train(backend, 10, 1, "a", dir, stopAfter(4));
      assertThatThrownBy(() -> train(backend, 10, 1, "b", dir, new TrainingListener() {}))
          .isInstanceOf(RecipeException.class);
      train(backend, 14, 1, "a", dir, new TrainingListener() {});
      assertThat(Trainer.stepsDone(dir)).isEqualTo(14);
    }
  }

  @Test
  void noSampleComesBack() {
    // Numbers of 62 bits: two equal ones mean that two generators walk the same sequence.
    SampleStream.Source source =
        random -> {
          long drawn = random.nextLong();
          return Sample.text(new int[] {(int) (drawn >>> 33), (int) drawn & Integer.MAX_VALUE});
        };
    List<List<Integer>> drawn = new ArrayList<>();
    try (SampleStream stream = new SampleStream(recipe(400), 400, source, "a", 2)) {
      for (int step = 0; step < 400; step++) {
        for (List<Sample> batch : stream.groups(step)) {
          batch.forEach(sample -> drawn.add(List.of(sample.tokens()[0], sample.tokens()[1])));
        }
      }
    }
    assertThat(drawn).hasSizeGreaterThan(30_000).doesNotHaveDuplicates();
  }

  @Test
  void microBatchesAreNearlyFullAndNeverTheSame() {
    Recipe recipe = recipe(50);
    List<List<Sample>> all = new ArrayList<>();
    try (SampleStream stream = new SampleStream(recipe, 50, SampleStreamTest::sample, "a", 2)) {
      for (int step = 0; step < 50; step++) {
        assertThat(stream.groups(step)).hasSize(2).allSatisfy(all::add);
      }
    }
    assertThat(all)
        .doesNotHaveDuplicates()
        .allMatch(batch -> batch.stream().mapToInt(Sample::length).sum() <= 90);
    assertThat(
            all.stream().flatMap(List::stream).mapToInt(Sample::length).sum() / (90.0 * all.size()))
        .isGreaterThan(0.8);
  }

  @Test
  void aFailureInTheMakingOfALessonIsTheRuns() {
    try (SampleStream stream =
        new SampleStream(
            recipe(5),
            5,
            random -> {
              throw new IllegalArgumentException("no such pack");
            },
            "a",
            2)) {
      assertThatThrownBy(() -> stream.groups(0)).hasMessage("no such pack");
    }
  }

  @Test
  void aTrapezoidIsConstantAndFallsInItsLastQuarter() {
    Recipe recipe = Recipe.parse("learningRate: 1\nschedule: trapezoid\nwarmup: 0.1\n");
    assertThat(recipe.learningRateAt(4, 100)).isEqualTo(0.5f);
    assertThat(recipe.learningRateAt(10, 100)).isEqualTo(1);
    assertThat(recipe.learningRateAt(75, 100)).isEqualTo(1);
    assertThat(recipe.learningRateAt(88, 100)).isBetween(0.4f, 0.6f);
    assertThat(recipe.learningRateAt(99, 100)).isZero();
  }
}
