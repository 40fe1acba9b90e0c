package dev.reckoner.improve;

import dev.reckoner.improve.TrainingRun.LogLine;
import dev.reckoner.improve.TrainingRun.LossPoint;
import dev.reckoner.improve.TrainingRun.Status;
import jakarta.enterprise.context.ApplicationScoped;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Timestamp;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.UUID;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;
import org.jdbi.v3.core.statement.UnableToExecuteStatementException;
import org.postgresql.util.PSQLState;

/** The table of training runs; the database itself holds the rule of one active run at a time. */
@ApplicationScoped
public class TrainingRuns {

  /** A step of training, and a problem of a suite, is far shorter. */
  private static final String SILENCE = "60 seconds";

  private final Jdbi jdbi;

  TrainingRuns(Jdbi jdbi) {
    this.jdbi = jdbi;
  }

  /**
   * Queues a run.
   *
   * @throws ImprovementException if one is active
   */
  TrainingRun queue(String recipeJson, boolean promoteIfPassed, String actor) {
    return jdbi.withHandle(h -> queue(h, recipeJson, promoteIfPassed, actor));
  }

  /** The same in the caller's transaction, which has failed where this throws. */
  TrainingRun queue(Handle handle, String recipeJson, boolean promoteIfPassed, String actor) {
    UUID id = UUID.randomUUID();
    try {
      handle.execute(
          "insert into training_run (id, recipe, promote_if_passed, started_by)"
              + " values (?, cast(? as jsonb), ?, ?)",
          id,
          recipeJson,
          promoteIfPassed,
          actor);
    } catch (UnableToExecuteStatementException e) {
      if (e.getCause() instanceof SQLException sql
          && PSQLState.UNIQUE_VIOLATION.getState().equals(sql.getSQLState())) {
        throw new ImprovementException(
            "a training run is in progress: wait for it or cancel it", e);
      }
      throw e;
    }
    return find(handle, id).orElseThrow();
  }

  public Optional<TrainingRun> find(UUID id) {
    return jdbi.withHandle(h -> find(h, id));
  }

  private static Optional<TrainingRun> find(Handle handle, UUID id) {
    return handle
        .createQuery("select * from training_run where id = ?")
        .bind(0, id)
        .map((rs, ctx) -> run(rs))
        .findOne();
  }

  /** The active run, if any. */
  public Optional<TrainingRun> active() {
    return jdbi.withHandle(this::active);
  }

  Optional<TrainingRun> active(Handle handle) {
    return handle
        .createQuery(
            "select * from training_run"
                + " where status in ('queued', 'building', 'training', 'evaluating')")
        .map((rs, ctx) -> run(rs))
        .findOne();
  }

  /** Newest first. */
  public List<TrainingRun> recent(int limit) {
    return jdbi.withHandle(
        h ->
            h.createQuery("select * from training_run order by created_at desc limit ?")
                .bind(0, limit)
                .map((rs, ctx) -> run(rs))
                .list());
  }

  /** The loss curve, in order of steps. */
  public List<LossPoint> losses(UUID id) {
    return losses(id, 0);
  }

  /** The loss curve after a step. */
  List<LossPoint> losses(UUID id, int after) {
    return jdbi.withHandle(
        h ->
            h.createQuery(
                    "select step, loss, learning_rate from training_loss"
                        + " where run_id = ? and step > ? order by step")
                .bind(0, id)
                .bind(1, after)
                .map((rs, ctx) -> new LossPoint(rs.getInt(1), rs.getDouble(2), rs.getDouble(3)))
                .list());
  }

  /** Asks a run to stop at its next step or question; {@code false} if it has ended. */
  boolean requestCancel(UUID id) {
    return jdbi.withHandle(
        h ->
            h.execute(
                    "update training_run set cancel_requested = true where id = ?"
                        + " and status in ('queued', 'building', 'training', 'evaluating')",
                    id)
                > 0);
  }

  boolean cancelRequested(UUID id) {
    return jdbi.withHandle(
        h ->
            h.createQuery("select cancel_requested from training_run where id = ?")
                .bind(0, id)
                .mapTo(Boolean.class)
                .one());
  }

  /** The same in the transaction that ends the run, so that nobody can ask any more. */
  boolean cancelRequestedForGood(Handle handle, UUID id) {
    return handle
        .createQuery("select cancel_requested from training_run where id = ? for update")
        .bind(0, id)
        .mapTo(Boolean.class)
        .one();
  }

  boolean promoteIfPassed(Handle handle, UUID id) {
    return handle
        .createQuery("select promote_if_passed from training_run where id = ?")
        .bind(0, id)
        .mapTo(Boolean.class)
        .one();
  }

  /**
   * Takes the active run if nobody works on it, or if whoever did has been silent.
   *
   * @param worker a name that no other process has
   */
  Optional<TrainingRun> claim(String worker) {
    return jdbi.withHandle(
        h ->
            h.createQuery(
                    "update training_run set worker = :worker, heartbeat_at = now() where status in"
                        + " ('queued', 'building', 'training', 'evaluating') and (worker is null or"
                        + " heartbeat_at < now() - cast(:silence as interval)) returning *")
                .bind("worker", worker)
                .bind("silence", SILENCE)
                .map((rs, ctx) -> run(rs))
                .findOne());
  }

  /** Says that the worker is alive. */
  void heartbeat(String worker) {
    jdbi.useHandle(
        h ->
            h.execute(
                "update training_run set heartbeat_at = now() where worker = ?"
                    + " and status in ('queued', 'building', 'training', 'evaluating')",
                worker));
  }

  /** What the run does now, for people. */
  void says(UUID id, String message) {
    jdbi.useHandle(h -> h.execute("update training_run set message = ? where id = ?", message, id));
  }

  void enter(UUID id, Status status, String message) {
    jdbi.useTransaction(h -> enter(h, id, status, message));
  }

  void enter(Handle handle, UUID id, Status status, String message) {
    handle.execute(
        "update training_run set status = ?, message = ?,"
            + " started_at = coalesce(started_at, now()),"
            + " finished_at = case when ? then now() end where id = ?",
        status.column(),
        message,
        !status.active(),
        id);
    log(handle, id, status.column() + ": " + message);
  }

  /** Adds a line to the log of a run. */
  void log(UUID id, String line) {
    jdbi.useHandle(h -> log(h, id, line));
  }

  private static void log(Handle handle, UUID id, String line) {
    handle.execute("insert into training_log (run_id, line) values (?, ?)", id, line);
  }

  /** What a run did, in order. */
  public List<LogLine> log(UUID id) {
    return jdbi.withHandle(
        h ->
            h.createQuery("select at, line from training_log where run_id = ? order by id")
                .bind(0, id)
                .map((rs, ctx) -> new LogLine(instant(rs.getTimestamp(1)), rs.getString(2)))
                .list());
  }

  /** Ends a run, unless it has ended by itself; {@code false} if it had. */
  boolean endIfActive(UUID id, Status status, String message) {
    return jdbi.inTransaction(
        h -> {
          boolean ended =
              h.execute(
                      "update training_run set status = ?, message = ?, finished_at = now()"
                          + " where id = ?"
                          + " and status in ('queued', 'building', 'training', 'evaluating')",
                      status.column(),
                      message,
                      id)
                  > 0;
          if (ended) {
            log(h, id, status.column() + ": " + message);
          }
          return ended;
        });
  }

  /** Whether some process has claimed the run. */
  boolean taken(UUID id) {
    return holds("worker is not null", id);
  }

  /** Whether whoever claimed the run has said nothing for so long that another may take it. */
  boolean silent(UUID id) {
    return holds("heartbeat_at < now() - interval '" + SILENCE + "'", id);
  }

  private boolean holds(String condition, UUID id) {
    return jdbi.withHandle(
        h ->
            h.createQuery(
                    "select coalesce(" + condition + ", false) from training_run where id = ?")
                .bind(0, id)
                .mapTo(Boolean.class)
                .one());
  }

  void hasDataset(UUID id, String datasetHash, String baseModelHash, String backend) {
    jdbi.useHandle(
        h ->
            h.execute(
                "update training_run set dataset_hash = ?, base_model_hash = ?, backend = ?"
                    + " where id = ?",
                datasetHash,
                baseModelHash,
                backend,
                id));
  }

  void hasAdapter(Handle handle, UUID id, String adapterId) {
    handle.execute("update training_run set adapter_id = ? where id = ?", adapterId, id);
  }

  void progress(UUID id, int step, int steps, double loss, double learningRate) {
    jdbi.useTransaction(
        h -> {
          h.execute(
              "update training_run set step = ?, steps = ?, loss = ?, message = ? where id = ?",
              step,
              steps,
              loss,
              "step %d of %d, loss %.4f".formatted(step, steps, loss),
              id);
          // A run that resumes from a checkpoint writes some steps a second time.
          h.execute(
              "insert into training_loss (run_id, step, loss, learning_rate)"
                  + " values (?, ?, ?, ?) on conflict (run_id, step) do update"
                  + " set loss = excluded.loss, learning_rate = excluded.learning_rate,"
                  + " at = now()",
              id,
              step,
              loss,
              learningRate);
        });
  }

  private static TrainingRun run(ResultSet rs) throws SQLException {
    double loss = rs.getDouble("loss");
    boolean noLoss = rs.wasNull();
    return new TrainingRun(
        rs.getObject("id", UUID.class),
        Status.valueOf(rs.getString("status").toUpperCase(Locale.ROOT)),
        rs.getString("started_by"),
        rs.getString("dataset_hash"),
        rs.getString("adapter_id"),
        rs.getString("backend"),
        rs.getInt("step"),
        rs.getInt("steps"),
        noLoss ? null : loss,
        rs.getString("message"),
        instant(rs.getTimestamp("created_at")),
        instant(rs.getTimestamp("started_at")),
        instant(rs.getTimestamp("finished_at")));
  }

  private static Instant instant(Timestamp timestamp) {
    return timestamp == null ? null : timestamp.toInstant();
  }
}
