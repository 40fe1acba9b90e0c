package dev.reckoner.cli;

import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The {@code reckoner} command of a bundle: what needs the engine and no service. */
@Command(
    name = "reckoner",
    description = "Reckoner's engine: trains, evaluates and measures models.",
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {
      AnalyzeCommand.class,
      TrainCommand.class,
      EvaluateCommand.class,
      CorpusCommand.class,
      FitCommand.class,
      BenchCommand.class
    })
final class BundledMain implements Runnable {

  @Spec private CommandSpec spec;

  /** Runs the command line and exits with its code. */
  public static void main(String... args) {
    int code;
    try {
      code = PlainMain.line(new BundledMain()).execute(args);
    } catch (NoClassDefFoundError e) {
      System.err.println(
          "reckoner: this needs the whole program, which a bundle is not (%s); train takes --data and --out here"
              .formatted(e.getMessage()));
      code = CommandLine.ExitCode.SOFTWARE;
    }
    System.exit(code);
  }

  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(), "name a command, for example: reckoner evaluate --model DIR");
  }
}
