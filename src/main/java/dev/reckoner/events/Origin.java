package dev.reckoner.events;

import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;

/**
 * Which record of which topic: what tells a record delivered again from another record with the
 * same event.
 *
 * @param timestamp of the record in epoch milliseconds; it tells a topic that was made anew, and
 *     counts from 0 again, from the one before
 */
public record Origin(String topic, int partition, long offset, long timestamp) {

  static Origin of(ConsumerRecord<?, ?> record) {
    return new Origin(record.topic(), record.partition(), record.offset(), record.timestamp());
  }

  static Origin of(RecordMetadata sent) {
    return new Origin(sent.topic(), sent.partition(), sent.offset(), sent.timestamp());
  }

  /** As it is stored: {@code topic/partition/offset/timestamp}. */
  String text() {
    return "%s/%d/%d/%d".formatted(topic, partition, offset, timestamp);
  }

  /** Reads {@link #text}. */
  static Origin parse(String text) {
    String[] parts = text.split("/");
    return new Origin(
        parts[0], Integer.parseInt(parts[1]), Long.parseLong(parts[2]), Long.parseLong(parts[3]));
  }
}
