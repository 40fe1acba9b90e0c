package dev.reckoner.review;

import static com.microsoft.playwright.assertions.PlaywrightAssertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.microsoft.playwright.Locator;
import com.microsoft.playwright.Page;
import com.microsoft.playwright.options.BoundingBox;
import dev.reckoner.agent.Continuations;
import dev.reckoner.embedded.EmbeddedServicesResource;
import dev.reckoner.inference.Reasoned;
import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.ChainSyntaxException;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Verifier;
import io.quarkus.test.common.TestResourceScope;
import io.quarkus.test.common.WithTestResource;
import io.quarkus.test.common.http.TestHTTPResource;
import io.quarkus.test.junit.QuarkusMock;
import io.quarkus.test.junit.QuarkusTest;
import jakarta.inject.Inject;
import java.net.URL;
import java.util.List;
import java.util.UUID;
import java.util.regex.Pattern;
import org.assertj.core.api.Assertions;
import org.jdbi.v3.core.Jdbi;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

@QuarkusTest
@WithTestResource(value = EmbeddedServicesResource.class, scope = TestResourceScope.GLOBAL)
class ReviewPageTest {

  private static Chromium chromium;

  @Inject Jdbi jdbi;
  @Inject Accounts accounts;
  @Inject ObjectMapper json;

  @TestHTTPResource("/")
  URL url;

  ReviewFixture fixture;

  @BeforeAll
  static void launch() {
    chromium = Chromium.launch();
  }

  @AfterAll
  static void quit() {
    chromium.close();
  }

  @BeforeEach
  void reset() {
    fixture = new ReviewFixture(jdbi, accounts, json);
    fixture.reset();
  }

  @AfterEach
  void leave() {
    chromium.closePages();
  }

  @Test
  void aWrongPasswordIsToldAndARightOneOpensWhatWasAskedFor() {
    UUID id = fixture.add("Revenue", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.5);
    Page page = chromium.open(url.toString());
    page.navigate("/chains/" + id);
    signIn(page, "rita", "not the password");
    assertThat(page.getByRole(com.microsoft.playwright.options.AriaRole.ALERT))
        .containsText("do not go together");
    page.navigate("/chains/" + id);
    signIn(page, "rita", ReviewFixture.PASSWORD);
    assertThat(page.locator("chain-review h1")).hasText("Revenue");
  }

  @Test
  void theQueueShowsWhatIsLeastCertainFirstAndFilters() {
    fixture.add("Sure", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.95);
    fixture.add("Failed", ReviewFixture.TARGET, ReviewFixture.WRONG, 0.99);
    fixture.add("Unsure", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.30);
    Page page = signedIn("rita");
    assertThat(page.locator(".queue tbody a")).hasText(new String[] {"Failed", "Unsure", "Sure"});
    page.selectOption("select[name=verdict]", "passed");
    assertThat(page.locator(".queue tbody a")).hasText(new String[] {"Unsure", "Sure"});
    page.keyboard().press("Escape");
    page.locator("body").press("/");
    page.keyboard().type("unsu");
    assertThat(page.locator(".queue tbody a")).hasText(new String[] {"Unsure"});
    assertThat(page).hasURL(Pattern.compile("q=unsu"));
  }

  @Test
  void aStepLightsWhatItRestsOnAndACellTheStepsOnIt() {
    Page page = open(fixture.add("Revenue", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.5));
    page.locator(".step").nth(3).hover();
    assertThat(page.locator("[data-place=r8c1]")).hasClass(Pattern.compile("\\blit\\b"));
    assertThat(page.locator("[data-place=r8c2]")).hasClass(Pattern.compile("\\blit\\b"));
    assertThat(page.locator("[data-place=r1c1]")).not().hasClass(Pattern.compile("\\blit\\b"));
    page.locator("[data-place=r8c2]").hover();
    assertThat(page.locator(".step.lit [class=name]")).hasText(new String[] {"b", "c", "d"});
    page.locator("[data-place=r8c1]").focus();
    assertThat(page.locator(".step.lit [class=name]")).hasText(new String[] {"a", "c", "d"});
  }

  @Test
  void everyStepHasAVerdictWithItsReason() {
    Page page = open(fixture.add("Revenue", ReviewFixture.TARGET, ReviewFixture.WRONG, 0.5));
    assertThat(page.locator(".verdict-name"))
        .hasText(
            new String[] {"Grounded", "Grounded", "Wrong arithmetic", "Recomputed", "Recomputed"});
    assertThat(page.locator(".step.current .verdict-reason")).containsText("-176");
  }

  @Test
  void correctingAStepCarriesIntoThoseOnItAndIsStored() {
    UUID id = fixture.add("Revenue", ReviewFixture.TARGET, ReviewFixture.WRONG, 0.5);
    Page page = open(id);
    page.keyboard().press("k");
    page.keyboard().press("e");
    page.locator(".step-editor textarea").fill("cite b = 109,120 USD million @ r8c2");
    assertThat(page.locator(".steps")).hasAttribute("data-failed", "0");
    assertThat(page.locator(".step").nth(3).locator(".result")).hasText("-1.56525 %");
    page.keyboard().press("Enter");
    assertThat(page.locator(".step").nth(1).locator("ins").first()).containsText("109,120");
    page.keyboard().press("c");
    assertThat(page.locator("#toast")).containsText("Correction stored");
    List<String> stored = decisions();
    Assertions.assertThat(stored).containsExactly("rita correct 1");
    page.navigate("/chains/" + id);
    assertThat(page.locator(".notice-corrected")).containsText("rita corrected this chain");
    assertThat(page.locator(".steps")).hasAttribute("data-failed", "0");
  }

  @Test
  void theKeyboardAloneIsEnough() {
    fixture.add("First", ReviewFixture.TARGET, ReviewFixture.WRONG, 0.1);
    fixture.add("Second", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.2);
    fixture.add("Third", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.3);
    Page page = signedIn("rita");
    page.keyboard().press("n");
    assertThat(page.locator("chain-review h1")).hasText("First");
    leased(page);
    page.keyboard().press("w");
    page.keyboard().press("Enter");
    assertThat(page.locator("chain-review h1")).hasText("Second");
    leased(page);
    page.keyboard().press("r");
    page.keyboard().press("3");
    assertThat(page.locator("chain-review h1")).hasText("Third");
    leased(page);
    page.keyboard().press("u");
    assertThat(page.locator("chain-review h1")).hasText("Second");
    leased(page);
    page.keyboard().press("a");
    assertThat(page.locator("chain-review h1")).hasText("Third");
    Assertions.assertThat(decisions())
        .containsExactly(
            "rita reject 2", "rita reject null", "rita undo null", "rita approve null");
    page.keyboard().press("?");
    assertThat(page.locator("#keys")).isVisible();
    page.keyboard().press("Escape");
    assertThat(page.locator("#keys")).isHidden();
  }

  @Test
  void workThatArrivesWhileTheEmptyQueueIsOpenCanBeBegunAtOnce() {
    Page page = signedIn("rita");
    Locator start = page.locator("a[href='/next']");
    assertThat(start).isHidden();
    fixture.add("Late", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.5);
    assertThat(start).isVisible();
    page.keyboard().press("n");
    assertThat(page.locator("chain-review h1")).hasText("Late");
  }

  @Test
  void aChainWithAFailedStepIsApprovedOnlyOnPurpose() {
    UUID id = fixture.add("Revenue", ReviewFixture.TARGET, ReviewFixture.WRONG, 0.1);
    Page page = open(id);
    page.keyboard().press("a");
    assertThat(page.locator("[data-set=confirm]")).containsText("1 step failed verification");
    Assertions.assertThat(decisions()).isEmpty();
    page.keyboard().press("a");
    assertThat(page.locator("#toast")).containsText("Approved");
    Assertions.assertThat(decisions()).containsExactly("rita approve null");
  }

  @Test
  void aDraftSurvivesAReload() {
    UUID id = fixture.add("Revenue", ReviewFixture.TARGET, ReviewFixture.WRONG, 0.1);
    Page page = open(id);
    page.keyboard().press("k");
    page.keyboard().press("e");
    page.locator(".step-editor textarea").fill("cite b = 109,120 USD million @ r8c2");
    page.reload();
    leased(page);
    assertThat(page.locator("[data-notice=draft]")).containsText("not submitted");
    page.click("[data-act=restore-draft]");
    assertThat(page.locator(".steps")).hasAttribute("data-failed", "0");
    assertThat(page.locator("[data-set=correct]")).isVisible();
  }

  @Test
  void aLostNetworkLosesNothing() {
    UUID id = fixture.add("Revenue", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.1);
    Page page = open(id);
    page.context().setOffline(true);
    page.keyboard().press("a");
    assertThat(page.locator("[data-notice=error]")).containsText("No connection");
    page.context().setOffline(false);
    page.keyboard().press("a");
    assertThat(page.locator("#toast")).containsText("Approved");
    Assertions.assertThat(decisions()).hasSize(1);
  }

  @Test
  void twoBrowsersDoNotGetTheSameChain() {
    UUID id = fixture.add("One", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.1);
    fixture.add("Two", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.2);
    Page rita = signedIn("rita");
    rita.keyboard().press("n");
    assertThat(rita.locator("chain-review h1")).hasText("One");
    leased(rita);
    Page rob = signedIn("rob");
    assertThat(rob.locator(".held")).hasText("with rita");
    rob.keyboard().press("n");
    assertThat(rob.locator("chain-review h1")).hasText("Two");
    rob.navigate("/chains/" + id);
    assertThat(rob.locator("[data-notice=lease]")).containsText("rita is reviewing this chain");
    rob.keyboard().press("a");
    assertThat(rob.locator("[data-notice=error]")).containsText("This analysis is with rita now");
    rita.keyboard().press("a");
    assertThat(rita.locator("#toast")).containsText("Approved");
    rob.keyboard().press("a");
    assertThat(rob.locator("[data-notice=error]")).containsText("rita approved this analysis");
    assertThat(rob.locator("[data-notice=error] a")).hasText("Show the current state");
    Assertions.assertThat(decisions()).containsExactly("rita approve null");
  }

  @Test
  void twoCorrectionsOfOneChainAreMergedByKeys() {
    UUID id = fixture.add("Revenue", ReviewFixture.TARGET, ReviewFixture.WRONG, 0.1);
    Page rita = open(id);
    rita.locator(".step").nth(0).click();
    correct(rita, "cite a = 107,412 USD million @ r8c1", "cite a = 106,005 USD million @ r8c3");
    sleeps(rita, id);
    Page rob = signedIn("rob");
    rob.navigate("/chains/" + id);
    leased(rob);
    rob.locator(".step").nth(1).click();
    correct(rob, "cite b = 107,588 USD million @ r6c2", "cite b = 109,120 USD million @ r8c2");
    rob.keyboard().press("c");
    assertThat(rob.locator("#toast")).containsText("Correction stored");

    rita.keyboard().press("c");
    assertThat(rita.locator(".merge-heads")).containsText("rob corrected it");
    assertThat(rita.locator(".merge-why")).containsText("Nothing was stored yet");
    // Each changed another step, so both changes are taken, and the outcome is computed anew.
    assertThat(rita.locator(".merge-row:not(.is-same)")).hasCount(2);
    assertThat(rita.locator(".step").nth(0)).containsText("106,005");
    assertThat(rita.locator(".step").nth(1)).containsText("109,120");
    assertThat(rita.locator("[data-set=merge] p")).hasText("The outcome: all verified.");
    rita.keyboard().press("1");
    assertThat(rita.locator(".step").nth(0)).containsText("107,412");
    rita.keyboard().press("2");
    assertThat(rita.locator(".step").nth(0)).containsText("106,005");
    rita.keyboard().press("j");
    rita.keyboard().press("2");
    assertThat(rita.locator(".step").nth(1)).containsText("107,588");
    rita.keyboard().press("ArrowLeft");
    assertThat(rita.locator(".step").nth(1)).containsText("109,120");
    rita.keyboard().press("c");
    assertThat(rita.locator("#toast")).containsText("Stored");
    Assertions.assertThat(decisions())
        .containsExactly("rob correct 1", "rita undo null", "rita correct 0");
    Assertions.assertThat(standing(id))
        .contains("106,005 USD million @ r8c3", "109,120 USD million @ r8c2");
  }

  @Test
  void whatWasTypedOutlivesADecisionOfSomebodyElseAndAReload() {
    UUID id = fixture.add("Revenue", ReviewFixture.TARGET, ReviewFixture.WRONG, 0.1);
    Page rita = open(id);
    rita.locator(".step").nth(1).click();
    correct(rita, "cite b = 107,588 USD million @ r6c2", "cite b = 109,120 USD million @ r8c2");
    sleeps(rita, id);
    Page rob = signedIn("rob");
    rob.navigate("/chains/" + id);
    leased(rob);
    rob.keyboard().press("r");
    rob.keyboard().press("1");
    assertThat(rob.locator("#toast")).containsText("Rejected");
    rita.navigate("/chains/" + id);
    assertThat(rita.locator("[data-notice=draft]")).containsText("not submitted");
    rita.click("[data-act=compare-draft]");
    assertThat(rita.locator(".merge-heads")).containsText("rob rejected it (wrong figure)");
    assertThat(rita.locator(".step").nth(1)).containsText("109,120");
    rita.reload();
    rita.click("[data-act=compare-draft]");
    assertThat(rita.locator(".step").nth(1)).containsText("109,120");
    rita.keyboard().press("y");
    assertThat(rita.locator("#toast")).containsText("rob's version stands");
    Assertions.assertThat(decisions()).containsExactly("rob reject null");
  }

  @Test
  void aDecisionThatWasTakenBackMeanwhileIsNotInTheWay() {
    UUID id = fixture.add("Revenue", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.1);
    Page rita = open(id);
    sleeps(rita, id);
    Page rob = signedIn("rob");
    rob.navigate("/chains/" + id);
    leased(rob);
    rob.keyboard().press("a");
    assertThat(rob.locator("#toast")).containsText("Approved");
    rob.keyboard().press("u");
    leased(rob);
    rob.keyboard().press("q");
    assertThat(rob.locator("queue-page h1")).isVisible();
    rita.keyboard().press("a");
    assertThat(rita.locator("[data-notice=error]")).containsText("It waits again");
    leased(rita);
    rita.keyboard().press("a");
    assertThat(rita.locator("#toast")).containsText("Approved");
    Assertions.assertThat(decisions())
        .containsExactly("rob approve null", "rob undo null", "rita approve null");
  }

  @Test
  void aChainOfTwoHundredStepsIsReadableAtOnce() {
    UUID id = fixture.addLong("Long", 200);
    Page page = open(id);
    assertThat(page.locator(".step")).hasCount(200);
    assertThat(page.locator(".minimap .dot")).hasCount(200);
    for (int i = 0; i < 20; i++) {
      page.keyboard().press("j");
    }
    Locator current = page.locator(".step.current");
    assertThat(current.locator(".step-number")).hasText("21");
    assertThat(page.locator(".rated")).hasText("rated 20/200");
    assertThat(current).isInViewport();
  }

  @Test
  void aViewerReadsWithoutDecisions() {
    UUID id = fixture.add("Revenue", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.5);
    Page page = signedIn("vera");
    page.navigate("/chains/" + id);
    assertThat(page.locator(".step")).hasCount(6);
    assertThat(page.locator(".actions")).hasCount(0);
    page.keyboard().press("a");
    Assertions.assertThat(decisions()).isEmpty();
  }

  @Test
  void aWrongStepGetsOtherWaysOnFromTheModel() throws ChainSyntaxException {
    Chain right = Chain.parse(ReviewFixture.RIGHT);
    List<Reasoned> drawn =
        List.of(
            new Reasoned(
                null, right, new Verifier().verify(ReviewFixture.TARGET, right), List.of()));
    QuarkusMock.installMockForType(
        new Continuations(null) {
          @Override
          public List<Reasoned> from(Evidence evidence, String prefix, int draws) {
            return prefix.equals("cite a = 107,412 USD million @ r8c1") ? drawn : List.of();
          }
        },
        Continuations.class);
    UUID id = fixture.add("Revenue", ReviewFixture.TARGET, ReviewFixture.WRONG, 0.5);
    Page page = open(id);
    page.keyboard().press("k");
    page.keyboard().press("w");
    page.keyboard().press("s");
    assertThat(page.locator(".suggestion")).hasCount(1);
    assertThat(page.locator(".suggestion .pill")).hasText("all verified");
    page.keyboard().press("1");
    assertThat(page.locator(".steps")).hasAttribute("data-failed", "0");
    assertThat(page.locator("[data-set=correct]")).isVisible();
    page.keyboard().press("c");
    assertThat(page.locator("#toast")).containsText("Correction stored");
    Assertions.assertThat(decisions()).containsExactly("rita correct 1");
  }

  @Test
  void theModelPageSaysWhatServesAndLetsAnOwnerTrain() {
    UUID id = fixture.add("Revenue", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.5);
    Page page = open(id);
    page.keyboard().press("a");
    assertThat(page.locator("#toast")).containsText("Approved");
    page.navigate("/models");
    assertThat(page.locator(".card-train .card-big")).hasText("1 new validated chain");
    assertThat(page.locator(".card-train button")).hasCount(0);
    Page owner = signedIn("olga");
    owner.navigate("/models");
    assertThat(owner.locator(".card-train button")).isEnabled();
  }

  @Test
  void theDashboardCountsTheDecisions() {
    UUID id = fixture.add("Revenue", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.5);
    Page page = open(id);
    page.keyboard().press("a");
    assertThat(page.locator("#toast")).containsText("Approved");
    page.navigate("/dashboard");
    // It may show the figures of a few seconds ago.
    page.waitForCondition(
        () -> {
          if (page.locator(".rates tbody tr").count() == 0) {
            page.reload();
            return false;
          }
          return true;
        });
    assertThat(page.locator(".figures dd[data-count=approved]")).hasText("1");
    assertThat(page.locator(".rates tbody tr").first()).containsText("Filing excerpt");
    // The plot is drawn from a table, which is what a screen reader reads.
    assertThat(page.locator("day-bars").last().locator("tbody tr").last().locator("td").first())
        .hasText("1");
    assertThat(page.locator("day-bars canvas")).hasCount(2);
    page.locator("day-bars").last().locator(".u-over").hover(at(0.99, 0.5, page));
    assertThat(page.locator("day-bars").last().locator("xpath=../p"))
        .containsText("1 approved, 0 corrected, 0 rejected");
  }

  private static Locator.HoverOptions at(double x, double y, Page page) {
    BoundingBox box = page.locator("day-bars").last().locator(".u-over").boundingBox();
    return new Locator.HoverOptions().setPosition(x * box.width, y * box.height);
  }

  @Test
  void whereTwoAdaptersDifferOneKeySaysWhoIsRightWithoutTheirNames() {
    fixture.addRuns();
    UUID analysis = fixture.add("Differs", ReviewFixture.TARGET, ReviewFixture.WRONG, 0.5);
    jdbi.useHandle(
        h ->
            h.execute(
                "insert into shadow_analysis (id, analysis_id, adapter_id, chain, agrees,"
                    + " first_step, same_answer, swapped, millis)"
                    + " values (?, ?, 'adapter-07', ?, false, 1, false, false, 5)",
                UUID.randomUUID(),
                analysis,
                ReviewFixture.RIGHT.strip()));
    Page page = signedIn("rita");
    page.navigate("/models");
    page.click("a[href='/shadow']");
    assertThat(page.locator("blind-pair .question")).containsText("total revenue change");
    assertThat(page.locator("blind-pair mark").first()).containsText("107,588");
    ready(page);
    Assertions.assertThat(page.content()).doesNotContain("adapter-0");
    Assertions.assertThat(Axe.violations(page)).isEmpty();
    page.keyboard().press("2");
    assertThat(page.locator("blind-pair .notice")).containsText("a question of the gate now");
    assertThat(page.locator("blind-pair .empty")).containsText("Nothing to compare");
    List<String> labels =
        jdbi.withHandle(
            h -> h.createQuery("select label from shadow_analysis").mapTo(String.class).list());
    Assertions.assertThat(labels).containsExactly("shadow");
    page.navigate("/models");
    assertThat(page.locator(".card").last()).containsText("the shadow 1");
    // Only an owner lets one begin or end.
    assertThat(page.locator(".adapter button")).hasCount(0);
    Page owner = signedIn("olga");
    owner.navigate("/models");
    owner.getByText("End the shadow").click();
    assertThat(owner.getByText("End the shadow")).hasCount(0);
    assertThat(owner.locator("#shadow")).hasCount(0);
  }

  @Test
  void aRunIsFollowedStepByStepWithoutAReload() {
    fixture.addRuns();
    Page page = signedIn("olga");
    page.navigate("/models");
    assertThat(page.locator("loss-plot canvas")).hasCount(1);
    assertThat(page.locator(".adapter").first()).containsText("adapter-0");
    assertThat(page.locator(".pill.info")).hasText("shadow");
    assertThat(page.locator(".scores .good").first()).hasText("+8.0 (+2.1 to +15.0)");
    assertThat(page.locator(".queue.plain .run-log")).containsText("base on synthetic");
    page.locator(".card-train summary").click();
    assertThat(page.locator(".card-train .run-log li"))
        .hasText("0:00 training: loading the base model");
    page.evaluate("() => { document.querySelector('loss-plot').same = true; }");
    jdbi.useHandle(
        h -> {
          h.execute(
              "insert into training_loss (run_id, step, loss, learning_rate)"
                  + " select id, 61, 0.5, 0 from training_run where status = 'training'");
          h.execute(
              "update training_run set step = 61, message = 'step 61 of 240, loss 0.5000'"
                  + " where status = 'training'");
        });
    assertThat(page.locator("[data-run-message]")).hasText("step 61 of 240, loss 0.5000");
    assertThat(page.locator(".plot-readout")).hasText("Step 61: loss 0.500");
    assertThat(page.locator("progress")).hasAttribute("value", "61");
    // The same plot all along, not a new one.
    Assertions.assertThat(page.evaluate("() => document.querySelector('loss-plot').same"))
        .isEqualTo(true);
    jdbi.useHandle(
        h ->
            h.execute(
                "update training_run set status = 'failed', finished_at = now(),"
                    + " message = 'out of memory' where status = 'training'"));
    assertThat(page.locator(".card-train h2")).hasText("Next adapter");
    assertThat(page.locator(".queue.plain")).containsText("out of memory");
  }

  /** Puts {@code line} into the step in focus, which says {@code before}. */
  private static void correct(Page page, String before, String line) {
    page.keyboard().press("e");
    assertThat(page.locator(".step-editor textarea")).hasValue(before);
    page.locator(".step-editor textarea").fill(line);
    page.keyboard().press("Enter");
    assertThat(page.locator("[data-set=correct]")).isVisible();
  }

  /** The machine of whoever has the chain open sleeps: no heartbeat, and the lease runs out. */
  private void sleeps(Page page, UUID id) {
    ReviewPageTest.sleeps(jdbi, page, id);
  }

  static void sleeps(Jdbi jdbi, Page page, UUID id) {
    page.evaluate("() => clearInterval(document.querySelector('chain-review').lease.timer)");
    jdbi.useHandle(
        h ->
            h.execute(
                "update review_lease set lease_until = now() - interval '1 second'"
                    + " where analysis_id = ?",
                id));
  }

  private String standing(UUID id) {
    return jdbi.withHandle(
        h ->
            h.createQuery("select chain from standing_decision where analysis_id = ?")
                .bind(0, id)
                .mapTo(String.class)
                .one());
  }

  private Page open(UUID id) {
    Page page = signedIn("rita");
    page.navigate("/chains/" + id);
    leased(page);
    return page;
  }

  /** Waits until the page has its lease, so that a decision carries its token. */
  static void leased(Page page) {
    page.waitForFunction("() => document.querySelector('chain-review')?.lease?.token != null");
  }

  private Page signedIn(String name) {
    Page page = chromium.open(url.toString());
    page.navigate("/login");
    signIn(page, name, ReviewFixture.PASSWORD);
    assertThat(page.locator("queue-page h1")).hasText("Review queue");
    ready(page);
    return page;
  }

  /** Waits until the scripts of the page have run: then keys are heard and forms are htmx's. */
  static void ready(Page page) {
    page.waitForFunction(
        "() => document.readyState === 'complete' && customElements.get('queue-page')");
  }

  static void signIn(Page page, String name, String password) {
    page.fill("#name", name);
    page.fill("#password", password);
    page.click("button[type=submit]");
  }

  private List<String> decisions() {
    return jdbi.withHandle(
        h ->
            h.createQuery(
                    "select reviewer || ' ' || kind || ' ' || coalesce(first_wrong_step::text,"
                        + " 'null') from decision order by decided_at")
                .mapTo(String.class)
                .list());
  }
}
