package dev.reckoner.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.tensor.cpu.CpuBackend;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A linear layer on the CPU has a kernel for each number of rows; all give the same bits. */
class LinearRowsTest {
  /** Three slices of a prompt's product, the last one shorter. */
  private static final int IN = 448;

  /** Seventeen panels of 32, the last one of 5. */
  private static final int OUT = 517;

  private static final int MANY = 160;

  private static float[] values(int n, int seed) {
    SplittableRandom random = new SplittableRandom(seed);
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) random.nextDouble(-1, 1);
    }
    return values;
  }

  private static Matrix matrix(Backend backend, Precision precision) {
    return matrix(backend, precision, OUT);
  }

  private static Matrix matrix(Backend backend, Precision precision, int outputs) {
    WeightSource source = WeightSource.of(values(outputs * IN, 1), outputs, IN);
    return precision == Precision.NF4
        ? backend.nf4(List.of(Nf4.quantise(source)))
        : backend.dense(List.of(source), precision);
  }

  private static float[] linear(Backend backend, Matrix w, float[] x, int rows) {
    float[] out = values(rows * w.rows(), 3);
    try (Tensor in = backend.floats(rows, IN);
        Tensor y = backend.floats(rows, w.rows())) {
      backend.upload(x, in);
      backend.upload(out, y);
      backend.linear(w, in, 0.5f, 2, y);
      backend.download(y, out);
    }
    return out;
  }

  @ParameterizedTest
  @EnumSource(Precision.class)
  void aRowIsTheSameBitsAmongAnyNumberOfRows(Precision precision) {
    try (Backend backend = CpuBackend.open(2);
        Matrix w = matrix(backend, precision)) {
      float[] x = values(MANY * IN, 2);
      float[] all = linear(backend, w, x, MANY);
      // few, tiles of all heights, and blocks of rows that are packed together with others behind
      for (int rows = 1; rows <= 64; rows++) {
        assertThat(linear(backend, w, x, rows))
            .as("%d rows", rows)
            .containsExactly(java.util.Arrays.copyOf(all, rows * OUT));
      }
    }
  }

  /** One row and few are shared out by panels, several at a time. */
  @ParameterizedTest
  @EnumSource(Precision.class)
  void aRowIsTheSameBitsForAnyNumberOfPanels(Precision precision) {
    float[] x = values(MANY * IN, 5);
    for (int threads = 1; threads <= 3; threads++) {
      try (Backend backend = CpuBackend.open(threads)) {
        for (int panels : new int[] {1, 2, 3, 5, 7, 8, 9, 16, 37, 77, 100}) {
          for (int outputs : new int[] {32 * panels, 32 * panels - 11}) {
            try (Matrix w = matrix(backend, precision, outputs)) {
              float[] all = linear(backend, w, x, MANY);
              for (int rows : new int[] {1, 2, 4, 8, 19}) {
                assertThat(linear(backend, w, x, rows))
                    .as("%d outputs, %d rows, %d threads", outputs, rows, threads)
                    .containsExactly(java.util.Arrays.copyOf(all, rows * outputs));
              }
            }
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Precision.class)
  void theInputGradientIsThatOfTheWeightsAsHeld(Precision precision) {
    try (Backend backend = CpuBackend.open(2);
        Matrix w = matrix(backend, precision)) {
      float[] identity = new float[IN * IN];
      for (int i = 0; i < IN; i++) {
        identity[i * IN + i] = 1;
      }
      float[] transposed = new float[IN * OUT];
      float[] dy = values(3 * OUT, 4);
      float[] dx = new float[3 * IN];
      try (Tensor x = backend.floats(IN, IN);
          Tensor y = backend.floats(IN, OUT);
          Tensor dOut = backend.floats(3, OUT);
          Tensor dIn = backend.floats(3, IN)) {
        backend.upload(identity, x);
        backend.linear(w, x, 1, 0, y);
        backend.download(y, transposed);
        backend.upload(dy, dOut);
        backend.linearInputGradient(w, dOut, 1, 0, dIn);
        backend.download(dIn, dx);
      }
      for (int t = 0; t < 3; t++) {
        for (int i = 0; i < IN; i++) {
          double expected = 0;
          for (int o = 0; o < OUT; o++) {
            expected += (double) dy[t * OUT + o] * transposed[i * OUT + o];
          }
          assertThat((double) dx[t * IN + i])
              .as("row %d, input %d", t, i)
              .isCloseTo(expected, org.assertj.core.data.Offset.offset(1e-4));
        }
      }
    }
  }
}
