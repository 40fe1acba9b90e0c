package dev.reckoner.corpus;

import dev.reckoner.reasoning.Figure;
import dev.reckoner.reasoning.Outcome;
import dev.reckoner.reasoning.Scale;
import dev.reckoner.reasoning.Unit;
import java.math.BigDecimal;
import java.util.Locale;

/** Whether an answer is the right one. */
public final class Answers {

  private static final BigDecimal RELATIVE = new BigDecimal("0.0001");

  private Answers() {}

  /**
   * Compares as data sets do: a figure to the precision in which the gold answer is stated. 20.96 %
   * and the fraction 0.2096 are the same; where the gold answer names a scale, the answer is
   * converted to it.
   *
   * @param answer what a chain concludes, or {@code null} for no conclusion
   */
  public static boolean matches(Gold gold, Outcome answer) {
    return switch (gold) {
      case Gold.Unanswerable none -> answer == Outcome.Word.NOT_STATED;
      case Gold.Text text ->
          answer != null
              && text.spans().size() == 1
              && text.spans().getFirst().toLowerCase(Locale.ROOT).equals(answer.text());
      case Gold.Number number -> answer instanceof Figure figure && matches(number, figure);
    };
  }

  private static boolean matches(Gold.Number gold, Figure answer) {
    BigDecimal stated = answer.value();
    if (gold.unit().equals("%")) {
      BigDecimal percent =
          answer.unit() == Unit.PERCENT ? stated : answer.absolute().movePointRight(2);
      return near(percent, gold.value())
          || answer.unit() == Unit.NONE && near(stated, gold.value());
    }
    if (answer.unit() == Unit.PERCENT) {
      return near(stated.movePointLeft(2), gold.value()) || near(stated, gold.value());
    }
    if (!gold.scale().isEmpty() && answer.scale() != Scale.UNITS) {
      Scale scale = Scale.parse(gold.scale());
      return near(answer.absolute().movePointLeft(scale.exponent()), gold.value());
    }
    return near(stated, gold.value());
  }

  /** Equal up to half a unit of the gold figure's last decimal, or one part in 10,000. */
  private static boolean near(BigDecimal answer, BigDecimal gold) {
    BigDecimal last = BigDecimal.ONE.movePointLeft(Math.max(0, gold.scale()));
    BigDecimal decimal =
        gold.scale() <= 0 ? BigDecimal.ZERO : last.multiply(new BigDecimal("0.51"));
    BigDecimal allowed = decimal.max(gold.abs().multiply(RELATIVE));
    return answer.subtract(gold).abs().compareTo(allowed) <= 0;
  }
}
