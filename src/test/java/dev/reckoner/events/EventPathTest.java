package dev.reckoner.events;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SpecVersion;
import dev.reckoner.agent.AnalysisException;
import dev.reckoner.embedded.EmbeddedServicesResource;
import io.quarkus.test.common.TestResourceScope;
import io.quarkus.test.common.WithTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.TestProfile;
import jakarta.inject.Inject;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.jdbi.v3.core.Jdbi;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** From a record to exactly one analysis, or to a dead letter that says why. */
@QuarkusTest
@TestProfile(EventTestProfile.class)
@WithTestResource(value = EmbeddedServicesResource.class, scope = TestResourceScope.GLOBAL)
class EventPathTest {

  private static final String EVENTS = "financial-events";
  private static final String DATA =
      """
      {"issuer":"Apple Inc.","question":"What were net sales?",\
      "tables":[{"caption":"USD millions","rows":[["","2023"],["Net sales","383,285"]]}],"sentences":["One."]}""";

  @Inject ScriptedAnalysisService model;
  @Inject EventPipeline pipeline;
  @Inject Jdbi jdbi;
  @Inject ObjectMapper json;

  @ConfigProperty(name = "kafka.bootstrap.servers")
  String bootstrapServers;

  private final String id = UUID.randomUUID().toString();
  private TestTopics topics;

  @BeforeEach
  void connect() {
    topics = new TestTopics(bootstrapServers);
  }

  @AfterEach
  void disconnect() {
    topics.close();
  }

  @Test
  void anEventSentThreeTimesIsAnalysedOnce() throws Exception {
    for (int i = 0; i < 3; i++) {
      topics.send(EVENTS, "AAPL", event(id));
    }
    soon(() -> assertThat(number("select duplicates from inbox where event_id = ?")).isEqualTo(2));
    soon(() -> assertThat(analyses()).isEqualTo(1));
    assertThat(model.calls(id)).isEqualTo(1);
    soon(() -> assertThat(published()).hasSize(1));
  }

  @Test
  void thePublishedAnalysisKeepsItsSchema() throws Exception {
    topics.send(EVENTS, "AAPL", event(id));
    soon(() -> assertThat(published()).hasSize(1));

    ConsumerRecord<byte[], byte[]> record = published().getFirst();
    JsonNode envelope = json.readTree(record.value());
    assertThat(new String(record.key(), StandardCharsets.UTF_8)).isEqualTo("AAPL");
    assertThat(TestTopics.header(record, "content-type"))
        .startsWith("application/cloudevents+json");
    assertThat(envelope.path("specversion").asText()).isEqualTo("1.0");
    assertThat(envelope.path("type").asText()).isEqualTo("dev.reckoner.analysis.completed.v1");
    try (var in =
        getClass()
            .getResourceAsStream("/META-INF/resources/schemas/analysis-completed.v1.schema.json")) {
      var schema = JsonSchemaFactory.getInstance(SpecVersion.VersionFlag.V202012).getSchema(in);
      assertThat(schema.validate(envelope.path("data"))).isEmpty();
    }
    assertThat(envelope.at("/data/event/id").asText()).isEqualTo(id);
  }

  @Test
  void anEventInBinaryModeIsRead() throws Exception {
    topics.send(
        EVENTS,
        "AAPL",
        DATA.getBytes(StandardCharsets.UTF_8),
        Map.of(
            "content-type", "application/json",
            "ce_specversion", "1.0",
            "ce_id", id,
            "ce_source", "/test",
            "ce_type", "dev.reckoner.filing.excerpt.v1",
            "ce_subject", "AAPL"));
    soon(() -> assertThat(analyses()).isEqualTo(1));
  }

  @Test
  void whatCanNotBeReadIsDeadLetteredWithItsReason() throws Exception {
    Map<String, byte[]> rubbish =
        Map.of(
            "no json at all", bytes("{\"specversion\":\"1.0\", oops " + id),
            "a list", bytes("[\"" + id + "\"]"),
            "not utf-8", concat(bytes(id), new byte[] {(byte) 0xC3, (byte) 0x28}),
            "no id", bytes(event(id).replace("\"id\":\"" + id + "\",", "")));
    for (byte[] value : rubbish.values()) {
      topics.send(EVENTS, null, value, Map.of("trace", "kept"));
    }
    for (var entry : rubbish.entrySet()) {
      ConsumerRecord<byte[], byte[]> letter = deadLetter(entry.getValue());
      assertThat(TestTopics.header(letter, "dead-letter-reason"))
          .as(entry.getKey())
          .isEqualTo("unreadable");
      assertThat(TestTopics.header(letter, "dead-letter-cause")).isNotBlank().doesNotContain("\n");
      assertThat(TestTopics.header(letter, "trace")).isEqualTo("kept");
    }
  }

  @Test
  void aDeadLetterSaysWhichRecordItWas() throws Exception {
    byte[] value = bytes("rubbish " + id);
    Origin origin = topics.send(EVENTS, "k", value, Map.of());
    ConsumerRecord<byte[], byte[]> letter = deadLetter(value);
    assertThat(TestTopics.header(letter, "dead-letter-topic")).isEqualTo(EVENTS);
    assertThat(TestTopics.header(letter, "dead-letter-partition"))
        .isEqualTo(String.valueOf(origin.partition()));
    assertThat(TestTopics.header(letter, "dead-letter-offset"))
        .isEqualTo(String.valueOf(origin.offset()));
    assertThat(letter.key()).isEqualTo(bytes("k"));
  }

  @Test
  void anUnknownTypeABrokenPayloadAndAMissingSubjectAreTold() throws Exception {
    byte[] unknown = bytes(event(id).replace("filing.excerpt", "moon.phase"));
    byte[] broken = bytes(event(id).replace("\"question\"", "\"query\""));
    byte[] nobody = bytes(event(id).replace("\"subject\":\"AAPL\",", ""));
    byte[] nul = bytes(event(id).replace("One.", "One\\u0000."));
    for (byte[] value : List.of(unknown, broken, nobody, nul)) {
      topics.send(EVENTS, "AAPL", value, Map.of());
    }
    assertThat(reason(unknown)).isEqualTo("unknown-type");
    assertThat(reason(broken)).isEqualTo("invalid");
    assertThat(TestTopics.header(deadLetter(broken), "dead-letter-cause")).contains("question");
    assertThat(reason(nobody)).isEqualTo("invalid");
    assertThat(reason(nul)).isEqualTo("invalid");
    assertThat(analyses()).isZero();
  }

  @Test
  void anOversizedRecordIsDeadLetteredWhole() throws Exception {
    byte[] large = bytes(event(id).replace("One.", "x".repeat(900_000)));
    topics.send(EVENTS, "AAPL", large, Map.of());
    assertThat(reason(large)).isEqualTo("oversized");
  }

  @Test
  void anEmptyRecordIsDeadLettered() throws Exception {
    Origin origin = topics.send(EVENTS, id, null, Map.of());
    soon(
        () ->
            assertThat(
                    topics.all(
                        DeadLetters.TOPIC,
                        r ->
                            String.valueOf(origin.offset())
                                    .equals(TestTopics.header(r, "dead-letter-offset"))
                                && Arrays.equals(bytes(id), r.key())))
                .hasSize(1));
  }

  @Test
  void aFailureThatPassesIsRetried() throws Exception {
    model.script(
        id,
        (event, call) -> {
          if (call < 3) {
            throw new IllegalStateException("not yet");
          }
        });
    topics.send(EVENTS, "AAPL", event(id));
    soon(() -> assertThat(analyses()).isEqualTo(1));
    assertThat(number("select attempts from inbox where event_id = ?")).isEqualTo(3);
  }

  @Test
  void aFailureThatStaysIsDeadLetteredAfterTheLastAttempt() throws Exception {
    model.script(
        id,
        (event, call) -> {
          throw new IllegalStateException("never");
        });
    byte[] value = bytes(event(id));
    topics.send(EVENTS, "AAPL", value, Map.of("trace", "kept"));

    ConsumerRecord<byte[], byte[]> letter = deadLetter(value);
    assertThat(TestTopics.header(letter, "dead-letter-reason")).isEqualTo("failed");
    assertThat(TestTopics.header(letter, "dead-letter-cause"))
        .contains("3 attempts")
        .contains("never");
    assertThat(TestTopics.header(letter, "trace")).isEqualTo("kept");
    assertThat(model.calls(id)).isEqualTo(3);
    assertThat(text("select status from inbox where event_id = ?")).isEqualTo("dead");
  }

  @Test
  void whatNoAttemptCanHelpIsNotRetried() throws Exception {
    model.script(
        id,
        (event, call) -> {
          throw new AnalysisException.TooLong("9,000 tokens; the model reads 8,192");
        });
    byte[] value = bytes(event(id));
    topics.send(EVENTS, "AAPL", value, Map.of());
    assertThat(reason(value)).isEqualTo("too-long");
    assertThat(model.calls(id)).isEqualTo(1);
  }

  @Test
  void anEventWhoseProcessDiedIsTakenOverWithoutItsRecord() throws Exception {
    takenInByAnother(id, "now() + interval '1 second'", 1);
    soon(() -> assertThat(analyses()).isEqualTo(1));
    assertThat(number("select attempts from inbox where event_id = ?")).isEqualTo(2);
  }

  @Test
  void anEventThatKillsItsProcessRunsOutOfAttempts() throws Exception {
    byte[] value = takenInByAnother(id, "now() - interval '1 second'", 3);
    assertThat(reason(value)).isEqualTo("failed");
    assertThat(model.calls(id)).isZero();
  }

  @Test
  void workThatAnotherProcessTookOverIsDropped() throws Exception {
    CountDownLatch taken = new CountDownLatch(1);
    model.script(
        id,
        (event, call) -> {
          if (call == 1) {
            taken.await(2, TimeUnit.MINUTES);
          }
        });
    topics.send(EVENTS, "AAPL", event(id));
    soon(() -> assertThat(model.calls(id)).isEqualTo(1));
    execute(
        "update inbox set lease_owner = 'another', lease_until = now() + interval '2 seconds'"
            + " where event_id = ?");
    taken.countDown();

    // The other process dies as well; one analysis comes of it all.
    soon(() -> assertThat(analyses()).isEqualTo(1));
    assertThat(model.calls(id)).isEqualTo(2);
    soon(() -> assertThat(published()).hasSize(1));
  }

  @Test
  void aLongAnalysisKeepsItsLease() throws Exception {
    model.script(id, (event, call) -> Thread.sleep(Duration.ofSeconds(6)));
    topics.send(EVENTS, "AAPL", event(id));
    soon(() -> assertThat(analyses()).isEqualTo(1));
    assertThat(model.calls(id)).isEqualTo(1);
  }

  @Test
  void aRecordDeliveredAgainIsNeitherAnalysedNorCountedAgain() throws Exception {
    topics.send(EVENTS, "AAPL", event(id));
    soon(() -> assertThat(analyses()).isEqualTo(1));
    var record = topics.all(EVENTS, r -> TestTopics.text(r).contains(id)).getFirst();

    pipeline.serve(record);

    assertThat(model.calls(id)).isEqualTo(1);
    assertThat(number("select duplicates from inbox where event_id = ?")).isZero();
  }

  @Test
  void rubbishDeliveredAgainIsOneDeadLetter() throws Exception {
    byte[] value = bytes("again " + id);
    topics.send(EVENTS, "k", value, Map.of());
    deadLetter(value);
    pipeline.serve(topics.all(EVENTS, r -> Arrays.equals(value, r.value())).getFirst());
    assertThat(
            number("select count(*) from outbox where encode(raw, 'escape') like '%' || ? || '%'"))
        .isEqualTo(1);
  }

  /** A row as a process leaves it that died during the analysis, after Kafka moved on. */
  private byte[] takenInByAnother(String eventId, String leaseUntil, int attempts) {
    byte[] value = bytes(event(eventId));
    jdbi.useHandle(
        handle ->
            handle.execute(
                """
                insert into inbox (event_key, event_id, event_source, event_type, subject, data, origin, raw,
                                   raw_sha256, lease_owner, lease_until, attempts)
                values (?, ?, '/test', 'dev.reckoner.filing.excerpt.v1', 'AAPL', cast(? as jsonb), ?, ?, '',
                        'another', %s, ?)
                """
                    .formatted(leaseUntil),
                "/test#" + eventId,
                eventId,
                DATA,
                "financial-events/0/0/" + eventId.hashCode(),
                value,
                attempts));
    return value;
  }

  private static String event(String id) {
    return """
        {"specversion":"1.0","id":"%s","source":"/test","type":"dev.reckoner.filing.excerpt.v1",\
        "subject":"AAPL","data":%s}"""
        .formatted(id, DATA);
  }

  private String reason(byte[] value) {
    return TestTopics.header(deadLetter(value), "dead-letter-reason");
  }

  private ConsumerRecord<byte[], byte[]> deadLetter(byte[] value) {
    soon(() -> assertThat(deadLetters(value)).isNotEmpty());
    assertThat(deadLetters(value)).hasSize(1);
    return deadLetters(value).getFirst();
  }

  private List<ConsumerRecord<byte[], byte[]>> deadLetters(byte[] value) {
    return topics.all(DeadLetters.TOPIC, r -> Arrays.equals(value, r.value()));
  }

  private List<ConsumerRecord<byte[], byte[]>> published() {
    return topics.all("analyses", r -> TestTopics.text(r).contains(id));
  }

  private long analyses() {
    return number(
        "select count(*) from analysis join inbox using (event_key) where inbox.event_id = ?");
  }

  private long number(String sql) {
    return jdbi.withHandle(
        handle -> handle.createQuery(sql).bind(0, id).mapTo(Long.class).findOne().orElse(-1L));
  }

  private String text(String sql) {
    return jdbi.withHandle(handle -> handle.createQuery(sql).bind(0, id).mapTo(String.class).one());
  }

  private void execute(String sql) {
    jdbi.useHandle(handle -> handle.execute(sql, id));
  }

  private static void soon(org.awaitility.core.ThrowingRunnable claim) {
    await().atMost(Duration.ofMinutes(2)).pollInterval(Duration.ofMillis(200)).untilAsserted(claim);
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static byte[] concat(byte[] a, byte[] b) {
    byte[] both = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, both, a.length, b.length);
    return both;
  }
}
