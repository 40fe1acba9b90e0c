package dev.reckoner.events;

import io.quarkus.runtime.StartupEvent;
import io.smallrye.common.annotation.Identifier;
import jakarta.annotation.Priority;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import jakarta.interceptor.Interceptor;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.errors.TopicExistsException;

/**
 * The topics there are, and their creation where {@link EventsConfig#createTopics()} asks for it.
 */
@ApplicationScoped
class Topics {

  /** Incoming events. */
  static final String EVENTS = "financial-events";

  private static final short DEFAULT_REPLICATION = -1;

  private final EventsConfig config;
  private final Map<String, Object> broker;

  Topics(EventsConfig config, @Identifier("default-kafka-broker") Map<String, Object> broker) {
    this.config = config;
    this.broker = broker;
  }

  /** Before the channels open, which would otherwise wait for topics to appear. */
  void create(@Observes @Priority(Interceptor.Priority.PLATFORM_BEFORE + 10) StartupEvent event)
      throws InterruptedException {
    if (!config.createTopics()) {
      return;
    }
    try (Admin admin = Admin.create(broker)) {
      Set<String> existing = admin.listTopics().names().get();
      List<NewTopic> missing =
          wanted().stream().filter(topic -> !existing.contains(topic.name())).toList();
      admin.createTopics(missing).all().get();
    } catch (ExecutionException e) {
      if (!(e.getCause() instanceof TopicExistsException)) {
        throw new IllegalStateException(
            "the topics can not be created: " + e.getCause().getMessage(), e);
      }
    }
  }

  private List<NewTopic> wanted() {
    return List.of(
        topic(EVENTS, config.partitions()),
        topic(AnalysisStore.TOPIC, config.partitions()),
        topic("analysis-feedback", config.partitions()),
        topic(DeadLetters.TOPIC, config.partitions())
            // a dead letter is its record and more headers
            .configs(Map.of("max.message.bytes", String.valueOf(2 << 20))),
        topic("adapter-releases", 1).configs(Map.of("cleanup.policy", "compact")));
  }

  private static NewTopic topic(String name, int partitions) {
    return new NewTopic(name, partitions, DEFAULT_REPLICATION);
  }
}
