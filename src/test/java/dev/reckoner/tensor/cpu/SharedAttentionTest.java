package dev.reckoner.tensor.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.reckoner.tensor.CacheBatch;
import dev.reckoner.tensor.KeyValues;
import dev.reckoner.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Tokens that are decoded, fewer than there are threads: keys and columns are shared out. */
class SharedAttentionTest {
  private static final float SCALE = 0.3f;

  @ParameterizedTest
  @CsvSource({
    "1, 4, 1, 40, 0",
    "31, 4, 1, 40, 0",
    "33, 4, 2, 64, 0",
    "64, 2, 2, 256, 0",
    "65, 8, 1, 33, 0",
    "130, 4, 1, 40, 1",
    "130, 4, 1, 40, 37",
    "200, 6, 2, 72, 64"
  })
  void howManyThreadsShareTheWorkChangesNoBit(
      int tokens, int heads, int kvHeads, int headDim, int window) {
    for (int sequences : new int[] {1, 2}) {
      Case c = new Case(sequences, tokens, heads, kvHeads, headDim, window);
      float[] alone = c.attend(1);
      double[] expected = c.expected();
      for (int i = 0; i < alone.length; i++) {
        assertThat((double) alone[i]).as("output %d", i).isCloseTo(expected[i], within(2e-5));
      }
      for (int threads : new int[] {2, 3, 9}) {
        assertThat(c.attend(threads)).as("%d threads", threads).isEqualTo(alone);
      }
    }
  }

  /** The last of {@code tokens} tokens of each sequence; later sequences are a token shorter. */
  private record Case(int sequences, int tokens, int heads, int kvHeads, int headDim, int window) {
    private float[] random(int seed, int rows, int columns) {
      SplittableRandom random = new SplittableRandom(seed);
      float[] values = new float[rows * columns];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) random.nextGaussian();
      }
      return values;
    }

    private int length(int sequence) {
      return Math.max(1, tokens - sequence);
    }

    private float[] keys(int sequence) {
      return random(10 + sequence, length(sequence), kvHeads * headDim);
    }

    private float[] values(int sequence) {
      return random(20 + sequence, length(sequence), kvHeads * headDim);
    }

    private float[] queries() {
      return random(1, sequences, heads * headDim);
    }

    float[] attend(int threads) {
      try (CpuBackend b = CpuBackend.open(threads)) {
        List<KeyValues> caches = new ArrayList<>();
        int[] starts = new int[sequences + 1];
        int[] past = new int[sequences];
        for (int s = 0; s < sequences; s++) {
          caches.add(b.keyValues(2, kvHeads, headDim, tokens));
          int n = length(s);
          try (CacheBatch all = b.batch(List.of(caches.get(s)), new int[] {0, n}, new int[1]);
              Tensor k = tensor(b, keys(s), n);
              Tensor v = tensor(b, values(s), n)) {
            b.appendKeyValues(all, 1, k, v);
          }
          starts[s + 1] = s + 1;
          past[s] = n - 1;
        }
        float[] result = new float[sequences * heads * headDim];
        try (CacheBatch last = b.batch(caches, starts, past);
            Tensor q = tensor(b, queries(), sequences);
            Tensor out = b.activations(sequences, heads * headDim)) {
          b.cachedAttention(last, 1, q, headDim, window, SCALE, out);
          b.download(out, result);
        }
        caches.forEach(KeyValues::close);
        return result;
      }
    }

    private static Tensor tensor(CpuBackend b, float[] values, int rows) {
      Tensor t = b.activations(rows, values.length / rows);
      b.upload(values, t);
      return t;
    }

    /** In double precision, key by key. */
    double[] expected() {
      double[] result = new double[sequences * heads * headDim];
      float[] q = queries();
      for (int s = 0; s < sequences; s++) {
        float[] keys = keys(s);
        float[] values = values(s);
        int n = length(s);
        int from = window == 0 ? 0 : Math.max(0, n - window);
        for (int h = 0; h < heads; h++) {
          int at = (s * heads + h) * headDim;
          int ofHead = h / (heads / kvHeads) * headDim;
          double[] scores = new double[n];
          Arrays.fill(scores, Double.NEGATIVE_INFINITY);
          for (int t = from; t < n; t++) {
            scores[t] = 0;
            for (int d = 0; d < headDim; d++) {
              scores[t] += (double) q[at + d] * keys[t * kvHeads * headDim + ofHead + d];
            }
          }
          double top = Arrays.stream(scores).max().orElseThrow();
          double sum = 0;
          for (int t = from; t < n; t++) {
            double weight = Math.exp(SCALE * (scores[t] - top));
            sum += weight;
            for (int d = 0; d < headDim; d++) {
              result[at + d] += weight * values[t * kvHeads * headDim + ofHead + d];
            }
          }
          for (int d = 0; d < headDim; d++) {
            result[at + d] /= sum;
          }
        }
      }
      return result;
    }
  }
}
