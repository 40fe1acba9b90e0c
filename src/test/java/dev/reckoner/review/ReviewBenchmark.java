package dev.reckoner.review;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.microsoft.playwright.Page;
import dev.reckoner.embedded.EmbeddedServicesResource;
import io.quarkus.test.common.TestResourceScope;
import io.quarkus.test.common.WithTestResource;
import io.quarkus.test.common.http.TestHTTPResource;
import io.quarkus.test.junit.QuarkusTest;
import jakarta.inject.Inject;
import java.io.IOException;
import java.net.CookieManager;
import java.net.URI;
import java.net.URL;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.OffsetDateTime;
import java.util.Arrays;
import java.util.Locale;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jdbi.v3.core.Jdbi;
import org.junit.jupiter.api.Test;

/**
 * How fast reviewing is with a long queue. Not a test: it asserts nothing about time, and is run by
 * name, {@code ./mvnw test -Dtest=ReviewBenchmark}. Requests go through HTTP, session and templates
 * as a browser's do; {@code -Ditems=N} changes the length of the queue.
 */
@QuarkusTest
@WithTestResource(value = EmbeddedServicesResource.class, scope = TestResourceScope.GLOBAL)
class ReviewBenchmark {

  private static final int ITEMS = Integer.getInteger("items", 100_000);
  private static final int DECIDED = ITEMS / 5;
  private static final int WARM_UP = 10;
  private static final int TIMES = 100;
  private static final Pattern CSRF = Pattern.compile("name=\"csrf-token\" content=\"([^\"]+)\"");

  @Inject Jdbi jdbi;
  @Inject Accounts accounts;
  @Inject ObjectMapper json;
  @Inject ReviewQueue queue;
  @Inject Statistics statistics;

  @TestHTTPResource("/")
  URL url;

  private final HttpClient http =
      HttpClient.newBuilder()
          .cookieHandler(new CookieManager())
          .followRedirects(HttpClient.Redirect.NORMAL)
          .build();
  private String csrf;

  @Test
  void reviewing() throws Exception {
    ReviewFixture fixture = new ReviewFixture(jdbi, accounts, json);
    fixture.reset();
    long began = System.nanoTime();
    fill();
    System.out.printf(
        Locale.ROOT,
        "%n%,d items wait, %,d are decided; filled in %.0f s%n%n| what | p50 ms | p95 ms | max ms"
            + " |%n|---|---|---|---|%n",
        ITEMS,
        DECIDED,
        (System.nanoTime() - began) / 1e9);
    signIn();
    report("next item: claim and page", this::next);
    report("decision", this::decide);
    report("queue, first page", () -> get("/?status=pending"));
    String deep = cursor(ITEMS * 9 / 10);
    report("queue, page behind 90 % of it", () -> get("/?status=pending&after=" + deep));
    report("queue, everything, first page", () -> get("/?status=all"));
    report(
        "filter by verdict and type",
        () -> get("/?status=pending&verdict=passed&type=" + TYPE + 3));
    report("filter by subject", () -> get("/?status=pending&subject=issuer-1234"));
    report("search, one hit in 2,000", () -> get("/?status=pending&q=Company+1234"));
    report("search, every row matches", () -> get("/?status=pending&q=annual"));
    report("search, nothing matches", () -> get("/?status=pending&q=zzzqx"));
    report("peek at the next", () -> get("/next/peek"));
    report("counts of the live stream", () -> queue.counts("rita").toString());
    report("dashboard", () -> get("/dashboard"));
    report(
        "dashboard, every figure computed anew",
        20,
        () -> statistics.report(queue.counts("rita"), "rita").toString());
    longChain(fixture.addLong("Two hundred steps", 200));
  }

  private static final String TYPE = "dev.reckoner.bench.type";

  private void fill() throws JsonProcessingException {
    String evidence = json.writeValueAsString(ReviewFixture.TARGET);
    jdbi.useTransaction(
        h -> {
          h.execute("select setseed(0.5)");
          h.createUpdate(
                  """
                  insert into inbox (event_key, event_id, event_source, event_type, subject, origin,
                                     raw, data, raw_sha256, status)
                  select '/bench#' || n, n::text, '/bench', :type || n % 5, 'issuer-' || n % 2000,
                         'bench', '', '{}', repeat('0', 64), 'done'
                  from generate_series(1, :all) n
                  """)
              .bind("type", TYPE)
              .bind("all", ITEMS + DECIDED)
              .execute();
          h.createUpdate(
                  """
                  insert into analysis (id, event_key, event_type, subject, title, evidence, chain,
                    answer, confidence, verified_steps, failed_steps, status, base_model_hash, adapter_id,
                    adapter_hash, prompt_version, grammar_version, sampler, seed, engine_build, backend,
                    prompt_tokens, generated_tokens, millis, created_at)
                  select gen_random_uuid(), '/bench#' || n, :type || n % 5, 'issuer-' || n % 2000,
                    'Company ' || n % 2000 || ' annual report, fiscal ' || 2000 + n % 25,
                    :evidence::jsonb, :chain, round((random() * 40 - 20)::numeric, 5) || ' %', random(),
                    6 - case when random() < 0.15 then 1 else 0 end,
                    case when random() < 0.15 then 1 else 0 end,
                    case when n <= :items then 'pending' else 'approved' end, repeat('9f2c', 16),
                    'adapter-' || n % 7, '', 'p1', 'g1', '{"temperature":0}', 42, '0.1.0', 'cpu/nf4',
                    412, 96, 1840, now() - random() * interval '30 days'
                  from generate_series(1, :all) n
                  """)
              .bind("type", TYPE)
              .bind("evidence", evidence)
              .bind("chain", ReviewFixture.RIGHT.strip())
              .bind("items", ITEMS)
              .bind("all", ITEMS + DECIDED)
              .execute();
          h.createUpdate(
                  """
                  insert into analysis_step (analysis_id, position, kind, text, verdict, reason, places)
                  select a.id, s.n - 1, split_part(s.line, ' ', 1), s.line, 'grounded',
                         'r8c1 holds 107,412 USD million.', '["r8c1"]'
                  from analysis a
                  cross join unnest(string_to_array(:chain, chr(10))) with ordinality s(line, n)
                  """)
              .bind("chain", ReviewFixture.RIGHT.strip())
              .execute();
          h.execute(
              """
              insert into decision (id, analysis_id, reviewer, kind, dwell_millis, analysis_version)
              select gen_random_uuid(), id, 'rob', 'approve', 9000, 0 from analysis
              where status = 'approved'
              """);
        });
    jdbi.useHandle(h -> h.execute("vacuum analyze"));
  }

  private void signIn() throws IOException, InterruptedException {
    post("/j_security_check", "j_username", "rita", "j_password", ReviewFixture.PASSWORD);
    Matcher token = CSRF.matcher(get("/"));
    if (!token.find()) {
      throw new IllegalStateException("not signed in");
    }
    csrf = token.group(1);
  }

  private String next() throws IOException, InterruptedException {
    JsonNode next = json.readTree(post("/next"));
    String page = get("/chains/" + next.get("id").asText());
    // Given back and out of the way, so that the next claim is another item.
    jdbi.useHandle(
        h ->
            h.execute(
                "update analysis set status = 'approved' where id = ?",
                UUID.fromString(next.get("id").asText())));
    return page;
  }

  private String decide() throws IOException, InterruptedException {
    String id = json.readTree(post("/next")).get("id").asText();
    return post(
        "/chains/" + id + "/decision",
        "id",
        UUID.randomUUID().toString(),
        "kind",
        "approve",
        "version",
        "0",
        "dwellMillis",
        "5000");
  }

  private String cursor(int row) {
    return jdbi.withHandle(
        h ->
            h.createQuery(
                    """
                    select disputed, failed_steps, confidence, created_at, id from analysis
                    where status = 'pending'
                    order by (not disputed), (-failed_steps), confidence, created_at, id
                    limit 1 offset ?
                    """)
                .bind(0, row)
                .map(
                    (rs, ctx) ->
                        new QueueCursor(
                                rs.getBoolean(1),
                                rs.getInt(2),
                                rs.getDouble(3),
                                rs.getObject(4, OffsetDateTime.class),
                                rs.getObject(5, UUID.class))
                            .text())
                .one());
  }

  /** From the navigation to the second frame after every step and its dot are there. */
  private void longChain(UUID id) {
    try (Chromium chromium = Chromium.launch()) {
      Page page = chromium.open(url.toString());
      page.navigate("/login");
      ReviewPageTest.signIn(page, "rita", ReviewFixture.PASSWORD);
      page.waitForURL("**/");
      double[] millis = new double[20];
      for (int i = 0; i < millis.length; i++) {
        page.navigate("/chains/" + id);
        millis[i] =
            ((Number)
                    page.evaluate(
                        """
                        () => new Promise((done) => {
                          const look = () => {
                            const drawn = document.querySelectorAll('.minimap .dot').length;
                            if (drawn < 200) requestAnimationFrame(look);
                            else requestAnimationFrame(() => done(performance.now()));
                          };
                          look();
                        })
                        """))
                .doubleValue();
      }
      print("chain of 200 steps, drawn in the browser", millis);
    }
  }

  private void report(String what, Callable<String> request) throws Exception {
    report(what, TIMES, request);
  }

  private void report(String what, int times, Callable<String> request) throws Exception {
    for (int i = 0; i < Math.min(WARM_UP, times); i++) {
      request.call();
    }
    double[] millis = new double[times];
    for (int i = 0; i < times; i++) {
      long start = System.nanoTime();
      request.call();
      millis[i] = (System.nanoTime() - start) / 1e6;
    }
    print(what, millis);
  }

  private static void print(String what, double[] millis) {
    Arrays.sort(millis);
    int n = millis.length;
    System.out.printf(
        Locale.ROOT,
        "| %s | %.1f | %.1f | %.1f |%n",
        what,
        millis[n / 2],
        millis[Math.min(n - 1, (int) Math.ceil(0.95 * n) - 1)],
        millis[n - 1]);
  }

  private String get(String path) throws IOException, InterruptedException {
    return send(HttpRequest.newBuilder(address(path)).build());
  }

  private String post(String path, String... fields) throws IOException, InterruptedException {
    StringBuilder form = new StringBuilder();
    for (int i = 0; i < fields.length; i += 2) {
      form.append(i == 0 ? "" : "&").append(fields[i]).append('=');
      form.append(URLEncoder.encode(fields[i + 1], StandardCharsets.UTF_8));
    }
    HttpRequest.Builder request =
        HttpRequest.newBuilder(address(path))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .POST(HttpRequest.BodyPublishers.ofString(form.toString()));
    if (csrf != null) {
      request.header("X-CSRF-TOKEN", csrf);
    }
    return send(request.build());
  }

  private URI address(String path) {
    return URI.create(url.toString()).resolve(path);
  }

  private String send(HttpRequest request) throws IOException, InterruptedException {
    HttpResponse<String> response = http.send(request, HttpResponse.BodyHandlers.ofString());
    if (response.statusCode() != 200) {
      throw new IllegalStateException(
          request.method()
              + " "
              + request.uri()
              + ": "
              + response.statusCode()
              + " "
              + response.body());
    }
    return response.body();
  }
}
