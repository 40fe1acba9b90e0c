package dev.reckoner.improve;

import com.fasterxml.jackson.databind.JsonNode;
import io.cloudevents.CloudEvent;
import io.cloudevents.core.builder.CloudEventBuilder;
import io.cloudevents.jackson.JsonCloudEventData;
import io.cloudevents.jackson.JsonFormat;
import jakarta.enterprise.context.ApplicationScoped;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.UUID;
import org.jdbi.v3.core.Handle;

/**
 * Announces a fact on a topic together with the transaction that makes it one.
 *
 * <p>The row is published by the relay in {@code events} once the transaction has committed, at
 * least once, in the order of insertion.
 */
@ApplicationScoped
public class Outbox {

  private static final URI SOURCE = URI.create("/reckoner");

  private final JsonFormat format = new JsonFormat();

  /**
   * Writes one structured-mode CloudEvent to the outbox on the caller's handle.
   *
   * @param topic the topic, for example {@code analyses}
   * @param type CloudEvents type, for example {@code dev.reckoner.analysis.completed.v1}
   * @param subject CloudEvents subject and record key; order holds per subject
   * @param data the payload
   * @return the id of the CloudEvent
   */
  public String announce(Handle handle, String topic, String type, String subject, JsonNode data) {
    String id = UUID.randomUUID().toString();
    CloudEvent event =
        CloudEventBuilder.v1()
            .withId(id)
            .withSource(SOURCE)
            .withType(type)
            .withSubject(subject)
            .withTime(OffsetDateTime.now(ZoneOffset.UTC))
            .withData("application/json", JsonCloudEventData.wrap(data))
            .build();
    handle
        .createUpdate(
            """
            insert into outbox (topic, key, headers, payload)
            values (:topic, :key, '{"content-type": "application/cloudevents+json; charset=UTF-8"}', :payload)
            """)
        .bind("topic", topic)
        .bind("key", subject)
        .bind("payload", new String(format.serialize(event), StandardCharsets.UTF_8))
        .execute();
    return id;
  }
}
