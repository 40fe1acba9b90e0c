package dev.reckoner.improve;

import io.quarkus.scheduler.Scheduled;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.Optional;
import org.jboss.logging.Logger;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;

/**
 * Queues training runs by itself: when enough was decided since the last run, and at the times of a
 * cron expression. Every replica has both triggers; a lock in the database lets one of them queue,
 * and the others find the run there.
 */
@ApplicationScoped
class RunTriggers {

  static final String BY_DECISIONS = "decisions";
  static final String BY_SCHEDULE = "schedule";

  private static final Logger LOG = Logger.getLogger(RunTriggers.class);

  /** Clocks of replicas differ by less, and a cron expression has no shorter period that works. */
  private static final String SAME_TIME = "50 seconds";

  private final Jdbi jdbi;
  private final TrainingRuns runs;
  private final ImproveConfig config;

  RunTriggers(Jdbi jdbi, TrainingRuns runs, ImproveConfig config) {
    this.jdbi = jdbi;
    this.runs = runs;
    this.config = config;
  }

  // The scheduler takes methods without a result only.

  @Scheduled(every = "30s", delayed = "30s")
  void look() {
    afterDecisions();
  }

  @Scheduled(cron = "${reckoner.improve.trigger.cron:off}")
  void strike() {
    onSchedule();
  }

  /** Queues a run if so many chains were approved or corrected since the last one was queued. */
  Optional<TrainingRun> afterDecisions() {
    int enough = config.trigger().decisions();
    return enough <= 0
        ? Optional.empty()
        : queue(BY_DECISIONS, handle -> decidedSinceLastRun(handle) >= enough);
  }

  /** Queues a run unless another replica has just done so. */
  Optional<TrainingRun> onSchedule() {
    return queue(BY_SCHEDULE, handle -> !justQueued(handle));
  }

  private interface Condition {
    boolean holds(Handle handle);
  }

  private Optional<TrainingRun> queue(String trigger, Condition condition) {
    try {
      Optional<TrainingRun> queued =
          jdbi.inTransaction(
              handle -> {
                handle.execute("select pg_advisory_xact_lock(hashtext('reckoner-triggers'))");
                return runs.active(handle).isEmpty() && condition.holds(handle)
                    ? Optional.of(runs.queue(handle, "{}", config.trigger().promote(), trigger))
                    : Optional.empty();
              });
      queued.ifPresent(run -> LOG.infof("training run %s queued by %s", run.id(), trigger));
      return queued;
    } catch (ImprovementException e) {
      // Somebody started one by hand at this very moment.
      return Optional.empty();
    }
  }

  private static int decidedSinceLastRun(Handle handle) {
    return handle
        .createQuery(
            "select count(*) from trusted_decision where kind in ('approve', 'correct')"
                + " and decided_at > coalesce((select max(created_at) from training_run),"
                + " '-infinity')")
        .mapTo(Integer.class)
        .one();
  }

  private static boolean justQueued(Handle handle) {
    return handle
        .createQuery(
            "select exists (select 1 from training_run where started_by = :trigger"
                + " and created_at > now() - cast(:time as interval))")
        .bind("trigger", BY_SCHEDULE)
        .bind("time", SAME_TIME)
        .mapTo(Boolean.class)
        .one();
  }
}
