package dev.reckoner.review;

import static io.restassured.RestAssured.given;
import static org.assertj.core.api.Assertions.assertThat;
import static org.hamcrest.Matchers.contains;
import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.equalTo;
import static org.hamcrest.Matchers.hasSize;
import static org.hamcrest.Matchers.is;
import static org.hamcrest.Matchers.not;
import static org.hamcrest.Matchers.notNullValue;
import static org.hamcrest.Matchers.nullValue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.embedded.EmbeddedServicesResource;
import dev.reckoner.improve.Ledger;
import io.quarkus.test.common.TestResourceScope;
import io.quarkus.test.common.WithTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.restassured.http.ContentType;
import io.restassured.specification.RequestSpecification;
import jakarta.inject.Inject;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.jdbi.v3.core.Jdbi;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

@QuarkusTest
@WithTestResource(value = EmbeddedServicesResource.class, scope = TestResourceScope.GLOBAL)
class ReviewApiTest {

  @Inject Jdbi jdbi;
  @Inject Accounts accounts;
  @Inject ObjectMapper json;
  @Inject Ledger ledger;

  ReviewFixture fixture;

  @BeforeEach
  void reset() {
    fixture = new ReviewFixture(jdbi, accounts, json);
    fixture.reset();
  }

  @Test
  void nobodyGetsInWithoutALogin() {
    given().get("/api/v1/analyses").then().statusCode(401);
    given()
        .auth()
        .preemptive()
        .basic("rita", "wrong-password-here")
        .get("/api/v1/analyses")
        .then()
        .statusCode(401);
    given()
        .redirects()
        .follow(false)
        .get("/")
        .then()
        .statusCode(302)
        .header("location", containsString("/login"));
    given().get("/login").then().statusCode(200).body(containsString("Sign in"));
  }

  @Test
  void theDocumentOfTheInterfaceIsThereForThoseWhoSignIn() {
    given().redirects().follow(false).get("/q/openapi").then().statusCode(is(not(200)));
    as("vera")
        .get("/q/openapi")
        .then()
        .statusCode(200)
        .body(containsString("/api/v1/analyses/{id}/decisions"));
    given().redirects().follow(false).get("/q/health/live").then().statusCode(200);
  }

  @Test
  void aDisabledAccountIsRefused() {
    jdbi.useHandle(h -> h.execute("update account set disabled_at = now() where name = 'rita'"));
    as("rita").get("/api/v1/analyses").then().statusCode(401);
  }

  @Test
  void aViewerReadsButDoesNotDecide() {
    UUID id = fixture.add("One", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.9);
    as("vera").get("/api/v1/analyses/{id}", id).then().statusCode(200).body("title", is("One"));
    as("vera").body(approve(0)).post("/api/v1/analyses/{id}/decisions", id).then().statusCode(403);
    as("vera").post("/api/v1/analyses/next").then().statusCode(403);
  }

  @Test
  void theQueueBeginsWithWhatIsLeastCertain() {
    fixture.add("Sure", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.95);
    fixture.add(
        "Failed", ReviewFixture.TARGET, ReviewFixture.RIGHT.replace("-1,708", "1,708"), 0.99);
    fixture.add("Unsure", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.30);
    as("vera")
        .get("/api/v1/analyses")
        .then()
        .statusCode(200)
        .body("rows.title", contains("Failed", "Unsure", "Sure"))
        .body("total", is(3));
    as("vera")
        .get("/api/v1/analyses?verdict=passed&q=SURE")
        .then()
        .body("rows.title", contains("Unsure", "Sure"));
    as("vera").get("/api/v1/analyses?q=100%25").then().body("rows", hasSize(0));
    as("vera").get("/api/v1/analyses/counts").then().body("pending", is(3)).body("failing", is(1));
  }

  @Test
  void errorsAreProblems() {
    as("rita")
        .get("/api/v1/analyses/{id}", UUID.randomUUID())
        .then()
        .statusCode(404)
        .contentType(ProblemMapper.PROBLEM_JSON)
        .body("type", is("/problems/not-found"));
    as("rita")
        .get("/api/v1/analyses?status=lost")
        .then()
        .statusCode(422)
        .contentType(ProblemMapper.PROBLEM_JSON)
        .body("detail", containsString("status"));
    as("rita").get("/api/v1/analyses?size=1000").then().statusCode(422);
    as("rita")
        .body("{not json")
        .post("/api/v1/analyses/{id}/decisions", UUID.randomUUID())
        .then()
        .statusCode(400)
        .contentType(ProblemMapper.PROBLEM_JSON);
  }

  @Test
  void anApprovalIsStoredAnnouncedAndInTheLedger() throws Exception {
    UUID id = fixture.add("One", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.9);
    as("rita")
        .body(approve(0))
        .post("/api/v1/analyses/{id}/decisions", id)
        .then()
        .statusCode(201)
        .body("kind", is("APPROVE"))
        .body("reviewer", is("rita"));
    as("rita")
        .get("/api/v1/analyses/{id}", id)
        .then()
        .body("status", is("approved"))
        .body("version", is(1))
        .body("history", hasSize(1));
    JsonNode event = json.readTree(feedback().getFirst());
    assertThat(event.at("/type").asText()).isEqualTo("dev.reckoner.analysis.feedback.v1");
    assertThat(event.at("/data/decision").asText()).isEqualTo("approve");
    assertThat(event.at("/data/eventKey").asText()).isEqualTo("/test#" + id);
    long entries =
        jdbi.withHandle(
            h ->
                h.createQuery("select count(*) from ledger where subject = ?")
                    .bind(0, id.toString())
                    .mapTo(Long.class)
                    .one());
    assertThat(entries).isEqualTo(1);
    assertThat(ledger.verify(jdbi).problem()).isEmpty();
  }

  @Test
  void aRepeatedRequestIsOneDecision() {
    UUID id = fixture.add("One", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.9);
    Map<String, Object> request = approve(0);
    as("rita").body(request).post("/api/v1/analyses/{id}/decisions", id).then().statusCode(201);
    as("rita")
        .body(request)
        .post("/api/v1/analyses/{id}/decisions", id)
        .then()
        .statusCode(201)
        .body("id", is(request.get("id")));
    assertThat(feedback()).hasSize(1);
  }

  @Test
  void theSecondOfTwoIsToldAndNothingIsLost() {
    UUID id = fixture.add("One", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.9);
    as("rita").body(approve(0)).post("/api/v1/analyses/{id}/decisions", id).then().statusCode(201);
    as("rob")
        .body(reject(0))
        .post("/api/v1/analyses/{id}/decisions", id)
        .then()
        .statusCode(409)
        .contentType(ProblemMapper.PROBLEM_JSON)
        .body("type", is("/problems/stale"))
        .body("decidedBy", is("rita"))
        .body("currentVersion", is(1))
        .body("detail", containsString("rita approved"));
    as("rob").get("/api/v1/analyses/{id}", id).then().body("status", is("approved"));
  }

  @Test
  void whatStandsIsReplacedByWhoHasSeenIt() {
    UUID id = fixture.add("One", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.9);
    as("rita").body(approve(0)).post("/api/v1/analyses/{id}/decisions", id).then().statusCode(201);
    Map<String, Object> mine = reject(0);
    String standing =
        as("rob")
            .body(mine)
            .post("/api/v1/analyses/{id}/decisions", id)
            .then()
            .statusCode(409)
            .body("standing.reviewer", is("rita"))
            .extract()
            .path("standing.id");
    as("rob")
        .body(mine)
        .post("/api/v1/analyses/{id}/merge", id)
        .then()
        .statusCode(200)
        .body("left.who", is("rita"))
        .body("left.kind", is("APPROVE"))
        .body("right.kind", is("REJECT"))
        .body("rows.same", not(contains(false)))
        .body("version", is(1));
    mine.put("over", UUID.randomUUID().toString());
    mine.put("version", 1);
    as("rob").body(mine).post("/api/v1/analyses/{id}/decisions", id).then().statusCode(409);
    mine.put("over", standing);
    as("rob").body(mine).post("/api/v1/analyses/{id}/decisions", id).then().statusCode(201);
    as("rob").body(mine).post("/api/v1/analyses/{id}/decisions", id).then().statusCode(201);
    as("vera")
        .get("/api/v1/analyses/{id}", id)
        .then()
        .body("status", is("rejected"))
        .body("version", is(3))
        .body("history.kind", contains("REJECT", "UNDO", "APPROVE"));
    assertThat(ledger.verify(jdbi).problem()).isEmpty();
  }

  @Test
  void pagesGoOnFromARowAndBack() {
    for (int i = 0; i < 7; i++) {
      fixture.add("Item " + i, ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.1 * i);
    }
    var first = as("vera").get("/api/v1/analyses?size=3").then().statusCode(200).extract();
    assertThat(first.<List<String>>path("rows.title"))
        .containsExactly("Item 0", "Item 1", "Item 2");
    assertThat(first.<String>path("previous")).isNull();
    // What is decided or added meanwhile neither repeats a row nor skips one.
    fixture.add("Earlier", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.05);
    var second =
        as("vera").get("/api/v1/analyses?size=3&after=" + first.path("next")).then().extract();
    assertThat(second.<List<String>>path("rows.title"))
        .containsExactly("Item 3", "Item 4", "Item 5");
    var last =
        as("vera").get("/api/v1/analyses?size=3&after=" + second.path("next")).then().extract();
    assertThat(last.<List<String>>path("rows.title")).containsExactly("Item 6");
    assertThat(last.<String>path("next")).isNull();
    var back =
        as("vera").get("/api/v1/analyses?size=3&before=" + last.path("previous")).then().extract();
    assertThat(back.<List<String>>path("rows.title")).containsExactly("Item 3", "Item 4", "Item 5");
    var start =
        as("vera").get("/api/v1/analyses?size=9&before=" + back.path("previous")).then().extract();
    assertThat(start.<List<String>>path("rows.title"))
        .containsExactly("Item 0", "Earlier", "Item 1", "Item 2");
    assertThat(start.<String>path("previous")).isNull();
    as("vera")
        .get("/api/v1/analyses?after=nonsense")
        .then()
        .statusCode(422)
        .body("detail", containsString("after and before"));
  }

  @Test
  void theQueueIsFilteredByAge() {
    UUID old = fixture.add("Old", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.1);
    fixture.add("New", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.2);
    jdbi.useHandle(
        h ->
            h.execute(
                "update analysis set created_at = now() - interval '8 days' where id = ?", old));
    as("vera").get("/api/v1/analyses?age=day").then().body("rows.title", contains("New"));
    as("vera").get("/api/v1/analyses?age=older").then().body("rows.title", contains("Old"));
    as("vera").get("/api/v1/analyses?age=never").then().statusCode(422);
  }

  @Test
  void twoReviewersGetDifferentAnalyses() {
    fixture.add("One", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.1);
    fixture.add("Two", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.2);
    String first =
        as("rita")
            .post("/api/v1/analyses/next")
            .then()
            .statusCode(200)
            .body("lease.token", notNullValue())
            .extract()
            .path("analysis.title");
    String second = as("rob").post("/api/v1/analyses/next").then().extract().path("analysis.title");
    assertThat(List.of(first, second)).containsExactly("One", "Two");
  }

  @Test
  void aDecisionUnderALostLeaseIsRefused() {
    UUID id = fixture.add("One", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.1);
    int token =
        as("rita")
            .post("/api/v1/analyses/{id}/lease", id)
            .then()
            .statusCode(200)
            .extract()
            .path("token");
    as("rob")
        .post("/api/v1/analyses/{id}/lease", id)
        .then()
        .statusCode(409)
        .body("holder", is("rita"));
    as("rob")
        .body(approve(0))
        .post("/api/v1/analyses/{id}/decisions", id)
        .then()
        .statusCode(409)
        .body("type", is("/problems/taken"));
    jdbi.useHandle(h -> h.execute("update review_lease set lease_until = now() - interval '1 s'"));
    as("rob").post("/api/v1/analyses/{id}/lease", id).then().statusCode(200);
    Map<String, Object> late = approve(0);
    late.put("leaseToken", token);
    as("rita")
        .body(late)
        .post("/api/v1/analyses/{id}/decisions", id)
        .then()
        .statusCode(409)
        .body("holder", is("rob"));
    as("rita")
        .body(Map.of("token", token))
        .put("/api/v1/analyses/{id}/lease", id)
        .then()
        .statusCode(409);
  }

  @Test
  void aCorrectionIsRecomputedVerifiedAndStored() {
    UUID id = fixture.add("Wrong row", ReviewFixture.TARGET, ReviewFixture.WRONG, 0.4);
    String edited =
        ReviewFixture.WRONG.replace("107,588 USD million @ r6c2", "109,120 USD million @ r8c2");
    as("rita")
        .body(Map.of("chain", edited))
        .post("/api/v1/analyses/{id}/check", id)
        .then()
        .statusCode(200)
        .body("problem", nullValue())
        .body("steps[3].text", equalTo("compute d = c / b as % = -1.56525 %"))
        .body("steps[4].text", equalTo("conclude d = -1.56525 %"))
        .body(
            "steps.verdict",
            contains("grounded", "grounded", "recomputed", "recomputed", "recomputed"));
    Map<String, Object> correction = decision("CORRECT", 0);
    correction.put("chain", edited);
    as("rita")
        .body(correction)
        .post("/api/v1/analyses/{id}/decisions", id)
        .then()
        .statusCode(201)
        .body("firstWrongStep", is(1))
        .body("chain", containsString("conclude d = -1.56525 %"));
    as("rita")
        .get("/api/v1/analyses/{id}", id)
        .then()
        .body("status", is("corrected"))
        .body("chain", equalTo(ReviewFixture.WRONG.strip()));
  }

  @Test
  void aCorrectionThatCannotBeReadIsRefused() {
    UUID id = fixture.add("One", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.4);
    Map<String, Object> correction = decision("CORRECT", 0);
    correction.put("chain", "cite a = nonsense\nconclude a = 1");
    as("rita")
        .body(correction)
        .post("/api/v1/analyses/{id}/decisions", id)
        .then()
        .statusCode(422)
        .body("type", is("/problems/chain-syntax"))
        .body("step", is(0));
    correction.put("chain", ReviewFixture.RIGHT);
    as("rita")
        .body(correction)
        .post("/api/v1/analyses/{id}/decisions", id)
        .then()
        .statusCode(422)
        .body("detail", containsString("approve it instead"));
    as("rita").get("/api/v1/analyses/{id}", id).then().body("status", is("pending"));
  }

  @Test
  void anUndoIsADecisionOfItsOwn() {
    UUID id = fixture.add("One", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.9);
    String decision =
        as("rita")
            .body(reject(0))
            .post("/api/v1/analyses/{id}/decisions", id)
            .then()
            .statusCode(201)
            .extract()
            .path("id");
    Map<String, UUID> undo = Map.of("id", UUID.randomUUID());
    as("rob")
        .body(undo)
        .post("/api/v1/analyses/{id}/decisions/{d}/undo", id, decision)
        .then()
        .statusCode(403);
    as("rita")
        .body(undo)
        .post("/api/v1/analyses/{id}/decisions/{d}/undo", id, decision)
        .then()
        .statusCode(201)
        .body("kind", is("UNDO"))
        .body("undoes", is(decision));
    as("rita")
        .get("/api/v1/analyses/{id}", id)
        .then()
        .body("status", is("pending"))
        .body("history.kind", contains("UNDO", "REJECT"));
    as("rita")
        .body(Map.of("id", UUID.randomUUID()))
        .post("/api/v1/analyses/{id}/decisions/{d}/undo", id, decision)
        .then()
        .statusCode(409);
    as("rita").body(approve(2)).post("/api/v1/analyses/{id}/decisions", id).then().statusCode(201);
  }

  @Test
  void theDecisionsThemselvesCannotBeChanged() {
    UUID id = fixture.add("One", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.9);
    as("rita").body(approve(0)).post("/api/v1/analyses/{id}/decisions", id).then().statusCode(201);
    org.assertj.core.api.Assertions.assertThatThrownBy(
            () -> jdbi.useHandle(h -> h.execute("update decision set kind = 'reject'")))
        .hasMessageContaining("append-only");
  }

  @Test
  void aFormWithoutATokenIsRefused() {
    UUID id = fixture.add("One", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.9);
    String session =
        given()
            .redirects()
            .follow(false)
            .formParam("j_username", "rita")
            .formParam("j_password", ReviewFixture.PASSWORD)
            .post("/j_security_check")
            .then()
            .statusCode(302)
            .cookie("reckoner-session")
            .extract()
            .cookie("reckoner-session");
    given().cookie("reckoner-session", session).get("/chains/{id}", id).then().statusCode(200);
    given()
        .cookie("reckoner-session", session)
        .formParam("kind", "approve")
        .formParam("dwellMillis", 1)
        .formParam("id", UUID.randomUUID().toString())
        .formParam("version", 0)
        .post("/chains/{id}/decision", id)
        .then()
        .statusCode(400);
    as("rita").get("/api/v1/analyses/{id}", id).then().body("status", is("pending"));
  }

  @Test
  void everyAnswerCarriesTheSecurityHeaders() {
    given()
        .get("/login")
        .then()
        .header("Content-Security-Policy", containsString("frame-ancestors 'none'"))
        .header("X-Content-Type-Options", is("nosniff"));
  }

  @Test
  void exportsHaveTheShapesThatTrainersRead() throws Exception {
    UUID approved = fixture.add("Good", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.9);
    UUID corrected = fixture.add("Wrong row", ReviewFixture.TARGET, ReviewFixture.WRONG, 0.4);
    UUID rejected = fixture.add("Bad", ReviewFixture.TARGET, ReviewFixture.WRONG, 0.4);
    as("rita").body(approve(0)).post("/api/v1/analyses/{id}/decisions", approved);
    Map<String, Object> correction = decision("CORRECT", 0);
    correction.put("chain", ReviewFixture.RIGHT);
    as("rita")
        .body(correction)
        .post("/api/v1/analyses/{id}/decisions", corrected)
        .then()
        .statusCode(201);
    Map<String, Object> rejection = reject(0);
    rejection.put("firstWrongStep", 2);
    as("rita")
        .body(rejection)
        .post("/api/v1/analyses/{id}/decisions", rejected)
        .then()
        .statusCode(201);

    as("rita").get("/api/v1/exports/sft").then().statusCode(403);
    as("olga")
        .get("/api/v1/exports/csv")
        .then()
        .statusCode(404)
        .contentType(ProblemMapper.PROBLEM_JSON);

    List<JsonNode> sft = export("sft");
    assertThat(sft).hasSize(2);
    assertThat(sft.get(1).at("/messages/2/content").asText())
        .isEqualTo(ReviewFixture.RIGHT.strip());
    List<JsonNode> dpo = export("dpo");
    assertThat(dpo).hasSize(1);
    assertThat(dpo.getFirst().at("/prefix").asText())
        .isEqualTo("cite a = 107,412 USD million @ r8c1");
    assertThat(dpo.getFirst().at("/chosen").asText()).startsWith("cite b = 109,120");
    assertThat(dpo.getFirst().at("/rejected").asText()).startsWith("cite b = 107,588");
    assertThat(export("kto").stream().map(line -> line.at("/label").asBoolean()))
        .containsExactly(true, false, true, false);
    List<JsonNode> steps = export("steps");
    assertThat(steps).hasSize(3);
    assertThat(steps.getLast().at("/labels").toString()).isEqualTo("[true,true,false]");
    assertThat(steps.getLast().at("/completions")).hasSize(3);
    assertThat(export("decisions")).hasSize(3);
  }

  @Test
  void statisticsCountWhatStands() {
    UUID id = fixture.add("One", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.9);
    fixture.add("Two", ReviewFixture.TARGET, ReviewFixture.WRONG, 0.9);
    as("rita").body(approve(0)).post("/api/v1/analyses/{id}/decisions", id).then().statusCode(201);
    as("vera")
        .get("/api/v1/statistics")
        .then()
        .statusCode(200)
        .body("days", hasSize(Statistics.DAYS))
        .body("days[-1].verified", is(1))
        .body("days[-1].failing", is(1))
        .body("days[-1].approved", is(1))
        .body("types[0].name", is("dev.reckoner.filing.excerpt.v1"))
        .body("reviewers[0].medianMillis", is(4200));
  }

  @Test
  void anOwnerManagesAccounts() {
    as("rita").get("/api/v1/accounts").then().statusCode(403);
    String password =
        as("olga")
            .body(Map.of("name", "nina", "role", "reviewer"))
            .post("/api/v1/accounts")
            .then()
            .statusCode(201)
            .extract()
            .path("password");
    given()
        .auth()
        .preemptive()
        .basic("nina", password)
        .get("/api/v1/analyses/counts")
        .then()
        .statusCode(200);
    as("olga")
        .body(Map.of("name", "nina", "role", "reviewer"))
        .post("/api/v1/accounts")
        .then()
        .statusCode(422)
        .body("detail", containsString("already"));
    as("olga")
        .body(Map.of("enabled", false))
        .put("/api/v1/accounts/nina/enabled")
        .then()
        .statusCode(204);
    given()
        .auth()
        .preemptive()
        .basic("nina", password)
        .get("/api/v1/analyses/counts")
        .then()
        .statusCode(401);
    as("olga")
        .body(Map.of("enabled", false))
        .put("/api/v1/accounts/olga/enabled")
        .then()
        .statusCode(422);
    as("olga")
        .get("/api/v1/accounts")
        .then()
        .body("name", contains("nina", "olga", "rita", "rob", "vera"));
  }

  private List<JsonNode> export(String format) throws Exception {
    String lines =
        as("olga")
            .get("/api/v1/exports/{f}", format)
            .then()
            .statusCode(200)
            .contentType(Exports.JSON_LINES)
            .extract()
            .asString();
    List<JsonNode> all = new java.util.ArrayList<>();
    for (String line : lines.split("\n")) {
      all.add(json.readTree(line));
    }
    return all;
  }

  static Map<String, Object> approve(int version) {
    return decision("APPROVE", version);
  }

  static Map<String, Object> reject(int version) {
    Map<String, Object> request = decision("REJECT", version);
    request.put("reasonTag", "WRONG_FIGURE");
    return request;
  }

  static Map<String, Object> decision(String kind, int version) {
    Map<String, Object> request = new java.util.HashMap<>();
    request.put("id", UUID.randomUUID().toString());
    request.put("kind", kind);
    request.put("version", version);
    request.put("dwellMillis", 4200);
    return request;
  }

  private List<String> feedback() {
    return jdbi.withHandle(
        h ->
            h.createQuery(
                    "select payload from outbox where topic = 'analysis-feedback' order by id")
                .mapTo(String.class)
                .list());
  }

  static RequestSpecification as(String name) {
    return given()
        .auth()
        .preemptive()
        .basic(name, ReviewFixture.PASSWORD)
        .contentType(ContentType.JSON);
  }
}
