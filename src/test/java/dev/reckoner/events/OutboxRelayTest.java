package dev.reckoner.events;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.reckoner.embedded.EmbeddedServicesResource;
import io.quarkus.test.common.TestResourceScope;
import io.quarkus.test.common.WithTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.TestProfile;
import jakarta.inject.Inject;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.jdbi.v3.core.Jdbi;
import org.junit.jupiter.api.Test;

/** What a transaction left in the outbox reaches its topic, in order, also after a failure. */
@QuarkusTest
@TestProfile(EventTestProfile.class)
@WithTestResource(value = EmbeddedServicesResource.class, scope = TestResourceScope.GLOBAL)
class OutboxRelayTest {

  @Inject Jdbi jdbi;

  @ConfigProperty(name = "kafka.bootstrap.servers")
  String bootstrapServers;

  private final String id = UUID.randomUUID().toString();

  @Test
  void messagesOfOneSubjectKeepTheirOrder() {
    for (int i = 0; i < 20; i++) {
      insert("analyses", id, id + " " + i);
    }
    try (TestTopics topics = new TestTopics(bootstrapServers)) {
      soon(() -> assertThat(texts(topics, "analyses")).hasSize(20));
      assertThat(texts(topics, "analyses").getFirst()).endsWith(" 0");
      assertThat(texts(topics, "analyses"))
          .extracting(text -> Integer.parseInt(text.substring(id.length() + 1)))
          .isSorted();
    }
  }

  @Test
  void aMessageThatTheBrokerRefusesWaitsAndHoldsUpNoOtherSubject() throws Exception {
    String late = "late-" + id;
    insert(late, id, id + " first");
    insert(late, id, id + " second");
    insert("analyses", id, id + " meanwhile");
    try (TestTopics topics = new TestTopics(bootstrapServers);
        Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrapServers))) {
      soon(() -> assertThat(texts(topics, "analyses")).containsExactly(id + " meanwhile"));
      soon(() -> assertThat(attempts(late)).isPositive());

      admin.createTopics(List.of(new NewTopic(late, 1, (short) 1))).all().get();

      soon(() -> assertThat(texts(topics, late)).containsExactly(id + " first", id + " second"));
      assertThat(open(late)).isZero();
    }
  }

  private void insert(String topic, String key, String payload) {
    jdbi.useHandle(
        handle ->
            handle.execute(
                "insert into outbox (topic, key, payload) values (?, ?, ?)", topic, key, payload));
  }

  private int attempts(String topic) {
    return number("select max(attempts) from outbox where topic = ?", topic);
  }

  private int open(String topic) {
    return number("select count(*) from outbox where published_at is null and topic = ?", topic);
  }

  private int number(String sql, String topic) {
    return jdbi.withHandle(
        handle -> handle.createQuery(sql).bind(0, topic).mapTo(Integer.class).one());
  }

  private List<String> texts(TestTopics topics, String topic) {
    return topics.all(topic, r -> TestTopics.text(r).startsWith(id)).stream()
        .map(TestTopics::text)
        .toList();
  }

  private static void soon(org.awaitility.core.ThrowingRunnable claim) {
    await().atMost(Duration.ofMinutes(2)).pollInterval(Duration.ofMillis(300)).untilAsserted(claim);
  }
}
