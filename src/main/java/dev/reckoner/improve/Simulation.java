package dev.reckoner.improve;

import com.fasterxml.jackson.databind.JsonNode;
import dev.reckoner.agent.ModelConfig;
import dev.reckoner.agent.ServingModel;
import dev.reckoner.corpus.HouseRule;
import dev.reckoner.corpus.Problem;
import dev.reckoner.corpus.SyntheticGenerator.Solved;
import dev.reckoner.evaluation.Grader;
import dev.reckoner.evaluation.HouseRuleSuite;
import dev.reckoner.evaluation.Solver.Solution;
import dev.reckoner.evaluation.SyntheticSuite;
import dev.reckoner.improve.SimulatedDesk.Item;
import dev.reckoner.improve.SimulationReport.Accuracy;
import dev.reckoner.improve.SimulationReport.Expectation;
import dev.reckoner.improve.SimulationReport.Round;
import dev.reckoner.improve.TrainingRun.Status;
import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.ChainSyntaxException;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Recalculation;
import dev.reckoner.reasoning.Step;
import io.smallrye.config.SmallRyeConfig;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.function.Consumer;
import javax.sql.DataSource;
import org.flywaydb.core.Flyway;
import org.jdbi.v3.core.Jdbi;
import org.jdbi.v3.postgres.PostgresPlugin;

/**
 * The improvement loop with a simulated reviewer, on an empty database. The serving model analyses
 * questions that need a house convention; the reviewer, who knows it and slips now and then,
 * corrects; data set, training, gate, promotion and swap are those of the service. Then what must
 * not work is tried: a reviewer who misses planted errors, decisions after a wrong convention, a
 * question of the gate among what trains. At the end the last promotion is rolled back.
 */
public final class Simulation implements AutoCloseable {

  /** The house convention and a formula that looks like it: a change over the earlier period. */
  private static final String HOUSE_FORMULA = "(a - b) / ((a + b) / 2) as %";

  private static final String WRONG_FORMULA = "(a - b) / b as %";

  private static final String REVIEWER = "house";
  private static final String CARELESS = "careless";
  private static final String POISONER = "poisoner";
  private static final int PLANTED = 5;

  /**
   * How much is simulated.
   *
   * @param rounds questions that each round brings; a round trains on all so far
   * @param suiteProblems of each suite of the gate
   * @param poisoned questions that are decided again by a wrong convention
   * @param slips share of the reviewer's decisions that are wrong by accident
   * @param replay pages mixed in for each chain
   * @param minimumReplay the fewest of them
   * @param maxSteps optimiser steps of a run; 0 for as many as the recipe makes of the data
   * @param recipe YAML of the training; {@code null} for the one that ships
   * @param leastPromoted rounds that have to serve in the end
   */
  public record Size(
      List<Integer> rounds,
      int suiteProblems,
      int poisoned,
      double slips,
      double replay,
      int minimumReplay,
      int maxSteps,
      String recipe,
      int leastPromoted) {

    /**
     * Two rounds, in less than twenty minutes on two cores. The first is small because few chains
     * teach the bundled model much of what many do; as many problems as it takes to tell the second
     * from it.
     */
    public static final Size DEFAULT = new Size(List.of(10, 60), 150, 60, 0.02, 3, 100, 0, null, 2);

    /** One round, in about seven minutes on two cores. */
    public static final Size SMALL = new Size(List.of(40), 40, 40, 0, 3, 100, 0, null, 1);

    /** Too little to learn anything: to see in a test what is refused and that it is left out. */
    public static final Size TINY = new Size(List.of(10), 16, 10, 0, 3, 16, 3, null, 1);
  }

  private final Size size;
  private final long seed;
  private final Consumer<String> progress;
  private final Jdbi jdbi;
  private final ServingModel serving;
  private final Ledger ledger = new Ledger();
  private final TrainingRuns runs;
  private final AdapterRegistry registry;
  private final AdapterRollout rollout;
  private final ImprovementLoop loop;
  private final SimulatedDesk desk;
  private final SplittableRandom random;
  private final Map<Evidence, Solved> answers = new HashMap<>();
  private final List<Round> rounds = new ArrayList<>();
  private final List<Expectation> expectations = new ArrayList<>();

  /**
   * Prepares the database; loads the model at its first use.
   *
   * @param database empty, a Postgres
   * @param directory of datasets, checkpoints and adapters
   * @param settings of the model, {@code reckoner.model.*}
   * @param progress told what happens now, one line each
   */
  public Simulation(
      Size size,
      long seed,
      DataSource database,
      Path directory,
      Map<String, String> settings,
      Consumer<String> progress)
      throws IOException {
    this.size = size;
    this.seed = seed;
    this.progress = progress;
    this.random = new SplittableRandom(seed);
    Flyway.configure().dataSource(database).load().migrate();
    this.jdbi = Jdbi.create(database).installPlugin(new PostgresPlugin());
    Files.createDirectories(directory);
    Map<String, String> all = new HashMap<>(settings);
    all.put("reckoner.data-dir", directory.toString());
    all.put("reckoner.improve.suites", SyntheticSuite.NAME + "," + HouseRuleSuite.NAME);
    all.put("reckoner.improve.suite-problems", "" + size.suiteProblems());
    // What the reviewer decided all trains; the suites judge. Imitation alone, no preferences.
    all.put("reckoner.improve.hold-out-from", "" + Integer.MAX_VALUE);
    all.put("reckoner.improve.preferences-from", "" + Integer.MAX_VALUE);
    all.put("reckoner.improve.replay", "" + size.replay());
    all.put("reckoner.improve.minimum-replay", "" + size.minimumReplay());
    file(directory.resolve("recipe.yaml"), recipe(size), "reckoner.improve.recipe", all);
    file(directory.resolve("gates.yaml"), gates(size), "reckoner.improve.gates", all);
    SmallRyeConfigBuilder builder =
        new SmallRyeConfigBuilder()
            .addDiscoveredConverters()
            .withMapping(ReckonerConfig.class)
            .withMapping(ImproveConfig.class)
            .withMapping(ModelConfig.class);
    all.forEach(builder::withDefaultValue);
    SmallRyeConfig config = builder.build();
    ReckonerConfig directories = config.getConfigMapping(ReckonerConfig.class);
    ImproveConfig improve = config.getConfigMapping(ImproveConfig.class);
    this.serving = new ServingModel(config.getConfigMapping(ModelConfig.class));
    this.runs = new TrainingRuns(jdbi);
    this.registry = new AdapterRegistry(jdbi, new Outbox(), ledger);
    this.rollout = new AdapterRollout(registry, serving, serving, directories);
    Datasets datasets = new Datasets(jdbi, ledger, new ValidatedChains(jdbi), improve, directories);
    this.loop =
        new ImprovementLoop(
            jdbi, ledger, datasets, runs, registry, rollout, serving, improve, directories);
    this.desk = new SimulatedDesk(jdbi, ledger, serving);
  }

  private static String recipe(Size size) throws IOException {
    String recipe = size.recipe() == null ? ImprovementLoop.bundled("improve.yaml") : size.recipe();
    return size.maxSteps() == 0
        ? recipe
        : recipe.replaceAll("(?m)^maxSteps:.*\\R?", "")
            + "maxSteps: %d\n".formatted(size.maxSteps());
  }

  /** The rules that ship, for the two suites and as many problems as there are. */
  private static String gates(Size size) {
    return GateRules.bundled()
        .forFewProblems(Set.of(SyntheticSuite.NAME, HouseRuleSuite.NAME), size.suiteProblems())
        .yaml();
  }

  private static void file(Path file, String yaml, String key, Map<String, String> settings)
      throws IOException {
    Files.writeString(file, yaml);
    settings.put(key, file.toString());
  }

  /**
   * Runs to the end, also where something that was expected is not seen.
   *
   * @throws ImprovementException if there is no analysis at all to learn from
   */
  public SimulationReport run() throws InterruptedException {
    long begin = System.nanoTime();
    List.of(REVIEWER, CARELESS, POISONER).forEach(desk::hire);
    List<Solved> pool =
        new HouseRule("finance").pool(seed, size.rounds().stream().mapToInt(n -> n).sum());
    pool.forEach(s -> answers.put(s.problem().evidence(), s));
    List<Problem> asked = asked();
    int from = 0;
    int[][] earlier = null;
    int[][] later = null;
    for (int number = 0; number < size.rounds().size(); number++) {
      int to = from + size.rounds().get(number);
      String before = champion();
      int[][] tokens = tokens(asked);
      teach(pool.subList(from, to), number == 0);
      if (!champion().equals(before)) {
        earlier = tokens;
        later = tokens(asked);
      }
      from = to;
    }
    expectClimb();
    poison(pool);
    leak();
    rollBack(asked, earlier, later);
    Ledger.Verification chain = ledger.verify(jdbi);
    expect(
        "the ledger is whole",
        chain.problem().isEmpty(),
        chain.problem().orElse(chain.entries() + " entries"));
    return new SimulationReport(
        seed,
        serving.reasoner().modelHash(),
        serving.reasoner().backendName(),
        List.copyOf(rounds),
        List.copyOf(expectations),
        seconds(begin));
  }

  /** One round: analyses, decisions, a run, and where it was promoted, the swap. */
  private void teach(List<Solved> questions, boolean first) throws InterruptedException {
    long begin = System.nanoTime();
    progress.accept("%s analyses %d questions".formatted(champion(), questions.size()));
    List<Item> items = desk.analyse(questions.stream().map(Solved::problem).toList());
    int corrections = 0;
    int slips = 0;
    for (Item item : items) {
      boolean slip = random.nextDouble() < size.slips();
      boolean right = right(item);
      if (slip) {
        slips++;
        desk.correct(item, REVIEWER, wrong(item));
      } else if (right) {
        desk.approve(item, REVIEWER);
      } else {
        corrections++;
        desk.correct(item, REVIEWER, answers.get(item.problem().evidence()).chain());
      }
    }
    if (first) {
      carelessReviewer(items);
    }
    TrainingRun run = train("house rule", items.size(), corrections, slips, begin);
    if (first) {
      expectCarelessLeftOut(run);
    }
  }

  /** Meets planted errors, notices none, and approves everything else as well. */
  private void carelessReviewer(List<Item> items) throws InterruptedException {
    List<Item> sources = items.subList(0, Math.min(PLANTED, items.size()));
    for (Item source : sources) {
      Item planted =
          desk.plant(source, wrong(source).text().strip(), computeStep(source), CARELESS);
      desk.approve(planted, CARELESS);
    }
    // The same questions once more, approved as the model wrote them.
    for (Item again : desk.analyse(sources.stream().map(Item::problem).toList())) {
      desk.approve(again, CARELESS);
    }
  }

  private void expectCarelessLeftOut(TrainingRun run) {
    int used =
        jdbi.withHandle(
            h ->
                h.createQuery(
                        "select count(*) from dataset_item i join decision d"
                            + " on d.analysis_id = i.analysis_id"
                            + " where i.dataset_hash = ? and d.reviewer = ?")
                    .bind(0, run.datasetHash())
                    .bind(1, CARELESS)
                    .mapTo(Integer.class)
                    .one());
    int decisions =
        jdbi.withHandle(
            h ->
                h.createQuery("select count(*) from decision where reviewer = ?")
                    .bind(0, CARELESS)
                    .mapTo(Integer.class)
                    .one());
    expect(
        "who misses planted errors does not teach",
        run.datasetHash() != null && decisions > PLANTED && used == 0,
        "%d of %d decisions of that reviewer were learned from".formatted(used, decisions));
  }

  private void poison(List<Solved> pool) throws InterruptedException {
    long begin = System.nanoTime();
    String before = champion();
    List<Problem> questions = pool.stream().limit(size.poisoned()).map(Solved::problem).toList();
    progress.accept("a wrong convention is put in the place of the house's");
    List<Item> items = desk.analyse(questions);
    for (Item item : items) {
      desk.correct(item, POISONER, wrong(item));
    }
    TrainingRun run = train("poisoned", 0, items.size(), 0, begin);
    expect(
        "the gate refuses the poisoned round and says why",
        run.status() == Status.REFUSED
            && run.message().startsWith("refused by the gate")
            && run.message().contains(HouseRuleSuite.NAME)
            && champion().equals(before),
        run.message());
    items.forEach(item -> desk.undo(item, REVIEWER));
  }

  private void leak() throws InterruptedException {
    long begin = System.nanoTime();
    String before = champion();
    Solved leaked =
        new HouseRule("finance").heldOut(HouseRuleSuite.SEED, size.suiteProblems()).getLast();
    List<Item> items = desk.analyse(List.of(leaked.problem()));
    for (Item item : items) {
      desk.correct(item, REVIEWER, leaked.chain());
    }
    TrainingRun run = train("leaked", 0, items.size(), 0, begin);
    expect(
        "the dataset build refuses a question of the gate and names the pair",
        items.size() == 1
            && run.status() == Status.REFUSED
            && run.datasetHash() == null
            && run.message().contains("analysis " + items.getFirst().id())
            && run.message().contains(leaked.problem().id())
            && champion().equals(before),
        run.message());
    items.forEach(item -> desk.undo(item, REVIEWER));
  }

  private void rollBack(List<Problem> asked, int[][] earlier, int[][] later)
      throws InterruptedException {
    if (earlier == null) {
      expect("a rollback restores the earlier answers", false, "nothing was promoted");
      return;
    }
    String last = champion();
    rollout.apply(registry.rollback(REVIEWER));
    int[][] restored = tokens(asked);
    int changed = 0;
    int same = 0;
    for (int i = 0; i < asked.size(); i++) {
      changed += Arrays.equals(earlier[i], later[i]) ? 0 : 1;
      same += Arrays.equals(earlier[i], restored[i]) ? 1 : 0;
    }
    expect(
        "a rollback restores the earlier answers to the token",
        same == asked.size() && changed > 0,
        "%d of %d answers the same as before %s, which had changed %d of them"
            .formatted(same, asked.size(), last, changed));
  }

  /** A run of the service on everything that is decided, worked on here. */
  private TrainingRun train(String kind, int added, int corrections, int slips, long begin)
      throws InterruptedException {
    progress.accept("training run: " + kind);
    TrainingRun queued = runs.queue("{}", true, "simulation");
    loop.execute(
        runs.claim("simulation").orElseThrow(), () -> Thread.currentThread().isInterrupted());
    if (Thread.interrupted()) {
      throw new InterruptedException();
    }
    TrainingRun run = runs.find(queued.id()).orElseThrow();
    Optional<RegisteredAdapter> made = Optional.ofNullable(run.adapterId()).flatMap(registry::find);
    if (run.status() == Status.PROMOTED) {
      rollout.apply(registry.championRelease().orElseThrow());
    }
    JsonNode gate = made.map(RegisteredAdapter::gate).orElse(null);
    if (rounds.isEmpty()) {
      rounds.add(
          new Round("base", 0, 0, 0, AdapterRelease.BASE, "base", "", accuracies(gate, "base"), 0));
    }
    rounds.add(
        new Round(
            kind,
            trained(run),
            corrections,
            slips,
            run.adapterId(),
            run.status().column(),
            run.message(),
            accuracies(gate, run.adapterId()),
            seconds(begin)));
    progress.accept("%s: %s".formatted(kind, run.message()));
    return run;
  }

  private int trained(TrainingRun run) {
    return run.datasetHash() == null
        ? 0
        : jdbi.withHandle(
            h ->
                h.createQuery("select samples from dataset where hash = ?")
                    .bind(0, run.datasetHash())
                    .mapTo(Integer.class)
                    .one());
  }

  private static Map<String, Accuracy> accuracies(JsonNode gate, String model) {
    Map<String, Accuracy> all = new TreeMap<>();
    if (gate != null) {
      for (JsonNode m : gate.path("measurements")) {
        JsonNode accuracy = m.path("metrics").path("execution_accuracy");
        if (m.path("model").asText().equals(model) && accuracy.path("estimate").isNumber()) {
          all.put(
              m.path("suite").asText(),
              new Accuracy(
                  accuracy.path("estimate").asDouble(),
                  accuracy.path("low").asDouble(),
                  accuracy.path("high").asDouble()));
        }
      }
    }
    return all;
  }

  private void expectClimb() {
    List<Round> served =
        rounds.stream()
            .filter(r -> r.status().equals("base") || r.status().equals("promoted"))
            .toList();
    List<Double> house =
        served.stream()
            .map(r -> r.suites().get(HouseRuleSuite.NAME))
            .map(a -> a == null ? Double.NaN : a.estimate())
            .toList();
    boolean climbs = house.size() > size.leastPromoted();
    for (int i = 1; i < house.size(); i++) {
      climbs &= house.get(i) > house.get(i - 1);
    }
    expect(
        "accuracy on the house rule climbs from champion to champion, %d or more of them"
            .formatted(size.leastPromoted()),
        climbs,
        String.join(", ", house.stream().map(a -> "%.1f%%".formatted(100 * a)).toList()));
    Accuracy before = served.getFirst().suites().get(SyntheticSuite.NAME);
    Accuracy after = served.getLast().suites().get(SyntheticSuite.NAME);
    boolean holds = before != null && after != null && after.estimate() >= before.low();
    expect(
        "other suites hold: none falls below the base's interval",
        holds,
        before == null || after == null
            ? "not measured"
            : String.format(
                Locale.ROOT,
                "synthetic %.1f%% [%.1f, %.1f] before, %.1f%% after",
                100 * before.estimate(),
                100 * before.low(),
                100 * before.high(),
                100 * after.estimate()));
  }

  /** What the rollback is judged on: questions of the suites, some of each. */
  private List<Problem> asked() {
    List<Problem> asked = new ArrayList<>();
    asked.addAll(
        HouseRuleSuite.of("finance", HouseRuleSuite.SEED, size.suiteProblems())
            .limited(8)
            .problems());
    asked.addAll(
        SyntheticSuite.of("finance", SyntheticSuite.SEED, size.suiteProblems())
            .limited(8)
            .problems());
    return asked;
  }

  private int[][] tokens(List<Problem> asked) throws InterruptedException {
    int[][] tokens = new int[asked.size()][];
    for (int i = 0; i < tokens.length; i++) {
      tokens[i] = serving.generate(asked.get(i).evidence()).tokens();
    }
    return tokens;
  }

  private boolean right(Item item) {
    return item.parsed()
        .map(
            chain ->
                new Grader().grade(item.problem(), new Solution(chain, null, 1, 0, Duration.ZERO)))
        .map(grade -> grade.correct() && grade.verified())
        .orElse(false);
  }

  /** The house's chain with another convention in it; every step of it verifies. */
  private Chain wrong(Item item) {
    Chain right = answers.get(item.problem().evidence()).chain();
    List<String> lines = new ArrayList<>();
    for (Step step : right.steps()) {
      lines.add(
          step instanceof Step.Compute compute && compute.expression().equals(HOUSE_FORMULA)
              ? "compute " + compute.name() + " = " + WRONG_FORMULA
              : step.text());
    }
    try {
      return Chain.parse(Recalculation.of(String.join("\n", lines)));
    } catch (ChainSyntaxException e) {
      throw new IllegalStateException("the house convention's chain is " + right.text(), e);
    }
  }

  private int computeStep(Item item) {
    List<Step> steps = answers.get(item.problem().evidence()).chain().steps();
    for (int i = 0; i < steps.size(); i++) {
      if (steps.get(i) instanceof Step.Compute) {
        return i;
      }
    }
    return 0;
  }

  private String champion() {
    return registry.champion().map(RegisteredAdapter::id).orElse(AdapterRelease.BASE);
  }

  private void expect(String text, boolean held, String detail) {
    expectations.add(new Expectation(text, held, detail));
    progress.accept((held ? "held: " : "FAILED: ") + text);
  }

  private static double seconds(long since) {
    return (System.nanoTime() - since) / 1e9;
  }

  /** Frees the model. */
  @Override
  public void close() {
    serving.close();
  }
}
