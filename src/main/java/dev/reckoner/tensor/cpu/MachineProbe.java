package dev.reckoner.tensor.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.function.IntConsumer;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/**
 * Short loops that do nothing but multiply-adds, or nothing but reads, on all threads at once. A
 * try takes some milliseconds, so one fits between two iterations of a benchmark and tells whether
 * the cores were there. Used by one thread.
 */
public final class MachineProbe implements AutoCloseable {
  private static final int CHAINS = 12;
  private static final int STEPS = 1 << 20;
  private static final long BYTES_A_THREAD = 96L << 20;

  private final int threads;
  private final Workers workers;
  private final float[] sink;
  private final int[] sums;
  private Arena arena;
  private MemorySegment[] data;

  public MachineProbe(int threads) {
    this.threads = threads;
    workers = new Workers(threads);
    sink = new float[threads * VectorMath.L];
    sums = new int[threads];
  }

  /** fp32 multiply-adds of all threads, two operations each, in one try. */
  public double gflops() {
    double flops = 2.0 * CHAINS * STEPS * VectorMath.L * threads;
    return flops / seconds(t -> multiplyAdd(sink, t * VectorMath.L)) / 1e9;
  }

  /** Sequential reads of all threads from memory in one try, in GB/s. */
  public double gigabytesPerSecond() {
    if (data == null) {
      // Outside the heap: it must be gone when it is no longer needed.
      arena = Arena.ofShared();
      data = new MemorySegment[threads];
      for (int t = 0; t < threads; t++) {
        data[t] = arena.allocate(BYTES_A_THREAD, 64).fill((byte) 1);
      }
    }
    return (double) BYTES_A_THREAD * threads / seconds(t -> sums[t] = sum(data[t])) / 1e9;
  }

  /** Gives back the memory that {@link #gigabytesPerSecond} reads. */
  public void forget() {
    if (data != null) {
      arena.close();
      data = null;
    }
  }

  private double seconds(IntConsumer body) {
    long began = System.nanoTime();
    workers.run(threads, body);
    return (System.nanoTime() - began) / 1e9;
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

  private static int sum(MemorySegment data) {
    var species = IntVector.SPECIES_PREFERRED;
    IntVector a = IntVector.zero(species);
    IntVector b = a;
    IntVector c = a;
    IntVector d = a;
    ByteOrder order = ByteOrder.nativeOrder();
    int n = species.vectorByteSize();
    for (long i = 0; i + 4 * n <= BYTES_A_THREAD; i += 4 * n) {
      a = a.add(IntVector.fromMemorySegment(species, data, i, order));
      b = b.add(IntVector.fromMemorySegment(species, data, i + n, order));
      c = c.add(IntVector.fromMemorySegment(species, data, i + 2 * n, order));
      d = d.add(IntVector.fromMemorySegment(species, data, i + 3 * n, order));
    }
    return a.add(b).add(c).add(d).lane(0);
  }

  @Override
  public void close() {
    forget();
    workers.close();
  }
}
