package dev.reckoner.improve;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.agent.ModelConfig;
import dev.reckoner.agent.ServingModel;
import dev.reckoner.improve.TrainingRun.LossPoint;
import dev.reckoner.improve.TrainingRun.Status;
import dev.reckoner.inference.TinyModel;
import io.smallrye.config.SmallRyeConfig;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.jdbi.v3.core.Jdbi;
import org.jdbi.v3.postgres.PostgresPlugin;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A process that works on a run is killed as with {@code kill -9}; another one takes the run up.
 */
class KilledRunTest {

  private static final int STEPS = 40;

  /** The step after which the process is killed; the checkpoint is an earlier one. */
  private static final int KILLED_AT = 12;

  @TempDir Path directory;

  @Test
  void aRunGoesOnFromItsCheckpointAndMakesTheAdapterItWouldHaveMade() throws Exception {
    Path model = directory.resolve("model");
    TinyModel.write(model, 2048);
    Files.writeString(
        directory.resolve("recipe.yaml"),
        "rank: 8\nalpha: 16\nlearningRate: 1.0e-3\ntokensPerMicroBatch: 1024\nmaxSteps: %d\nclip: 1\n"
                .formatted(STEPS)
            + "checkpointEvery: 5\n");
    Files.writeString(
        directory.resolve("gates.yaml"),
        "suites: {synthetic: {minimumProblems: 4, metrics: {execution_accuracy: {tolerance:"
            + " 1}}}}\n");
    try (PostgresFixture database = new PostgresFixture()) {
      database.fresh();
      TrainingRuns runs = new TrainingRuns(database.jdbi);
      UUID analysis =
          database.analysis(
              CanonicalJson.write(ImprovementLoopTest.EVIDENCE), "conclude not stated");
      database.decide(analysis, "approve", null);
      // The same run twice: once to its end, once killed on the way.
      TrainingRun whole = runs.queue("{}", false, "olga");
      Worker.execute(database.jdbi, settings(model, "whole"), STEPS);
      assertThat(runs.find(whole.id()).orElseThrow().status()).isEqualTo(Status.PASSED);

      TrainingRun killed = runs.queue("{}", false, "olga");
      Process process = start(database.url(), settings(model, "killed"));
      try {
        await(process, () -> runs.find(killed.id()).orElseThrow().step() >= KILLED_AT);
      } finally {
        process.destroyForcibly();
      }
      assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
      TrainingRun left = runs.find(killed.id()).orElseThrow();
      assertThat(left.status()).isEqualTo(Status.TRAINING);
      assertThat(left.step()).isEqualTo(KILLED_AT);

      heartbeat(database, "0 seconds"); // the worker's, which is not here
      assertThat(runs.claim("another")).as("not before it was silent").isEmpty();
      heartbeat(database, "2 minutes");
      Worker.execute(database.jdbi, settings(model, "killed"), STEPS);

      TrainingRun ended = runs.find(killed.id()).orElseThrow();
      assertThat(ended.status()).as(ended.message()).isEqualTo(Status.PASSED);
      List<Double> losses = runs.losses(killed.id()).stream().map(LossPoint::loss).toList();
      assertThat(losses)
          .hasSize(STEPS)
          .isEqualTo(runs.losses(whole.id()).stream().map(LossPoint::loss).toList());
      // Adapters are named by their runs, which is in no file: equal weights are an equal hash.
      assertThat(hash(database, ended)).isEqualTo(hash(database, runs.find(whole.id()).get()));
      assertThat(new Ledger().verify(database.jdbi).problem()).isEmpty();
    }
  }

  private static void heartbeat(PostgresFixture database, String ago) {
    database.jdbi.useHandle(
        h -> h.execute("update training_run set heartbeat_at = now() - cast(? as interval)", ago));
  }

  private static String hash(PostgresFixture database, TrainingRun run) {
    return database.jdbi.withHandle(
        h ->
            h.createQuery(
                    "select sha256 from adapter_file where adapter_id = ? and name like"
                        + " '%.safetensors'")
                .bind(0, run.adapterId())
                .mapTo(String.class)
                .one());
  }

  private Map<String, String> settings(Path model, String data) {
    return new TreeMap<>(
        Map.of(
            "reckoner.data-dir", directory.resolve(data).toString(),
            "reckoner.model.dir", model.toString(),
            "reckoner.model.backend", "cpu",
            "reckoner.model.max-tokens", "32",
            "reckoner.improve.recipe", directory.resolve("recipe.yaml").toString(),
            "reckoner.improve.gates", directory.resolve("gates.yaml").toString(),
            "reckoner.improve.suite-problems", "4",
            "reckoner.improve.minimum-replay", "8",
            "reckoner.improve.replay", "0"));
  }

  private Process start(String url, Map<String, String> settings) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
        .filter(a -> a.startsWith("--") || a.startsWith("-X") && !a.startsWith("-Xmx"))
        .forEach(command::add);
    command.addAll(
        List.of("-Xmx1g", "-cp", System.getProperty("java.class.path"), Worker.class.getName()));
    command.add(url);
    settings.forEach((key, value) -> command.add(key + "=" + value));
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(directory.resolve("worker.log").toFile())
        .start();
  }

  private interface Condition {
    boolean holds();
  }

  private void await(Process process, Condition condition)
      throws InterruptedException, IOException {
    long until = System.nanoTime() + Duration.ofMinutes(5).toNanos();
    while (!condition.holds()) {
      assertThat(process.isAlive()).as(Files.readString(directory.resolve("worker.log"))).isTrue();
      assertThat(System.nanoTime()).isLessThan(until);
      Thread.sleep(20);
    }
  }

  /** Claims the active run and works on it, as a process of its own or in this one. */
  static final class Worker {

    private Worker() {}

    public static void main(String... args) {
      Map<String, String> settings = new TreeMap<>();
      for (int i = 1; i < args.length; i++) {
        int at = args[i].indexOf('=');
        settings.put(args[i].substring(0, at), args[i].substring(at + 1));
      }
      execute(Jdbi.create(args[0]).installPlugin(new PostgresPlugin()), settings, KILLED_AT);
    }

    /**
     * @param until the step after which it goes no further, as a process that was about to be
     *     killed
     */
    static void execute(Jdbi jdbi, Map<String, String> settings, int until) {
      SmallRyeConfigBuilder builder =
          new SmallRyeConfigBuilder()
              .addDiscoveredConverters()
              .withMapping(ReckonerConfig.class)
              .withMapping(ImproveConfig.class)
              .withMapping(ModelConfig.class);
      settings.forEach(builder::withDefaultValue);
      SmallRyeConfig config = builder.build();
      ReckonerConfig directories = config.getConfigMapping(ReckonerConfig.class);
      ImproveConfig improve = config.getConfigMapping(ImproveConfig.class);
      Ledger ledger = new Ledger();
      TrainingRuns runs = new TrainingRuns(jdbi);
      AdapterRegistry registry = new AdapterRegistry(jdbi, new Outbox(), ledger);
      ServingModel serving = new ServingModel(config.getConfigMapping(ModelConfig.class));
      try {
        new ImprovementLoop(
                jdbi,
                ledger,
                new Datasets(jdbi, ledger, new ValidatedChains(jdbi), improve, directories),
                runs,
                registry,
                new AdapterRollout(registry, serving, serving, directories),
                serving,
                improve,
                directories)
            .execute(
                runs.claim(UUID.randomUUID().toString()).orElseThrow(), () -> hold(runs, until));
      } finally {
        serving.close();
      }
    }

    private static boolean hold(TrainingRuns runs, int until) {
      try {
        while (runs.active().orElseThrow().step() >= until) {
          Thread.sleep(1000);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      return false;
    }
  }
}
