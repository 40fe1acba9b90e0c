package dev.reckoner.improve;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.reckoner.agent.ServingModel;
import dev.reckoner.evaluation.Comparison;
import dev.reckoner.evaluation.EvaluationReport;
import dev.reckoner.evaluation.Evaluator;
import dev.reckoner.evaluation.Interval;
import dev.reckoner.evaluation.Measurement;
import dev.reckoner.evaluation.Metric;
import dev.reckoner.evaluation.ReasonerSolver;
import dev.reckoner.evaluation.Suite;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.improve.AdapterTraining.Phase;
import dev.reckoner.improve.AdapterTraining.PhaseResult;
import dev.reckoner.improve.AdapterTraining.Trained;
import dev.reckoner.improve.Datasets.Split;
import dev.reckoner.improve.TrainingRun.Status;
import dev.reckoner.inference.Reasoner;
import dev.reckoner.tuning.Outcome;
import dev.reckoner.tuning.Recipe;
import dev.reckoner.tuning.StepMetrics;
import dev.reckoner.tuning.TrainingListener;
import jakarta.enterprise.context.ApplicationScoped;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.function.BooleanSupplier;
import org.apache.commons.codec.digest.DigestUtils;
import org.jboss.logging.Logger;
import org.jdbi.v3.core.Jdbi;

/**
 * One training run from decisions to a verdict: dataset, adapter, comparison with the champion,
 * registry, and where it passed and was asked for, promotion.
 */
@ApplicationScoped
class ImprovementLoop {

  private static final Logger LOG = Logger.getLogger(ImprovementLoop.class);

  /** How many questions of a suite are asked at once, beside what is being served. */
  private static final int IN_FLIGHT = 8;

  /** Enough for a median that one disturbed answer does not move. */
  private static final int COST_PROBLEMS = 11;

  private final Jdbi jdbi;
  private final Ledger ledger;
  private final Datasets datasets;
  private final TrainingRuns runs;
  private final AdapterRegistry registry;
  private final AdapterRollout rollout;
  private final ServingModel serving;
  private final ImproveConfig config;
  private final ReckonerConfig directories;

  ImprovementLoop(
      Jdbi jdbi,
      Ledger ledger,
      Datasets datasets,
      TrainingRuns runs,
      AdapterRegistry registry,
      AdapterRollout rollout,
      ServingModel serving,
      ImproveConfig config,
      ReckonerConfig directories) {
    this.jdbi = jdbi;
    this.ledger = ledger;
    this.datasets = datasets;
    this.runs = runs;
    this.registry = registry;
    this.rollout = rollout;
    this.serving = serving;
    this.config = config;
    this.directories = directories;
  }

  /**
   * Works on a run that this process has claimed, to its end; the end is in the run's row. A run
   * that stops because the process does is left as it is, to be taken up again from its checkpoint.
   *
   * @param stopping whether the process is shutting down
   */
  void execute(TrainingRun run, BooleanSupplier stopping) {
    UUID id = run.id();
    try {
      stopIfCancelled(id);
      // What cannot be read is said before an hour of training, not after it.
      GateRules rules = rules();
      String base = serving.reasoner().modelHash();
      runs.enter(id, Status.BUILDING, "building the dataset");
      Optional<Split> kept = datasets.kept(run.datasetHash(), directory(id));
      Split split = kept.isPresent() ? kept.get() : datasets.build();
      if (kept.isEmpty()) {
        datasets.keep(split, directory(id), run.startedBy());
      }
      runs.hasDataset(id, split.dataset().hash(), base, serving.reasoner().backendName());
      runs.log(
          id,
          "dataset %s%s: %s"
              .formatted(
                  split.dataset().hash().substring(0, 12),
                  kept.isPresent() ? ", as before" : "",
                  split.dataset().counts()));

      runs.enter(id, Status.TRAINING, "loading the base model");
      Trained trained = train(run, split, stopping);
      if (trained.outcome().end() == Outcome.End.INTERRUPTED) {
        if (runs.cancelRequested(id)) {
          runs.enter(id, Status.CANCELLED, "cancelled");
        }
        return;
      }
      if (!trained.baseModelHash().equals(base)) {
        throw new ImprovementException("the base model changed during the run: start it again");
      }
      for (PhaseResult phase : trained.phases()) {
        runs.log(
            id,
            String.format(
                Locale.ROOT,
                "%s: %d %s, %d more were too long, %d steps, loss %.4f",
                phase.objective().name().toLowerCase(Locale.ROOT),
                phase.examples(),
                phase.objective() == Recipe.Objective.DPO ? "pairs" : "samples",
                phase.tooLong(),
                phase.outcome().steps(),
                phase.outcome().trainingLoss()));
      }
      runs.enter(id, Status.EVALUATING, "comparing with the champion");
      judge(run, split, trained, rules);
    } catch (CancelledException e) {
      runs.enter(id, Status.CANCELLED, "cancelled");
    } catch (LeakException | ImprovementException e) {
      runs.enter(id, Status.REFUSED, e.getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (IOException | RuntimeException e) {
      LOG.errorf(e, "training run %s failed", id);
      runs.enter(id, Status.FAILED, String.valueOf(e.getMessage()).lines().findFirst().orElse(""));
    }
  }

  /** Somebody asked the run to stop. */
  private static final class CancelledException extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  private void stopIfCancelled(UUID id) {
    if (runs.cancelRequested(id)) {
      throw new CancelledException();
    }
  }

  private Path directory(UUID run) {
    return directories.dataDir().resolve("runs").resolve(run.toString());
  }

  private Trained train(TrainingRun run, Split split, BooleanSupplier stopping) {
    UUID id = run.id();
    Path out = directory(id);
    Path data = directories.dataDir().resolve("datasets").resolve(split.dataset().hash());
    List<Phase> phases = new ArrayList<>();
    phases.add(new Phase(recipe(), data.resolve(Dataset.TRAIN), out));
    if (split.dataset().count("preferences") >= config.preferencesFrom()) {
      phases.add(
          new Phase(
              preferenceRecipe(), data.resolve(Dataset.PREFERENCES), out.resolve("preferences")));
    }
    TrainingListener listener =
        new TrainingListener() {
          @Override
          public void step(StepMetrics m) {
            runs.progress(id, (int) m.step(), (int) m.steps(), m.loss(), m.learningRate());
          }

          @Override
          public boolean stopRequested() {
            return stopping.getAsBoolean() || runs.cancelRequested(id);
          }
        };
    return AdapterTraining.train(
        serving.directory(), serving.openBackend(), phases, out, adapterId(run), listener);
  }

  private void judge(TrainingRun run, Split split, Trained trained, GateRules rules)
      throws InterruptedException, IOException {
    UUID id = run.id();
    String adapterId = adapterId(run);
    RegisteredAdapter champion = registry.champion().orElse(null);
    String championId = champion == null ? null : champion.id();
    AdapterFiles files = AdapterFiles.read(trained.adapter());
    Reasoner reasoner = serving.reasoner();
    List<Measurement> champions = new ArrayList<>();
    List<Measurement> candidates = new ArrayList<>();
    ServingCost cost;
    LoraAdapter incumbent =
        champion == null ? null : reasoner.load(rollout.fetch(champion.id(), champion.sha256()));
    try {
      LoraAdapter candidate = reasoner.load(trained.adapter());
      try {
        for (Suite suite : split.suites()) {
          champions.add(
              champion == null
                  ? measure(id, suite, AdapterRelease.BASE, "", null)
                  : measure(id, suite, champion.id(), champion.sha256(), incumbent));
          candidates.add(measure(id, suite, adapterId, files.hash(), candidate));
        }
        stopIfCancelled(id);
        runs.says(id, "measuring what it costs to serve");
        cost =
            ServingCost.measure(
                reasoner,
                serving.directory(),
                incumbent,
                candidate,
                files,
                split.suites().getFirst().limited(COST_PROBLEMS).problems(),
                serving.options());
      } finally {
        reasoner.engine().retire(candidate);
      }
    } finally {
      if (incumbent != null) {
        reasoner.engine().retire(incumbent);
      }
    }
    Gate.Verdict verdict = new Gate(rules).judge(champions, candidates, cost);
    ObjectNode evidence = evidence(verdict, champions, candidates, cost, trained);
    jdbi.useTransaction(
        h -> {
          if (runs.cancelRequestedForGood(h, id)) {
            throw new CancelledException();
          }
          registry.register(
              h,
              adapterId,
              files,
              trained.baseModelHash(),
              id,
              split.dataset().hash(),
              evidence,
              verdict.passed());
          runs.hasAdapter(h, id, adapterId);
          ledger.append(
              h,
              Ledger.Kind.GATE,
              run.startedBy(),
              adapterId,
              Map.of(
                  "adapter", adapterId,
                  "sha256", files.hash(),
                  "dataset", split.dataset().hash(),
                  "passed", verdict.passed(),
                  "refusal", verdict.refusal(),
                  "evidenceSha256", DigestUtils.sha256Hex(CanonicalJson.write(evidence))));
          if (!verdict.passed()) {
            runs.enter(h, id, Status.REFUSED, "refused by the gate: " + verdict.refusal());
          } else if (runs.promoteIfPassed(h, id)) {
            boolean serves = registry.promoteOver(h, championId, adapterId, run.startedBy());
            runs.enter(
                h,
                id,
                serves ? Status.PROMOTED : Status.PASSED,
                serves
                    ? "passed the gate and was promoted"
                    : "passed the gate against %s, which no longer serves; not promoted"
                        .formatted(championId == null ? "the base model" : championId));
          } else {
            runs.enter(h, id, Status.PASSED, "passed the gate; waits for a promotion");
          }
        });
  }

  private Measurement measure(
      UUID run, Suite suite, String model, String sha256, LoraAdapter adapter)
      throws InterruptedException, IOException {
    Reasoner reasoner = serving.reasoner();
    Measurements known = new Measurements(directories.dataDir());
    Measurements.Key key =
        new Measurements.Key(
            suite.version(),
            reasoner.modelHash(),
            sha256,
            reasoner.backendName(),
            serving.options().toString(),
            serving.build());
    Optional<Measurement> before = known.find(key, suite, model);
    if (before.isPresent()) {
      log(run, before.get(), "measured before");
      return before.get();
    }
    long begin = System.nanoTime();
    stopIfCancelled(run);
    int problems = suite.problems().size();
    Measurement measurement =
        new Evaluator(IN_FLIGHT)
            .measure(
                suite,
                model,
                new ReasonerSolver(reasoner, adapter, serving.options()),
                done -> {
                  stopIfCancelled(run);
                  runs.says(
                      run, "%s on %s: %d of %d".formatted(model, suite.name(), done, problems));
                });
    known.keep(key, measurement);
    log(run, measurement, "%.0f s".formatted((System.nanoTime() - begin) / 1e9));
    return measurement;
  }

  private void log(UUID run, Measurement m, String how) {
    Interval accuracy = m.metrics().get(Metric.EXECUTION_ACCURACY);
    runs.log(
        run,
        String.format(
            Locale.ROOT,
            "%s on %s: execution accuracy %s of %d problems, %s",
            m.model(),
            m.suite(),
            accuracy.defined()
                ? String.format(
                    Locale.ROOT,
                    "%.1f%% [%.1f, %.1f]",
                    100 * accuracy.estimate(),
                    100 * accuracy.low(),
                    100 * accuracy.high())
                : "of nothing",
            m.grades().size(),
            how));
  }

  private static ObjectNode evidence(
      Gate.Verdict verdict,
      List<Measurement> champions,
      List<Measurement> candidates,
      ServingCost cost,
      Trained trained) {
    List<Comparison> comparisons = new ArrayList<>();
    for (int i = 0; i < champions.size(); i++) {
      comparisons.add(Comparison.of(champions.get(i), candidates.get(i)));
    }
    List<Measurement> all = new ArrayList<>(champions);
    all.addAll(candidates);
    ObjectNode evidence = EvaluationReport.json(all, comparisons, true);
    evidence.put("passed", verdict.passed());
    evidence.put("refusal", verdict.refusal());
    evidence.set("checks", CanonicalJson.MAPPER.valueToTree(verdict.checks()));
    evidence.set("notes", CanonicalJson.MAPPER.valueToTree(verdict.notes()));
    evidence.set("serving", CanonicalJson.MAPPER.valueToTree(cost));
    ObjectNode training = evidence.putObject("training");
    PhaseResult imitation = trained.phases().getFirst();
    training.put("samples", imitation.examples());
    training.put("tooLong", imitation.tooLong());
    training.put("steps", imitation.outcome().steps());
    training.put("loss", imitation.outcome().trainingLoss());
    training.put("backend", trained.backend());
    if (trained.phases().size() > 1) {
      PhaseResult preferences = trained.phases().getLast();
      training
          .putObject("preferences")
          .put("pairs", preferences.examples())
          .put("tooLong", preferences.tooLong())
          .put("steps", preferences.outcome().steps())
          .put("loss", preferences.outcome().trainingLoss());
    }
    return evidence;
  }

  private GateRules rules() {
    return config.gates().map(GateRules::read).orElseGet(GateRules::bundled);
  }

  Recipe recipe() {
    return config.recipe().map(Recipe::read).orElseGet(() -> bundledRecipe("improve.yaml"));
  }

  private Recipe preferenceRecipe() {
    return config
        .preferenceRecipe()
        .map(Recipe::read)
        .orElseGet(() -> bundledRecipe("improve-dpo.yaml"));
  }

  private static Recipe bundledRecipe(String name) {
    return Recipe.parse(bundled(name));
  }

  /** The text of a recipe that ships. */
  static String bundled(String name) {
    try (InputStream in = ImprovementLoop.class.getResourceAsStream("/recipes/" + name)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new ImprovementException("the bundled recipe cannot be read", e);
    }
  }

  /** By the run, so that a run that is taken up again makes the same adapter. */
  private static String adapterId(TrainingRun run) {
    return "adapter-" + run.id().toString().substring(0, 8);
  }
}
