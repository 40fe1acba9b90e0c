package dev.reckoner.tensor.cpu;

import jdk.incubator.vector.FloatVector;

/**
 * GeGLU with the tanh approximation, forward and backward: {@code gelu(x) = x * sigmoid(2u)},
 * {@code u = sqrt(2/pi) (x + 0.044715 x^3)}, because {@code (1 + tanh u) / 2 = sigmoid(2u)}.
 */
final class FeedForward {
  private static final float A = 1.5957691216057308f;
  private static final float B = 0.044715f;

  private final Workers workers;

  FeedForward(Workers workers) {
    this.workers = workers;
  }

  void forward(CpuTensor gateUp, CpuTensor out) {
    int n = out.columns;
    int l = VectorMath.L;
    CpuRows.parallel(
        workers,
        out.rows,
        4 * n,
        t -> {
          int g = gateUp.row(t);
          int o = out.row(t);
          int i = 0;
          for (; i + l <= n; i += l) {
            FloatVector x = FloatVector.fromArray(VectorMath.S, gateUp.data, g + i);
            FloatVector up = FloatVector.fromArray(VectorMath.S, gateUp.data, g + n + i);
            FloatVector u2 = x.mul(x).mul(B).add(1f).mul(x).mul(A);
            FloatVector e = VectorMath.exp(u2.neg());
            x.div(e.add(1f)).mul(up).intoArray(out.data, o + i);
          }
          for (; i < n; i++) {
            float x = gateUp.data[g + i];
            float u2 = (x * x * B + 1f) * x * A;
            out.data[o + i] = x / (VectorMath.exp(-u2) + 1f) * gateUp.data[g + n + i];
          }
        });
  }

  /**
   * With s = sigmoid(2u): {@code gelu' = s + x s (1 - s) 2u'}.
   *
   * @param activated where to put what {@link #forward} gave, bit for bit; or null
   */
  void backward(CpuTensor dOut, CpuTensor gateUp, CpuTensor dGateUp, CpuTensor activated) {
    int n = dOut.columns;
    int l = VectorMath.L;
    CpuRows.parallel(
        workers,
        dOut.rows,
        6 * n,
        t -> {
          int g = gateUp.row(t);
          int d = dOut.row(t);
          int o = dGateUp.row(t);
          int i = 0;
          FloatVector one = FloatVector.broadcast(VectorMath.S, 1f);
          for (; i + l <= n; i += l) {
            FloatVector x = FloatVector.fromArray(VectorMath.S, gateUp.data, g + i);
            FloatVector up = FloatVector.fromArray(VectorMath.S, gateUp.data, g + n + i);
            FloatVector dy = FloatVector.fromArray(VectorMath.S, dOut.data, d + i);
            FloatVector x2 = x.mul(x).mul(B);
            FloatVector u2 = x2.add(1f).mul(x).mul(A);
            FloatVector e1 = VectorMath.exp(u2.neg()).add(1f);
            FloatVector s = one.div(e1);
            if (activated != null) {
              x.div(e1).mul(up).intoArray(activated.data, activated.row(t) + i);
            }
            FloatVector slope = x2.mul(3f).add(1f).mul(A);
            FloatVector gelu = x.mul(s);
            FloatVector dGelu = gelu.mul(one.sub(s)).mul(slope).add(s);
            dy.mul(up).mul(dGelu).intoArray(dGateUp.data, o + i);
            dy.mul(gelu).intoArray(dGateUp.data, o + n + i);
          }
          for (; i < n; i++) {
            float x = gateUp.data[g + i];
            float dy = dOut.data[d + i];
            float x2 = x * x * B;
            float e1 = VectorMath.exp(-((x2 + 1f) * x * A)) + 1f;
            float s = 1f / e1;
            if (activated != null) {
              activated.data[activated.row(t) + i] = x / e1 * gateUp.data[g + n + i];
            }
            float gelu = x * s;
            float dGelu = gelu * (1f - s) * ((x2 * 3f + 1f) * A) + s;
            dGateUp.data[o + i] = dy * gateUp.data[g + n + i] * dGelu;
            dGateUp.data[o + n + i] = dy * gelu;
          }
        });
  }
}
