package dev.reckoner.gemma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.reckoner.tensor.DType;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.cpu.CpuBackend;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** However a sequence is cut into steps and batched with others, its logits are the same bits. */
class CachedForwardTest {
  private static final GemmaConfig CONFIG = GemmaOracleTest.shapes().get(1);

  private CpuBackend backend;

  @TempDir private Path dir;

  @BeforeEach
  void open() {
    backend = CpuBackend.open(2);
  }

  @AfterEach
  void close() {
    backend.close();
  }

  private Gemma3 model(Precision precision) {
    try (Gemma3 trainable = GemmaOracleTest.randomModel(CONFIG, backend)) {
      trainable.save(dir, DType.F32, Long.MAX_VALUE);
    }
    return Gemma3.load(dir, backend, precision);
  }

  @Test
  void anEightBitEmbeddingMovesLogitsByLessThanTwoPercent() {
    try (Gemma3 exact = model(Precision.FP32);
        Gemma3 eight = Gemma3.load(dir, backend, Precision.FP32, Precision.INT8)) {
      int[] tokens = tokens(40, 3);
      float[][] a = alone(exact, tokens, null);
      float[][] b = alone(eight, tokens, null);
      double difference = 0;
      double norm = 0;
      for (int t = 0; t < a.length; t++) {
        for (int i = 0; i < a[t].length; i++) {
          difference += (a[t][i] - b[t][i]) * (a[t][i] - b[t][i]);
          norm += a[t][i] * a[t][i];
        }
      }
      assertThat(Math.sqrt(difference / norm)).isBetween(1e-5, 0.02);
    }
  }

  @Test
  void onlyALargeEmbeddingIsServedInEightBits() {
    model(Precision.NF4).close();
    long size = (long) CONFIG.vocabulary() * CONFIG.hidden();
    assertThat(served(Precision.NF4, size)).isEqualTo(Precision.INT8);
    assertThat(served(Precision.NF4, size + 1)).isEqualTo(Precision.BF16);
    assertThat(served(Precision.BF16, size)).isEqualTo(Precision.BF16);
    assertThat(served(Precision.FP32, size)).isEqualTo(Precision.FP32);
  }

  private Precision served(Precision precision, long eightBitFrom) {
    try (Gemma3 model = Gemma3.loadForServing(dir, backend, precision, eightBitFrom)) {
      return model.embeddingPrecision();
    }
  }

  private static int[] tokens(int n, long seed) {
    return new SplittableRandom(seed).ints(n, 0, CONFIG.vocabulary()).toArray();
  }

  private static float[][] alone(Gemma3 model, int[] tokens, LoraAdapter adapter) {
    try (KvCache cache = model.newCache(tokens.length)) {
      return model
          .forward(List.of(new Segment(cache, tokens, adapter, tokens.length, null)))
          .getFirst();
    }
  }

  private record Asked(Segment.Wanted wanted, int logits, int[] candidates) {}

  @Test
  void anAnswerDoesNotDependOnWhatOthersAsk() {
    int[] some = {3, 7, 8, 20};
    List<Asked> asked =
        List.of(
            new Asked(Segment.Wanted.MOST_LIKELY, 1, null),
            new Asked(Segment.Wanted.LOGITS, 2, null),
            new Asked(Segment.Wanted.MOST_LIKELY, 2, null),
            new Asked(Segment.Wanted.MOST_LIKELY, 0, null),
            new Asked(Segment.Wanted.MOST_LIKELY, 1, some),
            new Asked(Segment.Wanted.LIKELY, 1, null),
            new Asked(Segment.Wanted.LOGITS, 1, some));
    try (Gemma3 model = model(Precision.FP32)) {
      List<Segment> segments = new ArrayList<>();
      for (int i = 0; i < asked.size(); i++) {
        Asked a = asked.get(i);
        int[] tokens = tokens(5 + i, i);
        segments.add(
            new Segment(model.newCache(20), tokens, null, a.logits, a.candidates, a.wanted));
      }
      List<Answer> together = model.answer(segments);
      segments.forEach(s -> s.cache().truncate(0));
      for (int i = 0; i < segments.size(); i++) {
        Segment s = segments.get(i);
        Answer alone = model.answer(List.of(s)).getFirst();
        assertThat(rows(together.get(i))).isDeepEqualTo(rows(alone));
        s.cache().truncate(0);
        Segment plain = new Segment(s.cache(), s.tokens(), null, 1, s.candidates());
        float[] logits = model.forward(List.of(plain)).getFirst()[0];
        if (s.logits() == 0) {
          assertThat(alone).isEqualTo(new Answer.None());
        } else if (alone instanceof Answer.MostLikely(int index, double logProbability)) {
          Answer.MostLikely expected = Answer.MostLikely.of(logits);
          assertThat(index).isEqualTo(expected.index());
          assertThat(logProbability).isCloseTo(expected.logProbability(), within(2e-6));
        } else {
          float[][] own = rows(alone);
          assertThat(own[own.length - 1]).isEqualTo(logits);
        }
        s.cache().close();
      }
    }
  }

  private static float[][] rows(Answer answer) {
    return switch (answer) {
      case Answer.None _ -> new float[0][];
      case Answer.Logits(float[][] rows) -> rows;
      case Answer.MostLikely(int index, double p) -> new float[][] {{index, (float) p}};
      case Answer.Likely likely -> new float[][] {likely.logits()};
    };
  }

  @ParameterizedTest
  @EnumSource(Precision.class)
  void tokenByTokenEqualsOnePass(Precision precision) {
    try (Gemma3 model = model(precision);
        LoraAdapter adapter = GemmaOracleTest.randomAdapter(model);
        KvCache cache = model.newCache(100)) {
      int[] tokens = tokens(71, 1);
      float[][] whole = alone(model, tokens, adapter);
      int at = 0;
      for (int chunk : new int[] {33, 1, 1, 5, 30, 1}) {
        int[] part = Arrays.copyOfRange(tokens, at, at + chunk);
        at += chunk;
        float[][] last = model.forward(List.of(Segment.of(cache, part, adapter))).getFirst();
        assertThat(last[0]).isEqualTo(whole[at - 1]);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Precision.class)
  void batchedSequencesWithTheirOwnAdaptersEqualEachAlone(Precision precision) {
    try (Gemma3 model = model(precision);
        LoraAdapter one = GemmaOracleTest.randomAdapter(model);
        LoraAdapter two = LoraAdapter.create(model, "two", LoraSpec.allLinear(3, 3), 9)) {
      LoraAdapter[] adapters = {one, null, two, one, null};
      List<int[]> prompts = new ArrayList<>();
      List<KvCache> caches = new ArrayList<>();
      List<Segment> segments = new ArrayList<>();
      for (int i = 0; i < adapters.length; i++) {
        prompts.add(tokens(11 + 13 * i, 20 + i));
        caches.add(model.newCache(80));
        segments.add(Segment.of(caches.get(i), prompts.get(i), adapters[i]));
      }
      List<float[][]> prefill = model.forward(segments);
      List<Segment> step = new ArrayList<>();
      int[] next = tokens(adapters.length, 99);
      for (int i = 0; i < adapters.length; i++) {
        step.add(Segment.of(caches.get(i), new int[] {next[i]}, adapters[i]));
      }
      List<float[][]> decoded = model.forward(step);
      for (int i = 0; i < adapters.length; i++) {
        int n = prompts.get(i).length;
        int[] all = Arrays.copyOf(prompts.get(i), n + 1);
        all[n] = next[i];
        float[][] whole = alone(model, all, adapters[i]);
        assertThat(prefill.get(i)[0]).isEqualTo(whole[n - 1]);
        assertThat(decoded.get(i)[0]).isEqualTo(whole[n]);
      }
      caches.forEach(KvCache::close);
    }
  }

  @ParameterizedTest
  @EnumSource(Precision.class)
  void candidateRowsEqualThoseOfAllLogits(Precision precision) {
    try (Gemma3 model = model(precision);
        KvCache cache = model.newCache(9)) {
      int[] tokens = tokens(9, 4);
      int[] candidates = {96, 0, 33, 31, 32};
      float[] all = alone(model, tokens, null)[8];
      float[] some =
          model.forward(List.of(new Segment(cache, tokens, null, 1, candidates))).getFirst()[0];
      for (int i = 0; i < candidates.length; i++) {
        assertThat(some[i]).isEqualTo(all[candidates[i]]);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Precision.class)
  void aCopiedOrTruncatedPrefixServesAsIfComputed(Precision precision) {
    try (Gemma3 model = model(precision);
        KvCache first = model.newCache(64);
        KvCache second = model.newCache(200)) {
      int[] tokens = tokens(50, 6);
      float[][] whole = alone(model, tokens, null);
      model.forward(List.of(Segment.of(first, tokens(60, 7), null)));
      first.truncate(0);
      model.forward(List.of(Segment.of(first, Arrays.copyOf(tokens, 45), null)));
      second.copyPrefix(first, 40);
      int[] rest = Arrays.copyOfRange(tokens, 40, 50);
      assertThat(model.forward(List.of(Segment.of(second, rest, null))).getFirst()[0])
          .isEqualTo(whole[49]);
    }
  }
}
