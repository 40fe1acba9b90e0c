package dev.reckoner.evaluation;

import dev.reckoner.evaluation.Bootstrap.Ratio;
import java.util.function.ToDoubleFunction;

/** What is measured: each a ratio of sums over grades. */
public enum Metric {
  /** Of the problems whose evidence has an answer: those answered right. */
  EXECUTION_ACCURACY(
      "execution accuracy", true, g -> is(g.answerable() && g.correct()), g -> is(g.answerable())),
  /** Of the problems with a gold chain: those where the chain computes the same of any figures. */
  PROGRAM_ACCURACY(
      "program accuracy",
      true,
      g -> is(g.goldSteps() > 0 && g.programRight()),
      g -> is(g.goldSteps() > 0)),
  /** Of the steps of gold chains that cite or compute: those that the chain has too. */
  STEP_ACCURACY("step accuracy", true, Grade::goldStepsFound, Grade::goldSteps),
  /** Chains that conclude and whose every step passed. */
  VERIFIED_CHAINS("fully verified chains", true, g -> is(g.verified()), g -> 1),
  /** Of the cited figures: those that are where the chain says. */
  GROUNDED_FIGURES("grounded figures", true, Grade::grounded, Grade::cited),
  /** Of the steps that state a figure: those that failed verification. */
  WRONG_FIGURES("wrong figures", false, Grade::wrongFigures, Grade::figures),
  /** Chains with a step of wrong unit or scale, or an answer off by a power of ten. */
  UNIT_ERRORS("unit or scale errors", false, g -> is(g.unitErrors() > 0 || g.scaleSlip()), g -> 1),
  /** Of the steps that state a figure: those that compute something else than they say. */
  WRONG_ARITHMETIC("wrong arithmetic", false, Grade::wrongArithmetic, Grade::figures),
  /** Of the problems whose evidence does not say: those where the chain says so. */
  ABSTENTION(
      "abstention on unanswerable",
      true,
      g -> is(!g.answerable() && g.abstained()),
      g -> is(!g.answerable())),
  /** Of the chains that say that the evidence does not say: those that are right to. */
  ABSTENTION_PRECISION(
      "precision of abstention",
      true,
      g -> is(!g.answerable() && g.abstained()),
      g -> is(g.abstained())),
  /** Of the problems whose evidence has an answer: those where the chain says that it does not. */
  FALSE_ABSTENTION(
      "abstention on answerable",
      false,
      g -> is(g.answerable() && g.abstained()),
      g -> is(g.answerable())),
  /** Analyses that did not get to a chain. */
  NO_CHAIN("no chain", false, g -> is(g.failure() != null), g -> 1),
  /** Mean generated tokens. */
  TOKENS("tokens per analysis", false, Grade::tokens, g -> 1),
  /** Mean seconds in the model. */
  SECONDS("seconds per analysis", false, Grade::seconds, g -> 1);

  private final String text;
  private final boolean moreIsBetter;
  private final Ratio<Grade> ratio;

  Metric(
      String text,
      boolean moreIsBetter,
      ToDoubleFunction<Grade> numerator,
      ToDoubleFunction<Grade> denominator) {
    this.text = text;
    this.moreIsBetter = moreIsBetter;
    this.ratio = new Ratio<>(numerator, denominator);
  }

  /** For a heading. */
  public String text() {
    return text;
  }

  public boolean moreIsBetter() {
    return moreIsBetter;
  }

  /** Whether it is a share of a whole, to be shown as a percentage. */
  public boolean share() {
    return this != TOKENS && this != SECONDS;
  }

  Ratio<Grade> ratio() {
    return ratio;
  }

  private static double is(boolean condition) {
    return condition ? 1 : 0;
  }
}
