package dev.reckoner.events;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.NullNode;
import dev.reckoner.agent.DomainPack;
import dev.reckoner.agent.FinancialEvent;
import io.cloudevents.CloudEvent;
import io.cloudevents.CloudEventData;
import io.cloudevents.core.message.MessageReader;
import io.cloudevents.jackson.JsonCloudEventData;
import io.cloudevents.jackson.JsonFormat;
import io.cloudevents.kafka.KafkaMessageFactory;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.inject.Inject;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;

/**
 * Takes an event out of its record: CloudEvents 1.0 with a JSON payload, in structured or binary
 * mode. A record without any CloudEvents header is read as structured, since many producers send no
 * content type.
 */
@ApplicationScoped
public class Envelope {

  private static final String STRUCTURED = "application/cloudevents+json";
  private static final String BATCHED = "application/cloudevents-batch";
  private static final int MAX_ATTRIBUTE = 512;

  private final int maxBytes;
  private final DomainPack pack = DomainPack.load("finance");
  private final ObjectMapper json;
  private final JsonFormat structured = new JsonFormat();

  @Inject
  Envelope(EventsConfig config, ObjectMapper json) {
    this(config.maxBytes(), json);
  }

  /**
   * @param maxBytes the largest record value that is read
   */
  public Envelope(int maxBytes, ObjectMapper json) {
    this.maxBytes = maxBytes;
    this.json = json;
  }

  /**
   * The event of a record, valid against the schema of its type.
   *
   * @throws RejectedException if there is none in it, saying why in one line
   */
  public FinancialEvent open(ConsumerRecord<byte[], byte[]> record) throws RejectedException {
    byte[] value = record.value();
    if (value == null || value.length == 0) {
      throw new RejectedException(RejectedException.UNREADABLE, "the record is empty");
    }
    if (value.length > maxBytes) {
      throw new RejectedException(
          RejectedException.OVERSIZED,
          "%d bytes; at most %d are read".formatted(value.length, maxBytes));
    }
    requireUtf8(value);
    FinancialEvent event = event(read(record));
    if (!pack.eventTypes().contains(event.type())) {
      throw new RejectedException(
          RejectedException.UNKNOWN_TYPE, String.join("; ", pack.validate(event)));
    }
    List<String> problems = pack.validate(event);
    if (!problems.isEmpty()) {
      throw new RejectedException(RejectedException.INVALID, String.join("; ", problems));
    }
    return event;
  }

  private static void requireUtf8(byte[] value) throws RejectedException {
    try {
      StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(value));
    } catch (CharacterCodingException e) {
      throw new RejectedException(RejectedException.UNREADABLE, "the record is not UTF-8", e);
    }
  }

  private CloudEvent read(ConsumerRecord<byte[], byte[]> record) throws RejectedException {
    String contentType = header(record, "content-type").toLowerCase(Locale.ROOT);
    if (contentType.startsWith(BATCHED)) {
      throw new RejectedException(
          RejectedException.UNREADABLE, "a batch of CloudEvents; send one event a record");
    }
    boolean binary =
        !contentType.startsWith(STRUCTURED)
            && record.headers().lastHeader("ce_specversion") != null;
    try {
      if (!binary) {
        return structured.deserialize(record.value());
      }
      MessageReader reader = KafkaMessageFactory.createReader(record);
      return reader.toEvent();
    } catch (
        RuntimeException e) { // whatever a parser makes of foreign bytes must not stop the rest
      throw new RejectedException(
          RejectedException.UNREADABLE, "no CloudEvent: " + firstLine(e), e);
    }
  }

  private static String header(ConsumerRecord<byte[], byte[]> record, String name) {
    Header header = record.headers().lastHeader(name);
    return header == null || header.value() == null
        ? ""
        : new String(header.value(), StandardCharsets.UTF_8);
  }

  /** The innermost message, without the source excerpt that a parser appends. */
  private static String firstLine(Throwable e) {
    Throwable cause = e;
    while (cause.getCause() != null) {
      cause = cause.getCause();
    }
    String message =
        cause instanceof JsonProcessingException parse
            ? parse.getOriginalMessage()
            : cause.getMessage();
    return message == null
        ? cause.getClass().getSimpleName()
        : message.lines().findFirst().orElse("");
  }

  private FinancialEvent event(CloudEvent envelope) throws RejectedException {
    if (envelope.getSubject() == null || envelope.getSubject().isBlank()) {
      throw new RejectedException(
          RejectedException.INVALID,
          "the event has no subject, which names the issuer or product line");
    }
    for (String attribute :
        List.of(envelope.getId(), envelope.getSource().toString(), envelope.getSubject())) {
      if (attribute.length() > MAX_ATTRIBUTE || attribute.indexOf('\0') >= 0) {
        throw new RejectedException(
            RejectedException.INVALID,
            "id, source and subject have at most %d characters".formatted(MAX_ATTRIBUTE));
      }
    }
    Instant time = envelope.getTime() == null ? null : envelope.getTime().toInstant();
    return new FinancialEvent(
        envelope.getId(),
        envelope.getSource().toString(),
        envelope.getType(),
        envelope.getSubject(),
        time,
        payload(envelope));
  }

  private JsonNode payload(CloudEvent envelope) throws RejectedException {
    CloudEventData data = envelope.getData();
    if (data == null) {
      return NullNode.getInstance();
    }
    String type = envelope.getDataContentType();
    if (type != null && !type.toLowerCase(Locale.ROOT).matches("[^;]*[/+]json\\s*(;.*)?")) {
      throw new RejectedException(
          RejectedException.UNREADABLE, "the payload is %s; JSON is read".formatted(type));
    }
    JsonNode node = null;
    try {
      node =
          data instanceof JsonCloudEventData parsed
              ? parsed.getNode()
              : json.readTree(data.toBytes());
    } catch (IOException e) {
      throw new RejectedException(
          RejectedException.UNREADABLE, "the payload is no JSON: " + firstLine(e), e);
    }
    if (node.toString().contains("\\u0000")) {
      throw new RejectedException(
          RejectedException.INVALID, "the payload has a NUL character, which can not be stored");
    }
    return node;
  }
}
