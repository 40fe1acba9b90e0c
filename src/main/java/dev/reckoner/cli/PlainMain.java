package dev.reckoner.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine;

/**
 * How a command line is read and how its failure is told. It needs picocli alone, so that a command
 * also runs by itself on machines that have the library and no service.
 */
final class PlainMain {

  private static final System.Logger LOG = System.getLogger(PlainMain.class.getName());

  private PlainMain() {}

  /** Runs one command by itself. */
  static int execute(Callable<Integer> command, String... args) {
    return line(command).execute(args);
  }

  /** A command's line; an error is one line. */
  static CommandLine line(Object command) {
    return new CommandLine(command)
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setExecutionExceptionHandler(PlainMain::explain);
  }

  private static int explain(Exception e, CommandLine line, CommandLine.ParseResult parsed) {
    LOG.log(System.Logger.Level.DEBUG, "The command failed", e);
    Throwable cause = e;
    while (cause.getMessage() == null && cause.getCause() != null) {
      cause = cause.getCause();
    }
    String message = cause.getMessage() == null ? cause.toString() : cause.getMessage();
    line.getErr().println("reckoner: " + message.lines().findFirst().orElse(message));
    return CommandLine.ExitCode.SOFTWARE;
  }
}
