package dev.reckoner.review;

import static com.microsoft.playwright.assertions.PlaywrightAssertions.assertThat;
import static dev.reckoner.review.ReviewApiTest.approve;
import static dev.reckoner.review.ReviewApiTest.as;
import static dev.reckoner.review.ReviewApiTest.reject;
import static org.assertj.core.api.Assertions.within;
import static org.hamcrest.Matchers.contains;
import static org.hamcrest.Matchers.containsInAnyOrder;
import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.hasItem;
import static org.hamcrest.Matchers.hasSize;
import static org.hamcrest.Matchers.is;
import static org.hamcrest.Matchers.not;
import static org.hamcrest.Matchers.nullValue;
import static org.hamcrest.Matchers.startsWith;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.microsoft.playwright.Page;
import dev.reckoner.embedded.EmbeddedServicesResource;
import dev.reckoner.improve.Ledger;
import io.quarkus.test.common.TestResourceScope;
import io.quarkus.test.common.WithTestResource;
import io.quarkus.test.common.http.TestHTTPResource;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.QuarkusTestProfile;
import io.quarkus.test.junit.TestProfile;
import io.restassured.path.json.JsonPath;
import io.restassured.response.ValidatableResponse;
import jakarta.inject.Inject;
import java.net.URL;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.assertj.core.api.Assertions;
import org.jdbi.v3.core.Jdbi;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Reviewing that watches over itself: here everything is reviewed twice, and every item planted.
 */
@QuarkusTest
@TestProfile(AssuranceTest.Everything.class)
@WithTestResource(value = EmbeddedServicesResource.class, scope = TestResourceScope.GLOBAL)
class AssuranceTest {

  public static class Everything implements QuarkusTestProfile {
    @Override
    public Map<String, String> getConfigOverrides() {
      return Map.of(
          "reckoner.review.second-share", "1",
          "reckoner.review.planted-share", "1",
          "reckoner.review.planted-minimum", "3",
          // What is counted here is only what these tests put there: no record of others before.
          "mp.messaging.incoming.financial-events.group.id", "assurance",
          "mp.messaging.incoming.financial-events.auto.offset.reset", "latest");
    }
  }

  @Inject Jdbi jdbi;
  @Inject Accounts accounts;
  @Inject ObjectMapper json;
  @Inject Ledger ledger;

  @TestHTTPResource("/")
  URL url;

  ReviewFixture fixture;

  @BeforeEach
  void reset() {
    fixture = new ReviewFixture(jdbi, accounts, json);
    fixture.reset();
  }

  @Test
  void aSecondPersonReviewsWithoutSeeingTheFirst() {
    UUID id = fixture.add("One", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.9);
    decide("rita", id, approve(0)).statusCode(201).body("blind", is(true));
    seen("rita", id).body("status", is("pending")).body("history", hasSize(1));
    seen("rob", id).body("status", is("pending")).body("history", hasSize(0));
    as("rita").post("/api/v1/analyses/next").then().statusCode(204);
    decide("rita", id, reject(0)).statusCode(409).body("detail", containsString("somebody else"));
    Assertions.assertThat(feedback()).isZero();
    decide("rob", id, approve(0)).statusCode(201).body("blind", is(false));
    seen("vera", id).body("status", is("approved")).body("history", hasSize(2));
    Assertions.assertThat(feedback()).isEqualTo(1);
    as("vera")
        .get("/api/v1/statistics")
        .then()
        .body("reliability.reviewed", is(1))
        .body("reliability.pairs[0].agreed", is(1))
        // One category alone says nothing beyond chance.
        .body("reliability.pairs[0].kappa", nullValue())
        .body("reliability.verdict.value", nullValue());
    Assertions.assertThat(ledger.verify(jdbi).problem()).isEmpty();
  }

  @Test
  void whatTwoDifferOnAThirdPersonSettles() {
    UUID id = fixture.add("One", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.9);
    fixture.add("Two", ReviewFixture.TARGET, ReviewFixture.WRONG, 0.1);
    decide("rita", id, approve(0)).statusCode(201);
    decide("rob", id, reject(0)).statusCode(201).body("blind", is(true));
    Assertions.assertThat(feedback()).isZero();
    seen("rita", id).body("disputed", is(false)).body("history.reviewer", contains("rita"));
    as("rita").get("/api/v1/analyses/{id}/dispute", id).then().statusCode(404);
    seen("olga", id)
        .body("disputed", is(true))
        .body("history.reviewer", containsInAnyOrder("rita", "rob"));
    // Before everything else, failed steps included.
    as("olga").get("/api/v1/analyses").then().body("rows.title", contains("One", "Two"));
    as("olga")
        .get("/api/v1/analyses/{id}/dispute", id)
        .then()
        .statusCode(200)
        .body("left.who", is("rita"))
        .body("right.who", is("rob"));
    decide("olga", id, reject(0)).statusCode(201).body("blind", is(false));
    seen("vera", id).body("status", is("rejected")).body("disputed", is(false));
    Assertions.assertThat(feedback()).isEqualTo(1);
    as("vera")
        .get("/api/v1/statistics")
        .then()
        .body("reliability.reviewed", is(1))
        .body("reliability.disputed", is(0))
        .body("reliability.pairs[0].agreed", is(0));
  }

  @Test
  void agreementIsThatOfTheOpinionsAndNotOfTheSettling() {
    // approve/approve twice, reject/reject once, approve/reject once: p_o = 3/4, p_e = 1/2.
    pair(approve(0), approve(0));
    pair(approve(0), approve(0));
    pair(reject(0), reject(0));
    UUID disputed = pair(approve(0), reject(0));
    decide("olga", disputed, approve(0)).statusCode(201);
    ValidatableResponse report = as("vera").get("/api/v1/statistics").then();
    float kappa = report.extract().path("reliability.pairs[0].kappa");
    Assertions.assertThat(kappa).isCloseTo(0.5f, within(1e-6f));
    // α = 1 - (n - 1) · 2 / (5 · 3 · 2), with n = 8 values, 5 of one kind and 3 of the other.
    float alpha = report.extract().path("reliability.verdict.value");
    Assertions.assertThat(alpha).isCloseTo(1 - 7f * 2 / 30, within(1e-6f));
  }

  @Test
  void anOpinionCanBeTakenBackUntilASecondAgrees() {
    UUID id = fixture.add("One", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.9);
    String mine = decide("rita", id, approve(0)).extract().path("id");
    undo("rob", id, mine).statusCode(409);
    undo("rita", id, mine).statusCode(201);
    decide("rita", id, reject(0)).statusCode(201).body("blind", is(true));
    decide("rob", id, reject(0)).statusCode(201).body("blind", is(false));
    seen("vera", id).body("status", is("rejected"));
  }

  @Test
  void aPlantedErrorIsMetLikeAnythingElseAndCountsForNothing() {
    UUID source = approved("Source");
    UUID waits = fixture.add("Waits", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.4);
    as("rita").post("/api/v1/analyses/next").then().body("analysis.id", is(waits.toString()));
    UUID planted = planted("rita");
    Assertions.assertThat(planted).isNotEqualTo(source);
    seen("rita", planted).body("steps.verdict", org.hamcrest.Matchers.everyItem(passed()));
    decide("rita", planted, approve(0))
        .statusCode(201)
        .body("blind", is(false))
        .body("planted", containsString("You missed it"));
    Assertions.assertThat(feedback()).isZero();
    Assertions.assertThat(count("select count(*) from outbox")).isZero();
    Assertions.assertThat(count("select count(*) from standing_decision")).isZero();
    as("olga").get("/api/v1/exports/sft").then().statusCode(200).body(is(""));
    as("olga").get("/api/v1/exports/decisions").then().statusCode(200).body(is(""));
    as("vera")
        .get("/api/v1/statistics")
        .then()
        .body("counts.approved", is(1))
        .body("reviewers[0].planted", is(1))
        .body("reviewers[0].missed", is(1))
        .body("reviewers[0].missRate.value", is(1.0f))
        .body("reviewers[0].trusted", is(true));
    // Whoever was told does not get a second chance.
    String decision =
        jdbi.withHandle(
            h -> h.createQuery("select id::text from decision").mapTo(String.class).one());
    undo("rita", planted, decision).statusCode(201);
    decide("rita", planted, reject(2)).statusCode(201).body("planted", containsString("noticed"));
    as("vera").get("/api/v1/statistics").then().body("reviewers[0].missed", is(1));
  }

  @Test
  void nothingShowsThatAnErrorWasPlanted() {
    UUID source = approved("Source");
    for (int i = 0; i < 4; i++) {
      fixture.add("Waits " + i, ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.4 + 0.1 * i);
    }
    UUID failing = fixture.add("Fails", ReviewFixture.TARGET, FAILING, 0.95);
    jdbi.useHandle(h -> h.execute("update analysis set created_at = now() - interval '9 days'"));
    as("rita").post("/api/v1/analyses/next").then().body("analysis.id", is(failing.toString()));
    // What is pressing goes first, as it always does.
    as("rita").post("/api/v1/analyses/next").then().body("analysis.id", is(failing.toString()));
    decide("rita", failing, reject(0)).statusCode(201);
    UUID planted = planted("rita");

    ValidatableResponse seen = seen("rita", planted);
    JsonPath one = seen.extract().jsonPath();
    JsonPath other = seen("rita", source).extract().jsonPath();
    Assertions.assertThat(one.<Map<String, Object>>get().keySet())
        .isEqualTo(other.<Map<String, Object>>get().keySet());
    Assertions.assertThat(one.getString("eventKey")).isEqualTo(other.getString("eventKey"));
    Assertions.assertThat(one.<Object>get("lineage")).isEqualTo(other.get("lineage"));
    Assertions.assertThat(one.getList("history")).isEmpty();
    Assertions.assertThat(one.getString("id").charAt(14)).isEqualTo('4');
    Assertions.assertThat(one.getString("createdAt")).isLessThan(Instant.now().toString());
    Assertions.assertThat(Instant.parse(one.getString("createdAt")))
        .isBefore(Instant.now().minus(Duration.ofDays(8)));
    Assertions.assertThat(one.getDouble("confidence")).isBetween(0.39, 0.4);

    // In its place among what waits, counted like it, and without what it was made from.
    list("rita", "")
        .body("rows.title", contains("Source", "Waits 0", "Waits 1", "Waits 2", "Waits 3"))
        .body("total", is(5));
    list("rita", "&q=Source").body("rows.id", contains(planted.toString()));
    counts("rita").body("pending", is(5)).body("failing", is(0));
    // Nobody else finds it.
    list("rob", "").body("rows.title", not(hasItem("Source"))).body("total", is(5));
    counts("rob").body("pending", is(5)).body("failing", is(1));
    list("rob", "&status=approved").body("rows.id", contains(source.toString()));
    as("rob").post("/api/v1/analyses/next").then().body("analysis.title", is("Fails"));

    decide("rita", planted, approve(0)).statusCode(201).body("planted", containsString("missed"));
    list("vera", "&status=approved").body("rows.id", contains(source.toString()));
    counts("rita").body("pending", is(4)).body("approved", is(1));
  }

  @Test
  void aPlantedErrorWaitsNoLongerThanAnHourBehindWhatIsPressing() {
    approved("Source");
    UUID failing = fixture.add("Fails", ReviewFixture.TARGET, FAILING, 0.95);
    as("rita").post("/api/v1/analyses/next").then().body("analysis.id", is(failing.toString()));
    as("rita").post("/api/v1/analyses/next").then().body("analysis.id", is(failing.toString()));
    jdbi.useHandle(h -> h.execute("update planted set created_at = now() - interval '2 hours'"));
    as("rita").post("/api/v1/analyses/next").then().body("analysis.title", is("Source"));
  }

  @Test
  void nothingTellsTheTwoThatTheyDiffer() {
    UUID first = fixture.add("Agreed or not", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.9);
    fixture.add("Other", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.1);
    decide("rita", first, approve(0)).statusCode(201);
    String before = everything("rita");
    decide("rob", first, reject(0)).statusCode(201).body("blind", is(true));
    Assertions.assertThat(everything("rita")).isEqualTo(before);

    list("rita", "&verdict=disputed").body("rows", hasSize(0)).body("total", is(0));
    list("rob", "&verdict=disputed&q=Agreed").body("rows", hasSize(0)).body("total", is(0));
    list("rob", "&verdict=disputed&reviewer=rob").body("rows", hasSize(0));
    list("olga", "&verdict=disputed").body("rows.id", contains(first.toString()));
    as("olga").get("/api/v1/statistics").then().body("reliability.disputed", is(1));
    // What is theirs is found again, in an order that says nothing.
    list("rita", "&reviewer=rita").body("rows.id", contains(first.toString()));
    list("rob", "&reviewer=rita").body("rows", hasSize(0));
    counts("rita").body("pending", is(1));
    counts("olga").body("pending", is(2));
  }

  /** All that somebody can ask about what waits, themselves aside. */
  private static String everything(String who) {
    StringBuilder all = new StringBuilder();
    for (String path :
        List.of(
            "/api/v1/analyses",
            "/api/v1/analyses?status=pending",
            "/api/v1/analyses?verdict=disputed",
            "/api/v1/analyses?verdict=passed&size=1",
            "/api/v1/analyses?q=Agreed",
            "/api/v1/analyses?reviewer=" + who,
            "/api/v1/analyses/counts",
            "/api/v1/statistics")) {
      Map<String, Object> body = as(who).get(path).then().statusCode(200).extract().path("");
      body.remove("reviewers"); // how much each has decided is no secret
      body.remove("days");
      all.append(path).append(' ').append(body).append('\n');
    }
    return all.toString();
  }

  private static final String FAILING =
      ReviewFixture.RIGHT.replace("107,412 USD million @ r8c1", "107,413 USD million @ r8c1");

  private static ValidatableResponse list(String who, String filter) {
    String status = filter.contains("status=") ? "" : "status=pending";
    return as(who)
        .get("/api/v1/analyses?" + (status + filter).replaceFirst("^&", ""))
        .then()
        .statusCode(200);
  }

  private static ValidatableResponse counts(String who) {
    return as(who).get("/api/v1/analyses/counts").then().statusCode(200);
  }

  /** The item with the planted error that comes next. */
  private static UUID planted(String who) {
    return UUID.fromString(
        as(who)
            .post("/api/v1/analyses/next")
            .then()
            .statusCode(200)
            .body("analysis.title", startsWith("Source"))
            .extract()
            .path("analysis.id"));
  }

  @Test
  void whoMissesTooManyDoesNotTrain() {
    UUID both = fixture.add("Both", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.9);
    decide("rita", both, approve(0)).statusCode(201);
    decide("rob", both, approve(0)).statusCode(201);
    fixture.add("Waits", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.4);
    as("olga").get("/api/v1/exports/sft").then().body(containsString("messages"));
    for (int i = 0; i < 3; i++) {
      approved("Source " + i);
    }
    for (int i = 0; i < 3; i++) {
      as("rob").post("/api/v1/analyses/next").then().statusCode(200);
      // One of three is found: two thirds are missed, and three are enough to judge.
      decide("rob", planted("rob"), i == 0 ? reject(0) : approve(0))
          .statusCode(201)
          .body("planted", containsString(i == 0 ? "You noticed it" : "You missed it"));
    }
    as("vera")
        .get("/api/v1/statistics")
        .then()
        .body("reviewers.find { it.name == 'rob' }.missed", is(2))
        .body("reviewers.find { it.name == 'rob' }.trusted", is(false))
        .body("reviewers.find { it.name == 'rita' }.trusted", is(true));
    // Rob's was the decision that stood.
    as("olga").get("/api/v1/exports/sft").then().body(is(""));
    Assertions.assertThat(count("select count(*) from standing_decision")).isEqualTo(1);
    Assertions.assertThat(count("select count(*) from trusted_decision")).isZero();
  }

  @Test
  void twoOpinionsAreSettledByKeys() {
    UUID id = fixture.add("Revenue", ReviewFixture.TARGET, ReviewFixture.WRONG, 0.1);
    decide("rita", id, correction("107,588 USD million @ r6c2", "109,120 USD million @ r8c2"))
        .statusCode(201);
    decide("rob", id, correction("107,588 USD million @ r6c2", "106,005 USD million @ r8c3"))
        .statusCode(201);
    try (Chromium chromium = Chromium.launch()) {
      Page rita = signedIn(chromium, "rita");
      rita.navigate("/chains/" + id);
      assertThat(rita.locator(".notice-opinion")).containsText("You corrected this chain");
      Assertions.assertThat(Axe.violations(rita)).isEmpty();
      Page olga = signedIn(chromium, "olga");
      assertThat(olga.locator(".queue tbody .held")).hasText("reviewers disagree");
      olga.navigate("/chains/" + id);
      ReviewPageTest.leased(olga);
      assertThat(olga.locator(".merge")).containsText("Two people reviewed this chain and differ");
      assertThat(olga.locator("[data-act=store-mine]")).containsText("Take rob’s");
      assertThat(olga.locator(".step").nth(1)).containsText("106,005");
      Assertions.assertThat(Axe.violations(olga)).isEmpty();
      olga.keyboard().press("1");
      assertThat(olga.locator(".step").nth(1)).containsText("109,120");
      assertThat(olga.locator("[data-set=merge] p")).hasText("The outcome: all verified.");
      olga.keyboard().press("c");
      assertThat(olga.locator("#toast")).containsText("Settled");
      olga.navigate("/dashboard");
      assertThat(olga.locator(".rates").last()).isVisible();
      Assertions.assertThat(Axe.violations(olga)).isEmpty();
    }
    seen("vera", id)
        .body("status", is("corrected"))
        .body("history.blind", contains(false, true, true));
  }

  private static org.hamcrest.Matcher<String> passed() {
    return org.hamcrest.Matchers.oneOf("grounded", "recomputed");
  }

  private static Map<String, Object> correction(String before, String after) {
    Map<String, Object> request = ReviewApiTest.decision("CORRECT", 0);
    request.put("chain", ReviewFixture.WRONG.replace(before, after));
    return request;
  }

  private Page signedIn(Chromium chromium, String name) {
    Page page = chromium.open(url.toString());
    page.navigate("/login");
    ReviewPageTest.signIn(page, name, ReviewFixture.PASSWORD);
    assertThat(page.locator("queue-page h1")).isVisible();
    return page;
  }

  /** An analysis that rita and rob have reviewed. */
  private UUID pair(Map<String, Object> rita, Map<String, Object> rob) {
    UUID id = fixture.add("Pair", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.5);
    decide("rita", id, rita).statusCode(201);
    decide("rob", id, rob).statusCode(201);
    return id;
  }

  /** An analysis approved long ago by nobody who is here. */
  private UUID approved(String title) {
    UUID id = fixture.add(title, ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.9);
    jdbi.useHandle(h -> h.execute("update analysis set status = 'approved' where id = ?", id));
    return id;
  }

  private static ValidatableResponse decide(String who, UUID id, Map<String, Object> request) {
    return as(who).body(request).post("/api/v1/analyses/{id}/decisions", id).then();
  }

  private static ValidatableResponse undo(String who, UUID id, String decision) {
    return as(who)
        .body(Map.of("id", UUID.randomUUID().toString()))
        .post("/api/v1/analyses/{id}/decisions/{d}/undo", id, decision)
        .then();
  }

  private static ValidatableResponse seen(String who, UUID id) {
    return as(who).get("/api/v1/analyses/{id}", id).then().statusCode(200);
  }

  private long feedback() {
    return count("select count(*) from outbox where topic = 'analysis-feedback'");
  }

  private long count(String sql) {
    return jdbi.withHandle(h -> h.createQuery(sql).mapTo(Long.class).one());
  }
}
