package dev.reckoner.events;

import io.smallrye.common.annotation.RunOnVirtualThread;
import jakarta.enterprise.context.ApplicationScoped;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.eclipse.microprofile.reactive.messaging.Incoming;

/**
 * Takes records off {@code financial-events}: one virtual thread each, as many at once as {@link
 * EventsConfig#inFlight()} allows, acknowledged when served.
 */
@ApplicationScoped
class EventConsumer {

  private final EventPipeline pipeline;

  EventConsumer(EventPipeline pipeline) {
    this.pipeline = pipeline;
  }

  @Incoming("financial-events")
  @RunOnVirtualThread
  void consume(ConsumerRecord<byte[], byte[]> record) throws InterruptedException {
    pipeline.serve(record);
  }
}
