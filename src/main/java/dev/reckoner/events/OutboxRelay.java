package dev.reckoner.events;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import io.smallrye.mutiny.Uni;
import io.smallrye.reactive.messaging.MutinyEmitter;
import io.smallrye.reactive.messaging.kafka.api.OutgoingKafkaRecordMetadata;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.nio.charset.StandardCharsets;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.eclipse.microprofile.reactive.messaging.Channel;
import org.eclipse.microprofile.reactive.messaging.Message;
import org.jboss.logging.Logger;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;
import org.jdbi.v3.core.JdbiException;

/**
 * Publishes what transactions left in the outbox, and marks it once the broker has it.
 *
 * <p>One process of a fleet relays at a time, and of each topic and key the oldest message goes
 * first; the next follows when it is acknowledged. So order per subject holds, also over failures,
 * and a message that the broker refuses holds up its own subject only. A message for which the
 * broker has no answer yet, such as one for a topic that does not exist, delays the round it is in
 * for as long as the producer tries ({@code delivery.timeout.ms}); then the others go on.
 */
@ApplicationScoped
class OutboxRelay {

  private static final Logger LOG = Logger.getLogger(OutboxRelay.class);
  private static final int BATCH = 100;
  private static final Duration IDLE = Duration.ofMillis(250);
  private static final Duration AWAY = Duration.ofSeconds(2);
  private static final TypeReference<Map<String, String>> HEADERS = new TypeReference<>() {};

  private final Jdbi jdbi;
  private final ObjectMapper json;
  private final MutinyEmitter<byte[]> emitter;
  private Thread loop;
  private volatile boolean stopping;

  OutboxRelay(Jdbi jdbi, ObjectMapper json, @Channel("outbox") MutinyEmitter<byte[]> emitter) {
    this.jdbi = jdbi;
    this.json = json;
    this.emitter = emitter;
  }

  void start(@Observes StartupEvent event) {
    loop = Thread.ofVirtual().name("outbox-relay").start(this::run);
  }

  void stop(@Observes ShutdownEvent event) throws InterruptedException {
    stopping = true;
    if (loop != null) {
      loop.interrupt();
      loop.join(Duration.ofSeconds(5));
    }
  }

  private void run() {
    while (!stopping) {
      try {
        if (relay() == 0) {
          Thread.sleep(IDLE);
        }
      } catch (InterruptedException e) {
        return;
      } catch (JdbiException e) {
        // An interrupt closes the connection that is being read or written.
        if (stopping) {
          return;
        }
        LOG.warnf("The outbox can not be read: %s", Patience.reason(e));
        pause();
      }
    }
  }

  private static void pause() {
    try {
      Thread.sleep(AWAY);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private record Row(
      long id, String topic, byte[] key, String headers, byte[] value, int attempts) {}

  /**
   * Publishes one message of each topic and key.
   *
   * @return how many were tried; 0 also where another process relays
   */
  int relay() throws InterruptedException {
    return jdbi.<Integer, InterruptedException>inTransaction(
        handle -> {
          boolean mine =
              handle
                  .createQuery("select pg_try_advisory_xact_lock(hashtext('reckoner-outbox'))")
                  .mapTo(Boolean.class)
                  .one();
          if (!mine) {
            return 0;
          }
          List<Row> rows = due(handle);
          List<CompletableFuture<Void>> sent = new ArrayList<>();
          for (Row row : rows) {
            sent.add(send(row));
          }
          for (int i = 0; i < rows.size(); i++) {
            mark(handle, rows.get(i), sent.get(i));
          }
          return rows.size();
        });
  }

  private List<Row> due(Handle handle) {
    return handle
        .createQuery(
            """
            select * from (
              select distinct on (topic, coalesce(origin, key)) * from outbox
              where published_at is null order by topic, coalesce(origin, key), id) oldest
            where next_attempt <= now() order by id limit :limit
            """)
        .bind("limit", BATCH)
        .map((rs, ctx) -> row(rs))
        .list();
  }

  private static Row row(ResultSet rs) throws SQLException {
    byte[] raw = rs.getBytes("raw");
    return new Row(
        rs.getLong("id"),
        rs.getString("topic"),
        raw == null ? rs.getString("key").getBytes(StandardCharsets.UTF_8) : rs.getBytes("raw_key"),
        rs.getString("headers"),
        raw == null ? rs.getString("payload").getBytes(StandardCharsets.UTF_8) : raw,
        rs.getInt("attempts"));
  }

  private CompletableFuture<Void> send(Row row) {
    List<RecordHeader> headers = new ArrayList<>();
    try {
      json.readValue(row.headers(), HEADERS)
          .forEach(
              (name, value) ->
                  headers.add(new RecordHeader(name, value.getBytes(StandardCharsets.UTF_8))));
    } catch (JsonProcessingException e) {
      return CompletableFuture.failedFuture(e);
    }
    Message<byte[]> message =
        Message.of(row.value())
            .addMetadata(
                OutgoingKafkaRecordMetadata.<byte[]>builder()
                    .withTopic(row.topic())
                    .withKey(row.key())
                    .withHeaders(headers)
                    .build());
    Uni<Void> sending = emitter.sendMessage(message);
    return sending.subscribeAsCompletionStage();
  }

  private static void mark(Handle handle, Row row, CompletableFuture<Void> sent)
      throws InterruptedException {
    try {
      sent.get();
      handle.execute(
          "update outbox set published_at = now(), last_error = null where id = ?", row.id());
    } catch (ExecutionException e) {
      String error = String.valueOf(e.getCause().getMessage());
      LOG.warnf("Message %d for %s was not published: %s", row.id(), row.topic(), error);
      handle.execute(
          """
          update outbox set attempts = attempts + 1, last_error = ?,
                            next_attempt = now() + make_interval(secs => least(300, power(2, least(attempts, 9))))
          where id = ?
          """,
          error.replace('\0', '\uFFFD'),
          row.id());
    }
  }
}
