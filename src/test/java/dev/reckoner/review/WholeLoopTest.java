package dev.reckoner.review;

import static com.microsoft.playwright.assertions.PlaywrightAssertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.microsoft.playwright.Page;
import dev.reckoner.embedded.EmbeddedServicesResource;
import io.quarkus.test.common.TestResourceScope;
import io.quarkus.test.common.WithTestResource;
import io.quarkus.test.common.http.TestHTTPResource;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.QuarkusTestProfile;
import io.quarkus.test.junit.TestProfile;
import jakarta.inject.Inject;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;
import org.assertj.core.api.Assertions;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.jdbi.v3.core.Jdbi;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * The loop once around, with nothing replaced: an event on the broker, its chain from the bundled
 * model, a correction in the browser, an adapter trained on it, the gate, the swap, and the next
 * event analysed with the new adapter.
 */
@QuarkusTest
@TestProfile(WholeLoopTest.QuickLoop.class)
@WithTestResource(value = EmbeddedServicesResource.class, scope = TestResourceScope.GLOBAL)
class WholeLoopTest {

  /** Few training steps and a gate of few problems; it may lose answers but not well-formedness. */
  public static class QuickLoop implements QuarkusTestProfile {
    @Override
    public Map<String, String> getConfigOverrides() {
      try {
        Path directory = Files.createTempDirectory("loop");
        Path recipe = directory.resolve("recipe.yaml");
        Files.writeString(
            recipe,
            "mode: qlora\nrank: 8\nalpha: 16\nlearningRate: 1.0e-4\nmaxSteps: 4\nclip: 1\n");
        Path gates = directory.resolve("gates.yaml");
        Files.writeString(
            gates,
            """
            suites:
              synthetic:
                minimumProblems: 4
                metrics:
                  execution_accuracy: {tolerance: 1}
                  wrong_arithmetic: {tolerance: 0}
            """);
        return Map.of(
            "reckoner.improve.recipe",
            recipe.toString(),
            "reckoner.improve.gates",
            gates.toString(),
            "reckoner.improve.suite-problems",
            "4",
            "reckoner.improve.minimum-replay",
            "4");
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  private static final String CORRECTED =
      """
      cite a = 383,285 USD million @ r1c1
      cite b = 394,328 USD million @ r1c2
      compute c = (a - b) / b as % = -2.80046 %
      infer c : Net sales fell by 2.8 %.
      conclude c = -2.80046 %
      """;

  private static Chromium chromium;

  @Inject Jdbi jdbi;
  @Inject Accounts accounts;
  @Inject ObjectMapper json;
  @Inject Planting planting;

  @ConfigProperty(name = "kafka.bootstrap.servers")
  String bootstrapServers;

  @TestHTTPResource("/")
  URL url;

  @BeforeAll
  static void launch() {
    chromium = Chromium.launch();
  }

  @AfterAll
  static void quit() {
    if (chromium != null) {
      chromium.close();
    }
  }

  @Test
  void aCorrectionInTheBrowserChangesWhatAnalysesTheNextEvent() throws Exception {
    new ReviewFixture(jdbi, accounts, json).reset();

    String first = publish("earnings-aapl-fy2023");
    await().atMost(Duration.ofMinutes(5)).until(() -> analysed(first));
    Assertions.assertThat(adapterOf(first)).isEqualTo("base");

    Page page = chromium.open(url.toString());
    page.navigate("/login");
    ReviewPageTest.signIn(page, "olga", ReviewFixture.PASSWORD);
    assertThat(page.locator("queue-page h1")).hasText("Review queue");
    page.navigate("/chains/" + analysisOf(first));
    assertThat(page.locator("[data-place=r1c1]")).hasText("383,285");
    page.keyboard().press("p");
    assertThat(page.locator(".replay-identical")).containsText("Identical: all");
    String alike = page.locator(".replay-result").textContent().replaceAll("in [0-9.]+ s", "");
    page.navigate("/chains/" + plantedIn(first));
    page.keyboard().press("p");
    assertThat(page.locator(".replay-identical")).containsText("Identical: all");
    Assertions.assertThat(
            page.locator(".replay-result").textContent().replaceAll("in [0-9.]+ s", ""))
        .isEqualTo(alike);
    page.navigate("/chains/" + analysisOf(first));
    ReviewPageTest.leased(page);
    page.click("[data-act=raw]");
    page.locator("#raw-text").fill(CORRECTED);
    assertThat(page.locator(".steps")).hasAttribute("data-failed", "0");
    page.click("[data-act=submit-correction]");
    assertThat(page.locator("#toast")).containsText("Correction stored");

    page.navigate("/models");
    page.locator("input[name=promote]").check();
    page.click(".card-train button");
    await().atMost(Duration.ofMinutes(10)).until(() -> !champion().isEmpty());
    String adapter = champion();
    page.navigate("/models");
    assertThat(page.locator(".card-big").first()).hasText(adapter);

    // The swap follows the announcement; events published meanwhile may still meet the base.
    await()
        .atMost(Duration.ofMinutes(10))
        .pollInterval(Duration.ofSeconds(1))
        .untilAsserted(
            () -> {
              String next = publish("earnings-msft-fy2023");
              await().atMost(Duration.ofMinutes(5)).until(() -> analysed(next));
              Assertions.assertThat(adapterOf(next)).isEqualTo(adapter);
            });

    // What the base wrote is written again by the base, whatever serves now.
    page.navigate("/chains/" + analysisOf(first));
    page.keyboard().press("p");
    assertThat(page.locator(".replay-identical")).containsText("Identical: all");
    jdbi.useHandle(
        h ->
            h.execute(
                "update analysis set chain = chain || '#' where event_key like ?", "%" + first));
    page.keyboard().press("p");
    assertThat(page.locator(".replay-diverged")).containsText("Diverged at token");
    List<String> replays =
        jdbi.withHandle(
            h ->
                h.createQuery("select payload from ledger where kind = 'REPLAY' order by seq")
                    .mapTo(String.class)
                    .list());
    Assertions.assertThat(replays).hasSize(4).last().asString().contains("\"result\":\"diverged\"");
  }

  /** A copy of an analysis with an error in it, for the person at the browser. */
  private UUID plantedIn(String eventId) {
    UUID source = UUID.fromString(analysisOf(eventId));
    return jdbi.inTransaction(
        h -> {
          h.execute("update analysis set status = 'approved' where id = ?", source);
          UUID planted = planting.plant(h, "olga", 7).orElseThrow();
          h.execute("update analysis set status = 'pending' where id = ?", source);
          return planted;
        });
  }

  /** Publishes a sample under a new id. */
  private String publish(String sample)
      throws IOException, InterruptedException, ExecutionException {
    ObjectNode event = sample(sample);
    String id = sample + "-" + UUID.randomUUID();
    event.put("id", id);
    try (KafkaProducer<String, String> producer =
        new KafkaProducer<>(
            Map.of("bootstrap.servers", bootstrapServers),
            new StringSerializer(),
            new StringSerializer())) {
      producer
          .send(
              new ProducerRecord<>(
                  "financial-events", event.get("subject").asText(), event.toString()))
          .get();
    }
    return id;
  }

  private ObjectNode sample(String id) throws IOException {
    try (BufferedReader in =
        new BufferedReader(
            new InputStreamReader(
                getClass().getResourceAsStream("/packs/finance/samples.jsonl"),
                StandardCharsets.UTF_8))) {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        if (json.readTree(line) instanceof ObjectNode event
            && id.equals(event.get("id").asText())) {
          return event;
        }
      }
    }
    throw new IllegalArgumentException("no sample " + id);
  }

  private boolean analysed(String eventId) {
    return !text("select a.adapter_id " + FROM_EVENT, eventId).isEmpty();
  }

  private String adapterOf(String eventId) {
    return text("select a.adapter_id " + FROM_EVENT, eventId);
  }

  private String analysisOf(String eventId) {
    return text("select cast(a.id as text) " + FROM_EVENT, eventId);
  }

  private static final String FROM_EVENT =
      "from analysis a join inbox i on i.event_key = a.event_key where i.event_id = ?";

  private String champion() {
    return jdbi.withHandle(
        handle ->
            handle
                .createQuery("select adapter_id from adapter_alias where alias = 'champion'")
                .mapTo(String.class)
                .findOne()
                .orElse(""));
  }

  private String text(String sql, String argument) {
    return jdbi.withHandle(
        handle ->
            handle.createQuery(sql).bind(0, argument).mapTo(String.class).findOne().orElse(""));
  }
}
