package dev.reckoner.tensor.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.Tensor;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The most likely token of a row, beside a plain loop. */
class PicksTest {

  private static float[] logits(int n, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    float[] logits = new float[n];
    for (int i = 0; i < n; i++) {
      logits[i] = (float) (4 * random.nextGaussian());
    }
    return logits;
  }

  /** Token and log of its probability of each row, by several numbers of threads alike. */
  private static float[] picks(float[] logits, int rows) {
    float[] picks = null;
    for (int threads = 1; threads <= 3; threads++) {
      float[] now = new float[2 * rows];
      try (Backend backend = CpuBackend.open(threads);
          Tensor in = backend.floats(rows, logits.length / rows);
          Tensor out = backend.floats(rows, 2)) {
        backend.upload(logits, in);
        backend.mostLikely(in, null, out);
        backend.download(out, now);
      }
      assertThat(picks == null ? now : picks).containsExactly(now);
      picks = now;
    }
    return picks;
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 7, 16, 31, 33, 8191, 8192, 8193, 8230, 70_001, 262_144})
  void theLargestAndItsProbabilityAreThoseOfAPlainLoop(int n) {
    int rows = 3;
    float[] all = logits(rows * n, n);
    all[n + n / 2] = 12; // of a row, most of the probability
    float[] picks = picks(all, rows);
    for (int r = 0; r < rows; r++) {
      float[] own = Arrays.copyOfRange(all, r * n, (r + 1) * n);
      int best = 0;
      double sum = 0;
      for (int i = 0; i < n; i++) {
        best = own[i] > own[best] ? i : best;
      }
      for (float x : own) {
        sum += Math.exp(x - (double) own[best]);
      }
      assertThat(picks[2 * r]).isEqualTo(best);
      assertThat((double) picks[2 * r + 1]).isCloseTo(-Math.log(sum), within(2e-6));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {20, 20_000})
  void ofEqualsTheFirstIsPicked(int n) {
    float[] x = logits(n, 2);
    for (int first : new int[] {0, 3, n / 2, n - 2}) {
      float[] equal = x.clone();
      Arrays.fill(equal, first, n, 30);
      assertThat(picks(equal, 1)[0]).isEqualTo(first);
    }
    assertThat(picks(new float[n], 1)[0]).isZero();
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY})
  void whatIsNotANumberIsNotHidden(float odd) {
    for (int at : new int[] {0, 5, 8192, 19_998}) {
      float[] x = logits(20_000, 3);
      x[at] = odd;
      assertThat(picks(x, 1)[1]).isNaN();
    }
    float[] all = new float[40];
    Arrays.fill(all, odd);
    assertThat(picks(all, 1)[1]).isNaN();
  }

  @ParameterizedTest
  @ValueSource(ints = {30, 30_000})
  void whatIsImpossibleCountsForNothing(int n) {
    float[] x = new float[n];
    Arrays.fill(x, Float.NEGATIVE_INFINITY);
    x[n - 3] = 1;
    x[n - 2] = 1;
    float[] picks = picks(x, 1);
    assertThat(picks[0]).isEqualTo(n - 3);
    assertThat((double) picks[1]).isCloseTo(-Math.log(2), within(1e-6));
  }
}
