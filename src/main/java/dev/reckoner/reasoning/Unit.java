package dev.reckoner.reasoning;

import java.math.BigDecimal;

/** What a figure counts. {@link #NONE} is a figure whose source states no unit. */
public enum Unit {
  NONE("", Kind.UNSTATED),
  PERCENT("%", Kind.RATIO),
  BASIS_POINTS("bps", Kind.RATIO),
  TIMES("x", Kind.RATIO),
  SHARES("shares", Kind.COUNT),
  USD("USD", Kind.CURRENCY),
  EUR("EUR", Kind.CURRENCY),
  GBP("GBP", Kind.CURRENCY),
  JPY("JPY", Kind.CURRENCY),
  CNY("CNY", Kind.CURRENCY),
  CHF("CHF", Kind.CURRENCY),
  CAD("CAD", Kind.CURRENCY),
  AUD("AUD", Kind.CURRENCY),
  NZD("NZD", Kind.CURRENCY),
  HKD("HKD", Kind.CURRENCY),
  SGD("SGD", Kind.CURRENCY),
  INR("INR", Kind.CURRENCY),
  KRW("KRW", Kind.CURRENCY),
  TWD("TWD", Kind.CURRENCY),
  SEK("SEK", Kind.CURRENCY),
  NOK("NOK", Kind.CURRENCY),
  DKK("DKK", Kind.CURRENCY),
  BRL("BRL", Kind.CURRENCY),
  MXN("MXN", Kind.CURRENCY),
  ZAR("ZAR", Kind.CURRENCY);

  /** What the unit algebra does with a unit. */
  public enum Kind {
    /** Nothing is stated. */
    UNSTATED,
    /** A share of one: percent, basis points, times. */
    RATIO,
    /** A number of things. */
    COUNT,
    /** Money. */
    CURRENCY
  }

  private final String text;
  private final Kind kind;

  Unit(String text, Kind kind) {
    this.text = text;
    this.kind = kind;
  }

  /** How a chain writes it, for example {@code USD} or {@code %}; empty for {@link #NONE}. */
  public String text() {
    return text;
  }

  public Kind kind() {
    return kind;
  }

  /** What one of it is worth as a plain number: 0.01 for a percent, 1 for all but ratios. */
  BigDecimal factor() {
    return switch (this) {
      case PERCENT -> new BigDecimal("0.01");
      case BASIS_POINTS -> new BigDecimal("0.0001");
      default -> BigDecimal.ONE;
    };
  }

  /**
   * The unit that a chain writes so.
   *
   * @throws IllegalArgumentException where there is none
   */
  public static Unit parse(String text) {
    for (Unit unit : values()) {
      if (unit.text.equals(text)) {
        return unit;
      }
    }
    throw new IllegalArgumentException("not a unit: " + text);
  }
}
