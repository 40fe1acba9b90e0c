package dev.reckoner.cuda;

import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.cpu.CpuBackend;
import dev.reckoner.tensor.cuda.CudaBackend;
import dev.reckoner.tensor.cuda.CudaException;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * Compares every operation, and whole training passes and generation, between the GPU and the CPU;
 * a program for machines with a GPU and no build tools. {@code --self} compares the CPU with
 * itself, {@code --only TEXT} runs the checks whose name and size contain it, {@code --seed N}.
 * Exit status 1: a check failed; 2: no usable GPU.
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
        if (named(check).contains(only) && !passes(check, cpu, gpu)) {
          failed++;
        }
      }
      for (OperationChecks.Check check : ModelChecks.all(seed)) {
        if (named(check).contains(only) && !passes(check, cpu, gpu)) {
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

  private static String named(OperationChecks.Check check) {
    return check.name() + " " + check.size();
  }

  private static boolean passes(OperationChecks.Check check, Backend cpu, Backend gpu) {
    String verdict;
    boolean passed = false;
    try {
      double[] errors = check.errors(gpu, cpu);
      passed = check.passes(errors);
      verdict =
          Arrays.stream(errors)
              .mapToObj(e -> String.format(Locale.ROOT, " %.1e", e))
              .collect(Collectors.joining());
    } catch (RuntimeException e) {
      verdict = " " + e;
    }
    System.out.printf(
        "%-4s %-28s %-34s%s%n", passed ? "ok" : "FAIL", check.name(), check.size(), verdict);
    return passed;
  }
}
