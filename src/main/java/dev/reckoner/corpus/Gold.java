package dev.reckoner.corpus;

import java.math.BigDecimal;
import java.util.List;

/** The right answer to a {@link Problem}. */
public sealed interface Gold {

  /**
   * A figure.
   *
   * @param value the figure as the data set states it; for {@code unit} "%" in percent (20.96, not
   *     0.2096)
   * @param unit "%" where the answer is known to be a percentage, else "" (an amount or a plain
   *     ratio: FinQA does not tell which)
   * @param scale "thousand", "million", "billion", or "" where the data set does not say
   */
  record Number(BigDecimal value, String unit, String scale) implements Gold {}

  /** Words: "yes", "no", or spans of the page, in any order. */
  record Text(List<String> spans) implements Gold {

    public Text {
      spans = List.copyOf(spans);
    }
  }

  /** The page does not say. */
  record Unanswerable() implements Gold {}
}
