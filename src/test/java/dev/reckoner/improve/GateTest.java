package dev.reckoner.improve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.reckoner.corpus.Gold;
import dev.reckoner.corpus.Problem;
import dev.reckoner.corpus.Support;
import dev.reckoner.evaluation.Grade;
import dev.reckoner.evaluation.Measurement;
import dev.reckoner.evaluation.Metric;
import dev.reckoner.evaluation.Suite;
import dev.reckoner.reasoning.Evidence;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.IntPredicate;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GateTest {

  private static final String RULES =
      """
      suites:
        target:
          minimumProblems: 50
          metrics:
            execution_accuracy: {improvement: 0}
            tokens: {factor: 1.5}
          slices: {tolerance: 0.1, minimumProblems: 10}
        skills:
          minimumProblems: 50
          metrics:
            execution_accuracy: {tolerance: 0.02}
            grounded_figures: {tolerance: 0.01}
      """;

  @TempDir Path directory;

  /** How many issuers the problems are about. */
  private static int issuers = 100;

  @BeforeEach
  void everyProblemHasItsIssuer() {
    issuers = 100;
  }

  @Test
  void aClearImprovementThatLosesNothingPasses() throws IOException {
    Gate.Verdict verdict =
        judge(
            List.of(measure("target", i -> i < 50), measure("skills", i -> i < 90)),
            List.of(measure("target", i -> i < 70), measure("skills", i -> i < 90)));
    assertThat(verdict.passed()).isTrue();
    assertThat(verdict.refusal()).isEmpty();
  }

  @Test
  void anImprovementThatCouldBeChanceIsRefusedWithItsNumbers() throws IOException {
    // 7 gained, 6 lost
    Gate.Verdict verdict =
        judge(
            List.of(measure("target", i -> i < 50), measure("skills", i -> i < 90)),
            List.of(measure("target", i -> i >= 6 && i < 57), measure("skills", i -> i < 90)));
    assertThat(verdict.passed()).isFalse();
    assertThat(verdict.refusal())
        .startsWith("target: execution accuracy: lower end of the improvement -0.0")
        .contains("must be above +0.0000");
  }

  @Test
  void aRegressionElsewhereRefusesABetterCandidate() throws IOException {
    Gate.Verdict verdict =
        judge(
            List.of(measure("target", i -> i < 50), measure("skills", i -> i < 90)),
            List.of(measure("target", i -> i < 70), measure("skills", i -> i < 85)));
    assertThat(verdict.refusal())
        .isEqualTo("skills: execution accuracy: better by -0.0500, may lose 0.0200");
  }

  @Test
  void aRegressionOfOneSliceIsFoundBehindABetterAverage() throws IOException {
    // The slice of odd problems loses 15 of its 50; the even ones gain 40.
    Gate.Verdict verdict =
        judge(
            List.of(measure("target", i -> i % 2 == 1), measure("skills", i -> i < 90)),
            List.of(
                measure("target", i -> i % 2 == 1 ? i > 30 : i < 80),
                measure("skills", i -> i < 90)));
    assertThat(verdict.passed()).isFalse();
    assertThat(verdict.refusal()).startsWith("target: slice odd: execution accuracy -0.3000");
  }

  @Test
  void whatCouldNotBeComputedRefuses() throws IOException {
    // No figure was cited, so the share of grounded ones is 0/0.
    Measurement nothingCited = measure("skills", i -> i < 90, 0, 10);
    Gate.Verdict verdict =
        judge(
            List.of(measure("target", i -> i < 50), nothingCited),
            List.of(measure("target", i -> i < 70), nothingCited));
    assertThat(nothingCited.metric(Metric.GROUNDED_FIGURES).estimate()).isNaN();
    assertThat(verdict.refusal()).isEqualTo("skills: grounded figures: could not be computed");
  }

  @Test
  void aSuiteThatWasNotMeasuredRefuses() throws IOException {
    Gate.Verdict verdict =
        judge(
            List.of(measure("target", i -> i < 50)),
            List.of(measure("target", i -> i < 70), measure("skills", i -> i < 90)));
    assertThat(verdict.refusal()).isEqualTo("skills: was not measured");
  }

  @Test
  void aSuiteTooSmallJudgesNothingAndAGateThatJudgesNothingRefuses() throws IOException {
    Gate.Verdict verdict = judge(List.of(), List.of());
    assertThat(verdict.passed()).isFalse();
    assertThat(verdict.refusal())
        .startsWith(
            "no rule of the gate could be judged: skills has 0 problems, fewer than the 50");
  }

  @Test
  void aCandidateThatOnlyLostNothingIsRefused() throws IOException {
    String rules =
        RULES.replace("target:\n    minimumProblems: 50", "target:\n    minimumProblems: 101");
    List<Measurement> same =
        List.of(measure("target", i -> i < 50), measure("skills", i -> i < 90));
    assertThat(gate(rules).judge(same, same).refusal())
        .startsWith("target: no suite could be judged on which an improvement is asked for")
        .contains("target has 100 problems, fewer than the 101");
    // Also where it is not measured at all, as before anybody has reviewed enough.
    List<Measurement> skills = List.of(measure("skills", i -> i < 90));
    assertThat(gate(rules).judge(skills, skills).passed()).isFalse();
    // Rules that ask for no improvement anywhere are somebody's choice.
    assertThat(
            gate(rules.replace("{improvement: 0}", "{tolerance: 0}"))
                .judge(skills, skills)
                .passed())
        .isTrue();
  }

  @Test
  void anImprovementOfNothingIsNone() throws IOException {
    // As a poisoned round on a champion that solves nothing yet.
    List<Measurement> none = List.of(measure("target", i -> false), measure("skills", i -> i < 90));
    assertThat(judge(none, none).refusal())
        .isEqualTo(
            "target: execution accuracy: lower end of the improvement +0.0000, must be above"
                + " +0.0000");
  }

  @Test
  void fewProblemsWidenWhatMayBeLostAndNotWhatMustBeGained() throws IOException {
    GateRules shipped = GateRules.bundled();
    Path file = directory.resolve("few.yaml");
    Files.writeString(file, shipped.forFewProblems(Set.of("synthetic", "house-rule"), 40).yaml());
    GateRules few = GateRules.read(file);
    assertThat(few.suiteNames()).containsExactly("house-rule", "synthetic");
    assertThat(few.serving()).isEqualTo(shipped.serving());
    assertThat(few.suites().get("house-rule").metrics().get(Metric.EXECUTION_ACCURACY))
        .isEqualTo(shipped.suites().get("house-rule").metrics().get(Metric.EXECUTION_ACCURACY));
    assertThat(few.suites().get("synthetic").metrics().get(Metric.EXECUTION_ACCURACY).tolerance())
        .isCloseTo(0.02 + 0.1, within(1e-12));
    assertThat(few.suites().get("synthetic").metrics().get(Metric.WRONG_ARITHMETIC).tolerance())
        .isZero();
    assertThat(few.suites().get("synthetic").metrics().get(Metric.TOKENS))
        .isEqualTo(shipped.suites().get("synthetic").metrics().get(Metric.TOKENS));
  }

  @Test
  void aSlowerCandidateIsRefused() throws IOException {
    Gate.Verdict verdict =
        judge(
            List.of(measure("target", i -> i < 50, 2, 10), measure("skills", i -> i < 90)),
            List.of(measure("target", i -> i < 70, 2, 16), measure("skills", i -> i < 90)));
    assertThat(verdict.refusal())
        .isEqualTo("target: tokens per analysis: 1.6000 times the champion's, may be 1.5000 times");
  }

  @Test
  void aMisspelledRuleIsAnErrorThatNamesTheFile() throws IOException {
    Path file = directory.resolve("gates.yaml");
    Files.writeString(file, "suites: {target: {metrics: {execution_accuracy: {improvment: 0}}}}");
    assertThatThrownBy(() -> GateRules.read(file))
        .isInstanceOf(ImprovementException.class)
        .hasMessageContaining("gates.yaml")
        .hasMessageContaining("improvment");
    Files.writeString(file, "suites: {}");
    assertThatThrownBy(() -> GateRules.read(file)).hasMessageContaining("no rules");
  }

  @Test
  void theRulesThatShipAreReadable() {
    assertThat(GateRules.bundled().suiteNames())
        .containsExactly("blind", "house-rule", "synthetic", "validated");
  }

  @Test
  void whatItCostsToServeIsJudgedAndWhatWasNotMeasuredRefuses() throws IOException {
    String rules = RULES + "serving: {slowdown: 1.5, adapterShare: 0.25}\n";
    List<Measurement> champions =
        List.of(measure("target", i -> i < 50), measure("skills", i -> i < 90));
    List<Measurement> candidates =
        List.of(measure("target", i -> i < 70), measure("skills", i -> i < 90));
    assertThat(gate(rules).judge(champions, candidates, cost(1.49, 25)).passed()).isTrue();
    assertThat(gate(rules).judge(champions, candidates, cost(1.51, 25)).refusal())
        .isEqualTo("serving: seconds a token: 1.5100 times the champion's, may be 1.5000 times");
    assertThat(gate(rules).judge(champions, candidates, cost(1, 26)).refusal())
        .isEqualTo(
            "serving: memory: the adapter is 0.2600 of the base model's weights, may be 0.2500");
    assertThat(gate(rules).judge(champions, candidates, cost(Double.NaN, 25)).refusal())
        .isEqualTo("serving: seconds a token: were not measured");
    assertThat(gate(rules).judge(champions, candidates).passed()).isFalse();
  }

  @Test
  void aRegressionOfOneIssuerIsFoundBehindABetterAverage() throws IOException {
    String rules =
        RULES
            .replace(
                "minimumProblems: 10}",
                "minimumProblems: 10}\n    issuers: {tolerance: 0.2, minimumProblems: 10}")
            .replace("slices: {tolerance: 0.1", "slices: {tolerance: 1");
    // Of the first issuer's ten problems five were right, and two are; the others gain.
    issuers = 10;
    Gate.Verdict verdict =
        gate(rules)
            .judge(
                List.of(measure("target", i -> i < 50), measure("skills", i -> i < 90)),
                List.of(
                    measure("target", i -> i < 80 && i % 10 != 0 || i == 30 || i == 40),
                    measure("skills", i -> i < 90)));
    assertThat(verdict.refusal())
        .isEqualTo("target: issuer g0: execution accuracy -0.3000, may lose 0.2000");
  }

  private static ServingCost cost(double slowdown, long adapterBytes) {
    return new ServingCost(slowdown, 0.01, 0.01 * slowdown, adapterBytes, 100);
  }

  private Gate gate(String rules) throws IOException {
    Path file = directory.resolve("rules.yaml");
    Files.writeString(file, rules);
    return new Gate(GateRules.read(file));
  }

  private Gate.Verdict judge(List<Measurement> champions, List<Measurement> candidates)
      throws IOException {
    Path file = directory.resolve("gates.yaml");
    Files.writeString(file, RULES);
    return new Gate(GateRules.read(file)).judge(champions, candidates);
  }

  private static Measurement measure(String suite, IntPredicate right) {
    return measure(suite, right, 2, 10);
  }

  private static Measurement measure(String suite, IntPredicate right, int cited, int tokens) {
    List<Problem> problems = new ArrayList<>();
    List<Grade> grades = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      String slice = i % 2 == 0 ? "even" : "odd";
      Gold gold = new Gold.Number(BigDecimal.ONE, "", "");
      Evidence evidence = new Evidence("t" + i, "q", List.of(), List.of());
      problems.add(
          new Problem("p" + i, "g" + i % issuers, slice, evidence, gold, null, Support.UNKNOWN));
      grades.add(
          new Grade(
              "p" + i,
              "g" + i % issuers,
              slice,
              "1",
              "1",
              true,
              right.test(i),
              false,
              false,
              true,
              cited,
              cited,
              cited + 1,
              0,
              0,
              0,
              0,
              0,
              false,
              0.5,
              0.5,
              tokens,
              0.1,
              null));
    }
    return Measurement.of(Suite.of(suite, problems), "model", grades);
  }
}
