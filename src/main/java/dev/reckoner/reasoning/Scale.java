package dev.reckoner.reasoning;

import java.math.BigDecimal;

/** The power of ten that a figure is stated in. */
public enum Scale {
  UNITS("units", 0),
  THOUSAND("thousand", 3),
  MILLION("million", 6),
  BILLION("billion", 9),
  TRILLION("trillion", 12);

  private final String text;
  private final int exponent;

  Scale(String text, int exponent) {
    this.text = text;
    this.exponent = exponent;
  }

  /** The word for it, for example {@code million}; {@code units} where nothing is scaled. */
  public String text() {
    return text;
  }

  /** The power of ten: 6 for millions. */
  public int exponent() {
    return exponent;
  }

  /** What a figure of this scale is multiplied by: 1000000 for millions. */
  public BigDecimal factor() {
    return BigDecimal.ONE.scaleByPowerOfTen(exponent);
  }

  /**
   * The scale of that name.
   *
   * @throws IllegalArgumentException where there is none
   */
  public static Scale parse(String text) {
    for (Scale scale : values()) {
      if (scale.text.equals(text)) {
        return scale;
      }
    }
    throw new IllegalArgumentException("not a scale: " + text);
  }
}
