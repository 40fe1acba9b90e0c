package dev.reckoner.cli;

import dev.reckoner.tensor.cpu.MachineLimit;
import dev.reckoner.tensor.cpu.MachineProbe;

/** Watches what the processor can do while something else is timed; nothing on a GPU. */
final class BenchProbe implements AutoCloseable {

  private final MachineProbe probe;
  private MachineLimit limit;
  private double last = Double.NaN;
  private double best = Double.NaN;

  /**
   * @param threads of the CPU backend; 0 for a GPU, whose limits are not measured
   */
  BenchProbe(int threads) {
    probe = threads == 0 ? null : new MachineProbe(threads);
    remeasure();
  }

  /** Measures the limits once more; the larger ones stay. */
  void remeasure() {
    if (probe != null) {
      MachineLimit now = MachineLimit.measure(probe);
      probe.forget();
      limit = limit == null ? now : limit.or(now);
      best = limit.gflops();
      last = probe.gflops();
    }
  }

  /** Forgets what was seen last, before a repetition that does not follow at once. */
  void settle() {
    if (probe != null) {
      last = probe.gflops();
    }
  }

  /** Books a repetition that has just ended, between this probe and the last. */
  void book(BenchSeries series, double seconds) {
    double before = last;
    settle();
    series.add(seconds, Math.min(before, last));
  }

  /** Limits of this machine, or null on a GPU. */
  MachineLimit limit() {
    return limit;
  }

  /** The best multiply-add rate of the whole run; NaN on a GPU. */
  double best() {
    return best;
  }

  @Override
  public void close() {
    if (probe != null) {
      probe.close();
    }
  }
}
