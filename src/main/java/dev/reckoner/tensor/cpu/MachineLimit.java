package dev.reckoner.tensor.cpu;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/**
 * What the processor can do at most, measured now: the yardstick of a benchmark.
 *
 * @param gflops fp32 multiply-adds of all threads, counted as two operations each
 * @param gigabytesPerSecond sequential reads of all threads from memory
 */
public record MachineLimit(double gflops, double gigabytesPerSecond) {
  private static final int CHAINS = 12;
  private static final int STEPS = 1 << 20;
  private static final int INTS_A_THREAD = 24 << 20;

  /** Measures for some tenths of a second; the best of several tries counts. */
  public static MachineLimit measure(int threads) {
    try (Workers workers = new Workers(threads)) {
      double flops = 2.0 * CHAINS * STEPS * VectorMath.L * threads;
      float[] sink = new float[threads * VectorMath.L];
      double compute = best(workers, threads, t -> multiplyAdd(sink, t * VectorMath.L));
      int[][] data = new int[threads][INTS_A_THREAD];
      for (int[] d : data) {
        Arrays.fill(d, 1);
      }
      int[] sums = new int[threads];
      double read = best(workers, threads, t -> sums[t] = sum(data[t]));
      return new MachineLimit(flops / compute / 1e9, 4.0 * INTS_A_THREAD * threads / read / 1e9);
    }
  }

  private static double best(Workers workers, int threads, java.util.function.IntConsumer body) {
    double best = Double.MAX_VALUE;
    for (int i = 0; i < 12; i++) {
      long began = System.nanoTime();
      workers.run(threads, body);
      best = Math.min(best, (System.nanoTime() - began) / 1e9);
    }
    return best;
  }

  private static void multiplyAdd(float[] sink, int at) {
    FloatVector x = FloatVector.broadcast(VectorMath.S, 0.5f);
    FloatVector a = x;
    FloatVector b = x;
    FloatVector c = x;
    FloatVector d = x;
    FloatVector e = x;
    FloatVector f = x;
    FloatVector g = x;
    FloatVector h = x;
    FloatVector i = x;
    FloatVector j = x;
    FloatVector k = x;
    FloatVector l = x;
    for (int s = 0; s < STEPS; s++) {
      a = a.fma(x, x);
      b = b.fma(x, x);
      c = c.fma(x, x);
      d = d.fma(x, x);
      e = e.fma(x, x);
      f = f.fma(x, x);
      g = g.fma(x, x);
      h = h.fma(x, x);
      i = i.fma(x, x);
      j = j.fma(x, x);
      k = k.fma(x, x);
      l = l.fma(x, x);
    }
    FloatVector sum = a.add(b).add(c).add(d).add(e).add(f).add(g).add(h);
    sum.add(i).add(j).add(k).add(l).intoArray(sink, at);
  }

  private static int sum(int[] data) {
    var species = IntVector.SPECIES_PREFERRED;
    IntVector a = IntVector.zero(species);
    IntVector b = a;
    IntVector c = a;
    IntVector d = a;
    int n = species.length();
    for (int i = 0; i + 4 * n <= data.length; i += 4 * n) {
      a = a.add(IntVector.fromArray(species, data, i));
      b = b.add(IntVector.fromArray(species, data, i + n));
      c = c.add(IntVector.fromArray(species, data, i + 2 * n));
      d = d.add(IntVector.fromArray(species, data, i + 3 * n));
    }
    return a.add(b).add(c).add(d).lane(0);
  }
}
