package dev.reckoner.events;

import io.smallrye.common.annotation.Identifier;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.function.LongConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Puts events on {@code financial-events}, as a producer outside the application would. */
@ApplicationScoped
public class EventPublisher {

  private final Map<String, Object> broker;

  EventPublisher(@Identifier("default-kafka-broker") Map<String, Object> broker) {
    this.broker = broker;
  }

  /**
   * Publishes events in order; returns when the broker has them all.
   *
   * @param progress told after each how many are published
   * @return which records they became, in the same order
   * @throws ExecutionException if the broker refuses one
   */
  public List<Origin> publish(List<OutgoingEvent> events, LongConsumer progress)
      throws InterruptedException, ExecutionException {
    Map<String, Object> config = new HashMap<>(broker);
    config.put("acks", "all");
    config.put("max.request.size", 16 << 20);
    List<Origin> published = new ArrayList<>();
    try (KafkaProducer<byte[], byte[]> producer =
        new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer())) {
      List<Future<RecordMetadata>> sent = new ArrayList<>();
      for (OutgoingEvent event : events) {
        sent.add(producer.send(new ProducerRecord<>(Topics.EVENTS, event.key(), event.value())));
      }
      for (Future<RecordMetadata> record : sent) {
        published.add(Origin.of(record.get()));
        progress.accept(published.size());
      }
    }
    return published;
  }
}
