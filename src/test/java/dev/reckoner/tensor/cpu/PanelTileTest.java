package dev.reckoner.tensor.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Products of panels, and packed tiles, bit for bit as plain loops make them. */
class PanelTileTest {
  private static final int W = Tile.WIDTH;

  private static float[] floats(int n, int seed) {
    SplittableRandom random = new SplittableRandom(seed);
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) random.nextDouble(-1, 1);
    }
    return values;
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 16, 31, 32, 33, 64, 70})
  void aProductOfPanelsSumsAsPlainLoopsDo(int k) {
    for (int rows = 1; rows <= 29; rows++) {
      int step = rows * W + 7;
      float[] a = floats((k + W - 1) / W * step + 3, rows);
      float[] b = floats(k * W + 5, 100 + rows);
      a[3 + W * (rows - 1)] = Float.NaN;
      b[5 + (k - 1) * W + 9] = Float.POSITIVE_INFINITY;
      float[] actual = floats(rows * W + 2, 200 + rows);
      float[] expected = actual.clone();
      for (int i = 0; i < rows; i++) {
        for (int j = 0; j < W; j++) {
          for (int p = 0; p < k; p++) {
            float left = a[3 + p / W * step + i * W + p % W];
            expected[2 + i * W + j] = Math.fma(left, b[5 + p * W + j], expected[2 + i * W + j]);
          }
        }
      }
      PanelTile.multiply(rows, k, a, 3, step, b, 5, actual, 2);
      assertThat(actual).as("%d rows", rows).containsExactly(expected);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 31, 64, 65})
  void aTransposedPanelSumsAsPlainLoopsDo(int k) {
    for (int first = 0; first <= 24; first += 8) {
      float[] a = floats(k * W + 3, 1 + first);
      float[] b = floats(k * W + 5, 2 + first);
      a[3 + first + 4] = Float.NaN;
      float[] actual = floats(8 * W + 2, 3 + first);
      float[] expected = actual.clone();
      for (int i = 0; i < 8; i++) {
        for (int j = 0; j < W; j++) {
          for (int p = 0; p < k; p++) {
            float left = a[3 + p * W + first + i];
            expected[2 + i * W + j] = Math.fma(left, b[5 + p * W + j], expected[2 + i * W + j]);
          }
        }
      }
      PanelTile.multiplyTransposed(k, a, 3 + first, b, 5, actual, 2);
      assertThat(actual).as("from column %d", first).containsExactly(expected);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 15, 16, 17, 48, 61})
  void twelveRowsArePackedColumnByColumn(int k) {
    assumeThat(Tile.TALLEST).as("rows of the largest tile of this machine").isEqualTo(12);
    int stride = k + 5;
    float[] a = floats(12 * stride + 2, k);
    float[] actual = new float[12 * k + 6];
    PackTile512.pack(a, 2, stride, k, actual, 3);
    assertThat(actual).containsExactly(columnByColumn(a, 12, stride, k));
  }

  @ParameterizedTest
  @ValueSource(ints = {16, 48, 128})
  void eightRowsArePackedColumnByColumn(int k) {
    assumeThat(DecodeKernel.supported()).as("512-bit vectors").isTrue();
    int stride = k + 3;
    float[] a = floats(8 * stride + 2, k);
    float[] actual = new float[8 * k + 6];
    PackTile512.pack8(a, 2, stride, k, actual, 3);
    assertThat(actual).containsExactly(columnByColumn(a, 8, stride, k));
  }

  /** Rows that begin at 2, packed from 3 on, with zeros around. */
  private static float[] columnByColumn(float[] a, int rows, int stride, int k) {
    float[] packed = new float[rows * k + 6];
    for (int p = 0; p < k; p++) {
      for (int r = 0; r < rows; r++) {
        packed[3 + rows * p + r] = a[2 + r * stride + p];
      }
    }
    return packed;
  }
}
