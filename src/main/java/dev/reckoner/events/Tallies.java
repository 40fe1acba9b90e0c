package dev.reckoner.events;

import io.smallrye.common.annotation.Identifier;
import jakarta.annotation.PreDestroy;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;

/**
 * Counts what became of records, from the database and from what Kafka says is consumed, so that it
 * holds also where other processes did the work.
 */
@ApplicationScoped
public class Tallies {

  private final Jdbi jdbi;
  private final Map<String, Object> broker;
  private final String group;
  private Admin admin;

  Tallies(
      Jdbi jdbi,
      @Identifier("default-kafka-broker") Map<String, Object> broker,
      @ConfigProperty(name = "mp.messaging.incoming.financial-events.group.id") String group) {
    this.jdbi = jdbi;
    this.broker = broker;
    this.group = group;
  }

  /** What became of these records so far. */
  public Tally count(List<Origin> records) throws InterruptedException {
    Map<TopicPartition, OffsetAndMetadata> consumed = consumed();
    return jdbi.withHandle(handle -> count(handle, records, consumed));
  }

  private Tally count(
      Handle handle, List<Origin> records, Map<TopicPartition, OffsetAndMetadata> consumed) {
    String[] origins = records.stream().map(Origin::text).toArray(String[]::new);
    Map<String, String> events = new HashMap<>();
    handle
        .createQuery("select origin, status from inbox where origin = any(:origins)")
        .bind("origins", origins)
        .map((rs, ctx) -> Map.entry(rs.getString(1), rs.getString(2)))
        .forEach(entry -> events.put(entry.getKey(), entry.getValue()));
    Set<String> letters =
        new HashSet<>(
            handle
                .createQuery("select origin from outbox where origin = any(:origins)")
                .bind("origins", origins)
                .mapTo(String.class)
                .list());
    int analyzed = 0;
    int dead = 0;
    int duplicates = 0;
    int open = 0;
    for (Origin record : records) {
      String status = events.get(record.text());
      if (letters.contains(record.text())) {
        dead++;
      } else if ("done".equals(status)) {
        analyzed++;
      } else if (status == null && passed(record, consumed)) {
        duplicates++;
      } else {
        open++;
      }
    }
    int unpublished =
        handle
            .createQuery("select count(*) from outbox where published_at is null")
            .mapTo(Integer.class)
            .one();
    Steps steps = steps(handle, origins);
    return new Tally(
        records.size(),
        analyzed,
        dead,
        duplicates,
        open == 0 ? Math.min(unpublished, records.size()) : open,
        steps.verified(),
        steps.failed());
  }

  private record Steps(long verified, long failed) {}

  private static Steps steps(Handle handle, String[] origins) {
    return handle
        .createQuery(
            """
            select coalesce(sum(verified_steps), 0), coalesce(sum(failed_steps), 0)
            from analysis join inbox using (event_key) where inbox.origin = any(:origins)
            """)
        .bind("origins", origins)
        .map((rs, ctx) -> new Steps(rs.getLong(1), rs.getLong(2)))
        .one();
  }

  private static boolean passed(Origin record, Map<TopicPartition, OffsetAndMetadata> consumed) {
    OffsetAndMetadata next = consumed.get(new TopicPartition(record.topic(), record.partition()));
    return next != null && next.offset() > record.offset();
  }

  private synchronized Map<TopicPartition, OffsetAndMetadata> consumed()
      throws InterruptedException {
    if (admin == null) {
      admin = Admin.create(broker);
    }
    try {
      return admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
    } catch (ExecutionException e) {
      throw new IllegalStateException(
          "the broker does not say what is consumed: " + e.getCause().getMessage(), e);
    }
  }

  @PreDestroy
  synchronized void close() {
    if (admin != null) {
      admin.close();
    }
  }
}
