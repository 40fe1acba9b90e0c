package dev.reckoner.tensor.cpu;

import dev.reckoner.tensor.AdamW;

/** Gradient norm and AdamW over contiguous ranges. */
final class Optimiser {
  private static final int CHUNK = 1 << 15;

  private final Workers workers;

  Optimiser(Workers workers) {
    this.workers = workers;
  }

  double sumOfSquares(CpuTensor t) {
    int n = Math.toIntExact(t.size());
    int chunks = (n + CHUNK - 1) / CHUNK;
    double[] sums = new double[chunks];
    workers.run(
        chunks,
        c -> {
          int from = t.offset + c * CHUNK;
          int to = t.offset + Math.min(n, (c + 1) * CHUNK);
          double a = 0;
          double b = 0;
          int i = from;
          for (; i + 1 < to; i += 2) {
            a += (double) t.data[i] * t.data[i];
            b += (double) t.data[i + 1] * t.data[i + 1];
          }
          if (i < to) {
            a += (double) t.data[i] * t.data[i];
          }
          sums[c] = a + b;
        });
    double sum = 0;
    for (double s : sums) {
      sum += s;
    }
    return sum;
  }

  void adamW(CpuTensor p, CpuTensor g, CpuTensor m, CpuTensor v, AdamW a, float gradientScale) {
    int n = Math.toIntExact(p.size());
    float step = a.learningRate() / a.correction1();
    float rootCorrection = (float) Math.sqrt(a.correction2());
    float decay = 1 - a.learningRate() * a.weightDecay();
    float beta1 = a.beta1();
    float beta2 = a.beta2();
    float epsilon = a.epsilon();
    workers.run(
        (n + CHUNK - 1) / CHUNK,
        c -> {
          int to = Math.min(n, (c + 1) * CHUNK);
          for (int i = c * CHUNK; i < to; i++) {
            float gradient = g.data[g.offset + i] * gradientScale;
            float first = beta1 * m.data[m.offset + i] + (1 - beta1) * gradient;
            float second = beta2 * v.data[v.offset + i] + (1 - beta2) * gradient * gradient;
            m.data[m.offset + i] = first;
            v.data[v.offset + i] = second;
            float denominator = (float) Math.sqrt(second) / rootCorrection + epsilon;
            p.data[p.offset + i] = p.data[p.offset + i] * decay - step * first / denominator;
          }
        });
  }
}
