package dev.reckoner.tensor.cpu;

import jdk.incubator.vector.FloatVector;

/** Softmax cross-entropy whose gradient replaces the logits. */
final class Loss {
  private final Workers workers;

  Loss(Workers workers) {
    this.workers = workers;
  }

  void crossEntropy(CpuTensor logits, int[] targets, CpuTensor weights, CpuTensor losses) {
    int n = logits.columns;
    int l = VectorMath.L;
    CpuRows.parallel(
        workers,
        logits.rows,
        4 * n,
        t -> {
          float[] x = logits.data;
          int at = logits.row(t);
          float[] lanes = new float[l];
          float max = Float.NEGATIVE_INFINITY;
          FloatVector maxima = FloatVector.broadcast(VectorMath.S, max);
          int i = 0;
          for (; i + l <= n; i += l) {
            maxima = maxima.max(FloatVector.fromArray(VectorMath.S, x, at + i));
          }
          max = VectorMath.max(maxima);
          for (; i < n; i++) {
            max = Math.max(max, x[at + i]);
          }
          float target = x[at + targets[t]] - max;
          FloatVector sums = FloatVector.zero(VectorMath.S);
          for (i = 0; i + l <= n; i += l) {
            FloatVector e = VectorMath.exp(FloatVector.fromArray(VectorMath.S, x, at + i).sub(max));
            e.intoArray(x, at + i);
            sums = sums.add(e);
          }
          float sum = VectorMath.sum(sums, lanes);
          for (; i < n; i++) {
            x[at + i] = VectorMath.exp(x[at + i] - max);
            sum += x[at + i];
          }
          losses.data[losses.row(t)] = (float) Math.log(sum) - target;
          float weight = weights.data[weights.row(t)];
          float factor = weight / sum;
          for (i = 0; i < n; i++) {
            x[at + i] *= factor;
          }
          x[at + targets[t]] -= weight;
        });
  }
}
