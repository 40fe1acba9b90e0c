package dev.reckoner.review;

import static com.microsoft.playwright.assertions.PlaywrightAssertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.microsoft.playwright.Page;
import com.microsoft.playwright.options.ColorScheme;
import dev.reckoner.embedded.EmbeddedServicesResource;
import io.quarkus.test.common.TestResourceScope;
import io.quarkus.test.common.WithTestResource;
import io.quarkus.test.common.http.TestHTTPResource;
import io.quarkus.test.junit.QuarkusTest;
import jakarta.inject.Inject;
import java.net.URL;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.UUID;
import org.assertj.core.api.SoftAssertions;
import org.jdbi.v3.core.Jdbi;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Every page in every state that a person gets to, light and dark, without a serious violation.
 * With {@code -Dscreenshots=DIRECTORY} each is also kept as an image.
 */
@QuarkusTest
@WithTestResource(value = EmbeddedServicesResource.class, scope = TestResourceScope.GLOBAL)
class AccessibilityTest {

  private static Chromium chromium;

  @Inject Jdbi jdbi;
  @Inject Accounts accounts;
  @Inject ObjectMapper json;

  @TestHTTPResource("/")
  URL url;

  ReviewFixture fixture;
  private SoftAssertions found;
  private ColorScheme scheme;

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
    found = new SoftAssertions();
  }

  @AfterEach
  void leave() {
    chromium.closePages();
  }

  @ParameterizedTest
  @EnumSource(
      value = ColorScheme.class,
      names = {"LIGHT", "DARK"})
  void everyPageCanBeUsedByEverybody(ColorScheme preferred) {
    scheme = preferred;
    Page page = chromium.open(url.toString(), scheme);
    page.navigate("/login?failed=true");
    check(page, "login");
    ReviewPageTest.signIn(page, "olga", ReviewFixture.PASSWORD);
    assertThat(page.locator("queue-page h1")).isVisible();
    check(page, "queue-empty");

    UUID wrong = fixture.add("Revenue of Target", ReviewFixture.TARGET, ReviewFixture.WRONG, 0.41);
    UUID right = fixture.add("Revenue, again", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.72);
    fixture.add("A third question", ReviewFixture.TARGET, ReviewFixture.RIGHT, 0.93);
    fixture.addRuns();
    page.navigate("/");
    assertThat(page.locator(".queue tbody tr")).hasCount(3);
    check(page, "queue");
    page.locator("body").press("?");
    check(page, "keys");
    page.keyboard().press("Escape");

    page.navigate("/chains/" + wrong);
    ReviewPageTest.leased(page);
    check(page, "chain");
    page.keyboard().press("i");
    check(page, "chain-lineage");
    page.keyboard().press("i");
    page.keyboard().press("w");
    check(page, "chain-wrong");
    page.keyboard().press("Escape");
    page.keyboard().press("r");
    check(page, "chain-reject");
    page.keyboard().press("Escape");
    page.keyboard().press("t");
    check(page, "chain-text");
    page.keyboard().press("Escape");
    page.locator(".step").nth(1).click();
    page.keyboard().press("e");
    page.locator(".step-editor textarea").fill("cite b = 109,120 USD million @ r8c2");
    assertThat(page.locator(".steps")).hasAttribute("data-failed", "0");
    check(page, "chain-editing");
    page.keyboard().press("Enter");
    assertThat(page.locator("[data-set=correct]")).isVisible();
    page.locator(".step").nth(1).hover();
    check(page, "chain-corrected");

    merge(page, wrong);
    page.navigate("/chains/" + right);
    ReviewPageTest.leased(page);
    page.keyboard().press("a");
    assertThat(page.locator("#toast")).containsText("Approved");
    page.navigate("/chains/" + right);
    assertThat(page.locator(".notice-approved")).isVisible();
    check(page, "chain-decided");
    page.navigate("/chains/" + UUID.randomUUID());
    check(page, "missing");
    page.navigate("/models");
    check(page, "models");
    page.navigate("/dashboard");
    check(page, "dashboard");
    page.navigate("/shadow");
    check(page, "shadow");
    found.assertAll();
  }

  /** Somebody else decides while the correction is open. */
  private void merge(Page page, UUID id) {
    ReviewPageTest.sleeps(jdbi, page, id);
    Page rob = chromium.open(url.toString());
    rob.navigate("/login");
    ReviewPageTest.signIn(rob, "rob", ReviewFixture.PASSWORD);
    assertThat(rob.locator("queue-page h1")).isVisible();
    rob.navigate("/chains/" + id);
    ReviewPageTest.leased(rob);
    rob.keyboard().press("t");
    rob.locator("#raw-text")
        .fill(
            ReviewFixture.WRONG
                .replace("107,588 USD million @ r6c2", "106,005 USD million @ r8c3")
                .replace("conclude", "infer d : Revenue grew from fiscal 2021.\nconclude"));
    assertThat(rob.locator(".steps")).hasAttribute("data-failed", "0");
    rob.click("[data-act=submit-correction]");
    assertThat(rob.locator("#toast")).containsText("Correction stored");
    ReviewPageTest.leased(rob);
    rob.keyboard().press("q"); // gives back what came next
    assertThat(rob.locator("queue-page h1")).isVisible();
    rob.context().close();
    page.keyboard().press("c");
    assertThat(page.locator(".merge")).isVisible();
    assertThat(page.locator("[data-set=merge] p")).containsText("verified");
    check(page, "chain-merge");
  }

  private void check(Page page, String state) {
    List<String> violations = Axe.violations(page);
    found.assertThat(violations).as(state + " " + scheme).isEmpty();
    String directory = System.getProperty("screenshots");
    if (directory != null) {
      String file = state + "-" + scheme.name().toLowerCase(Locale.ROOT) + ".png";
      page.screenshot(new Page.ScreenshotOptions().setPath(Path.of(directory, file)));
    }
  }
}
