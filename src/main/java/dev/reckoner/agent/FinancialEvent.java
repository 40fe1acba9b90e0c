package dev.reckoner.agent;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Instant;

/**
 * A validated event, out of its CloudEvents envelope.
 *
 * @param id CloudEvents {@code id}; unique within {@code source}
 * @param source CloudEvents {@code source}, a URI reference
 * @param type CloudEvents {@code type}, for example {@code dev.reckoner.earnings.released.v1}
 * @param subject CloudEvents {@code subject}: the issuer or product line, and the Kafka key
 * @param time when it happened; {@code null} if the producer did not say
 * @param data the payload, valid against the schema of its type
 */
public record FinancialEvent(
    String id, String source, String type, String subject, Instant time, JsonNode data) {

  /**
   * The identity by which an event is analysed once: {@code source#id}, as CloudEvents defines it.
   */
  public String key() {
    return source + "#" + id;
  }
}
