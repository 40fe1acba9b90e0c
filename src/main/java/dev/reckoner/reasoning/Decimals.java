package dev.reckoner.reasoning;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;

/** Decimal arithmetic within bounds: no doubles, and no result that could fill the memory. */
final class Decimals {

  /** Digits that intermediate results carry. */
  static final MathContext CONTEXT = new MathContext(40, RoundingMode.HALF_EVEN);

  private static final MathContext SERIES = new MathContext(52, RoundingMode.HALF_EVEN);
  private static final BigDecimal LIMIT = new BigDecimal("1e24");
  private static final BigDecimal TWO = BigDecimal.valueOf(2);
  private static final int MAX_EXPONENT = 200;

  private Decimals() {}

  /** {@code null} where the value is beyond what a chain may hold: 10^24 in magnitude. */
  static BigDecimal bounded(BigDecimal value) {
    return value == null || value.abs().compareTo(LIMIT) >= 0 ? null : value;
  }

  /** The quotient to {@link #CONTEXT}; {@code null} for a division by zero. */
  static BigDecimal divide(BigDecimal dividend, BigDecimal divisor) {
    return divisor.signum() == 0 ? null : dividend.divide(divisor, CONTEXT);
  }

  /**
   * {@code base} to the power of {@code exponent}; {@code null} where there is no real number or
   * where the exponent is beyond 200 in magnitude.
   */
  static BigDecimal power(BigDecimal base, BigDecimal exponent) {
    if (exponent.abs().compareTo(BigDecimal.valueOf(MAX_EXPONENT)) > 0) {
      return null;
    }
    BigDecimal whole = exponent.stripTrailingZeros();
    if (whole.scale() <= 0) {
      int n = whole.intValueExact();
      if (base.signum() == 0) {
        return n > 0 ? BigDecimal.ZERO : null;
      }
      // The context's own pow refuses nothing here, but may run out of exponent range first.
      if (Math.abs((long) n * (base.precision() - base.scale())) > 4000L) {
        return null;
      }
      return base.pow(n, CONTEXT);
    }
    if (base.signum() <= 0) {
      return base.signum() == 0 && exponent.signum() > 0 ? BigDecimal.ZERO : null;
    }
    BigDecimal power = exponent.multiply(ln(base), SERIES);
    return power.abs().compareTo(BigDecimal.valueOf(120)) > 0 ? null : exp(power).round(CONTEXT);
  }

  /** Natural logarithm: roots until near 1, then 2·artanh((x−1)/(x+1)) as its series. */
  private static BigDecimal ln(BigDecimal value) {
    BigDecimal x = value;
    BigDecimal times = TWO;
    BigDecimal near = new BigDecimal("0.1");
    while (x.subtract(BigDecimal.ONE).abs().compareTo(near) > 0) {
      x = x.sqrt(SERIES);
      times = times.multiply(TWO);
    }
    BigDecimal z = x.subtract(BigDecimal.ONE).divide(x.add(BigDecimal.ONE), SERIES);
    BigDecimal square = z.multiply(z, SERIES);
    BigDecimal term = z;
    BigDecimal sum = BigDecimal.ZERO;
    for (int k = 1; k < 60 && term.signum() != 0; k += 2) {
      sum = sum.add(term.divide(BigDecimal.valueOf(k), SERIES), SERIES);
      term = term.multiply(square, SERIES);
    }
    return sum.multiply(times, SERIES);
  }

  /** e^x: the series at x/256, squared eight times. */
  private static BigDecimal exp(BigDecimal x) {
    BigDecimal small = x.divide(BigDecimal.valueOf(256), SERIES);
    BigDecimal term = BigDecimal.ONE;
    BigDecimal sum = BigDecimal.ONE;
    for (int k = 1; k < 50; k++) {
      term = term.multiply(small, SERIES).divide(BigDecimal.valueOf(k), SERIES);
      sum = sum.add(term, SERIES);
    }
    for (int i = 0; i < 8; i++) {
      sum = sum.multiply(sum, SERIES);
    }
    return sum;
  }

  /**
   * The digits of a result: every digit of the integer part, and as many decimals as make six
   * significant digits, at least two and at most ten; half-even, no trailing zeros, thousands
   * commas. So sums of published figures stay exact, and a ratio has six digits.
   */
  static String digits(BigDecimal value) {
    int integers = Math.max(value.precision() - value.scale(), -8);
    int decimals = Math.clamp(6 - integers, 2, 10);
    BigDecimal rounded = value.setScale(decimals, RoundingMode.HALF_EVEN).stripTrailingZeros();
    if (rounded.signum() == 0) {
      return "0";
    }
    return grouped(rounded);
  }

  /** Plain digits with thousands commas, every decimal kept. */
  static String grouped(BigDecimal value) {
    String plain = value.abs().toPlainString();
    int point = plain.indexOf('.') < 0 ? plain.length() : plain.indexOf('.');
    StringBuilder out = new StringBuilder(plain);
    for (int i = point - 3; i > 0; i -= 3) {
      out.insert(i, ',');
    }
    return value.signum() < 0 ? "-" + out : out.toString();
  }
}
