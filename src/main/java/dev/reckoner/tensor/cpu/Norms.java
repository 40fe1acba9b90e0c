package dev.reckoner.tensor.cpu;

import jdk.incubator.vector.FloatVector;

/** RMSNorm with weight 1 + w, forward and backward. */
final class Norms {
  private static final int COLUMNS_A_TASK = 64;

  private final Workers workers;

  Norms(Workers workers) {
    this.workers = workers;
  }

  /** {@code sum(a * b)} over {@code n} elements, in a fixed order. */
  static float dot(float[] a, int ao, float[] b, int bo, int n, float[] lanes) {
    int l = VectorMath.L;
    FloatVector sum = FloatVector.zero(VectorMath.S);
    int i = 0;
    for (; i + l <= n; i += l) {
      sum =
          FloatVector.fromArray(VectorMath.S, a, ao + i)
              .fma(FloatVector.fromArray(VectorMath.S, b, bo + i), sum);
    }
    float total = VectorMath.sum(sum, lanes);
    for (; i < n; i++) {
      total = Math.fma(a[ao + i], b[bo + i], total);
    }
    return total;
  }

  static float reciprocalRms(float[] x, int at, int n, float eps, float[] lanes) {
    float meanSquare = dot(x, at, x, at, n, lanes) / n;
    return (float) (1 / Math.sqrt(meanSquare + (double) eps));
  }

  /** {@code out = residual + x * rstd * (1 + w)}; residual and rstd may be null. */
  void forward(
      CpuTensor x, CpuTensor w, float eps, CpuTensor residual, CpuTensor out, CpuTensor rstd) {
    int n = x.columns;
    CpuRows.parallel(
        workers,
        x.rows,
        n,
        t -> {
          int from = x.row(t);
          int to = out.row(t);
          float r = reciprocalRms(x.data, from, n, eps, new float[VectorMath.L]);
          if (rstd != null) {
            rstd.data[rstd.row(t)] = r;
          }
          float[] added = residual == null ? null : residual.data;
          int base = residual == null ? 0 : residual.row(t);
          scale(x.data, from, r, w.data, w.offset, n, added, base, out.data, to);
        });
  }

  /**
   * {@code out = residual + x * r * (1 + w)}. In vectors: Java's compiler does not know that the
   * arrays are not one and the same, and leaves such a loop scalar.
   *
   * @param residual null where nothing is added
   */
  static void scale(
      float[] x,
      int from,
      float r,
      float[] w,
      int wo,
      int n,
      float[] residual,
      int base,
      float[] out,
      int to) {
    int l = VectorMath.L;
    int c = 0;
    for (; c + l <= n; c += l) {
      FloatVector v =
          FloatVector.fromArray(VectorMath.S, x, from + c)
              .mul(r)
              .mul(FloatVector.fromArray(VectorMath.S, w, wo + c).add(1f));
      if (residual != null) {
        v = v.add(FloatVector.fromArray(VectorMath.S, residual, base + c));
      }
      v.intoArray(out, to + c);
    }
    for (; c < n; c++) {
      float v = x[from + c] * r * (1 + w[wo + c]);
      out[to + c] = residual == null ? v : residual[base + c] + v;
    }
  }

  /**
   * With g = dOut * (1 + w) and xhat = x * rstd: {@code dx = rstd * (g - xhat * mean(g * xhat))},
   * {@code dw = sum over rows of dOut * xhat}.
   */
  void backward(
      CpuTensor dOut,
      CpuTensor x,
      CpuTensor w,
      CpuTensor rstd,
      float beta,
      CpuTensor dx,
      CpuTensor dWeight) {
    int n = x.columns;
    if (dWeight != null) {
      addWeightGradient(dOut, x, rstd, dWeight);
    }
    CpuRows.parallel(
        workers,
        x.rows,
        2 * n,
        t ->
            rowGradient(
                dOut.data,
                dOut.row(t),
                x.data,
                x.row(t),
                w.data,
                w.offset,
                rstd.data[rstd.row(t)],
                n,
                beta,
                dx.data,
                dx.row(t)));
  }

  static void rowGradient(
      float[] dOut,
      int d,
      float[] x,
      int from,
      float[] w,
      int wo,
      float r,
      int n,
      float beta,
      float[] dx,
      int to) {
    int l = VectorMath.L;
    FloatVector sum = FloatVector.zero(VectorMath.S);
    int i = 0;
    for (; i + l <= n; i += l) {
      FloatVector g =
          FloatVector.fromArray(VectorMath.S, dOut, d + i)
              .mul(FloatVector.fromArray(VectorMath.S, w, wo + i).add(1f));
      sum = g.fma(FloatVector.fromArray(VectorMath.S, x, from + i), sum);
    }
    float total = VectorMath.sum(sum, new float[l]);
    for (; i < n; i++) {
      total = Math.fma(dOut[d + i] * (w[wo + i] + 1f), x[from + i], total);
    }
    float mean = total * r * r / n;
    int c = 0;
    for (; c + l <= n; c += l) {
      FloatVector own =
          FloatVector.fromArray(VectorMath.S, dOut, d + c)
              .mul(FloatVector.fromArray(VectorMath.S, w, wo + c).add(1f))
              .sub(FloatVector.fromArray(VectorMath.S, x, from + c).mul(mean))
              .mul(r);
      if (beta != 0) {
        own = FloatVector.fromArray(VectorMath.S, dx, to + c).mul(beta).add(own);
      }
      own.intoArray(dx, to + c);
    }
    for (; c < n; c++) {
      float own = r * (dOut[d + c] * (1 + w[wo + c]) - x[from + c] * mean);
      dx[to + c] = beta == 0 ? own : beta * dx[to + c] + own;
    }
  }

  private void addWeightGradient(CpuTensor dOut, CpuTensor x, CpuTensor rstd, CpuTensor dWeight) {
    int n = x.columns;
    workers.run(
        (n + COLUMNS_A_TASK - 1) / COLUMNS_A_TASK,
        task -> {
          int c0 = task * COLUMNS_A_TASK;
          int c1 = Math.min(n, c0 + COLUMNS_A_TASK);
          for (int t = 0; t < x.rows; t++) {
            float r = rstd.data[rstd.row(t)];
            int a = dOut.row(t);
            int b = x.row(t);
            for (int c = c0; c < c1; c++) {
              dWeight.data[dWeight.offset + c] += dOut.data[a + c] * (x.data[b + c] * r);
            }
          }
        });
  }
}
