package dev.reckoner.tensor.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/** The most likely token of each row of logits, and the logarithm of its probability. */
final class Picks {
  /**
   * Logits a thread reads twice, from its cache the second time. Their sums are always the same
   * ones, whoever makes them.
   */
  private static final int CHUNK = 1 << 13;

  private static final int L = VectorMath.L;

  private final Workers workers;

  Picks(Workers workers) {
    this.workers = workers;
  }

  /** {@code picks [rows][2]}. */
  void mostLikely(CpuTensor logits, CpuTensor picks) {
    int chunks = Math.ceilDiv(logits.columns, CHUNK);
    float[] largest = new float[logits.rows * chunks];
    float[] sums = new float[largest.length];
    workers.run(
        largest.length,
        task -> {
          int from = task % chunks * CHUNK;
          int at = logits.row(task / chunks) + from;
          int n = Math.min(CHUNK, logits.columns - from);
          largest[task] = largest(logits.data, at, n);
          boolean none = largest[task] == Float.NEGATIVE_INFINITY;
          sums[task] = sum(logits.data, at, n, none ? 0 : largest[task]);
        });
    for (int r = 0; r < logits.rows; r++) {
      int best = r * chunks;
      for (int c = best + 1; c < (r + 1) * chunks; c++) {
        best = largest[c] > largest[best] ? c : best;
      }
      double sum = 0;
      for (int c = r * chunks; c < (r + 1) * chunks; c++) {
        sum += sums[c] == 0 ? 0 : sums[c] * Math.exp(largest[c] - (double) largest[best]);
      }
      int index = (best - r * chunks) * CHUNK;
      int last = Math.min(logits.columns, index + CHUNK) - 1;
      while (index < last && logits.data[logits.row(r) + index] != largest[best]) {
        index++;
      }
      picks.data[picks.row(r)] = index;
      picks.data[picks.row(r) + 1] = (float) -Math.log(sum);
    }
  }

  /** Of those that are numbers. */
  private static float largest(float[] x, int at, int n) {
    FloatVector maxima = FloatVector.broadcast(VectorMath.S, Float.NEGATIVE_INFINITY);
    int i = 0;
    for (; i + L <= n; i += L) {
      FloatVector v = FloatVector.fromArray(VectorMath.S, x, at + i);
      VectorMask<Float> larger = v.compare(VectorOperators.GT, maxima);
      maxima = maxima.blend(v, larger);
    }
    float max = VectorMath.max(maxima);
    for (; i < n; i++) {
      max = x[at + i] > max ? x[at + i] : max;
    }
    return max;
  }

  private static float sum(float[] x, int at, int n, float max) {
    FloatVector sum0 = FloatVector.zero(VectorMath.S);
    FloatVector sum1 = FloatVector.zero(VectorMath.S);
    int i = 0;
    for (; i + 2 * L <= n; i += 2 * L) {
      FloatVector x0 = FloatVector.fromArray(VectorMath.S, x, at + i);
      FloatVector x1 = FloatVector.fromArray(VectorMath.S, x, at + i + L);
      sum0 = sum0.add(VectorMath.exp(x0.sub(max)));
      sum1 = sum1.add(VectorMath.exp(x1.sub(max)));
    }
    float sum = VectorMath.sum(sum0.add(sum1), new float[L]);
    for (; i < n; i++) {
      sum += VectorMath.exp(x[at + i] - max);
    }
    return sum;
  }
}
