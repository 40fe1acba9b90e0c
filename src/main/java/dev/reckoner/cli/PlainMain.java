package dev.reckoner.cli;

import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.cpu.CpuBackend;
import dev.reckoner.tensor.cuda.CudaBackend;
import java.util.concurrent.Callable;
import picocli.CommandLine;

/** Runs one command alone, for machines that have the library and no service. */
final class PlainMain {

  private PlainMain() {}

  /**
   * A backend by name.
   *
   * @param name {@code cpu} or {@code cuda}
   * @param threads of the CPU backend; 0 for all
   */
  static Backend backend(String name, int threads) {
    return switch (name) {
      case "cpu" -> threads > 0 ? CpuBackend.open(threads) : CpuBackend.open();
      case "cuda" -> CudaBackend.open(0);
      default ->
          throw new IllegalArgumentException("--backend must be cpu or cuda, not " + name);
    };
  }

  /** Runs a command; an error is one line. */
  static int execute(Callable<Integer> command, String... args) {
    return new CommandLine(command)
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setExecutionExceptionHandler(
            (e, line, parsed) -> {
              String message = e.getMessage() == null ? e.toString() : e.getMessage();
              line.getErr().println("reckoner: " + message.lines().findFirst().orElse(message));
              return CommandLine.ExitCode.SOFTWARE;
            })
        .execute(args);
  }
}
