package dev.reckoner.improve;

import static java.util.stream.Collectors.joining;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import dev.reckoner.agent.AdapterSlot;
import dev.reckoner.agent.ModelConfig;
import dev.reckoner.agent.ServingModel;
import dev.reckoner.evaluation.Suite;
import dev.reckoner.improve.AdapterRollout.Outcome;
import dev.reckoner.improve.Datasets.Split;
import dev.reckoner.improve.TrainingRun.Status;
import dev.reckoner.inference.TinyModel;
import dev.reckoner.reasoning.Evidence;
import io.smallrye.config.SmallRyeConfig;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The whole loop on a real Postgres with a real, tiny model: decision, dataset, training, gate,
 * release, swap.
 */
class ImprovementLoopTest {

  static final Evidence EVIDENCE =
      new Evidence(
          "Acme, 2023",
          "What is the growth of net sales?",
          List.of(
              new Evidence.Table(
                  "USD million",
                  List.of(List.of("", "2023", "2022"), List.of("Net sales", "120", "100")))),
          List.of());

  private static final String CORRECTED =
      """
      cite a = Net sales|2023 : 120 USD million @ r1c1
      cite b = Net sales|2022 : 100 USD million @ r1c2
      compute c = (a - b) / b as % = 20 %
      conclude c = 20 %\
      """;

  private static final String LENIENT =
      """
      suites:
        synthetic:
          minimumProblems: 4
          metrics:
            execution_accuracy: {tolerance: 1}
      """;

  private static final String IMPOSSIBLE = LENIENT.replace("tolerance: 1", "improvement: 2");

  /** Enough to learn one chain by heart. */
  private static final String RECIPE =
      """
      rank: 8
      alpha: 16
      learningRate: 1.0e-2
      schedule: constant
      tokensPerMicroBatch: 1024
      maxSteps: %d
      clip: 1
      """;

  private static PostgresFixture database;
  @TempDir static Path model;
  @TempDir Path directory;

  private ServingModel serving;
  private AdapterRegistry registry;
  private AdapterRollout rollout;
  private TrainingRuns runs;
  private Ledger ledger;
  private Map<String, String> settings;

  @BeforeAll
  static void start() throws IOException {
    database = new PostgresFixture();
    TinyModel.write(model, 2048);
  }

  @AfterAll
  static void stop() throws IOException {
    database.close();
  }

  @BeforeEach
  void wire() throws IOException {
    database.fresh();
    steps(2);
    rules(LENIENT);
    settings =
        Map.of(
            "reckoner.data-dir", directory.resolve("data").toString(),
            "reckoner.model.dir", model.toString(),
            "reckoner.model.backend", "cpu",
            "reckoner.model.max-tokens", "192",
            "reckoner.improve.recipe", directory.resolve("recipe.yaml").toString(),
            "reckoner.improve.gates", directory.resolve("gates.yaml").toString(),
            "reckoner.improve.suite-problems", "4",
            "reckoner.improve.minimum-replay", "0",
            "reckoner.improve.replay", "0");
    serving = new ServingModel(config().getConfigMapping(ModelConfig.class));
    ledger = new Ledger();
    runs = new TrainingRuns(database.jdbi);
    registry = new AdapterRegistry(database.jdbi, new Outbox(), ledger);
    rollout =
        new AdapterRollout(
            registry, serving, serving, config().getConfigMapping(ReckonerConfig.class));
  }

  @AfterEach
  void unload() {
    serving.close();
  }

  @Test
  void aCorrectionBecomesWhatTheModelSays() throws Exception {
    steps(60);
    correct(EVIDENCE, CORRECTED);
    assertThat(answer()).isNotEqualTo(CORRECTED);

    TrainingRun run = train(true);

    assertThat(run.status()).as(run.message()).isEqualTo(Status.PROMOTED);
    assertThat(run.step()).isEqualTo(60);
    assertThat(runs.losses(run.id())).hasSize(60);
    RegisteredAdapter champion = registry.champion().orElseThrow();
    assertThat(champion.id()).isEqualTo(run.adapterId());
    assertThat(champion.datasetHash()).isEqualTo(run.datasetHash());
    assertThat(champion.gate().path("measurements")).hasSize(2);
    assertThat(serving.current()).isEmpty();

    AdapterRelease release = registry.championRelease().orElseThrow();
    assertThat(rollout.apply(release)).isEqualTo(new Outcome.Swapped(champion.id()));
    assertThat(serving.current().map(AdapterSlot.Serving::id)).hasValue(champion.id());
    assertThat(answer()).isEqualTo(CORRECTED);
    assertThat(rollout.apply(release)).isEqualTo(new Outcome.AlreadyServing(champion.id()));

    // The lineage from the correction to the adapter, and the ledger of it.
    assertThat(
            strings(
                "select a.id from adapter a join dataset_item i"
                    + " on i.dataset_hash = a.dataset_hash where i.use = 'corrected'"))
        .containsExactly(champion.id());
    assertThat(strings("select kind from ledger order by seq"))
        .containsExactly("DATASET", "GATE", "PROMOTION");
    assertThat(ledger.verify(database.jdbi).problem()).isEmpty();
  }

  @Test
  void rollingBackRestoresTheEarlierAnswer() throws Exception {
    steps(30);
    correct(EVIDENCE, CORRECTED);
    String before = answer();
    train(true);
    rollout.apply(registry.championRelease().orElseThrow());
    assertThat(answer()).isNotEqualTo(before);

    assertThat(rollout.apply(registry.rollback("olga")))
        .isEqualTo(new Outcome.Swapped(AdapterRelease.BASE));
    assertThat(answer()).isEqualTo(before);
  }

  @Test
  void aRefusedCandidateIsKeptWithItsEvidenceAndDoesNotServe() throws Exception {
    rules(IMPOSSIBLE);
    correct(EVIDENCE, CORRECTED);
    TrainingRun run = train(true);
    assertThat(run.status()).isEqualTo(Status.REFUSED);
    assertThat(run.message())
        .startsWith("refused by the gate: synthetic: execution accuracy: lower end");
    RegisteredAdapter refused = registry.find(run.adapterId()).orElseThrow();
    assertThat(refused.passed()).isFalse();
    assertThat(refused.gate().path("refusal").asText()).isNotBlank();
    List<String> log = runs.log(run.id()).stream().map(TrainingRun.LogLine::line).toList();
    assertThat(log.getFirst()).isEqualTo("building: building the dataset");
    assertThat(log.get(1)).startsWith("dataset " + run.datasetHash().substring(0, 12));
    assertThat(log)
        .anyMatch(line -> line.startsWith("sft: "))
        .anyMatch(line -> line.startsWith("base on synthetic: execution accuracy "))
        .anyMatch(line -> line.startsWith(run.adapterId() + " on synthetic: execution accuracy "));
    assertThat(log.getLast()).isEqualTo("refused: " + run.message());
    assertThat(registry.champion()).isEmpty();
    assertThat(strings("select payload from outbox")).isEmpty();
  }

  @Test
  void withoutADecisionThereIsNothingToLearn() throws Exception {
    TrainingRun run = train(true);
    assertThat(run.status()).isEqualTo(Status.REFUSED);
    assertThat(run.message()).contains("approve or correct some chains first");
  }

  @Test
  void aDamagedReleaseIsRefusedAndWhatServedGoesOn() throws Exception {
    correct(EVIDENCE, CORRECTED);
    train(true);
    AdapterRelease release = registry.championRelease().orElseThrow();
    database.jdbi.useHandle(
        h ->
            h.execute(
                "update adapter_file set content = set_byte(content, 4000, 1 - get_byte(content,"
                    + " 4000) % 2) where name = 'adapter_model.safetensors'"));
    assertThat(rollout.apply(release))
        .isInstanceOfSatisfying(
            Outcome.Refused.class,
            r -> assertThat(r.reason()).contains("SHA-256").contains("was announced"));
    assertThat(serving.current()).isEmpty();

    AdapterRelease otherBase =
        new AdapterRelease(
            release.slot(),
            release.adapterId(),
            release.sha256(),
            "0123456789abcdef",
            "x",
            release.releasedAt());
    assertThat(rollout.apply(otherBase))
        .isInstanceOfSatisfying(
            Outcome.Refused.class,
            r -> assertThat(r.reason()).contains("was trained on base model 0123456789ab"));
  }

  @Test
  void aDamagedLocalCopyIsFetchedAgain() throws Exception {
    correct(EVIDENCE, CORRECTED);
    train(true);
    AdapterRelease release = registry.championRelease().orElseThrow();
    rollout.apply(release);
    serving.clear();
    Path copy =
        directory
            .resolve("data/adapters")
            .resolve(release.adapterId())
            .resolve(AdapterFiles.WEIGHTS);
    Files.write(copy, new byte[] {1, 2, 3});
    assertThat(rollout.apply(release)).isEqualTo(new Outcome.Swapped(release.adapterId()));
  }

  @Test
  void aReleaseFromThePastChangesNothing() throws Exception {
    correct(EVIDENCE, CORRECTED);
    train(true);
    AdapterRelease old = registry.championRelease().orElseThrow();
    registry.rollback("olga");
    assertThat(rollout.apply(old))
        .isEqualTo(new Outcome.Superseded(old.adapterId(), AdapterRelease.BASE));
  }

  @Test
  void aCancelledRunStopsAtTheNextStepAndARunThatDiedGoesOnFromItsCheckpoint() throws Exception {
    steps(30);
    correct(EVIDENCE, CORRECTED);
    TrainingRun run = runs.queue("{}", true, "olga");
    TrainingRun claimed = runs.claim("worker-1").orElseThrow();
    assertThat(runs.claim("worker-2")).isEmpty();
    // The process stops after 3 steps.
    loop().execute(claimed, () -> runs.losses(run.id()).size() >= 3);
    TrainingRun stopped = runs.find(run.id()).orElseThrow();
    assertThat(stopped.status()).isEqualTo(Status.TRAINING);
    // What is decided meanwhile is for the next run.
    correct(
        new Evidence("Bcme, 2023", "And then?", EVIDENCE.tables(), EVIDENCE.sentences()),
        CORRECTED);

    database.jdbi.useHandle(
        h -> h.execute("update training_run set heartbeat_at = now() - interval '5 minutes'"));
    TrainingRun again = runs.claim("worker-2").orElseThrow();
    assertThat(again.id()).isEqualTo(run.id());
    assertThat(again.datasetHash()).isEqualTo(stopped.datasetHash());
    loop().execute(again, () -> runs.losses(run.id()).size() >= 6);
    assertThat(runs.losses(run.id())).hasSize(6);
    assertThat(runs.find(run.id()).orElseThrow())
        .returns(Status.TRAINING, TrainingRun::status)
        .returns(stopped.datasetHash(), TrainingRun::datasetHash);

    loop().execute(again, () -> !runs.requestCancel(run.id()));
    TrainingRun ended = runs.find(run.id()).orElseThrow();
    assertThat(ended.status()).isEqualTo(Status.CANCELLED);
    assertThat(ended.step()).isEqualTo(7);
    assertThat(registry.all()).isEmpty();
  }

  @Test
  void aRunThatIsTakenUpAgainIsJudgedByWhatWasHeldOutOfItsDataset() throws Exception {
    settings = new HashMap<>(settings);
    settings.put("reckoner.improve.hold-out-from", "10");
    for (int i = 0; i < 12; i++) {
      correct(asked(i), CORRECTED);
    }
    Path run = directory.resolve("run");
    Split split = datasets().build();
    assertThat(split.suites()).extracting(Suite::name).containsExactly("synthetic", "validated");
    assertThat(datasets().kept(split.dataset().hash(), run)).isEmpty();
    datasets().keep(split, run, "olga");

    for (int i = 12; i < 24; i++) {
      correct(asked(i), CORRECTED);
    }
    assertThat(datasets().build().dataset().hash()).isNotEqualTo(split.dataset().hash());
    Split again = datasets().kept(split.dataset().hash(), run).orElseThrow();
    assertThat(again.dataset().files()).isEqualTo(split.dataset().files());
    assertThat(again.dataset().counts()).isEqualTo(split.dataset().counts());
    assertThat(again.suites())
        .extracting(Suite::name, Suite::version)
        .containsExactlyElementsOf(
            split.suites().stream().map(s -> tuple(s.name(), s.version())).toList());

    Path train =
        directory.resolve("data/datasets").resolve(split.dataset().hash()).resolve(Dataset.TRAIN);
    Files.writeString(train, "{}", StandardOpenOption.APPEND);
    assertThat(datasets().kept(split.dataset().hash(), run)).isEmpty();
  }

  /** The n-th question, on a page that is like no other's. */
  private static Evidence asked(int n) {
    String words =
        new Random(n).ints(40, 'a', 'z' + 1).mapToObj(c -> (char) c + "" + n).collect(joining(" "));
    return new Evidence("Company " + n, "And then?", EVIDENCE.tables(), List.of(words));
  }

  @Test
  void aRunThatIsCancelledWhileItIsJudgedDoesNotServe() throws Exception {
    correct(EVIDENCE, CORRECTED);
    database.jdbi.useHandle(
        h -> {
          h.execute(
              "create function cancel() returns trigger language plpgsql as $$ begin"
                  + " new.cancel_requested := new.status = 'evaluating'; return new; end $$");
          h.execute(
              "create trigger cancel before update on training_run for each row execute function"
                  + " cancel()");
        });
    TrainingRun run = train(true);
    assertThat(run.status()).isEqualTo(Status.CANCELLED);
    assertThat(runs.losses(run.id())).hasSize(2);
    assertThat(registry.all()).isEmpty();
    assertThat(strings("select payload from outbox")).isEmpty();
  }

  @Test
  void whatWasComparedWithAChampionThatHasGoneIsNotPromotedByItself() throws Exception {
    correct(EVIDENCE, CORRECTED);
    TrainingRun first = train(true);
    assertThat(first.status()).isEqualTo(Status.PROMOTED);
    // Somebody rolls back while the next one is being judged.
    database.jdbi.useHandle(
        h -> {
          h.execute(
              "create function roll() returns trigger language plpgsql as $$ begin if new.message"
                  + " like 'measuring%' then delete from adapter_alias where alias = 'champion';"
                  + " end if; return new; end $$");
          h.execute(
              "create trigger roll before update on training_run for each row execute function"
                  + " roll()");
        });
    TrainingRun second = train(true);
    assertThat(second.status()).isEqualTo(Status.PASSED);
    assertThat(second.message())
        .isEqualTo(
            "passed the gate against %s, which no longer serves; not promoted"
                .formatted(first.adapterId()));
    assertThat(registry.champion()).isEmpty();
  }

  @Test
  void rulesThatCannotBeReadAreSaidBeforeTheTraining() throws Exception {
    correct(EVIDENCE, CORRECTED);
    rules("suites: 7");
    TrainingRun run = train(true);
    assertThat(run.status()).isEqualTo(Status.REFUSED);
    assertThat(run.message()).contains("gates.yaml");
    assertThat(runs.losses(run.id())).isEmpty();
  }

  @Test
  void preferencesFollowWhenThereAreEnoughAndBothPhasesGoOnWhereTheyStopped() throws Exception {
    steps(8);
    settings = new HashMap<>(settings);
    settings.put("reckoner.improve.preferences-from", "1");
    settings.put(
        "reckoner.improve.preference-recipe",
        Files.writeString(
                directory.resolve("dpo.yaml"), "objective: dpo\nbeta: 0.1\n" + RECIPE.formatted(6))
            .toString());
    correct(EVIDENCE, CORRECTED);
    TrainingRun whole = train(false);
    assertThat(whole.status()).as(whole.message()).isEqualTo(Status.PASSED);
    assertThat(whole.step()).isEqualTo(14);
    assertThat(runs.losses(whole.id())).hasSize(14);
    // DPO begins at ln 2, wherever imitation had come to.
    assertThat(runs.losses(whole.id()).get(8).loss()).isCloseTo(Math.log(2), within(1e-4));
    JsonNode training = registry.find(whole.adapterId()).orElseThrow().gate().path("training");
    assertThat(training.path("samples").asInt()).isEqualTo(1);
    assertThat(training.path("preferences").path("pairs").asInt()).isEqualTo(1);
    assertThat(training.path("preferences").path("steps").asInt()).isEqualTo(6);

    TrainingRun queued = runs.queue("{}", false, "olga");
    TrainingRun run = runs.claim("worker").orElseThrow();
    for (int stop : new int[] {3, 8, 11}) {
      loop().execute(run, () -> runs.losses(run.id()).size() >= stop);
      assertThat(runs.find(run.id()).orElseThrow().status()).isEqualTo(Status.TRAINING);
    }
    assertThat(runs.losses(run.id())).hasSize(11);
    loop().execute(run, () -> false);
    TrainingRun ended = runs.find(queued.id()).orElseThrow();
    assertThat(ended.status()).as(ended.message()).isEqualTo(Status.PASSED);
    assertThat(weights(ended)).hasSameBinaryContentAs(weights(whole));
  }

  private Path weights(TrainingRun run) {
    return directory
        .resolve("data/runs")
        .resolve(run.id().toString())
        .resolve(run.adapterId())
        .resolve(AdapterFiles.WEIGHTS);
  }

  @Test
  void theShadowDisagreesUnseenAndWhatIsLabelledBlindJudgesAndNeverTrains() throws Exception {
    steps(60);
    correct(EVIDENCE, CORRECTED);
    TrainingRun run = train(false);
    registry.shadow(run.adapterId(), "olga");
    String json = CanonicalJson.write(EVIDENCE);
    database.analysis(json, CORRECTED);
    UUID wrong = database.analysis(json, "conclude not stated");
    ImproveConfig config = config().getConfigMapping(ImproveConfig.class);
    Shadow shadow = new Shadow(database.jdbi, registry, rollout, serving, config);

    // Events go first.
    assertThat(shadow.look()).isZero();
    database.jdbi.useHandle(h -> h.execute("update inbox set status = 'done'"));
    assertThat(shadow.look()).isEqualTo(2);
    assertThat(shadow.look()).isZero();
    assertThat(strings("select payload from outbox")).isEmpty();

    ShadowReview review = new ShadowReview(database.jdbi, registry, ledger);
    ShadowReview.Summary summary = review.summary();
    assertThat(List.of(summary.compared(), summary.agreed(), summary.open()))
        .containsExactly(2, 1, 1);
    ShadowReview.Pair pair = review.next("ann").orElseThrow();
    assertThat(List.of(pair.a(), pair.b()))
        .containsExactlyInAnyOrder(CORRECTED, "conclude not stated");
    boolean second = pair.b().equals(CORRECTED);
    review.label(pair.id(), second ? ShadowReview.Choice.B : ShadowReview.Choice.A, null, "ann");
    assertThat(review.summary().shadowRight()).isEqualTo(1);
    assertThat(review.next("ann")).isEmpty();
    assertThat(strings("select cast(analysis_id as text) from gate_item"))
        .containsExactly(wrong.toString());

    // The correction is of the same page, so there is nothing left that may train.
    TrainingRun next = train(true);
    assertThat(next.status()).isEqualTo(Status.REFUSED);
    assertThat(next.message()).contains("approve or correct some chains first");
    assertThat(ledger.verify(database.jdbi).problem()).isEmpty();
    registry.shadow(null, "olga");
    assertThat(shadow.look()).isZero();
  }

  @Test
  void aRollbackCanLetTheEventsOfTheBadAdapterBeAnalysedAgain() throws Exception {
    correct(EVIDENCE, CORRECTED);
    String bad = train(true).adapterId();
    UUID undecided = database.analysis("{}", "conclude not stated");
    UUID decided = database.analysis("{}", "conclude not stated");
    database.jdbi.useHandle(
        h -> {
          h.execute("update analysis set adapter_id = ? where status = 'pending'", bad);
          h.execute("update inbox set status = 'done'");
        });
    UUID byBase = database.analysis("{}", "conclude not stated");
    database.jdbi.useHandle(h -> h.execute("update inbox set status = 'done'"));
    database.decide(decided, "approve", null);

    registry.rollback("olga", true);

    assertThat(strings("select event_key from inbox where status = 'received'"))
        .containsExactly("test#" + undecided);
    assertThat(strings("select cast(id as text) from analysis"))
        .contains(decided.toString(), byBase.toString())
        .doesNotContain(undecided.toString());
    assertThat(strings("select payload from ledger where kind = 'REQUEUE'"))
        .singleElement()
        .asString()
        .contains(undecided.toString());
    assertThat(ledger.verify(database.jdbi).problem()).isEmpty();
  }

  private TrainingRun train(boolean promote) {
    TrainingRun queued = runs.queue("{}", promote, "olga");
    TrainingRun claimed = runs.claim("worker").orElseThrow();
    loop().execute(claimed, () -> false);
    return runs.find(queued.id()).orElseThrow();
  }

  private ImprovementLoop loop() {
    ImproveConfig config = config().getConfigMapping(ImproveConfig.class);
    ReckonerConfig directories = config().getConfigMapping(ReckonerConfig.class);
    return new ImprovementLoop(
        database.jdbi, ledger, datasets(), runs, registry, rollout, serving, config, directories);
  }

  private Datasets datasets() {
    return new Datasets(
        database.jdbi,
        ledger,
        new ValidatedChains(database.jdbi),
        config().getConfigMapping(ImproveConfig.class),
        config().getConfigMapping(ReckonerConfig.class));
  }

  private SmallRyeConfig config() {
    SmallRyeConfigBuilder builder =
        new SmallRyeConfigBuilder()
            .addDiscoveredConverters()
            .withMapping(ReckonerConfig.class)
            .withMapping(ImproveConfig.class)
            .withMapping(ModelConfig.class);
    settings.forEach(builder::withDefaultValue);
    return builder.build();
  }

  private static List<String> strings(String sql) {
    return database.jdbi.withHandle(h -> h.createQuery(sql).mapTo(String.class).list());
  }

  private void steps(int steps) throws IOException {
    Files.writeString(directory.resolve("recipe.yaml"), RECIPE.formatted(steps));
  }

  private void rules(String yaml) throws IOException {
    Files.writeString(directory.resolve("gates.yaml"), yaml);
  }

  /** What the serving model writes about the evidence. */
  private String answer() throws InterruptedException {
    Optional<AdapterSlot.Serving> current = serving.current();
    var reasoner = serving.reasoner();
    var adapter =
        current.isEmpty()
            ? null
            : reasoner.load(directory.resolve("data/adapters").resolve(current.get().id()));
    try {
      return reasoner
          .engine()
          .generate(reasoner.request(EVIDENCE, adapter, serving.options()))
          .text()
          .strip();
    } finally {
      if (adapter != null) {
        reasoner.engine().retire(adapter);
      }
    }
  }

  private void correct(Evidence evidence, String chain) {
    UUID analysis = database.analysis(CanonicalJson.write(evidence), "conclude not stated");
    database.decide(analysis, "correct", chain);
  }
}
