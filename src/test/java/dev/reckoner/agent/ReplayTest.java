package dev.reckoner.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.reckoner.agent.Replay.Comparison;
import dev.reckoner.agent.Replay.Recorded;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.inference.Generation;
import dev.reckoner.inference.Reasoner;
import dev.reckoner.inference.Sampler;
import dev.reckoner.inference.TinyModel;
import dev.reckoner.reasoning.ChainGrammar;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.PromptFormat;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Over a model of random weights, where another seed or adapter surely writes another text. */
class ReplayTest {

  private static final Duration LONG = Duration.ofSeconds(60);

  // Hot, so that the chain has several steps and another seed writes another.
  /** Two samplers that draw chains of several lines from random weights. */
  private static Sampler drawn;

  private static Sampler other;

  private static final Evidence EVIDENCE =
      new Evidence(
          "Annual report",
          "What was revenue in 2023?",
          List.of(
              new Evidence.Table(
                  "USD million",
                  List.of(List.of("", "2023", "2022"), List.of("Revenue", "107,412", "109,120")))),
          List.of("Revenue was $107.4 billion in fiscal 2023."));

  @TempDir static Path directory;
  private static ServingModel serving;
  private static Replay replay;

  @BeforeAll
  static void load() throws IOException, InterruptedException {
    SmallRyeConfigBuilder builder =
        new SmallRyeConfigBuilder().addDiscoveredConverters().withMapping(ModelConfig.class);
    Map.of(
            "reckoner.data-dir", directory.toString(),
            "reckoner.model.dir", TinyModel.write(directory.resolve("model"), 8192).toString(),
            "reckoner.model.backend", "cpu",
            "reckoner.model.threads", "1",
            "reckoner.model.max-tokens", "3000")
        .forEach(builder::withDefaultValue);
    serving = new ServingModel(builder.build().getConfigMapping(ModelConfig.class));
    replay = new Replay(serving);
    drawn = drawn(1);
    other = drawn(1000);
  }

  @AfterAll
  static void close() {
    serving.close();
  }

  @Test
  void aDrawnChainComesOutIdenticalFromItsSeed() throws Exception {
    Recorded recorded = write(drawn, null, null, null);
    Comparison again = replay.of(recorded, LONG);
    assertThat(again.identical()).as(again.toString()).isTrue();
    assertThat(again.tokens()).isEqualTo(recorded.lineage().generatedTokens());
    assertThat(again.notes()).isEmpty();
  }

  @Test
  void anotherSeedIsSeen() throws Exception {
    Recorded recorded = write(drawn, null, null, null);
    Lineage other = lineage(recorded.lineage(), ReplayTest.other);
    Comparison again = replay.of(new Recorded(EVIDENCE, recorded.chain(), other, null), LONG);
    assertThat(again.identical()).isFalse();
    assertThat(again.recorded()).isNotEqualTo(again.replayed());
  }

  @Test
  void theFirstTokenThatDiffersIsNamed() throws Exception {
    Recorded recorded = write(drawn, null, null, null);
    assertThat(recorded.chain().lines().count()).isGreaterThan(2);
    int at = recorded.chain().indexOf('\n') + 3;
    String altered = recorded.chain().substring(0, at) + "#" + recorded.chain().substring(at + 1);
    Comparison again = replay.of(new Recorded(EVIDENCE, altered, recorded.lineage(), null), LONG);
    Generation written = generate(drawn);
    int before = again.divergedAt() - 1;
    String kept = serving.reasoner().tokenizer().decode(Arrays.copyOf(written.tokens(), before));
    assertThat(altered).startsWith(kept);
    String more =
        serving.reasoner().tokenizer().decode(Arrays.copyOf(written.tokens(), before + 1));
    assertThat(altered.startsWith(more)).isFalse();
    assertThat(again.step()).isEqualTo(1);
    assertThat(again.recorded()).contains("#");
  }

  @Test
  void aChainThatEndsElsewhereDivergesThere() throws Exception {
    Recorded recorded = write(Sampler.GREEDY, null, null, null);
    Comparison longer =
        replay.of(new Recorded(EVIDENCE, recorded.chain() + "x", recorded.lineage(), null), LONG);
    assertThat(longer.divergedAt()).isEqualTo(recorded.lineage().generatedTokens() + 1);
    assertThat(longer.replayed()).isEqualTo("(end)");
  }

  @Test
  void anAdapterThatNoLongerServesIsLoadedForIt() throws Exception {
    Path files = adapter("one", 1);
    serving.swap(files, "one");
    Recorded recorded = write(drawn, "one", serving.current().orElseThrow().hash(), files);
    serving.clear();
    assertThat(replay.of(recorded, LONG).identical()).isTrue();
    Recorded lost = new Recorded(EVIDENCE, recorded.chain(), recorded.lineage(), null);
    assertThatThrownBy(() -> replay.of(lost, LONG))
        .isInstanceOf(Replay.NotReplayable.class)
        .hasMessageContaining("adapter one is not kept here");
    Recorded other =
        new Recorded(EVIDENCE, recorded.chain(), recorded.lineage(), adapter("two", 2));
    assertThatThrownBy(() -> replay.of(other, LONG))
        .isInstanceOf(Replay.NotReplayable.class)
        .hasMessageContaining("is not the one that wrote it");
  }

  @Test
  void whatServesNowIsNotNeededTwice() throws Exception {
    serving.swap(adapter("now", 3), "now");
    try {
      Recorded recorded = write(drawn, "now", serving.current().orElseThrow().hash(), null);
      assertThat(replay.of(recorded, LONG).identical()).isTrue();
    } finally {
      serving.clear();
    }
  }

  @Test
  void anotherBaseIsRefused() throws Exception {
    Lineage l = write(Sampler.GREEDY, null, null, null).lineage();
    Lineage foreign =
        new Lineage(
            "f".repeat(64),
            null,
            null,
            l.promptVersion(),
            l.grammarVersion(),
            l.sampler(),
            l.seed(),
            l.engineBuild(),
            l.backend(),
            l.promptTokens(),
            l.generatedTokens());
    assertThatThrownBy(() -> replay.of(new Recorded(EVIDENCE, "", foreign, null), LONG))
        .isInstanceOf(Replay.NotReplayable.class)
        .hasMessageContaining("base model ffffffffffff");
  }

  @Test
  void itEndsWithItsTime() throws Exception {
    Recorded recorded = write(drawn, null, null, null);
    assertThatThrownBy(() -> replay.of(recorded, Duration.ofNanos(1)))
        .isInstanceOf(TimeoutException.class);
  }

  private static Sampler drawn(long from) throws InterruptedException {
    for (long seed = from; seed < from + 200; seed++) {
      Sampler sampler = new Sampler(8, 0, 1, seed);
      if (generate(sampler).text().lines().count() > 2) {
        return sampler;
      }
    }
    throw new IllegalStateException("no seed draws a chain of several lines");
  }

  private static Path adapter(String id, long seed) {
    Path files = directory.resolve(id);
    serving
        .reasoner()
        .engine()
        .between(
            model -> {
              try (LoraAdapter adapter = TinyModel.adapter(model, id, seed)) {
                adapter.save(files, "base");
              }
              return null;
            });
    return files;
  }

  /** Writes with what serves now, as an analysis does. */
  private static Generation generate(Sampler sampler) throws InterruptedException {
    Reasoner.Options options = new Reasoner.Options(sampler, 3000, LONG);
    return serving
        .submit(slot -> serving.reasoner().request(EVIDENCE, slot.adapter(), options), null)
        .ticket()
        .await();
  }

  private static Recorded write(Sampler sampler, String adapterId, String adapterHash, Path files)
      throws InterruptedException {
    Generation generation = generate(sampler);
    Lineage lineage =
        new Lineage(
            serving.reasoner().modelHash(),
            adapterId,
            adapterHash,
            PromptFormat.VERSION,
            new ChainGrammar(EVIDENCE).version(),
            sampler.json(),
            sampler.seed(),
            serving.build(),
            serving.reasoner().backendName(),
            generation.promptTokens(),
            generation.tokens().length);
    return new Recorded(EVIDENCE, generation.text(), lineage, files);
  }

  private static Lineage lineage(Lineage l, Sampler sampler) {
    return new Lineage(
        l.baseModelHash(),
        l.adapterId(),
        l.adapterHash(),
        l.promptVersion(),
        l.grammarVersion(),
        sampler.json(),
        sampler.seed(),
        l.engineBuild(),
        l.backend(),
        l.promptTokens(),
        l.generatedTokens());
  }
}
