package dev.reckoner.events;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.function.Predicate;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Puts records on topics and reads them back whole, as a client outside the application would. */
final class TestTopics implements AutoCloseable {

  private final Map<String, Object> broker;
  private final KafkaProducer<byte[], byte[]> producer;

  TestTopics(String bootstrapServers) {
    this.broker = Map.of("bootstrap.servers", bootstrapServers, "max.request.size", 4 << 20);
    this.producer =
        new KafkaProducer<>(broker, new ByteArraySerializer(), new ByteArraySerializer());
  }

  Origin send(String topic, String key, byte[] value, Map<String, String> headers)
      throws InterruptedException, ExecutionException {
    List<Header> list = new ArrayList<>();
    headers.forEach((k, v) -> list.add(new RecordHeader(k, v.getBytes(StandardCharsets.UTF_8))));
    byte[] keyBytes = key == null ? null : key.getBytes(StandardCharsets.UTF_8);
    return Origin.of(producer.send(new ProducerRecord<>(topic, null, keyBytes, value, list)).get());
  }

  Origin send(String topic, String key, String value) throws Exception {
    return send(topic, key, value.getBytes(StandardCharsets.UTF_8), Map.of());
  }

  /** Everything on the topic that matches, oldest first for each partition. */
  List<ConsumerRecord<byte[], byte[]>> all(
      String topic, Predicate<ConsumerRecord<byte[], byte[]>> wanted) {
    List<ConsumerRecord<byte[], byte[]>> found = new ArrayList<>();
    try (KafkaConsumer<byte[], byte[]> consumer =
        new KafkaConsumer<>(
            Map.of("bootstrap.servers", broker.get("bootstrap.servers")),
            new ByteArrayDeserializer(),
            new ByteArrayDeserializer())) {
      List<TopicPartition> partitions =
          consumer.partitionsFor(topic).stream()
              .map(p -> new TopicPartition(topic, p.partition()))
              .toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      while (partitions.stream().anyMatch(p -> consumer.position(p) < ends.get(p))) {
        consumer.poll(Duration.ofMillis(100)).forEach(found::add);
      }
    }
    return found.stream().filter(wanted).toList();
  }

  static String header(ConsumerRecord<?, ?> record, String name) {
    Header header = record.headers().lastHeader(name);
    return header == null ? null : new String(header.value(), StandardCharsets.UTF_8);
  }

  static String text(ConsumerRecord<byte[], byte[]> record) {
    return record.value() == null ? "" : new String(record.value(), StandardCharsets.UTF_8);
  }

  @Override
  public void close() {
    producer.close();
  }
}
