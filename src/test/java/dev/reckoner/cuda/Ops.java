package dev.reckoner.cuda;

import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.Bf16;
import dev.reckoner.tensor.Indices;
import dev.reckoner.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** Inputs and outputs of one operation under test on one backend; closes what it made. */
final class Ops implements AutoCloseable {
  final Backend b;
  private final List<AutoCloseable> made = new ArrayList<>();

  Ops(Backend b) {
    this.b = b;
  }

  /** Normal numbers that bf16 holds exactly. */
  static float[] normal(SplittableRandom random, int n, double scale) {
    float[] v = new float[n];
    for (int i = 0; i < n; i++) {
      v[i] = Bf16.round((float) (random.nextGaussian() * scale));
    }
    return v;
  }

  static int[] integers(SplittableRandom random, int n, int bound) {
    int[] v = new int[n];
    for (int i = 0; i < n; i++) {
      v[i] = random.nextInt(bound);
    }
    return v;
  }

  <T extends AutoCloseable> T keep(T t) {
    made.add(t);
    return t;
  }

  Tensor activation(float[] v, int rows, int columns) {
    Tensor t = keep(b.activations(rows, columns));
    b.upload(v, t);
    return t;
  }

  /** An activation that is a view of columns of a wider one. */
  Tensor view(float[] v, int rows, int columns, int before, int after) {
    Tensor wide = keep(b.activations(rows, before + columns + after));
    b.fill(wide, Float.NaN);
    Tensor t = wide.columns(before, before + columns);
    b.upload(v, t);
    return t;
  }

  Tensor floats(float[] v, int rows, int columns) {
    Tensor t = keep(b.floats(rows, columns));
    b.upload(v, t);
    return t;
  }

  /** An output full of NaN. */
  Tensor out(int rows, int columns) {
    Tensor t = keep(b.activations(rows, columns));
    b.fill(t, Float.NaN);
    return t;
  }

  Tensor floatOut(int rows, int columns) {
    Tensor t = keep(b.floats(rows, columns));
    b.fill(t, Float.NaN);
    return t;
  }

  Tensor zeros(int rows, int columns) {
    return keep(b.floats(rows, columns));
  }

  Indices indices(int... v) {
    return keep(b.indices(v));
  }

  float[] read(Tensor t) {
    float[] v = new float[Math.toIntExact(t.size())];
    b.download(t, v);
    return v;
  }

  @Override
  public void close() {
    for (AutoCloseable c : made.reversed()) {
      try {
        c.close();
      } catch (Exception e) {
        throw new IllegalStateException(e);
      }
    }
  }
}
