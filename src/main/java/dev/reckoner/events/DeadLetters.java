package dev.reckoner.events;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import jakarta.enterprise.context.ApplicationScoped;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;

/**
 * Sends what can not be served to the dead letter topic, byte for byte, with headers that say why
 * and where it came from. It goes through the outbox, once for each record.
 */
@ApplicationScoped
class DeadLetters {

  static final String TOPIC = "financial-events-dlq";

  private static final int MAX_CAUSE = 2000;

  private final Jdbi jdbi;
  private final ObjectMapper json;

  DeadLetters(Jdbi jdbi, ObjectMapper json) {
    this.jdbi = jdbi;
    this.json = json;
  }

  /** What a record carries besides its value. */
  record Letter(Origin origin, byte[] key, String headers, byte[] value) {}

  /**
   * Buries a record that never was an event.
   *
   * @return false if that very record is buried already
   */
  boolean bury(ConsumerRecord<byte[], byte[]> record, RejectedException why) {
    Letter letter = new Letter(Origin.of(record), record.key(), headers(record), record.value());
    return jdbi.inTransaction(handle -> bury(handle, letter, why));
  }

  /** As {@link #bury(ConsumerRecord, RejectedException)}, in the caller's transaction. */
  boolean bury(Handle handle, Letter letter, RejectedException why) {
    Map<String, String> reason = new LinkedHashMap<>();
    reason.put("dead-letter-reason", why.reason());
    reason.put("dead-letter-cause", storable(why.getMessage()));
    reason.put("dead-letter-topic", letter.origin().topic());
    reason.put("dead-letter-partition", String.valueOf(letter.origin().partition()));
    reason.put("dead-letter-offset", String.valueOf(letter.origin().offset()));
    return handle
            .createUpdate(
                """
                insert into outbox (topic, key, headers, raw_key, raw, origin)
                values (:topic, '', cast(:headers as jsonb) || cast(:reason as jsonb), :key, :value, :origin)
                on conflict (origin) do nothing
                """)
            .bind("topic", TOPIC)
            .bind("headers", letter.headers())
            .bind("reason", text(reason))
            .bind("key", letter.key())
            .bind("value", letter.value() == null ? new byte[0] : letter.value())
            .bind("origin", letter.origin().text())
            .execute()
        == 1;
  }

  /** The headers of a record as a JSON object; of two with one name the last counts. */
  String headers(ConsumerRecord<byte[], byte[]> record) {
    Map<String, String> headers = new LinkedHashMap<>();
    for (Header header : record.headers()) {
      if (header.value() != null) {
        headers.put(
            storable(header.key()), storable(new String(header.value(), StandardCharsets.UTF_8)));
      }
    }
    return text(headers);
  }

  private static String storable(String text) {
    String clean = text.replace('\0', '\uFFFD');
    return clean.length() <= MAX_CAUSE ? clean : clean.substring(0, MAX_CAUSE) + "…";
  }

  private String text(Map<String, String> map) {
    try {
      return json.writeValueAsString(map);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }
}
