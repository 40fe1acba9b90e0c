package dev.reckoner.evaluation;

import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.ChainSyntaxException;
import dev.reckoner.reasoning.Figure;
import dev.reckoner.reasoning.Outcome;
import dev.reckoner.reasoning.Recalculation;
import dev.reckoner.reasoning.Step;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * What a chain does with the figures it cites, apart from what they happen to be. Two derivations
 * are the same if they come to the same whatever the figures were: every figure is replaced by a
 * random one, the chain is computed again, and that is repeated (a test of polynomial identity,
 * Schwartz 1980; for two that differ to agree in all draws is as good as impossible). So {@code (a
 * - b) / b} and {@code a / b - 1} are one program, and an answer that is right by luck is not.
 *
 * <p>Equal figures of the evidence are one figure wherever they are cited, as in FinQA's program
 * accuracy, whose arguments are numbers and not places.
 */
final class Derivation {

  private static final int DRAWS = 12;
  private static final long SEED = 20_261_124L;

  /** Results are rounded to six digits, and two ways to compute round differently. */
  private static final double RELATIVE = 1e-3;

  /** What a step comes to in each draw: numbers, or 1 and 0 for yes and no; NaN for nothing. */
  private final List<double[]> steps;

  private final double[] conclusion;

  private Derivation(List<double[]> steps, double[] conclusion) {
    this.steps = steps;
    this.conclusion = conclusion;
  }

  /** The derivation of a chain. */
  static Derivation of(Chain chain) {
    List<double[]> steps = new ArrayList<>();
    for (Step step : chain.steps()) {
      if (step.name() != null) {
        steps.add(new double[DRAWS]);
      }
    }
    double[] conclusion = new double[DRAWS];
    for (int draw = 0; draw < DRAWS; draw++) {
      Chain drawn = drawn(chain, draw);
      int named = 0;
      for (Step step : drawn == null ? chain.steps() : drawn.steps()) {
        double value = drawn == null ? Double.NaN : value(step.outcome());
        if (step.name() != null) {
          steps.get(named++)[draw] = value;
        }
      }
      conclusion[draw] =
          drawn == null
              ? Double.NaN
              : drawn.conclusion().map(c -> value(c.answer())).orElse(Double.NaN);
    }
    return new Derivation(steps, conclusion);
  }

  /** The chain over other figures; {@code null} where it cannot be computed. */
  private static Chain drawn(Chain chain, int draw) {
    StringBuilder text = new StringBuilder();
    for (Step step : chain.steps()) {
      text.append(
              switch (step) {
                case Step.Cite cite ->
                    new Step.Cite(cite.name(), other(cite.figure(), draw), cite.place()).text();
                case Step.Compute compute ->
                    "compute " + compute.name() + " = " + compute.expression();
                case Step.Conclude c when c.of() != null -> "conclude " + c.of();
                case Step.Conclude c -> "conclude " + c.answer().text();
                case Step.Infer _ -> "";
              })
          .append('\n');
    }
    try {
      return Chain.parse(Recalculation.of(text.toString()));
    } catch (ChainSyntaxException e) {
      return null;
    }
  }

  /** Another number of the same unit, the same one for the same figure. */
  private static Figure other(Figure figure, int draw) {
    String key = figure.value().stripTrailingZeros().toPlainString();
    SplittableRandom random =
        new SplittableRandom(SEED + 31L * key.hashCode() + 7_919L * figure.unit().ordinal() + draw);
    // The first numbers of neighbouring seeds are alike.
    random.nextLong();
    BigDecimal number = BigDecimal.valueOf(random.nextInt(1_000, 99_999), 2);
    return new Figure(number.toPlainString(), figure.unit(), figure.scale());
  }

  private static double value(Outcome outcome) {
    return switch (outcome) {
      case null -> Double.NaN;
      case Figure figure -> figure.absolute().doubleValue();
      case Outcome.Word word ->
          switch (word) {
            case YES -> 1;
            case NO -> 0;
            default -> Double.NaN;
          };
    };
  }

  /** How many steps it has that cite or compute. */
  int size() {
    return steps.size();
  }

  /**
   * How many of its steps another derivation has as well, in whatever order and by whatever name.
   */
  int foundIn(Derivation other) {
    List<double[]> left = new ArrayList<>(other.steps);
    int found = 0;
    for (double[] step : steps) {
      for (int i = 0; i < left.size(); i++) {
        if (same(step, left.get(i))) {
          left.remove(i);
          found++;
          break;
        }
      }
    }
    return found;
  }

  /** Whether both conclude the same of any figures. */
  boolean concludesAs(Derivation other) {
    return same(conclusion, other.conclusion);
  }

  private static boolean same(double[] a, double[] b) {
    for (int i = 0; i < DRAWS; i++) {
      // A NaN is equal to nothing.
      if (!(Math.abs(a[i] - b[i]) <= RELATIVE * Math.max(Math.abs(a[i]), Math.abs(b[i])))) {
        return false;
      }
    }
    return true;
  }
}
