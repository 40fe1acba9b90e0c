package dev.reckoner.evaluation;

import dev.reckoner.corpus.Gold;
import dev.reckoner.corpus.Problem;
import dev.reckoner.evaluation.Solver.Solution;
import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.Figure;
import dev.reckoner.reasoning.Outcome;
import dev.reckoner.reasoning.Scale;
import dev.reckoner.reasoning.Step;
import dev.reckoner.reasoning.Verdict;
import dev.reckoner.reasoning.Verifier;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.List;
import java.util.Locale;

/**
 * Compares an answer with the gold answer, and counts what the verifier says of its steps.
 *
 * <p><b>Execution accuracy.</b> A figure is right if it differs from the gold figure by no more
 * than the larger of half a unit in the gold figure's last decimal (data sets publish rounded
 * answers) and 0.01% of it. The sign counts. What is compared:
 *
 * <ul>
 *   <li>gold in percent: percent, so that 20.96 %, 2096 bps and the ratio 0.2096 are one answer;
 *   <li>gold with a scale: the number with its scale applied; an answer without unit and scale is
 *       read in the gold figure's scale;
 *   <li>gold without unit and scale (FinQA does not say): the digits as written, or the plain
 *       number behind them.
 * </ul>
 */
public final class Grader {

  private static final BigDecimal RELATIVE = new BigDecimal("0.0001");
  private static final BigDecimal HUNDRED = new BigDecimal(100);

  private final Verifier verifier = new Verifier();

  /** The grade of a solution to a problem without a gold chain. */
  public Grade grade(Problem problem, Solution solution) {
    return grade(problem, null, solution);
  }

  /**
   * The grade of a solution.
   *
   * @param goldChain what its steps are compared with; {@code null} where there is none
   */
  public Grade grade(Problem problem, Chain goldChain, Solution solution) {
    Gold gold = problem.gold();
    Chain chain = solution.chain();
    Outcome answer =
        chain == null ? null : chain.conclusion().map(Step.Conclude::answer).orElse(null);
    boolean correct = answer != null && correct(gold, answer);
    int cited = 0;
    int grounded = 0;
    int figures = 0;
    int wrong = 0;
    int unitErrors = 0;
    int wrongArithmetic = 0;
    boolean verified = answer != null;
    if (chain != null) {
      List<Verdict> verdicts = verifier.verify(problem.evidence(), chain);
      for (int i = 0; i < verdicts.size(); i++) {
        Verdict verdict = verdicts.get(i);
        Step step = chain.steps().get(i);
        verified &= verdict.passed();
        unitErrors += verdict.kind() == Verdict.Kind.WRONG_UNIT_OR_SCALE ? 1 : 0;
        wrongArithmetic += verdict.kind() == Verdict.Kind.WRONG_ARITHMETIC ? 1 : 0;
        if (step instanceof Step.Cite) {
          cited++;
          grounded += verdict.passed() ? 1 : 0;
        }
        if (step instanceof Step.Cite || step instanceof Step.Compute) {
          figures++;
          wrong += verdict.passed() ? 0 : 1;
        }
      }
    }
    Derivation wanted = goldChain == null ? null : Derivation.of(goldChain);
    Derivation found = wanted == null || chain == null ? null : Derivation.of(chain);
    return new Grade(
        problem.id(),
        problem.group(),
        problem.origin(),
        answer == null ? "" : answer.text(),
        text(gold),
        !(gold instanceof Gold.Unanswerable),
        correct,
        answer == Outcome.Word.NOT_STATED,
        !correct
            && gold instanceof Gold.Number number
            && answer instanceof Figure figure
            && offByPowerOfTen(number, figure),
        verified,
        cited,
        grounded,
        figures,
        wrong,
        unitErrors,
        wrongArithmetic,
        wanted == null ? 0 : wanted.size(),
        found == null ? 0 : wanted.foundIn(found),
        found != null && answer != null && wanted.concludesAs(found),
        solution.confidence(),
        solution.certainty(),
        solution.tokens(),
        solution.took().toNanos() / 1e9,
        solution.failure());
  }

  /** Whether this class can tell right from wrong for the problem. */
  public static boolean gradable(Problem problem) {
    return switch (problem.gold()) {
      case null -> false;
      case Gold.Text(List<String> spans) -> spans.size() == 1 && word(spans.getFirst()) != null;
      case Gold.Number _, Gold.Unanswerable _ -> true;
    };
  }

  private static boolean correct(Gold gold, Outcome answer) {
    return switch (gold) {
      case Gold.Unanswerable _ -> answer == Outcome.Word.NOT_STATED;
      case Gold.Text(List<String> spans) -> answer == word(spans.getFirst());
      case Gold.Number number -> answer instanceof Figure figure && correct(number, figure);
    };
  }

  private static boolean correct(Gold.Number gold, Figure answer) {
    BigDecimal tolerance = tolerance(gold.value());
    if (gold.unit().equals("%")) {
      return within(answer.absolute().multiply(HUNDRED), gold.value(), tolerance);
    }
    if (!gold.scale().isEmpty()) {
      BigDecimal factor = Scale.parse(gold.scale()).factor();
      BigDecimal plain =
          answer.scale() == Scale.UNITS && answer.unit().text().isEmpty()
              ? answer.value().multiply(factor)
              : answer.absolute();
      return within(plain, gold.value().multiply(factor), tolerance.multiply(factor));
    }
    return within(answer.value(), gold.value(), tolerance)
        || within(answer.absolute(), gold.value(), tolerance);
  }

  private static boolean offByPowerOfTen(Gold.Number gold, Figure answer) {
    if (gold.value().signum() == 0 || answer.value().signum() == 0) {
      return false;
    }
    for (int power = -12; power <= 12; power++) {
      BigDecimal shifted = gold.value().scaleByPowerOfTen(power);
      if (power != 0 && within(answer.value(), shifted, shifted.abs().multiply(RELATIVE))) {
        return true;
      }
    }
    // The digits are right and the scale that was stated with them is not.
    return within(answer.value(), gold.value(), tolerance(gold.value()));
  }

  private static BigDecimal tolerance(BigDecimal gold) {
    BigDecimal relative = gold.abs().multiply(RELATIVE);
    return gold.scale() > 0
        ? relative.max(new BigDecimal("0.5").scaleByPowerOfTen(-gold.scale()))
        : relative;
  }

  private static boolean within(BigDecimal a, BigDecimal b, BigDecimal tolerance) {
    return a.subtract(b).abs().compareTo(tolerance) <= 0;
  }

  private static Outcome.Word word(String text) {
    return switch (text.strip().toLowerCase(Locale.ROOT)) {
      case "yes" -> Outcome.Word.YES;
      case "no" -> Outcome.Word.NO;
      default -> null;
    };
  }

  private static String text(Gold gold) {
    return switch (gold) {
      case Gold.Unanswerable _ -> Outcome.Word.NOT_STATED.text();
      case Gold.Text(List<String> spans) -> String.join("; ", spans);
      case Gold.Number(BigDecimal value, String unit, String scale) ->
          String.join(
                  " ",
                  value
                      .setScale(Math.max(0, value.scale()), RoundingMode.UNNECESSARY)
                      .toPlainString(),
                  unit,
                  scale)
              .strip();
    };
  }
}
