package dev.reckoner.corpus;

import java.math.BigDecimal;
import java.util.List;
import java.util.Locale;

/**
 * Figures of a synthetic company before they are laid out as a page: series over periods.
 *
 * @param shape what it is, by which question families choose: {@code statement}, {@code breakdown},
 *     {@code earnings}, {@code rating}, {@code price}, {@code comparison}, {@code index}, {@code
 *     text}
 * @param title the title of the page
 * @param series the series; in a breakdown the last is the total of the others
 * @param periods the periods in order of time, or the issuers of a comparison
 * @param scale the power of ten that money is stated in: "", "thousand", "million", "billion"
 */
record Grid(String shape, String title, List<Series> series, List<Period> periods, String scale) {

  /**
   * @param role its role in the vocabulary; {@code part}, {@code total}, {@code generic}, or a role
   * @param label how the table names it
   * @param call how a question names it
   * @param good whether more of it is good (1), bad (-1) or neither (0)
   * @param values one value a period, as published; {@code null} where there is none
   * @param consensus what analysts expected of the last period, or {@code null}
   */
  record Series(
      String role,
      String label,
      String call,
      SyntheticPack.Kind kind,
      int good,
      BigDecimal[] values,
      BigDecimal consensus) {

    boolean isA(String wanted) {
      boolean money = kind == SyntheticPack.Kind.MONEY;
      return switch (wanted) {
        case "any" -> kind != SyntheticPack.Kind.INDEX;
        case "money" -> money;
        case "number" -> money || kind == SyntheticPack.Kind.COUNT;
        case "percent" -> kind == SyntheticPack.Kind.PERCENT;
        case "perShare" -> kind == SyntheticPack.Kind.PER_SHARE;
        case "index" -> kind == SyntheticPack.Kind.INDEX;
        default -> List.of(wanted.split("\\|")).contains(role);
      };
    }
  }

  /**
   * @param header how the table heads it
   * @param call how a question names it
   */
  record Period(String header, String call) {}

  /** A label as it stands inside a sentence: its first letter small, unless it begins a name. */
  static String inSentence(String label) {
    boolean name = label.length() > 1 && !Character.isLowerCase(label.charAt(1));
    return name ? label : label.substring(0, 1).toLowerCase(Locale.ROOT) + label.substring(1);
  }
}
