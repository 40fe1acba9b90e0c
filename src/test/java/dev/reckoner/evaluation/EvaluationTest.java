package dev.reckoner.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.reckoner.corpus.Gold;
import dev.reckoner.corpus.Problem;
import dev.reckoner.corpus.Support;
import dev.reckoner.evaluation.Solver.Solution;
import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.ChainSyntaxException;
import dev.reckoner.reasoning.Evidence;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class EvaluationTest {

  private static final Evidence EVIDENCE =
      new Evidence(
          "Acme, 2023",
          "What is the growth of sales?",
          List.of(
              new Evidence.Table(
                  "USD million",
                  List.of(
                      List.of("", "2023", "2022"),
                      List.of("Net sales", "1,200", "1,000"),
                      List.of("Costs", "300", "250")))),
          List.of());

  private static final String GROWTH =
      """
      cite a = 1,200 USD million @ r1c1
      cite b = 1,000 USD million @ r1c2
      compute c = (a - b) / b as %% = %s
      conclude c = %s\
      """;

  @ParameterizedTest
  @CsvSource({
    // gold, unit, scale, answer, right
    "20.96, %, '', 20.9632 %, true", // the gold answer is rounded
    "20.96, %, '', 20.97 %, false",
    "20.96, %, '', 2096.32 bps, true", // one answer in another ratio unit
    "20.96, %, '', 0.209632, true",
    "20.96, %, '', -20.9632 %, false", // the sign counts
    "20.96, %, '', 20.9632, false", // 2096 percent
    "1715, '', million, '1,715 USD million', true",
    "1715, '', million, 1.715 USD billion, true",
    "1715, '', million, '1,715', true", // no scale stated: read in the gold figure's
    "1715, '', million, '1,715 USD thousand', false",
    "1715, '', '', '1,715 USD million', true", // the data set does not say the scale
    "0.20963, '', '', 20.9632 %, true", // nor whether it is a ratio
    "12, '', '', 12.4, false", // a whole number is not taken as rounded
    "12.4, '', '', 12.44, true",
  })
  void anAnswerIsRightWithinTheGoldFiguresRounding(
      String gold, String unit, String scale, String answer, boolean right) {
    assertThat(grade(new Gold.Number(new BigDecimal(gold), unit, scale), answer).correct())
        .isEqualTo(right);
  }

  @ParameterizedTest
  @CsvSource({
    "1715, million, '1,715 USD thousand', true",
    "1715, '', 1715000, true",
    "1715, million, '1,716 USD million', false",
  })
  void aSlipOfThePowerOfTenIsToldFromAWrongNumber(
      String gold, String scale, String answer, boolean slip) {
    Grade grade = grade(new Gold.Number(new BigDecimal(gold), "", scale), answer);
    assertThat(grade.correct()).isFalse();
    assertThat(grade.scaleSlip()).isEqualTo(slip);
  }

  @Test
  void sayingThatThePageDoesNotSayIsRightOnlyWhereItDoesNot() {
    Solution abstains = solution("conclude not stated");
    Grade right = new Grader().grade(problem("p", new Gold.Unanswerable()), abstains);
    assertThat(right.correct()).isTrue();
    assertThat(right.abstained()).isTrue();
    Grade wrong = new Grader().grade(problem("p", percent("20")), abstains);
    assertThat(wrong.correct()).isFalse();
    assertThat(wrong.abstained()).isTrue();
  }

  @Test
  void yesAndNoAreGradedAndLongerWordsAreRefused() {
    Problem yes = problem("p", new Gold.Text(List.of("Yes")));
    assertThat(new Grader().grade(yes, solution("conclude yes")).correct()).isTrue();
    assertThat(new Grader().grade(yes, solution("conclude no")).correct()).isFalse();
    Problem spans = problem("q", new Gold.Text(List.of("net sales")));
    assertThat(Grader.gradable(spans)).isFalse();
    assertThatThrownBy(() -> Suite.of("s", List.of(spans)))
        .hasMessage("suite s: q has no answer that can be graded");
  }

  @Test
  void verdictsAreCountedByKind() {
    Solution invented =
        solution(
            """
            cite a = 1,200 USD million @ r1c1
            cite b = 1,100 USD million @ r1c2
            compute c = (a - b) / b as % = 9.5 %
            conclude c = 9.5 %\
            """);
    Grade grade = new Grader().grade(problem("p", percent("20")), invented);
    assertThat(grade.cited()).isEqualTo(2);
    assertThat(grade.grounded()).isEqualTo(1);
    assertThat(grade.figures()).isEqualTo(3);
    assertThat(grade.wrongFigures()).isEqualTo(2);
    assertThat(grade.wrongArithmetic()).isEqualTo(1);
    assertThat(grade.verified()).isFalse();

    Grade clean =
        new Grader().grade(problem("p", percent("20")), solution(GROWTH.formatted("20 %", "20 %")));
    assertThat(clean.verified()).isTrue();
    assertThat(clean.wrongFigures()).isZero();
    assertThat(clean.correct()).isTrue();
  }

  @ParameterizedTest
  @CsvSource({
    // expression over a = 1,200 (r1c1), b = 1,000 (r1c2), c = 300 (r2c1); right, gold steps found
    "(a - b) / b as %, true, 3",
    "(a / b - 1) as %, true, 3", // another way to the same
    "(a - b) / b, true, 3", // as a ratio
    "a / b - 1, true, 3",
    "(b - a) / b as %, false, 2", // the wrong sign
    "(a - b) / a as %, false, 2",
    "(a - c) / c as %, false, 2", // another figure
    "1 / 5 as %, false, 2", // right here, and for no other figures
  })
  void aProgramIsRightIfItComesToTheSameOfAnyFigures(String expression, boolean right, int found)
      throws Exception {
    Chain gold = Chain.parse(GROWTH.formatted("20 %", "20 %"));
    Chain answer =
        Chain.parse(
            dev.reckoner.reasoning.Recalculation.of(
                """
                cite a = 1,200 USD million @ r1c1
                cite b = 1,000 USD million @ r1c2
                cite c = 300 USD million @ r2c1
                compute d = %s
                conclude d\
                """
                    .formatted(expression)));
    Grade grade =
        new Grader()
            .grade(
                problem("p", percent("20")),
                gold,
                new Solution(answer, null, 0.9, 7, Duration.ofMillis(20)));
    assertThat(grade.goldSteps()).isEqualTo(3);
    assertThat(grade.programRight()).isEqualTo(right);
    assertThat(grade.goldStepsFound()).isEqualTo(found);
  }

  @Test
  void programsAreComparedWhereAGoldChainIsKnownAndNowhereElse() throws Exception {
    Suite plain = suite(40);
    Chain gold = Chain.parse(GROWTH.formatted("20 %", "20 %"));
    Suite known = Suite.of("test", plain.problems(), Map.of("p0", gold, "p30", gold));
    assertThat(known.version()).isEqualTo(plain.version());
    Evaluator evaluator = new Evaluator(2);
    Measurement m = evaluator.measure(known, "m", solverRightBelow(20), done -> {});
    assertThat(m.metric(Metric.PROGRAM_ACCURACY).estimate()).isEqualTo(0.5);
    // The second has both figures and another quotient.
    assertThat(m.metric(Metric.STEP_ACCURACY).estimate()).isEqualTo(5 / 6.0);
    assertThat(
            evaluator
                .measure(plain, "m", solverRightBelow(20), done -> {})
                .metric(Metric.PROGRAM_ACCURACY)
                .defined())
        .isFalse();
  }

  @Test
  void abstentionHasPrecisionAndRecall() throws InterruptedException {
    // Every fifth of 40 has no answer. Abstains on the first 20: four of them rightly.
    Solver shy =
        evidence ->
            Integer.parseInt(evidence.title().substring(1)) < 20
                ? solution("conclude not stated")
                : solution(GROWTH.formatted("20 %", "20 %"));
    Measurement m = new Evaluator(2).measure(suite(40), "m", shy, done -> {});
    assertThat(m.metric(Metric.ABSTENTION).estimate()).isEqualTo(4 / 8.0);
    assertThat(m.metric(Metric.ABSTENTION_PRECISION).estimate()).isEqualTo(4 / 20.0);
    assertThat(m.metric(Metric.FALSE_ABSTENTION).estimate()).isEqualTo(16 / 32.0);
  }

  @Test
  void aMeasurementSeparatesWhatHasAnAnswerFromWhatHasNone() throws InterruptedException {
    Suite suite = suite(40);
    // Right on the first half of the answerable ones, never abstains.
    Measurement m = new Evaluator(4).measure(suite, "m", solverRightBelow(20), done -> {});
    assertThat(m.metric(Metric.EXECUTION_ACCURACY).estimate()).isEqualTo(16 / 32.0);
    assertThat(m.metric(Metric.ABSTENTION).estimate()).isZero();
    assertThat(m.metric(Metric.VERIFIED_CHAINS).estimate()).isEqualTo(1);
    assertThat(m.metric(Metric.TOKENS).estimate()).isEqualTo(7);
    assertThat(m.grades()).extracting(Grade::problem).first().isEqualTo("p0");
  }

  @Test
  void aComparisonPairsByProblem() throws InterruptedException {
    Suite suite = suite(40);
    Evaluator evaluator = new Evaluator(2);
    Measurement weak = evaluator.measure(suite, "weak", solverRightBelow(10), done -> {});
    Measurement strong = evaluator.measure(suite, "strong", solverRightBelow(30), done -> {});
    Comparison comparison = Comparison.of(weak, strong);
    assertThat(comparison.mcNemar()).isEqualTo(McNemar.of(0, 16));
    Interval difference = comparison.difference(Metric.EXECUTION_ACCURACY);
    assertThat(difference.estimate()).isEqualTo(0.5);
    assertThat(difference.low()).isPositive();
    assertThatThrownBy(
            () ->
                Comparison.of(
                    weak, evaluator.measure(suite(39), "other", solverRightBelow(1), d -> {})))
        .hasMessageContaining("not the same suite");
  }

  @Test
  void aFailedAnalysisIsAWrongAnswerAndNoMoreThanThat() throws InterruptedException {
    Solver failing = evidence -> Solution.failed("out of tokens", 512, Duration.ofSeconds(1));
    Measurement m = new Evaluator(4).measure(suite(10), "m", failing, done -> {});
    assertThat(m.metric(Metric.EXECUTION_ACCURACY).estimate()).isZero();
    assertThat(m.metric(Metric.NO_CHAIN).estimate()).isEqualTo(1);
    assertThat(m.metric(Metric.GROUNDED_FIGURES).defined()).isFalse();
  }

  @Test
  void reportsSayUndefinedAndNotZero() throws InterruptedException {
    Solver failing = evidence -> Solution.failed("out of tokens", 512, Duration.ofSeconds(1));
    Measurement m = new Evaluator(4).measure(suite(10), "m", failing, done -> {});
    var json = EvaluationReport.json(List.of(m), List.of(), true);
    var metrics = json.at("/measurements/0/metrics");
    assertThat(metrics.at("/grounded_figures/estimate").isNull()).isTrue();
    assertThat(metrics.at("/execution_accuracy/estimate").doubleValue()).isZero();
    assertThat(json.at("/measurements/0/grades")).hasSize(10);
    String markdown = EvaluationReport.markdown(List.of(m, m), List.of(Comparison.of(m, m)));
    assertThat(markdown)
        .contains(
            "| execution accuracy | 0.0% [0.0, 0.0] | 0.0% [0.0, 0.0] | +0.00 [+0.00, +0.00] |")
        .doesNotContain("grounded figures");
  }

  @Test
  void aSuiteFileComesBackAsTheSameSuite(@TempDir Path directory) throws IOException {
    Suite suite = suite(12);
    Path file = directory.resolve("test.jsonl");
    SuiteFile.write(file, suite.problems());
    assertThat(SuiteFile.read(file)).isEqualTo(suite);
    Suite solved = SyntheticSuite.of("finance", 3, 12);
    SuiteFile.write(directory.resolve("synthetic.jsonl"), solved);
    assertThat(SuiteFile.read(directory.resolve("synthetic.jsonl"))).isEqualTo(solved);
    assertThat(solved.chains()).hasSize(12);
    Files.writeString(file, "\n{\"id\": 3}\n");
    assertThatThrownBy(() -> SuiteFile.read(file))
        .isInstanceOf(SuiteException.class)
        .hasMessage("suite test, line 2: a problem needs the text id");
  }

  private static Grade grade(Gold gold, String answer) {
    return new Grader().grade(problem("p", gold), solution(GROWTH.formatted(answer, answer)));
  }

  private static Gold percent(String value) {
    return new Gold.Number(new BigDecimal(value), "%", "");
  }

  private static Problem problem(String id, Gold gold) {
    Evidence named = new Evidence(id, EVIDENCE.question(), EVIDENCE.tables(), EVIDENCE.sentences());
    return new Problem(id, "group of " + id, "test", named, gold, null, Support.UNKNOWN);
  }

  /** Every fifth problem has no answer. */
  private static Suite suite(int problems) {
    List<Problem> all = new ArrayList<>();
    for (int i = 0; i < problems; i++) {
      all.add(problem("p" + i, i % 5 == 4 ? new Gold.Unanswerable() : percent("20")));
    }
    return Suite.of("test", all);
  }

  /** Computes growth right where the problem's number is below {@code n}, else the inverse. */
  private static Solver solverRightBelow(int n) {
    Map<Boolean, Solution> solutions =
        Map.of(
            true,
            solution(GROWTH.formatted("20 %", "20 %")),
            false,
            solution(GROWTH.replace("/ b", "/ a").formatted("16.6667 %", "16.6667 %")));
    return evidence -> solutions.get(Integer.parseInt(evidence.title().substring(1)) < n);
  }

  private static Solution solution(String chain) {
    try {
      return new Solution(Chain.parse(chain), null, 0.9, 7, Duration.ofMillis(20));
    } catch (ChainSyntaxException e) {
      throw new AssertionError(e);
    }
  }
}
