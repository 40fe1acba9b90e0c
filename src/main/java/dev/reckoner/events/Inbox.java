package dev.reckoner.events;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.agent.FinancialEvent;
import jakarta.enterprise.context.ApplicationScoped;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.Collection;
import java.util.List;
import java.util.UUID;
import org.apache.commons.codec.digest.DigestUtils;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;

/**
 * One row for each event, and who works on it until when.
 *
 * <p>An event is claimed before it is worked on; only the holder of its lease may finish it. A
 * lease that is not renewed runs out, and the event goes to whoever claims it next, with one
 * attempt used up. Attempts are counted in the row, so that an event that kills the process runs
 * out of them too.
 */
@ApplicationScoped
class Inbox {

  private final Jdbi jdbi;
  private final ObjectMapper json;
  private final EventsConfig config;
  private final DeadLetters deadLetters;
  private final String owner = ProcessHandle.current().pid() + "-" + UUID.randomUUID();

  Inbox(Jdbi jdbi, ObjectMapper json, EventsConfig config, DeadLetters deadLetters) {
    this.jdbi = jdbi;
    this.json = json;
    this.config = config;
    this.deadLetters = deadLetters;
  }

  /** What is to be done with a record. */
  sealed interface Claim {
    /** Work on it: this process holds the lease. */
    record Work(FinancialEvent event, int attempt) implements Claim {}

    /** Nothing: another record brought the same event. */
    record Duplicate() implements Claim {}

    /** Nothing: this very record was taken in before and is done, or in the hands of another. */
    record Redelivered() implements Claim {}

    /** Nothing: it has used up its attempts and was dead-lettered just now. */
    record Dead() implements Claim {}
  }

  /** Takes an event in, or finds out who has. */
  Claim claim(FinancialEvent event, ConsumerRecord<byte[], byte[]> record) {
    return jdbi.inTransaction(
        handle -> {
          if (insert(handle, event, record)) {
            return new Claim.Work(event, 1);
          }
          Row row = lock(handle, event.key());
          boolean redelivered = row.origin().equals(Origin.of(record).text());
          if (!redelivered) {
            handle.execute(
                "update inbox set duplicates = duplicates + 1 where event_key = ?", event.key());
          }
          if (row.free()) {
            return takeOver(handle, row);
          }
          return redelivered ? new Claim.Redelivered() : new Claim.Duplicate();
        });
  }

  private boolean insert(
      Handle handle, FinancialEvent event, ConsumerRecord<byte[], byte[]> record) {
    return handle
            .createUpdate(
                """
                insert into inbox (event_key, event_id, event_source, event_type, subject, event_time, data,
                                   origin, record_key, headers, raw, raw_sha256,
                                   lease_owner, lease_until, attempts)
                values (:key, :id, :source, :type, :subject, :time, cast(:data as jsonb),
                        :origin, :recordKey, cast(:headers as jsonb), :raw, :sha256,
                        :owner, now() + make_interval(secs => :lease), 1)
                on conflict (event_key) do nothing
                """)
            .bind("key", event.key())
            .bind("id", event.id())
            .bind("source", event.source())
            .bind("type", event.type())
            .bind("subject", event.subject())
            .bind(
                "time",
                event.time() == null
                    ? null
                    : OffsetDateTime.ofInstant(event.time(), ZoneOffset.UTC))
            .bind("data", event.data().toString())
            .bind("origin", Origin.of(record).text())
            .bind("recordKey", record.key())
            .bind("headers", deadLetters.headers(record))
            .bind("raw", record.value())
            .bind("sha256", DigestUtils.sha256Hex(record.value()))
            .bind("owner", owner)
            .bind("lease", seconds(config.lease()))
            .execute()
        == 1;
  }

  /** Takes over up to {@code limit} events whose holder is gone. */
  List<Claim.Work> recover(int limit) {
    return jdbi.inTransaction(
        handle ->
            handle
                .createQuery(
                    """
                    select *, true as free from inbox
                    where status = 'received' and (lease_until is null or lease_until < now())
                    order by received_at limit :limit for update skip locked
                    """)
                .bind("limit", limit)
                .map((rs, ctx) -> row(rs))
                .list()
                .stream()
                .map(row -> takeOver(handle, row))
                .filter(Claim.Work.class::isInstance)
                .map(Claim.Work.class::cast)
                .toList());
  }

  private Claim takeOver(Handle handle, Row row) {
    if (row.attempts() >= config.maxAttempts()) {
      String last =
          row.lastError() == null ? "the process ended while it was worked on" : row.lastError();
      bury(handle, row, exhausted(row, last));
      return new Claim.Dead();
    }
    handle
        .createUpdate(
            """
            update inbox set attempts = attempts + 1, lease_owner = :owner,
                             lease_until = now() + make_interval(secs => :lease)
            where event_key = :key
            """)
        .bind("owner", owner)
        .bind("lease", seconds(config.lease()))
        .bind("key", row.event().key())
        .execute();
    return new Claim.Work(row.event(), row.attempts() + 1);
  }

  /**
   * Ends the work on an event in the caller's transaction.
   *
   * @throws LeaseLostException if this process no longer holds it
   */
  void done(Handle handle, String eventKey) {
    int updated =
        handle.execute(
            """
            update inbox set status = 'done', finished_at = now(), lease_owner = null, lease_until = null,
                             last_error = null
            where event_key = ? and lease_owner = ? and status = 'received'
            """,
            eventKey,
            owner);
    if (updated == 0) {
      throw new LeaseLostException(eventKey);
    }
  }

  /**
   * Notes that an attempt failed.
   *
   * @return the work with its next attempt, or {@code null} if that was the last one and the event
   *     is dead-lettered now
   * @throws LeaseLostException if this process no longer holds it
   */
  Claim.Work failed(Claim.Work work, String error) {
    return jdbi.inTransaction(
        handle -> {
          Row row = lock(handle, work.event().key());
          requireHeld(row);
          handle.execute(
              "update inbox set last_error = ? where event_key = ?",
              storable(error),
              work.event().key());
          if (row.attempts() >= config.maxAttempts()) {
            bury(handle, row, exhausted(row, error));
            return null;
          }
          return (Claim.Work) takeOver(handle, row);
        });
  }

  /**
   * Ends the work on an event that no further attempt can help.
   *
   * @throws LeaseLostException if this process no longer holds it
   */
  void refuse(Claim.Work work, RejectedException why) {
    jdbi.useTransaction(
        handle -> {
          Row row = lock(handle, work.event().key());
          requireHeld(row);
          bury(handle, row, why);
        });
  }

  private void requireHeld(Row row) {
    if (!owner.equals(row.owner()) || !row.status().equals("received")) {
      throw new LeaseLostException(row.event().key());
    }
  }

  private void bury(Handle handle, Row row, RejectedException why) {
    handle.execute(
        """
        update inbox set status = 'dead', finished_at = now(), lease_owner = null, lease_until = null,
                         last_error = ?
        where event_key = ?
        """,
        storable(why.getMessage()),
        row.event().key());
    deadLetters.bury(handle, row.letter(), why);
  }

  /** Renews the leases of events that are being worked on. */
  void renew(Collection<String> eventKeys) {
    if (eventKeys.isEmpty()) {
      return;
    }
    jdbi.useHandle(
        handle ->
            handle
                .createUpdate(
                    """
                    update inbox set lease_until = now() + make_interval(secs => :lease)
                    where lease_owner = :owner and status = 'received' and event_key in (<keys>)
                    """)
                .bind("lease", seconds(config.lease()))
                .bind("owner", owner)
                .bindList("keys", List.copyOf(eventKeys))
                .execute());
  }

  /** Gives back what this process holds, with the attempt it did not finish. */
  void release() {
    jdbi.useHandle(
        handle ->
            handle.execute(
                """
                update inbox set lease_owner = null, lease_until = null, attempts = attempts - 1
                where lease_owner = ? and status = 'received'
                """,
                owner));
  }

  /** Ends every lease: whoever held one is known to be gone. */
  void releaseAll() {
    jdbi.useHandle(
        handle ->
            handle.execute(
                "update inbox set lease_owner = null, lease_until = null where status = 'received'"));
  }

  /** How many events are taken in and not finished. */
  long open() {
    return jdbi.withHandle(
        handle ->
            handle
                .createQuery("select count(*) from inbox where status = 'received'")
                .mapTo(Long.class)
                .one());
  }

  private record Row(
      FinancialEvent event,
      String status,
      String origin,
      String owner,
      boolean expired,
      int attempts,
      String lastError,
      DeadLetters.Letter letter) {

    boolean free() {
      return status.equals("received") && expired;
    }
  }

  private Row lock(Handle handle, String eventKey) {
    return handle
        .createQuery(
            """
            select *, coalesce(lease_until < now(), true) as free from inbox
            where event_key = :key for update
            """)
        .bind("key", eventKey)
        .map((rs, ctx) -> row(rs))
        .one();
  }

  private Row row(ResultSet rs) throws SQLException {
    try {
      OffsetDateTime time = rs.getObject("event_time", OffsetDateTime.class);
      FinancialEvent event =
          new FinancialEvent(
              rs.getString("event_id"),
              rs.getString("event_source"),
              rs.getString("event_type"),
              rs.getString("subject"),
              time == null ? null : time.toInstant(),
              json.readTree(rs.getString("data")));
      return new Row(
          event,
          rs.getString("status"),
          rs.getString("origin"),
          rs.getString("lease_owner"),
          rs.getBoolean("free"),
          rs.getInt("attempts"),
          rs.getString("last_error"),
          new DeadLetters.Letter(
              Origin.parse(rs.getString("origin")),
              rs.getBytes("record_key"),
              rs.getString("headers"),
              rs.getBytes("raw")));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  private static RejectedException exhausted(Row row, String last) {
    return new RejectedException(
        RejectedException.FAILED, "%d attempts, the last: %s".formatted(row.attempts(), last));
  }

  private static String storable(String text) {
    return text.replace('\0', '\uFFFD');
  }

  private static double seconds(Duration duration) {
    return duration.toMillis() / 1000.0;
  }
}
