package dev.reckoner.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.tensor.cpu.CpuBackend;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The backward of every operation against finite differences of its forward: the derivative of a
 * random weighting of the outputs, along random directions of each input.
 */
class OperationGradientTest {
  private final List<AutoCloseable> open = new ArrayList<>();
  private final SplittableRandom random = new SplittableRandom(17);
  private Backend backend;

  @BeforeEach
  void openBackend() {
    backend = CpuBackend.open(2);
  }

  @AfterEach
  void close() throws Exception {
    for (AutoCloseable c : open) {
      c.close();
    }
    backend.close();
  }

  private Tensor tensor(int rows, int columns, double scale) {
    Tensor t = backend.floats(rows, columns);
    open.add(t);
    float[] values = new float[rows * columns];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (random.nextGaussian() * scale);
    }
    backend.upload(values, t);
    return t;
  }

  private Tensor tensor(int rows, int columns) {
    return tensor(rows, columns, 1);
  }

  private float[] host(Tensor t) {
    float[] values = new float[Math.toIntExact(t.size())];
    backend.download(t, values);
    return values;
  }

  private double weighted(Tensor out, Tensor weights) {
    float[] a = host(out);
    float[] b = host(weights);
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += (double) a[i] * b[i];
    }
    return sum;
  }

  /** Checks gradient {@code dx} of the scalar with respect to {@code x} along three directions. */
  private void assertDerivative(Tensor x, Tensor dx, Supplier<Double> scalar) {
    float[] at = host(x);
    float[] gradient = host(dx);
    for (int direction = 0; direction < 3; direction++) {
      double[] d = random.doubles(at.length, -1, 1).toArray();
      double analytic = 0;
      double norm = 0;
      for (int i = 0; i < d.length; i++) {
        // lean along the gradient, so that the derivative is not a small difference of large terms
        d[i] = 0.3 * d[i] + Math.signum(gradient[i]);
        analytic += d[i] * gradient[i];
        norm += Math.abs(d[i] * gradient[i]);
      }
      double h = 4e-3;
      double difference = (moved(x, at, d, h, scalar) - moved(x, at, d, -h, scalar)) / (2 * h);
      backend.upload(at, x);
      assertThat(norm).isPositive();
      assertThat(Math.abs(difference - analytic) / norm).isLessThan(4e-3);
    }
  }

  private double moved(Tensor x, float[] at, double[] d, double h, Supplier<Double> scalar) {
    float[] values = new float[at.length];
    for (int i = 0; i < at.length; i++) {
      values[i] = (float) (at[i] + h * d[i]);
    }
    backend.upload(values, x);
    return scalar.get();
  }

  @ParameterizedTest
  @EnumSource(Precision.class)
  void linearInput(Precision precision) {
    float[] weights = host(tensor(70, 128));
    WeightSource source = WeightSource.of(weights, 70, 128);
    Matrix w =
        precision == Precision.NF4
            ? backend.nf4(List.of(Nf4.quantise(source)))
            : backend.dense(List.of(source), precision);
    Tensor x = tensor(13, 128);
    Tensor y = tensor(13, 70);
    Tensor dy = tensor(13, 70);
    Tensor dx = tensor(13, 128);
    float[] before = host(dx);
    backend.linearInputGradient(w, dy, 2, 0.5f, dx);
    float[] after = host(dx);
    for (int i = 0; i < after.length; i++) {
      after[i] -= 0.5f * before[i];
    }
    backend.upload(after, dx);
    assertDerivative(
        x,
        dx,
        () -> {
          backend.linear(w, x, 2, 0, y);
          return weighted(y, dy);
        });
  }

  @Test
  void linearWeight() {
    Tensor master = tensor(45, 37);
    Matrix w = backend.trainable(master);
    Tensor x = tensor(29, 37);
    Tensor y = tensor(29, 45);
    Tensor dy = tensor(29, 45);
    Tensor dw = backend.floats(45, 37);
    backend.linearWeightGradient(dy, x, 3, dw);
    assertDerivative(
        master,
        dw,
        () -> {
          backend.refresh(w);
          backend.linear(w, x, 3, 0, y);
          return weighted(y, dy);
        });
  }

  @Test
  void embedding() {
    Tensor master = tensor(19, 40);
    Matrix table = backend.trainable(master);
    Indices ids = backend.indices(new int[] {3, 18, 3, 0, 7, 3});
    Tensor out = tensor(6, 40);
    Tensor dOut = tensor(6, 40);
    Tensor dTable = backend.floats(19, 40);
    backend.embedGradient(dOut, ids, 6.5f, dTable);
    assertDerivative(
        master,
        dTable,
        () -> {
          backend.refresh(table);
          backend.embed(table, ids, 6.5f, out);
          return weighted(out, dOut);
        });
  }

  @Test
  void rmsNormAndItsWeight() {
    Tensor x = tensor(11, 50);
    Tensor w = tensor(1, 50, 0.3);
    Tensor out = tensor(11, 50);
    Tensor dOut = tensor(11, 50);
    Tensor rstd = backend.floats(11, 1);
    Tensor dx = tensor(11, 50);
    Tensor dw = backend.floats(1, 50);
    backend.rmsNorm(x, w, 1e-6f, out, rstd);
    backend.rmsNormGradient(dOut, x, w, rstd, 0, dx, dw);
    Supplier<Double> scalar =
        () -> {
          backend.rmsNorm(x, w, 1e-6f, out, null);
          return weighted(out, dOut);
        };
    assertDerivative(x, dx, scalar);
    assertDerivative(w, dw, scalar);
  }

  @Test
  void qkNormRopeAndItsWeights() {
    int d = 20;
    Tensor qkv = tensor(9, 5 * d);
    Tensor qw = tensor(1, d, 0.3);
    Tensor kw = tensor(1, d, 0.3);
    Tensor rope = tensor(30, d);
    Indices positions = backend.indices(new int[] {0, 1, 2, 3, 0, 1, 29, 5, 6});
    Tensor q = tensor(9, 3 * d);
    Tensor k = tensor(9, d);
    Tensor dq = tensor(9, 3 * d);
    Tensor dk = tensor(9, d);
    Tensor rstd = backend.floats(9, 4);
    Tensor dQkv = backend.floats(9, 5 * d);
    Tensor dqw = backend.floats(1, d);
    Tensor dkw = backend.floats(1, d);
    backend.qkNormRope(qkv, qw, kw, 1e-6f, positions, rope, q, k, rstd);
    backend.qkNormRopeGradient(dq, dk, qkv, qw, kw, positions, rope, rstd, dQkv, dqw, dkw);
    Supplier<Double> scalar =
        () -> {
          backend.qkNormRope(qkv, qw, kw, 1e-6f, positions, rope, q, k, null);
          return weighted(q, dq) + weighted(k, dk);
        };
    assertDerivative(qkv, dQkv, scalar);
    assertDerivative(qw, dqw, scalar);
    assertDerivative(kw, dkw, scalar);
  }

  @ParameterizedTest
  @CsvSource({"16, 0", "16, 7", "40, 90", "64, 0"})
  void attention(int d, int window) {
    int t = 150;
    Indices sequences = backend.indices(new int[] {0, 101, 104, t});
    Tensor q = tensor(t, 4 * d);
    Tensor k = tensor(t, 2 * d);
    Tensor v = tensor(t, 2 * d);
    Tensor out = tensor(t, 4 * d);
    Tensor lse = backend.floats(t, 4);
    Tensor dOut = tensor(t, 4 * d);
    Tensor dq = tensor(t, 4 * d);
    Tensor dk = tensor(t, 2 * d);
    Tensor dv = tensor(t, 2 * d);
    float scale = 0.2f;
    backend.attention(q, k, v, sequences, d, window, scale, out, lse);
    backend.attentionGradient(dOut, q, k, v, out, lse, sequences, d, window, scale, dq, dk, dv);
    Supplier<Double> scalar =
        () -> {
          backend.attention(q, k, v, sequences, d, window, scale, out, lse);
          return weighted(out, dOut);
        };
    assertDerivative(q, dq, scalar);
    assertDerivative(k, dk, scalar);
    assertDerivative(v, dv, scalar);
  }

  @Test
  void geglu() {
    Tensor x = tensor(7, 90);
    Tensor out = tensor(7, 45);
    Tensor dOut = tensor(7, 45);
    Tensor dx = tensor(7, 90);
    backend.gegluGradient(dOut, x, dx);
    assertDerivative(
        x,
        dx,
        () -> {
          backend.geglu(x, out);
          return weighted(out, dOut);
        });
  }

  @Test
  void dropout() {
    Tensor x = tensor(20, 33);
    Tensor out = tensor(20, 33);
    Tensor dOut = tensor(20, 33);
    Tensor dx = tensor(20, 33);
    backend.dropout(dOut, 0.3f, 5, 0, dx);
    assertDerivative(
        x,
        dx,
        () -> {
          backend.dropout(x, 0.3f, 5, 0, out);
          return weighted(out, dOut);
        });
    double dropped = 0;
    for (float v : host(dx)) {
      dropped += v == 0 ? 1.0 / dx.size() : 0;
    }
    assertThat(dropped).isBetween(0.25, 0.35);
  }

  @Test
  void crossEntropy() {
    int n = 6;
    Tensor x = tensor(n, 77);
    float[] original = host(x);
    Tensor weights = tensor(n, 1);
    Tensor losses = backend.floats(n, 1);
    Indices targets = backend.indices(new int[] {0, 76, 33, 5, 5, 70});
    Tensor logits = tensor(n, 77);
    backend.copy(x, logits);
    backend.crossEntropy(logits, targets, weights, losses);
    Tensor scratch = tensor(n, 77);
    assertDerivative(
        x,
        logits,
        () -> {
          backend.copy(x, scratch);
          backend.crossEntropy(scratch, targets, weights, losses);
          return weighted(losses, weights);
        });
    assertThat(host(x)).isEqualTo(original);
  }

  @Test
  void adamWFollowsItsDefinition() {
    Tensor p = tensor(1, 1000);
    Tensor g = tensor(1, 1000);
    Tensor m = backend.floats(1, 1000);
    Tensor v = backend.floats(1, 1000);
    double[] ep = new double[1000];
    double[] em = new double[1000];
    double[] ev = new double[1000];
    float[] start = host(p);
    float[] gradient = host(g);
    for (int i = 0; i < 1000; i++) {
      ep[i] = start[i];
    }
    for (int step = 1; step <= 3; step++) {
      backend.adamW(p, g, m, v, new AdamW(0.01f, 0.9f, 0.99f, 1e-8f, 0.1f, step), 0.5f);
      for (int i = 0; i < 1000; i++) {
        double gi = gradient[i] * 0.5;
        em[i] = 0.9 * em[i] + 0.1 * gi;
        ev[i] = 0.99 * ev[i] + 0.01 * gi * gi;
        double mHat = em[i] / (1 - Math.pow(0.9, step));
        double vHat = ev[i] / (1 - Math.pow(0.99, step));
        ep[i] = ep[i] * (1 - 0.01 * 0.1) - 0.01 * mHat / (Math.sqrt(vHat) + 1e-8);
      }
    }
    float[] result = host(p);
    for (int i = 0; i < 1000; i++) {
      assertThat(Math.abs(result[i] - ep[i])).isLessThan(2e-6);
    }
    double squares = 0;
    for (float x : gradient) {
      squares += (double) x * x;
    }
    assertThat(backend.sumOfSquares(g))
        .isCloseTo(squares, org.assertj.core.api.Assertions.withinPercentage(1e-6));
  }
}
