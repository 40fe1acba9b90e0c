package dev.reckoner.tuning;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.reckoner.gemma.Gemma3;
import dev.reckoner.gemma.GemmaConfig;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.tensor.DType;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.SafetensorsFile;
import dev.reckoner.tensor.cpu.CpuBackend;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainerTest {
  private static final TrainingListener SILENT = new TrainingListener() {};
  private static final GemmaConfig CONFIG =
      new GemmaConfig(
          61, 64, 128, 2, 2, 1, 32, 128, 9, GemmaConfig.pattern(2, 2), 1e4, 1e6, 1, 1e-6f, 32);

  @TempDir private Path dir;

  private static List<Sample> samples(int count, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    List<Sample> samples = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int n = random.nextInt(6, 40);
      int start = random.nextInt(60);
      int[] tokens = new int[n];
      boolean[] supervised = new boolean[n];
      for (int t = 0; t < n; t++) {
        tokens[t] = (start + 3 * t) % 61;
        supervised[t] = t >= 3;
      }
      samples.add(new Sample(tokens, supervised));
    }
    return samples;
  }

  private static Recipe recipe(String more) {
    return Recipe.parse(
        """
        rank: 4
        alpha: 8
        dropout: 0.1
        learningRate: 0.01
        schedule: cosine
        tokensPerMicroBatch: 90
        accumulation: 2
        maxSteps: 12
        clip: 1
        """
            + more);
  }

  private static byte[] train(
      CpuBackend backend, Recipe recipe, List<Sample> data, Path out, TrainingListener listener) {
    try (Gemma3 model = Gemma3.random(CONFIG, backend, Precision.NF4, 3);
        LoraAdapter adapter = LoraAdapter.create(model, "a", recipe.lora(), recipe.seed());
        Trainer trainer = new Trainer(model, adapter, recipe)) {
      trainer.run(data, List.of(), out, listener);
      adapter.save(out, "base");
      return Files.readAllBytes(out.resolve("adapter_model.safetensors"));
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  @Test
  void theSameSeedGivesTheSameBytesOnAnyNumberOfThreads() {
    List<Sample> data = samples(30, 1);
    try (CpuBackend one = CpuBackend.open(1);
        CpuBackend three = CpuBackend.open(3)) {
      byte[] first = train(one, recipe(""), data, dir.resolve("1"), SILENT);
      assertThat(train(three, recipe(""), data, dir.resolve("2"), SILENT)).isEqualTo(first);
      assertThat(train(one, recipe("seed: 2\n"), data, dir.resolve("3"), SILENT))
          .isNotEqualTo(first);
    }
  }

  @Test
  void aResumedRunEqualsAnUninterruptedOneBitForBit() throws IOException {
    List<Sample> data = samples(30, 1);
    try (CpuBackend backend = CpuBackend.open(2)) {
      byte[] whole = train(backend, recipe(""), data, dir.resolve("whole"), SILENT);
      Path cut = dir.resolve("cut");
      int[] steps = {0};
      TrainingListener stopAfterFive =
          new TrainingListener() {
            @Override
            public boolean stopRequested() {
              return ++steps[0] == 5;
            }
          };
      byte[] half = train(backend, recipe(""), data, cut, stopAfterFive);
      assertThat(half).isNotEqualTo(whole);
      assertThat(Files.readAllLines(cut.resolve("metrics.jsonl"))).hasSize(5);
      assertThat(train(backend, recipe(""), data, cut, SILENT)).isEqualTo(whole);
      assertThat(Files.readAllLines(cut.resolve("metrics.jsonl"))).hasSize(12);
    }
  }

  @Test
  void aCheckpointOfAnotherRunIsRefused() {
    try (CpuBackend backend = CpuBackend.open(1)) {
      train(backend, recipe("maxSteps: 1\n"), samples(5, 1), dir, SILENT);
      assertThatThrownBy(() -> train(backend, recipe("maxSteps: 1\n"), samples(5, 2), dir, SILENT))
          .isInstanceOf(RecipeException.class)
          .hasMessageContaining("another");
    }
  }

  @Test
  void fullTrainingLearnsAndTheBestEvaluationIsKept() throws IOException {
    Recipe recipe =
        recipe(
            """
            mode: full
            dropout: 0
            maxSteps: 40
            evaluateEvery: 10
            weightDecay: 0.01
            """);
    try (CpuBackend backend = CpuBackend.open(2);
        Gemma3 model = Gemma3.randomTrainable(CONFIG, backend, 3);
        Trainer trainer = new Trainer(model, null, recipe)) {
      List<Sample> heldOut = samples(10, 77);
      double before = trainer.evaluate(heldOut);
      Outcome outcome = trainer.run(samples(60, 1), heldOut, dir, SILENT);
      assertThat(before).isGreaterThan(3.5);
      assertThat(javax.imageio.ImageIO.read(dir.resolve("loss.png").toFile()).getWidth())
          .isEqualTo(900);
      assertThat(outcome.heldOutLoss()).isLessThan(before / 2);
      assertThat(trainer.evaluate(heldOut)).isEqualTo(outcome.heldOutLoss());
      model.save(dir.resolve("model"), DType.F32, Long.MAX_VALUE);
      try (Gemma3 saved = Gemma3.loadTrainable(dir.resolve("model"), backend);
          Trainer again = new Trainer(saved, null, recipe)) {
        assertThat(again.evaluate(heldOut)).isEqualTo(outcome.heldOutLoss());
      }
    }
  }

  @Test
  void anEarlyStopKeepsTheBestEvaluation() throws IOException {
    Recipe recipe =
        recipe(
            """
            mode: full
            dropout: 0
            schedule: constant
            maxSteps: 400
            evaluateEvery: 2
            patience: 3
            """);
    // What is held out follows another rule, so that learning the samples makes it worse.
    List<Sample> heldOut =
        samples(10, 77).stream()
            .map(
                s ->
                    new Sample(IntStream.of(s.tokens()).map(t -> 60 - t).toArray(), s.supervised()))
            .toList();
    try (CpuBackend backend = CpuBackend.open(2);
        Gemma3 model = Gemma3.randomTrainable(CONFIG, backend, 3);
        Trainer trainer = new Trainer(model, null, recipe)) {
      List<Double> losses = new ArrayList<>();
      TrainingListener listener =
          new TrainingListener() {
            @Override
            public void evaluated(long step, double loss, boolean best) {
              losses.add(loss);
            }
          };
      Outcome outcome = trainer.run(samples(30, 1), heldOut, dir, listener);
      assertThat(outcome.end()).isEqualTo(Outcome.End.STOPPED_EARLY);
      assertThat(outcome.steps()).isEqualTo(2L * losses.size()).isLessThan(400);
      int best = losses.indexOf(Collections.min(losses));
      assertThat(best).isEqualTo(losses.size() - 4);
      assertThat(trainer.evaluate(heldOut)).isEqualTo(losses.get(best));
    }
  }

  @Test
  void aGradientThatIsNotFiniteStopsTheRunAndSaysWhatToDo() {
    String explosive = "learningRate: 1e30\nclip: 0\n";
    try (CpuBackend backend = CpuBackend.open(1)) {
      assertThatThrownBy(
              () -> train(backend, recipe(explosive), samples(9, 1), dir.resolve("1"), SILENT))
          .isInstanceOfSatisfying(
              TrainingDivergedException.class, e -> assertThat(e.keptStep()).isZero())
          .hasMessageContainingAll("step 2", "lower learningRate");
      assertThatThrownBy(
              () ->
                  train(
                      backend,
                      recipe(explosive + "checkpointEvery: 1\n"),
                      samples(9, 1),
                      dir.resolve("2"),
                      SILENT))
          .isInstanceOfSatisfying(
              TrainingDivergedException.class, e -> assertThat(e.keptStep()).isEqualTo(1))
          .hasMessageContaining("the parameters of step 1 are kept");
    }
  }

  @Test
  void aLossThatLeavesStopsTheRunAtTheLastGoodParameters() {
    String explosive =
        "mode: full\ndropout: 0\nlearningRate: 30\nschedule: constant\nclip: 0\nmaxSteps: 50\n";
    try (CpuBackend backend = CpuBackend.open(1)) {
      assertKept(backend, recipe(explosive + "checkpointEvery: 1\n"), List.of(), "checkpoint");
      assertKept(backend, recipe(explosive + "evaluateEvery: 1\n"), samples(5, 7), "best");
    }
  }

  private void assertKept(CpuBackend backend, Recipe recipe, List<Sample> heldOut, String file) {
    try (Gemma3 model = Gemma3.randomTrainable(CONFIG, backend, 3);
        Trainer trainer = new Trainer(model, null, recipe)) {
      Path out = dir.resolve(file);
      assertThatThrownBy(() -> trainer.run(samples(30, 1), heldOut, out, SILENT))
          .isInstanceOfSatisfying(
              TrainingDivergedException.class, e -> assertThat(e.keptStep()).isPositive())
          .hasMessageContaining("the loss rose from");
      float[] now = new float[model.parameters().size()];
      backend.download(model.parameters().values(), now);
      try (SafetensorsFile kept = SafetensorsFile.open(out.resolve(file + ".safetensors"))) {
        assertThat(now).isEqualTo(kept.get("parameters").values(now.length));
      }
    }
  }

  @Test
  void noPromptIsBothTrainedOnAndHeldOut() {
    List<Sample> all = new ArrayList<>();
    for (int i = 0; i < 60; i++) {
      all.add(new Sample(new int[] {i / 3, 1, i}, new boolean[] {false, false, true}));
    }
    Division<Sample> division = Division.of(all, recipe("heldOut: 0.1\n"));
    assertThat(division.heldOut()).hasSize(6);
    assertThat(division.training()).hasSize(54);
    assertThat(division.training().stream().map(s -> s.tokens()[0]))
        .doesNotContainAnyElementsOf(division.heldOut().stream().map(s -> s.tokens()[0]).toList());
    assertThat(Division.of(all, recipe("heldOut: 0.1\n"))).isEqualTo(division);
    assertThat(Division.of(all, recipe("heldOut: 0.1\nseed: 2\n"))).isNotEqualTo(division);
    assertThat(Division.of(all, recipe("")).training()).isEqualTo(all);
  }

  @Test
  void packingFillsMicroBatchesAndLosesNothing() {
    List<Sample> data = samples(200, 8);
    List<List<Sample>> groups = Packing.bestFit(data, 90, 4);
    assertThat(groups.stream().flatMap(List::stream)).containsExactlyInAnyOrderElementsOf(data);
    int total = data.stream().mapToInt(Sample::length).sum();
    assertThat(groups)
        .allMatch(g -> g.stream().mapToInt(Sample::length).sum() <= 90)
        .hasSizeLessThanOrEqualTo(total / 90 + 2);
    assertThatThrownBy(() -> Packing.bestFit(data, 20, 4)).hasMessageContaining("exceeds");
  }

  @Test
  void aRecipeSaysWhichKeyIsWrong() {
    assertThatThrownBy(() -> Recipe.parse("learningrate: 1"))
        .isInstanceOf(RecipeException.class)
        .hasMessageContaining("learningrate");
    assertThatThrownBy(() -> Recipe.parse("accumulation: 0"))
        .isInstanceOf(RecipeException.class)
        .hasMessageContaining("accumulation");
    assertThat(Recipe.parse(Recipe.defaults().toYaml())).isEqualTo(Recipe.defaults());
  }

  @Test
  void theRecipesThatShipAreRead() throws IOException {
    try (Stream<Path> files = Files.walk(Path.of("training"))) {
      List<Recipe> recipes =
          files.filter(file -> file.toString().endsWith(".yaml")).map(Recipe::read).toList();
      assertThat(recipes).anyMatch(r -> r.objective() == Recipe.Objective.DPO);
    }
    Path bundled = Path.of("src/main/resources/recipes");
    Recipe imitation = Recipe.read(bundled.resolve("improve.yaml"));
    Recipe preferences = Recipe.read(bundled.resolve("improve-dpo.yaml"));
    assertThat(preferences.objective()).isEqualTo(Recipe.Objective.DPO);
    assertThat(preferences.lora()).isEqualTo(imitation.lora());
    assertThat(preferences.mode()).isEqualTo(imitation.mode());
  }

  @Test
  void theLearningRateWarmsUpAndFalls() {
    Recipe r = recipe("warmup: 0.1\nminLearningRate: 0.1\n");
    assertThat(r.learningRateAt(0, 100)).isCloseTo(0.001f, within(1e-8f));
    assertThat(r.learningRateAt(9, 100)).isCloseTo(0.01f, within(1e-8f));
    assertThat(r.learningRateAt(10, 100)).isCloseTo(0.01f, within(1e-8f));
    assertThat(r.learningRateAt(99, 100)).isCloseTo(0.001f, within(1e-8f));
  }
}
