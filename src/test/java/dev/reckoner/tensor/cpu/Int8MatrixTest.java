package dev.reckoner.tensor.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.reckoner.tensor.Matrix;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.Tensor;
import dev.reckoner.tensor.WeightSource;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** 8-bit weights, whose scales come two in a word. */
class Int8MatrixTest {
  private static final int OUT = 77;
  private static final int IN = 192;

  /** Rows of very different size, one of them nothing but zeros. */
  private static float[] weights() {
    SplittableRandom random = new SplittableRandom(4);
    float[] values = new float[OUT * IN];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (random.nextGaussian() * Math.pow(10, i / IN % 9 - 4));
    }
    java.util.Arrays.fill(values, 20 * IN, 21 * IN, 0f);
    return values;
  }

  @Test
  void aWeightIsOffByHalfAStepAtMost() {
    float[] values = weights();
    try (CpuBackend b = CpuBackend.open(2);
        Matrix m = b.dense(List.of(WeightSource.of(values, OUT, IN)), Precision.INT8)) {
      float[] row = new float[IN];
      for (int r = 0; r < OUT; r++) {
        ((CpuMatrix) m).row(r, row, 0);
        for (int block = 0; block < IN; block += 64) {
          float absmax = 0;
          for (int c = block; c < block + 64; c++) {
            absmax = Math.max(absmax, Math.abs(values[r * IN + c]));
          }
          // a step is absmax / 127 and at most a bfloat16's last place more
          double half = absmax / 127.0 * (1 + 1.0 / 128) / 2;
          for (int c = block; c < block + 64; c++) {
            assertThat((double) row[c])
                .as("row %d, column %d", r, c)
                .isCloseTo(values[r * IN + c], within(half * 1.0001));
          }
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 7, 8, 9, 30})
  void productsBothWaysAreThoseOfItsRows(int tokens) {
    float[] values = weights();
    SplittableRandom random = new SplittableRandom(tokens);
    for (int threads : new int[] {1, 2}) {
      try (CpuBackend b = CpuBackend.open(threads);
          Matrix m = b.dense(List.of(WeightSource.of(values, OUT, IN)), Precision.INT8);
          Tensor x = b.activations(tokens, IN);
          Tensor y = b.activations(tokens, OUT);
          Tensor dx = b.activations(tokens, IN)) {
        float[] in = new float[tokens * IN];
        for (int i = 0; i < in.length; i++) {
          in[i] = (float) random.nextGaussian();
        }
        float[] stored = new float[OUT * IN];
        for (int r = 0; r < OUT; r++) {
          ((CpuMatrix) m).row(r, stored, r * IN);
        }
        b.upload(in, x);
        b.linear(m, x, 1, 0, y);
        float[] out = new float[tokens * OUT];
        b.download(y, out);
        b.linearInputGradient(m, y, 1, 0, dx);
        float[] back = new float[tokens * IN];
        b.download(dx, back);
        for (int t = 0; t < tokens; t++) {
          for (int r = 0; r < OUT; r++) {
            assertSum(out[t * OUT + r], in, t * IN, stored, r * IN, 1, IN);
          }
          for (int c = 0; c < IN; c++) {
            assertSum(back[t * IN + c], out, t * OUT, stored, c, IN, OUT);
          }
        }
      }
    }
  }

  /** That {@code actual} is a sum of {@code n} products, the weights of which are a step apart. */
  private static void assertSum(
      float actual, float[] left, int at, float[] weights, int first, int step, int n) {
    double sum = 0;
    double size = 0;
    for (int i = 0; i < n; i++) {
      double term = (double) left[at + i] * weights[first + i * step];
      sum += term;
      size += Math.abs(term);
    }
    assertThat((double) actual)
        .as("products from %d with weights from %d", at, first)
        .isCloseTo(sum, within(1e-5 * size));
  }
}
