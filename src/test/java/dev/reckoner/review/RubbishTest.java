package dev.reckoner.review;

import static io.restassured.RestAssured.given;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.embedded.EmbeddedServicesResource;
import dev.reckoner.improve.Ledger;
import io.quarkus.test.common.TestResourceScope;
import io.quarkus.test.common.WithTestResource;
import io.quarkus.test.common.http.TestHTTPResource;
import io.quarkus.test.junit.QuarkusTest;
import jakarta.inject.Inject;
import java.io.IOException;
import java.net.URI;
import java.net.URL;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import org.jdbi.v3.core.Jdbi;
import org.junit.jupiter.api.Test;

/**
 * Rubbish into every operation that the OpenAPI document lists, by an owner, whom nothing stops
 * before: in the path, in the query, as the body and in each of its members. No answer is a fault
 * of the service, every refusal is a problem document, and nothing is stored.
 */
@QuarkusTest
@WithTestResource(value = EmbeddedServicesResource.class, scope = TestResourceScope.GLOBAL)
class RubbishTest {

  private static final List<String> TEXTS =
      List.of(
          "",
          "\u0000",
          "x\u0000y",
          "-1",
          "99999999999999999999",
          "'; drop table decision; --",
          "%s%n${jndi:x}{{7*7}}<script>alert(1)</script>",
          "\uD83D\uDE00\u202E\uFFFF",
          "a".repeat(3_000),
          UUID.randomUUID().toString());

  /** A place in the queue that no row can have. */
  private static final String CURSOR =
      Base64.getUrlEncoder()
          .withoutPadding()
          .encodeToString(
              ("0|1|NaN|+999999999-12-31T23:59:59Z|" + UUID.randomUUID())
                  .getBytes(StandardCharsets.UTF_8));

  private static final List<String> VALUES =
      List.of(
          "null",
          "true",
          "-1",
          "1e400",
          "123456789012345678901234567890",
          "0.5",
          "\"\"",
          "\"\\u0000\"",
          "\"x\\u0000\"",
          "\"\\ud800\"",
          "\"APPROVE\"",
          "[]",
          "[[[[1]]]]",
          "{}",
          "{\"a\":{\"b\":1}}",
          "\"" + "a".repeat(60_000) + "\"");

  private static final List<String> BODIES =
      List.of(
          "",
          "null",
          "{",
          "[]",
          "[1,2",
          "\"text\"",
          "17",
          "true",
          "{}",
          "{\"a\":1}",
          "\u0000",
          "<xml/>",
          "[".repeat(5_000),
          "{\"chain\":\"" + "a".repeat(200_000) + "\"}");

  @Inject Jdbi jdbi;
  @Inject Accounts accounts;
  @Inject ObjectMapper json;
  @Inject Ledger ledger;

  @TestHTTPResource("/")
  URL url;

  private final HttpClient http = HttpClient.newHttpClient();
  private final Set<String> faults = new TreeSet<>();
  private int requests;

  @Test
  void everyOperationRefusesRubbishInOneSentence() throws Exception {
    ReviewFixture fixture = new ReviewFixture(jdbi, accounts, json);
    fixture.reset();
    UUID id = fixture.add("One", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.9);
    JsonNode document =
        json.readTree(
            given()
                .auth()
                .preemptive()
                .basic("olga", ReviewFixture.PASSWORD)
                .queryParam("format", "json")
                .get("/q/openapi")
                .then()
                .statusCode(200)
                .extract()
                .asString());
    int operations = 0;
    for (Map.Entry<String, JsonNode> path : document.path("paths").properties()) {
      for (Map.Entry<String, JsonNode> operation : path.getValue().properties()) {
        if (path.getKey().startsWith("/api/") && operation.getValue().has("responses")) {
          operations++;
          tryOut(document, path.getKey(), operation.getKey(), operation.getValue(), id);
        }
      }
    }
    assertThat(operations).isGreaterThan(25);
    assertThat(requests).isGreaterThan(500);
    assertThat(faults).isEmpty();
    assertThat(count("select count(*) from decision")).isZero();
    assertThat(count("select count(*) from analysis where status = 'pending'")).isOne();
    assertThat(count("select count(*) from account")).isEqualTo(4);
    assertThat(ledger.verify(jdbi).problem()).isEmpty();
  }

  private void tryOut(JsonNode document, String path, String method, JsonNode operation, UUID known)
      throws IOException, InterruptedException {
    Set<String> paths = new LinkedHashSet<>();
    paths.add(path.replaceAll("\\{[^}]*}", known.toString()));
    if (path.contains("{")) {
      TEXTS.forEach(t -> paths.add(path.replaceAll("\\{[^}]*}", encoded(t))));
    }
    Set<String> queries = new LinkedHashSet<>();
    queries.add("");
    for (JsonNode parameter : operation.path("parameters")) {
      if (parameter.path("in").asText().equals("query")) {
        String name = parameter.path("name").asText();
        TEXTS.forEach(t -> queries.add("?" + name + "=" + encoded(t)));
        queries.add("?" + name + "=" + CURSOR);
        queries.add("?" + name + "=%ZZ");
      }
    }
    for (String p : paths) {
      send(method, p, null, null);
    }
    for (String query : queries) {
      send(method, path.replaceAll("\\{[^}]*}", known.toString()) + query, null, null);
    }
    JsonNode content = operation.path("requestBody").path("content");
    if (!content.isMissingNode()) {
      String address = path.replaceAll("\\{[^}]*}", known.toString());
      for (String body : bodies(document, content.path("application/json").path("schema"))) {
        send(method, address, "application/json", body);
      }
      send(method, address, "text/plain", "{}");
      send(method, address, "application/x-www-form-urlencoded", "kind=approve");
    }
  }

  /** Whole bodies that are wrong, and objects in which one member is. */
  private List<String> bodies(JsonNode document, JsonNode schema) {
    List<String> bodies = new ArrayList<>(BODIES);
    String reference = schema.path("$ref").asText();
    JsonNode type =
        reference.isEmpty() ? schema : document.at(reference.substring(reference.indexOf('#') + 1));
    Set<String> names = new LinkedHashSet<>();
    type.path("properties").properties().forEach(p -> names.add(p.getKey()));
    for (String name : names) {
      VALUES.forEach(value -> bodies.add("{\"" + name + "\":" + value + "}"));
      bodies.add("{\"%s\":null,\"%s\":[[1]]}".formatted(name, name));
    }
    return bodies;
  }

  private void send(String method, String path, String type, String body)
      throws IOException, InterruptedException {
    requests++;
    HttpRequest.Builder request;
    try {
      request = HttpRequest.newBuilder(URI.create(url.toString()).resolve(path));
    } catch (IllegalArgumentException e) {
      return; // not even an address
    }
    request.header(
        "Authorization",
        "Basic "
            + Base64.getEncoder()
                .encodeToString(
                    ("olga:" + ReviewFixture.PASSWORD).getBytes(StandardCharsets.UTF_8)));
    if (type != null) {
      request.header("Content-Type", type);
    }
    request.method(
        method.toUpperCase(java.util.Locale.ROOT),
        body == null
            ? HttpRequest.BodyPublishers.noBody()
            : HttpRequest.BodyPublishers.ofString(body));
    HttpResponse<String> response =
        http.send(request.build(), HttpResponse.BodyHandlers.ofString());
    int status = response.statusCode();
    String what = method + " " + abbreviated(path) + " " + abbreviated(body) + ": " + status;
    if (status >= 500 && status != 503) {
      faults.add(what + " " + abbreviated(response.body()));
    } else if (status >= 400) {
      String media = response.headers().firstValue("Content-Type").orElse("none");
      if (!media.startsWith("application/problem+json")) {
        faults.add(what + " is " + media);
      } else if (json.readTree(response.body()).path("detail").asText().isBlank()
          || response.body().contains("Exception")) {
        faults.add(what + " says " + abbreviated(response.body()));
      }
    }
  }

  private static String abbreviated(String text) {
    return text == null ? "" : text.length() > 120 ? text.substring(0, 120) + "…" : text;
  }

  private static String encoded(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
  }

  private long count(String sql) {
    return jdbi.withHandle(h -> h.createQuery(sql).mapTo(Long.class).one());
  }
}
