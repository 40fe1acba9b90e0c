package dev.reckoner.improve;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.improve.TrainingRun.Status;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** When training runs start by themselves, on a real Postgres. */
class RunTriggersTest {

  private static PostgresFixture database;
  private TrainingRuns runs;

  @BeforeAll
  static void start() throws IOException {
    database = new PostgresFixture();
  }

  @AfterAll
  static void stop() throws IOException {
    database.close();
  }

  @BeforeEach
  void fresh() {
    database.fresh();
    runs = new TrainingRuns(database.jdbi);
  }

  @Test
  void aRunStartsWhenEnoughWasDecidedSinceTheLastOne() {
    RunTriggers triggers = triggers(2);
    decide("approve");
    decide("reject");
    assertThat(triggers.afterDecisions()).isEmpty();
    decide("approve");
    Optional<TrainingRun> queued = triggers.afterDecisions();
    assertThat(queued).map(TrainingRun::startedBy).hasValue(RunTriggers.BY_DECISIONS);
    assertThat(runs.active()).map(TrainingRun::id).isEqualTo(queued.map(TrainingRun::id));

    // Neither while it is active nor for the same decisions again, also where the run failed.
    assertThat(triggers.afterDecisions()).isEmpty();
    runs.enter(queued.get().id(), Status.FAILED, "no memory");
    assertThat(triggers.afterDecisions()).isEmpty();
    decide("approve");
    decide("approve");
    assertThat(triggers.afterDecisions()).isPresent();
  }

  @Test
  void withoutANumberDecisionsStartNothing() {
    decide("approve");
    assertThat(triggers(0).afterDecisions()).isEmpty();
  }

  @Test
  void ofManyReplicasOneQueuesAtATimeOfTheSchedule() throws Exception {
    List<Callable<Optional<TrainingRun>>> replicas = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      RunTriggers replica = triggers(0);
      // A run that ends at once leaves nothing active for the replica that comes next.
      replicas.add(
          () -> {
            Optional<TrainingRun> queued = replica.onSchedule();
            queued.ifPresent(run -> runs.enter(run.id(), Status.REFUSED, "nothing to learn from"));
            return queued;
          });
    }
    List<TrainingRun> queued = new ArrayList<>();
    try (ExecutorService executor = Executors.newFixedThreadPool(6)) {
      for (Future<Optional<TrainingRun>> future : executor.invokeAll(replicas)) {
        future.get().ifPresent(queued::add);
      }
    }
    assertThat(queued).hasSize(1);
    assertThat(queued.getFirst().startedBy()).isEqualTo(RunTriggers.BY_SCHEDULE);
    assertThat(runs.recent(10)).hasSize(1);
    database.jdbi.useHandle(
        h -> h.execute("update training_run set created_at = now() - interval '1 hour'"));
    assertThat(triggers(0).onSchedule()).isPresent();
  }

  @Test
  void aTriggerLeavesARunThatWasStartedByHandAlone() {
    TrainingRun byHand = runs.queue("{}", true, "olga");
    assertThat(triggers(0).onSchedule()).isEmpty();
    assertThat(runs.active()).map(TrainingRun::id).hasValue(byHand.id());
  }

  private static void decide(String kind) {
    database.decide(database.analysis("{}", "conclude not stated"), kind, null);
  }

  private RunTriggers triggers(int decisions) {
    ImproveConfig config =
        new SmallRyeConfigBuilder()
            .addDiscoveredConverters()
            .withMapping(ImproveConfig.class)
            .withDefaultValue("reckoner.improve.trigger.decisions", "" + decisions)
            .build()
            .getConfigMapping(ImproveConfig.class);
    return new RunTriggers(database.jdbi, runs, config);
  }
}
