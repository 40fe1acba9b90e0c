package dev.reckoner.cuda;

import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.cpu.CpuBackend;
import dev.reckoner.tensor.cuda.CudaBackend;
import dev.reckoner.tensor.cuda.CudaException;
import java.util.Locale;

/**
 * Compares every operation, and whole training passes and generation, between the GPU and the CPU;
 * a program for machines with a GPU and no build tools. {@code --self} compares the CPU with itself,
 * {@code --only TEXT} runs the checks whose name contains it, {@code --seed N}. Exit status 1: a
 * check failed; 2: no usable GPU.
 */
public final class CudaCheck {
  private CudaCheck() {}

  public static void main(String[] args) {
    String only = "";
    long seed = System.nanoTime() & 0xffffff;
    boolean self = false;
    for (int i = 0; i < args.length; i++) {
      switch (args[i]) {
        case "--self" -> self = true;
        case "--only" -> only = args[++i];
        case "--seed" -> seed = Long.parseLong(args[++i]);
        default -> throw new IllegalArgumentException("unknown option " + args[i]);
      }
    }
    try (Backend cpu = CpuBackend.open();
        Backend gpu = self ? CpuBackend.open() : CudaBackend.open(0)) {
      System.out.println(gpu.description() + ", seed " + seed);
      int failed = 0;
      for (OperationChecks.Check check : OperationChecks.all(seed)) {
        if (check.name().contains(only) && !passes(check, cpu, gpu)) {
          failed++;
        }
      }
      for (OperationChecks.Check check : ModelChecks.all(seed)) {
        if (check.name().contains(only) && !passes(check, cpu, gpu)) {
          failed++;
        }
      }
      System.out.println(failed == 0 ? "all passed" : failed + " FAILED");
      System.exit(failed == 0 ? 0 : 1);
    } catch (CudaException e) {
      System.out.println(e.getMessage());
      System.exit(2);
    }
  }

  private static boolean passes(OperationChecks.Check check, Backend cpu, Backend gpu) {
    String verdict;
    boolean passed = false;
    try (Ops ours = new Ops(gpu);
        Ops reference = new Ops(cpu)) {
      float[][] expected = check.operation().run(reference);
      float[][] got = check.operation().run(ours);
      StringBuilder errors = new StringBuilder();
      passed = true;
      for (int i = 0; i < expected.length; i++) {
        double error = relativeError(got[i], expected[i]);
        passed &= error <= check.tolerance();
        errors.append(String.format(Locale.ROOT, " %.1e", error));
      }
      verdict = errors.toString();
    } catch (RuntimeException e) {
      verdict = " " + e;
    }
    System.out.printf(
        "%-4s %-28s %-34s%s%n", passed ? "ok" : "FAIL", check.name(), check.size(), verdict);
    return passed;
  }

  /** {@code |a - b| / |b|}; NaN (which passes no bound) where either has one. */
  private static double relativeError(float[] a, float[] b) {
    if (a.length != b.length) {
      return Double.NaN;
    }
    double difference = 0;
    double size = 0;
    for (int i = 0; i < a.length; i++) {
      double d = (double) a[i] - b[i];
      difference += d * d;
      size += (double) b[i] * b[i];
    }
    if (difference == 0) {
      return 0;
    }
    return Math.sqrt(difference / Math.max(size, 1e-30));
  }
}
