package dev.reckoner.cli;

import dev.reckoner.improve.AdapterTraining;
import dev.reckoner.improve.AdapterTraining.Phase;
import dev.reckoner.improve.AdapterTraining.PhaseResult;
import dev.reckoner.improve.AdapterTraining.Trained;
import dev.reckoner.improve.ImprovementService;
import dev.reckoner.improve.TrainingRun;
import dev.reckoner.inference.BundledModel;
import dev.reckoner.tensor.backends.Backends;
import dev.reckoner.tuning.Outcome;
import dev.reckoner.tuning.Recipe;
import dev.reckoner.tuning.TrainingDivergedException;
import io.quarkus.runtime.QuarkusApplication;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.UUID;
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
      "With --data: trains an adapter on a file and writes it to --out, no database needed. When"
          + " stopped (SIGTERM, Ctrl-C) it finishes the step and saves.",
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
      names = "--run",
      paramLabel = "ID",
      description = "Work on this queued run and start none; what a Kubernetes Job is told.")
  UUID queued;

  @Option(
      names = "--data",
      paramLabel = "FILE",
      description =
          "Train on this file: JSON Lines of {\"messages\": [...]}, or with objective dpo in the"
              + " recipe of preference pairs, as the DPO export writes them.")
  Path data;

  @Option(
      names = "--recipe",
      paramLabel = "FILE",
      description = "Recipe for --data (default: QLoRA of rank 16 on all linear layers).")
  Path recipe;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description =
          "Where --data writes metrics, checkpoint and DIR/adapter (DIR/model with mode full); a"
              + " run that was stopped goes on from its checkpoint.")
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
    TrainingRun run = queued == null ? access.start(!noPromote) : access.run(queued);
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
    try (GracefulStop stop = new GracefulStop();
        Progress progress = new Progress(System.err, false)) {
      progress.phase("loading");
      Trained trained =
          AdapterTraining.train(
              model,
              Backends.open(backend),
              List.of(new Phase(chosen, data, out)),
              out,
              chosen.mode() == Recipe.Mode.FULL ? "model" : "adapter",
              new TrainingProgress(progress, stop::requested));
      progress.close();
      System.out.println(summary(trained));
    } catch (TrainingDivergedException e) {
      throw new UserException(
          e.keptStep() == 0 ? e.getMessage() : e.getMessage() + "; they are in " + out, e);
    }
    return 0;
  }

  private static String summary(Trained trained) {
    PhaseResult phase = trained.phases().getLast();
    Outcome outcome = phase.outcome();
    if (outcome.end() == Outcome.End.INTERRUPTED) {
      return "stopped after step %d; the same command goes on from there"
          .formatted(outcome.steps());
    }
    return String.format(
        Locale.ROOT,
        "%s: %d %s (%d too long), %d steps%s, loss %.4f%s, on %s",
        trained.adapter(),
        phase.examples(),
        phase.objective() == Recipe.Objective.DPO ? "pairs" : "samples",
        phase.tooLong(),
        outcome.steps(),
        outcome.end() == Outcome.End.STOPPED_EARLY ? " (stopped early)" : "",
        outcome.trainingLoss(),
        Double.isNaN(outcome.heldOutLoss())
            ? ""
            : String.format(Locale.ROOT, ", best held out %.4f", outcome.heldOutLoss()),
        trained.backend());
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
