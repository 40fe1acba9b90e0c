package dev.reckoner.cli;

import io.quarkus.runtime.annotations.QuarkusMain;
import java.util.Arrays;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The {@code reckoner} command. */
@QuarkusMain
@Command(
    name = "reckoner",
    description = "Financial events in, checked reasoning out.",
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {
      DemoCommand.class,
      StartCommand.class,
      AnalyzeCommand.class,
      TrainCommand.class,
      ImproveCommand.class,
      EvaluateCommand.class,
      AdaptersCommand.class,
      VerifyLedgerCommand.class,
      DoctorCommand.class,
      PasswordCommand.class,
      CorpusCommand.class,
      FitCommand.class,
      BenchCommand.class,
      BundleCommand.class
    })
public final class Main implements Runnable {

  @Spec private CommandSpec spec;

  /** Runs the command line and exits with its code. */
  public static void main(String... args) {
    if (args.length > 0 && args[0].equals("analyze")) {
      System.exit(AnalyzeCommand.execute(Arrays.copyOfRange(args, 1, args.length)));
    }
    System.exit(commandLine().execute(args));
  }

  static CommandLine commandLine() {
    return PlainMain.line(new Main());
  }

  /** The options of the subcommand that {@code args} name, read anew inside the application. */
  static <T> T options(String[] args, Class<T> command) {
    CommandLine.ParseResult parsed = commandLine().parseArgs(args);
    return command.cast(parsed.subcommand().commandSpec().userObject());
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "name a command, for example: reckoner demo");
  }
}
