package dev.reckoner.cli;

import dev.reckoner.embedded.EmbeddedServices;
import dev.reckoner.improve.Simulation;
import dev.reckoner.improve.SimulationReport;
import dev.reckoner.tensor.backends.Backends;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.postgresql.ds.PGSimpleDataSource;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The improvement loop, tried out with a simulated reviewer. */
@Command(
    name = "improve",
    mixinStandardHelpOptions = true,
    description = {
      "With --simulate: a simulated reviewer corrects by a convention of the house, round after"
          + " round, with the real trainer, gate, registry and an embedded Postgres of its own.",
      "A poisoned round, a leaked question and a rollback are tried as well. Writes"
          + " improve-simulate.json and .png to --out.",
      "Exit codes: 0 all as expected, 1 an error, 3 an expectation failed."
    })
public final class ImproveCommand implements Callable<Integer> {

  private static final int NOT_AS_EXPECTED = 3;

  /** How much is simulated. */
  enum Scale {
    DEFAULT(Simulation.Size.DEFAULT),
    SMALL(Simulation.Size.SMALL),
    TINY(Simulation.Size.TINY);

    private final Simulation.Size size;

    Scale(Simulation.Size size) {
      this.size = size;
    }
  }

  @Option(names = "--simulate", description = "Simulate; the only thing this command does.")
  boolean simulate;

  @Option(
      names = "--size",
      defaultValue = "default",
      description =
          "default: 70 chains in two rounds, up to 20 minutes on two cores; small: 40 in one,"
              + " about seven; tiny: 10 in one, for tests, which learns nothing (default:"
              + " ${DEFAULT-VALUE}).")
  Scale size;

  @Option(
      names = "--rounds",
      split = ",",
      paramLabel = "N",
      description = "Other numbers of chains than --size has, one a round, for example 40,60,100.")
  List<Integer> rounds;

  @Option(
      names = "--problems",
      paramLabel = "N",
      description = "Another number of problems of each suite of the gate.")
  Integer problems;

  @Option(
      names = "--recipe",
      paramLabel = "FILE",
      description =
          "Another recipe of the training than the one that ships, with as many steps as it says.")
  Path recipe;

  @Option(
      names = "--seed",
      defaultValue = "1",
      description = "Of questions and slips (default: ${DEFAULT-VALUE}).")
  long seed;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      required = true,
      description = "Where the report goes; DIR/work holds database, checkpoints and adapters.")
  Path out;

  @Option(
      names = "--model",
      paramLabel = "DIR",
      description = "A Gemma 3 checkpoint (default: the bundled model).")
  Path model;

  @Option(
      names = "--backend",
      defaultValue = "auto",
      description = Backends.NAMES + " (default: ${DEFAULT-VALUE}).")
  String backend;

  @Spec private CommandSpec spec;

  /** Runs without the rest of the program: {@code java -cp … dev.reckoner.cli.ImproveCommand}. */
  public static void main(String... args) {
    System.exit(PlainMain.execute(new ImproveCommand(), args));
  }

  @Override
  public Integer call() throws IOException {
    if (!simulate) {
      throw new ParameterException(
          spec.commandLine(), "name --simulate; `reckoner train` starts a run on real decisions");
    }
    Path work = out.resolve("work");
    if (Files.exists(work)) {
      throw new UserException(work + " is there already; remove it or name another --out");
    }
    Map<String, String> settings = new HashMap<>();
    settings.put("reckoner.model.backend", backend);
    settings.put("reckoner.model.cache-dir", work.resolve("model-cache").toString());
    if (model != null) {
      settings.put("reckoner.model.dir", model.toString());
    }
    SimulationReport report;
    long begin = System.nanoTime();
    // Whatever ends the process, Postgres ends with it.
    try (GracefulStop stop = new GracefulStop(Thread.currentThread()::interrupt);
        EmbeddedServices services =
            EmbeddedServices.start(
                work.toAbsolutePath(),
                "reckoner improve",
                new EmbeddedServices.Wanted(false, true, 0, 0),
                part -> say(begin, part));
        Simulation simulation =
            new Simulation(
                size(),
                seed,
                database(services.configuration()),
                work.toAbsolutePath(),
                settings,
                line -> say(begin, line))) {
      report = simulation.run();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new UserException("interrupted; there is no report", e);
    }
    report.write(out);
    System.out.print(report.text());
    return report.asExpected() ? 0 : NOT_AS_EXPECTED;
  }

  private Simulation.Size size() throws IOException {
    Simulation.Size chosen = size.size;
    List<Integer> asked = rounds == null ? chosen.rounds() : rounds;
    if (asked.stream().anyMatch(n -> n < 1)) {
      throw new ParameterException(spec.commandLine(), "a round has at least one chain");
    }
    return new Simulation.Size(
        asked,
        problems == null ? chosen.suiteProblems() : problems,
        Math.min(chosen.poisoned(), asked.stream().mapToInt(n -> n).sum()),
        chosen.slips(),
        chosen.replay(),
        chosen.minimumReplay(),
        recipe == null ? chosen.maxSteps() : 0,
        recipe == null ? chosen.recipe() : Files.readString(recipe),
        Math.min(chosen.leastPromoted(), asked.size()));
  }

  private static PGSimpleDataSource database(Map<String, String> configuration) {
    PGSimpleDataSource database = new PGSimpleDataSource();
    database.setUrl(configuration.get("quarkus.datasource.jdbc.url"));
    database.setUser(configuration.get("quarkus.datasource.username"));
    database.setPassword(configuration.get("quarkus.datasource.password"));
    return database;
  }

  private static void say(long begin, String line) {
    System.err.printf(Locale.ROOT, "%6.0f s  %s%n", (System.nanoTime() - begin) / 1e9, line);
  }
}
