package dev.reckoner.events;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.improve.AdapterRelease;
import dev.reckoner.improve.AdapterRollout;
import io.smallrye.reactive.messaging.annotations.Blocking;
import jakarta.enterprise.context.ApplicationScoped;
import java.io.IOException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.eclipse.microprofile.reactive.messaging.Incoming;
import org.jboss.logging.Logger;

/** Brings this replica to each adapter that is released, in order. */
@ApplicationScoped
class ReleaseConsumer {

  private static final Logger LOG = Logger.getLogger(ReleaseConsumer.class);

  private final AdapterRollout rollout;
  private final ObjectMapper json;

  ReleaseConsumer(AdapterRollout rollout, ObjectMapper json) {
    this.rollout = rollout;
    this.json = json;
  }

  @Incoming("adapter-releases")
  @Blocking
  void consume(ConsumerRecord<byte[], byte[]> record) {
    if (record.value() == null) {
      return; // a slot that is gone
    }
    try {
      JsonNode event = json.readTree(record.value());
      if (!AdapterRelease.EVENT_TYPE.equals(event.path("type").asText())) {
        throw new IllegalArgumentException("its type is " + event.path("type").asText("missing"));
      }
      rollout.apply(AdapterRelease.parse(event.path("data")));
    } catch (IOException | IllegalArgumentException e) {
      LOG.warnf("The release %s is not understood: %s", Origin.of(record).text(), e.getMessage());
    }
  }
}
