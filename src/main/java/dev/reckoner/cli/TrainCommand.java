package dev.reckoner.cli;

import dev.reckoner.improve.AdapterTraining;
import dev.reckoner.improve.AdapterTraining.Trained;
import dev.reckoner.improve.ImprovementService;
import dev.reckoner.improve.TrainingRun;
import dev.reckoner.inference.BundledModel;
import dev.reckoner.tensor.backends.Backends;
import dev.reckoner.tuning.Outcome;
import dev.reckoner.tuning.Recipe;
import dev.reckoner.tuning.StepMetrics;
import dev.reckoner.tuning.TrainingListener;
import io.quarkus.runtime.QuarkusApplication;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** A run of the improvement loop; with --data, the training alone. */
@Command(
    name = "train",
    mixinStandardHelpOptions = true,
    description = {
      "Trains an adapter on every validated chain, compares it with the one that serves, and lets"
          + " it serve if it passes the gate.",
      "With --data: trains an adapter on a file and writes it to --out, no database needed.",
      "Exit codes: 0 passed or written, 1 an error, 3 refused by the gate."
    })
final class TrainCommand implements Callable<Integer> {

  private static final int REFUSED = 3;
  private static final Duration POLL = Duration.ofMillis(500);

  @Mixin ImprovementOptions where = new ImprovementOptions();

  @Option(
      names = "--no-promote",
      description = "A candidate that passes waits for `reckoner adapters promote`.")
  boolean noPromote;

  @Option(
      names = "--data",
      paramLabel = "FILE",
      description = "Train on this file: JSON Lines of {\"messages\": [...]}.")
  Path data;

  @Option(
      names = "--recipe",
      paramLabel = "FILE",
      description = "Recipe for --data (default: QLoRA of rank 16 on all linear layers).")
  Path recipe;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description = "Where --data writes metrics, checkpoint and DIR/adapter.")
  Path out;

  @Option(
      names = "--backend",
      defaultValue = "auto",
      description = "For --data: " + Backends.NAMES + " (default: ${DEFAULT-VALUE}).")
  String backend;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    if (data != null) {
      return tune();
    }
    if (recipe != null || out != null) {
      throw new ParameterException(spec.commandLine(), "--recipe and --out go with --data");
    }
    return where.with(spec, Application.class, this::improve);
  }

  /** The run, when this process holds the data directory. */
  static final class Application implements QuarkusApplication {

    private final ImprovementService service;

    Application(ImprovementService service) {
      this.service = service;
    }

    @Override
    public int run(String... args) {
      return Main.options(args, TrainCommand.class)
          .improve(new ImprovementAccess.Local(service, System.getProperty("user.name")));
    }
  }

  private int improve(ImprovementAccess access) {
    TrainingRun run = access.start(!noPromote);
    try (Progress progress = new Progress(System.err, false)) {
      String shown = "";
      while (run.status().active()) {
        boolean steps = run.status() == TrainingRun.Status.TRAINING && run.steps() > 0;
        String phase =
            run.status() == TrainingRun.Status.TRAINING && !steps
                ? "loading"
                : run.status().name().toLowerCase(Locale.ROOT);
        if (!phase.equals(shown)) {
          shown = phase;
          progress.phase(phase, steps ? run.steps() : -1);
        }
        if (steps) {
          progress.at(run.step());
        }
        pause();
        run = access.run(run.id());
      }
    }
    System.out.println(
        (run.adapterId() == null ? "run " + run.id() : run.adapterId()) + ": " + run.message());
    return switch (run.status()) {
      case PASSED, PROMOTED -> 0;
      case REFUSED -> REFUSED;
      default -> 1;
    };
  }

  private int tune() {
    if (out == null) {
      throw new ParameterException(spec.commandLine(), "--data needs --out");
    }
    Path model =
        where.server.model != null
            ? where.server.model
            : BundledModel.directory(where.server.dataDirectory().resolve("model-cache"));
    Recipe chosen = recipe == null ? Recipe.defaults() : Recipe.read(recipe);
    try (Progress progress = new Progress(System.err, false)) {
      progress.phase("loading");
      TrainingListener bar =
          new TrainingListener() {
            private boolean begun;

            @Override
            public void step(StepMetrics m) {
              if (!begun) {
                progress.phase("training", m.steps());
                begun = true;
              }
              progress.at(m.step());
            }
          };
      Trained trained =
          AdapterTraining.train(model, Backends.open(backend), chosen, data, out, "adapter", bar);
      progress.close();
      Outcome outcome = trained.outcome();
      System.out.printf(
          Locale.ROOT,
          "%s: %d samples (%d too long), %d steps, loss %.4f, on %s%n",
          trained.adapter(),
          trained.samples(),
          trained.tooLong(),
          outcome.steps(),
          outcome.trainingLoss(),
          trained.backend());
    }
    return 0;
  }

  private static void pause() {
    try {
      Thread.sleep(POLL);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new UserException("interrupted; the run goes on in the service", e);
    }
  }
}
