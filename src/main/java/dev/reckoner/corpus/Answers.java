package dev.reckoner.corpus;

import dev.reckoner.reasoning.Figure;
import dev.reckoner.reasoning.Outcome;
import dev.reckoner.reasoning.Scale;
import dev.reckoner.reasoning.Unit;
import java.math.BigDecimal;
import java.util.List;
import java.util.Locale;

/**
 * Whether an answer is the right one.
 *
 * <p>A figure is right if it differs from the gold figure by no more than the larger of half a unit
 * in the gold figure's last decimal (data sets publish rounded answers) and 0.01% of it. The sign
 * counts. What is compared:
 *
 * <ul>
 *   <li>gold in percent: percent, so that 20.96 %, 2096 bps and the ratio 0.2096 are one answer;
 *   <li>gold with a scale: the number with its scale applied; an answer without unit and scale is
 *       read in the gold figure's scale;
 *   <li>gold without unit and scale (FinQA does not say): the digits as written, or the plain
 *       number behind them.
 * </ul>
 */
public final class Answers {

  private static final BigDecimal RELATIVE = new BigDecimal("0.0001");
  private static final BigDecimal HALF = new BigDecimal("0.5");

  private Answers() {}

  /**
   * Whether an answer is right, as answers are graded.
   *
   * @param answer what a chain concludes, or {@code null} for no conclusion
   */
  public static boolean right(Gold gold, Outcome answer) {
    return switch (gold) {
      case Gold.Unanswerable _ -> answer == Outcome.Word.NOT_STATED;
      case Gold.Text(List<String> spans) ->
          answer != null
              && spans.size() == 1
              && spans.getFirst().strip().toLowerCase(Locale.ROOT).equals(answer.text());
      case Gold.Number number -> answer instanceof Figure figure && right(number, figure);
    };
  }

  /**
   * Whether a chain that reaches an answer by the annotators' own program may be learned: where the
   * answer is right, and also where its digits are and the page does not show the unit or scale
   * that the annotators knew of (a ratio that they call percent, a table in thousands that does not
   * say so).
   *
   * @param answer what a chain concludes, or {@code null} for no conclusion
   */
  public static boolean matches(Gold gold, Outcome answer) {
    return right(gold, answer)
        || gold instanceof Gold.Number number
            && answer instanceof Figure figure
            && figure.scale() == Scale.UNITS
            && (figure.unit() == Unit.NONE || !number.unit().equals("%"))
            && sameDigits(number, figure);
  }

  private static boolean right(Gold.Number gold, Figure answer) {
    if (gold.unit().equals("%")) {
      return within(answer.absolute().movePointRight(2), gold.value(), tolerance(gold));
    }
    if (!gold.scale().isEmpty()) {
      BigDecimal factor = Scale.parse(gold.scale()).factor();
      BigDecimal plain =
          answer.scale() == Scale.UNITS && answer.unit() == Unit.NONE
              ? answer.value().multiply(factor)
              : answer.absolute();
      return within(plain, gold.value().multiply(factor), tolerance(gold).multiply(factor));
    }
    return sameDigits(gold, answer) || within(answer.absolute(), gold.value(), tolerance(gold));
  }

  /** Whether the figure has the gold figure's digits, whatever the unit and scale of either. */
  public static boolean sameDigits(Gold.Number gold, Figure answer) {
    return within(answer.value(), gold.value(), tolerance(gold));
  }

  /** Whether a wrong answer is the right one but for a power of ten, or for the scale it states. */
  public static boolean offByPowerOfTen(Gold.Number gold, Figure answer) {
    if (gold.value().signum() == 0 || answer.value().signum() == 0) {
      return false;
    }
    for (int power = -12; power <= 12; power++) {
      BigDecimal shifted = gold.value().scaleByPowerOfTen(power);
      if (power != 0 && within(answer.value(), shifted, shifted.abs().multiply(RELATIVE))) {
        return true;
      }
    }
    return sameDigits(gold, answer);
  }

  private static BigDecimal tolerance(Gold.Number gold) {
    BigDecimal relative = gold.value().abs().multiply(RELATIVE);
    int decimals = gold.value().scale();
    return decimals > 0 ? relative.max(HALF.scaleByPowerOfTen(-decimals)) : relative;
  }

  private static boolean within(BigDecimal a, BigDecimal b, BigDecimal tolerance) {
    return a.subtract(b).abs().compareTo(tolerance) <= 0;
  }
}
