package dev.reckoner.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine;

/** Runs one command alone, for machines that have the library and no service. */
final class PlainMain {

  private PlainMain() {}

  /** Runs a command. */
  static int execute(Callable<Integer> command, String... args) {
    return line(command).execute(args);
  }

  /** A command's line; an error is one line. */
  static CommandLine line(Object command) {
    return new CommandLine(command)
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setExecutionExceptionHandler(
            (e, line, parsed) -> {
              String message = e.getMessage() == null ? e.toString() : e.getMessage();
              line.getErr().println("reckoner: " + message.lines().findFirst().orElse(message));
              return CommandLine.ExitCode.SOFTWARE;
            });
  }
}
