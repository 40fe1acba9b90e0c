package dev.reckoner.tensor.cpu;

/**
 * What the processor can do at most, measured now: the yardstick of a benchmark.
 *
 * @param gflops fp32 multiply-adds of all threads, counted as two operations each
 * @param gigabytesPerSecond sequential reads of all threads from memory
 */
public record MachineLimit(double gflops, double gigabytesPerSecond) {
  private static final int TRIES = 12;

  /** Measures for some tenths of a second; the best of several tries counts. */
  public static MachineLimit measure(MachineProbe probe) {
    double compute = 0;
    double read = 0;
    for (int i = 0; i < TRIES; i++) {
      compute = Math.max(compute, probe.gflops());
      read = Math.max(read, probe.gigabytesPerSecond());
    }
    return new MachineLimit(compute, read);
  }

  /** The larger of both, limit by limit. */
  public MachineLimit or(MachineLimit other) {
    return new MachineLimit(
        Math.max(gflops, other.gflops), Math.max(gigabytesPerSecond, other.gigabytesPerSecond));
  }
}
