package dev.reckoner.tensor.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.reckoner.tensor.LowRank;
import dev.reckoner.tensor.Matrix;
import dev.reckoner.tensor.Nf4;
import dev.reckoner.tensor.Tensor;
import dev.reckoner.tensor.WeightSource;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is packed once for several products gives the same bits as each product alone. */
class AdaptedLinearTest {
  private static final int TOKENS = 77;
  private static final int IN = 128;
  private static final int OUT = 101;
  private static final int RANK = 5;

  private final CpuBackend b = CpuBackend.open(2);
  private final SplittableRandom random = new SplittableRandom(3);

  private float[] values(int n) {
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private Tensor tensor(int rows, int columns) {
    Tensor t = b.floats(rows, columns);
    b.upload(values(rows * columns), t);
    return t;
  }

  private float[] read(Tensor t) {
    float[] values = new float[Math.toIntExact(t.size())];
    b.download(t, values);
    return values;
  }

  /** A layer with fewer outputs than inputs, and one with more, of many rows. */
  @ParameterizedTest
  @CsvSource({"300, 192, 101, 64", "300, 192, 101, 40", "257, 320, 160, 96", "300, 64, 333, 128"})
  void manyRowsToo(int tokens, int in, int out, int middle) {
    compare(tokens, in, out, middle);
  }

  /** Where the parts meet decides whether they are added panel by panel or afterwards. */
  @ParameterizedTest
  @ValueSource(ints = {32, 40, 64})
  void forwardAndBackwardAreTheirPieces(int middle) {
    compare(TOKENS, IN, OUT, middle);
  }

  private void compare(int tokens, int in, int out, int middle) {
    Matrix w = b.nf4(List.of(Nf4.quantise(WeightSource.of(values(out * in), out, in))));
    Matrix a = b.trainable(tensor(2 * RANK, in));
    LowRank.Part first = new LowRank.Part(b.trainable(tensor(middle, RANK)), 0, middle, 0, RANK);
    LowRank.Part second =
        new LowRank.Part(b.trainable(tensor(out - middle, RANK)), middle, out, RANK, 2 * RANK);
    LowRank adapter = new LowRank(a, 0.5f, List.of(first, second));
    Tensor x = tensor(tokens, in);
    Tensor u = b.floats(tokens, 2 * RANK);
    Tensor y = b.floats(tokens, out);
    b.linear(w, adapter, x, u, y);
    Tensor dy = tensor(tokens, out);
    Tensor du = b.floats(tokens, 2 * RANK);
    Tensor dx = b.floats(tokens, in);
    b.linearInputGradient(w, adapter, dy, du, dx);

    Tensor u2 = b.floats(tokens, 2 * RANK);
    Tensor y2 = b.floats(tokens, out);
    Tensor du2 = b.floats(tokens, 2 * RANK);
    Tensor dx2 = b.floats(tokens, in);
    b.linear(a, x, 1, 0, u2);
    b.linear(w, x, 1, 0, y2);
    for (LowRank.Part p : adapter.parts()) {
      Tensor ranks = u2.columns(p.fromRank(), p.toRank());
      b.linear(p.b(), ranks, 0.5f, 1, y2.columns(p.fromColumn(), p.toColumn()));
      b.linearInputGradient(
          p.b(),
          dy.columns(p.fromColumn(), p.toColumn()),
          0.5f,
          0,
          du2.columns(p.fromRank(), p.toRank()));
    }
    b.linearInputGradient(w, dy, 1, 0, dx2);
    b.linearInputGradient(a, du2, 1, 1, dx2);
    assertArrayEquals(read(u2), read(u));
    assertArrayEquals(read(y2), read(y));
    assertArrayEquals(read(du2), read(du));
    assertArrayEquals(read(dx2), read(dx));
  }

  @Test
  void theGradientOfAFewColumnsIsThatOfManyTransposed() {
    Tensor dy = tensor(TOKENS, 50);
    Tensor x = tensor(TOKENS, RANK);
    float[] before = values(50 * RANK);
    Tensor dw = b.floats(50, RANK);
    b.upload(before, dw);
    b.linearWeightGradient(dy, x, 0.5f, dw);
    Tensor transposed = b.floats(RANK, 50);
    float[] turned = new float[before.length];
    for (int i = 0; i < before.length; i++) {
      turned[i % RANK * 50 + i / RANK] = before[i];
    }
    b.upload(turned, transposed);
    b.linearWeightGradient(x, dy, 0.5f, transposed);
    float[] expected = read(transposed);
    float[] found = read(dw);
    float[] foundTurned = new float[found.length];
    for (int i = 0; i < found.length; i++) {
      foundTurned[i % RANK * 50 + i / RANK] = found[i];
    }
    assertArrayEquals(expected, foundTurned);
  }
}
