package dev.reckoner.evaluation;

import dev.reckoner.corpus.Answers;
import dev.reckoner.corpus.Gold;
import dev.reckoner.corpus.Problem;
import dev.reckoner.evaluation.Solver.Solution;
import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.Figure;
import dev.reckoner.reasoning.Outcome;
import dev.reckoner.reasoning.Step;
import dev.reckoner.reasoning.Verdict;
import dev.reckoner.reasoning.Verifier;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.List;
import java.util.Locale;

/**
 * Compares an answer with the gold answer (execution accuracy, see {@link Answers#right}), and
 * counts what the verifier says of its steps.
 */
public final class Grader {

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
    boolean correct = answer != null && Answers.right(gold, answer);
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
            && Answers.offByPowerOfTen(number, figure),
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
