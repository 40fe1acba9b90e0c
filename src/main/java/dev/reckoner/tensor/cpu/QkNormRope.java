package dev.reckoner.tensor.cpu;

import jdk.incubator.vector.FloatVector;

/** Per-head RMSNorm of q and k and rotary embedding, forward and backward. */
final class QkNormRope {
  private static final int TOKENS_A_TASK = 32;

  private final Workers workers;
  private final FloatPool pool;

  QkNormRope(Workers workers, FloatPool pool) {
    this.workers = workers;
    this.pool = pool;
  }

  void forward(
      CpuTensor qkv,
      CpuTensor qWeight,
      CpuTensor kWeight,
      float eps,
      int[] positions,
      CpuTensor rope,
      CpuTensor q,
      CpuTensor k,
      CpuTensor rstd) {
    int d = rope.columns;
    int heads = q.columns / d;
    int all = heads + k.columns / d;
    CpuRows.parallel(
        workers,
        qkv.rows,
        all * d * 2,
        t -> {
          float[] lanes = new float[VectorMath.L];
          int angles = rope.row(positions[t]);
          for (int h = 0; h < all; h++) {
            boolean query = h < heads;
            CpuTensor w = query ? qWeight : kWeight;
            CpuTensor out = query ? q : k;
            int to = out.row(t) + (query ? h : h - heads) * d;
            int from = qkv.row(t) + h * d;
            float r = Norms.reciprocalRms(qkv.data, from, d, eps, lanes);
            if (rstd != null) {
              rstd.data[rstd.row(t) + h] = r;
            }
            Norms.scale(qkv.data, from, r, w.data, w.offset, d, null, 0, out.data, to);
            rotate(out.data, to, rope.data, angles, 1, d / 2, out.data, to);
          }
        });
  }

  /**
   * A head turned by its position's angles.
   *
   * @param direction 1, or -1 for the way back
   * @param out may be x
   */
  private static void rotate(
      float[] x,
      int from,
      float[] rope,
      int angles,
      float direction,
      int half,
      float[] out,
      int to) {
    int l = VectorMath.L;
    int i = 0;
    for (; i + l <= half; i += l) {
      FloatVector a = FloatVector.fromArray(VectorMath.S, x, from + i);
      FloatVector b = FloatVector.fromArray(VectorMath.S, x, from + half + i);
      FloatVector cos = FloatVector.fromArray(VectorMath.S, rope, angles + i);
      FloatVector sin = FloatVector.fromArray(VectorMath.S, rope, angles + half + i).mul(direction);
      a.mul(cos).sub(b.mul(sin)).intoArray(out, to + i);
      b.mul(cos).add(a.mul(sin)).intoArray(out, to + half + i);
    }
    for (; i < half; i++) {
      float a = x[from + i];
      float b = x[from + half + i];
      float cos = rope[angles + i];
      float sin = rope[angles + half + i] * direction;
      out[to + i] = a * cos - b * sin;
      out[to + half + i] = b * cos + a * sin;
    }
  }

  void backward(
      CpuTensor dq,
      CpuTensor dk,
      CpuTensor qkv,
      CpuTensor qWeight,
      CpuTensor kWeight,
      int[] positions,
      CpuTensor rope,
      CpuTensor rstd,
      CpuTensor dQkv,
      CpuTensor dqWeight,
      CpuTensor dkWeight) {
    int d = rope.columns;
    int half = d / 2;
    int heads = dq.columns / d;
    int all = heads + dk.columns / d;
    int tasks = (qkv.rows + TOKENS_A_TASK - 1) / TOKENS_A_TASK;
    boolean weights = dqWeight != null || dkWeight != null;
    float[] partial = weights ? pool.take((long) tasks * 2 * d) : null;
    workers.run(
        tasks,
        task -> {
          float[] normed = new float[d];
          if (weights) {
            java.util.Arrays.fill(partial, task * 2 * d, (task + 1) * 2 * d, 0f);
          }
          int end = Math.min(qkv.rows, (task + 1) * TOKENS_A_TASK);
          for (int t = task * TOKENS_A_TASK; t < end; t++) {
            int angles = rope.row(positions[t]);
            for (int h = 0; h < all; h++) {
              boolean query = h < heads;
              CpuTensor w = query ? qWeight : kWeight;
              CpuTensor dOut = query ? dq : dk;
              int from = dOut.row(t) + (query ? h : h - heads) * d;
              rotate(dOut.data, from, rope.data, angles, -1, half, normed, 0);
              float r = rstd.data[rstd.row(t) + h];
              int x = qkv.row(t) + h * d;
              Norms.rowGradient(
                  normed,
                  0,
                  qkv.data,
                  x,
                  w.data,
                  w.offset,
                  r,
                  d,
                  0,
                  dQkv.data,
                  dQkv.row(t) + h * d);
              if (weights) {
                int at = task * 2 * d + (query ? 0 : d);
                for (int i = 0; i < d; i++) {
                  partial[at + i] += normed[i] * (qkv.data[x + i] * r);
                }
              }
            }
          }
        });
    if (weights) {
      for (int task = 0; task < tasks; task++) {
        add(partial, task * 2 * d, d, dqWeight);
        add(partial, task * 2 * d + d, d, dkWeight);
      }
      pool.give(partial);
    }
  }

  private static void add(float[] from, int at, int n, CpuTensor to) {
    for (int i = 0; to != null && i < n; i++) {
      to.data[to.offset + i] += from[at + i];
    }
  }
}
