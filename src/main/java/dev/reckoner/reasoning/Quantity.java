package dev.reckoner.reasoning;

import java.math.BigDecimal;
import java.util.List;

/**
 * A number on its way through an expression, and the unit algebra.
 *
 * <p>The rules, in the order in which they are tried:
 *
 * <ul>
 *   <li><b>+ − compare</b>: the result has the unit and scale of the left side; the right side is
 *       converted (1.2 USD billion + 300 USD million = 1.5 USD billion). A figure whose source
 *       states no unit, and a constant, takes the unit and scale of the other side as they are;
 *       only beside a percentage is a constant a plain number (1 + 9.2 % = 109.2 %). Anything else
 *       (USD + EUR, USD + shares) is a unit problem.
 *   <li><b>×</b>: a ratio scales the other side and leaves its unit (200 USD million × 5 % = 10 USD
 *       million). Money × a count is money. Money × money is a unit problem.
 *   <li><b>÷</b>: like by like is a plain ratio, scales cancelled. By a ratio or a constant: the
 *       unit of the left side. Money by a count is money. Money by money of another currency is a
 *       plain rate. A figure without unit or scale is taken to be like the other side.
 *   <li><b>^</b>: of a ratio, a plain number; money to a power is a unit problem.
 * </ul>
 *
 * @param value in {@code unit} and {@code scale}
 * @param plain whether it is known to be a number without a unit: a constant, or a ratio of likes
 */
record Quantity(BigDecimal value, Unit unit, Scale scale, boolean plain) {

  /** A figure, with what is known of it beyond its text. */
  static Quantity of(Figure figure, boolean plain) {
    return new Quantity(
        figure.value(), figure.unit(), figure.scale(), plain && figure.unit() == Unit.NONE);
  }

  static Quantity plain(BigDecimal value) {
    return new Quantity(value, Unit.NONE, Scale.UNITS, true);
  }

  boolean isRatio() {
    return plain || unit.kind() == Unit.Kind.RATIO;
  }

  private boolean isUnstated() {
    return unit == Unit.NONE && !plain;
  }

  private boolean isMoney() {
    return unit.kind() == Unit.Kind.CURRENCY;
  }

  BigDecimal absolute() {
    return value.multiply(scale.factor()).multiply(unit.factor());
  }

  private Quantity withValue(BigDecimal changed) {
    return changed == null ? null : new Quantity(changed, unit, scale, plain);
  }

  /** An absolute value, in this quantity's unit and scale. */
  private BigDecimal inMyTerms(BigDecimal absolute) {
    return absolute.scaleByPowerOfTen(-scale.exponent()).divide(unit.factor(), Decimals.CONTEXT);
  }

  /** Whether it takes unit and scale from whatever it is added to or compared with. */
  private boolean yields() {
    return plain || (isUnstated() && scale == Scale.UNITS);
  }

  /** What a sum of both is stated in. */
  private Quantity frame(Quantity right) {
    if (isRatio() && right.isRatio()) {
      return unit == Unit.NONE && right.unit != Unit.NONE ? right : this;
    }
    if (yields()) {
      return right.plain ? this : right;
    }
    boolean takes = isUnstated() && !right.yields() && !right.isRatio();
    return takes ? new Quantity(value, right.unit, scale, false) : this;
  }

  /** This quantity's value in the terms of {@code frame}. */
  private BigDecimal valueIn(Quantity frame, String doing, List<String> problems) {
    if (isRatio() && frame.isRatio()) {
      return frame.inMyTerms(absolute());
    }
    if (yields()) {
      return value;
    }
    if (unit != frame.unit && (!isUnstated() || frame.unit.kind() == Unit.Kind.RATIO)) {
      problems.add(frame.describe() + " and " + describe() + " cannot be " + doing);
      return value;
    }
    return scale == frame.scale ? value : frame.inMyTerms(absolute());
  }

  Quantity plus(Quantity right, List<String> problems) {
    Quantity frame = frame(right);
    BigDecimal sum = valueIn(frame, "added", problems).add(right.valueIn(frame, "added", problems));
    return frame.withValue(sum).asSum(this, right);
  }

  Quantity minus(Quantity right, List<String> problems) {
    Quantity frame = frame(right);
    BigDecimal difference =
        valueIn(frame, "subtracted", problems)
            .subtract(right.valueIn(frame, "subtracted", problems));
    return frame.withValue(difference).asSum(this, right);
  }

  /** A sum is a known plain number only where both sides are. */
  private Quantity asSum(Quantity left, Quantity right) {
    return new Quantity(value, unit, scale, left.plain && right.plain);
  }

  int compare(Quantity right, List<String> problems) {
    Quantity frame = frame(right);
    return valueIn(frame, "compared", problems)
        .compareTo(right.valueIn(frame, "compared", problems));
  }

  Quantity times(Quantity right, List<String> problems) {
    if (isRatio() && right.isRatio()) {
      boolean leftLeads = unit != Unit.NONE || right.unit == Unit.NONE;
      Quantity lead = leftLeads ? this : right;
      Quantity other = leftLeads ? right : this;
      return lead.withValue(lead.value.multiply(other.absolute()));
    }
    if (right.isRatio()) {
      return withValue(value.multiply(right.absolute()));
    }
    if (isRatio()) {
      return right.withValue(right.value.multiply(absolute()));
    }
    if (isMoney() && right.isMoney()) {
      problems.add(describe() + " times " + right.describe() + " has no meaning");
      return withValue(value.multiply(right.value));
    }
    Unit result = isMoney() ? unit : right.isMoney() || isUnstated() ? right.unit : unit;
    return scaled(value.multiply(right.value), result, scale.exponent() + right.scale.exponent());
  }

  /** {@code null} where the divisor is zero. */
  Quantity over(Quantity right, List<String> problems) {
    if (right.value.signum() == 0) {
      return null;
    }
    if (right.isRatio() && !isRatio()) {
      return withValue(Decimals.divide(value, right.absolute()));
    }
    boolean rightUnsaid = right.isUnstated() && right.scale == Scale.UNITS && !plain;
    boolean leftUnsaid = isUnstated() && scale == Scale.UNITS;
    if (rightUnsaid || leftUnsaid) {
      return plain(Decimals.divide(value, right.value));
    }
    if (isMoney() && !right.isMoney() && !right.isRatio()) {
      BigDecimal each = Decimals.divide(value, right.value);
      int exponent = scale.exponent() - right.scale.exponent();
      return right.scale == Scale.UNITS
          ? withValue(each)
          : new Quantity(each.scaleByPowerOfTen(exponent), unit, Scale.UNITS, false);
    }
    return plain(Decimals.divide(absolute(), right.absolute()));
  }

  /** {@code null} where there is no such number. */
  Quantity power(Quantity exponent, List<String> problems) {
    if (isMoney() || unit == Unit.SHARES) {
      problems.add(describe() + " cannot be raised to a power");
    }
    if (!exponent.isRatio() && !exponent.isUnstated()) {
      problems.add(exponent.describe() + " cannot be an exponent");
    }
    BigDecimal base = isRatio() ? absolute() : value;
    BigDecimal result = Decimals.power(base, exponent.absolute());
    if (result == null) {
      return null;
    }
    return isRatio() ? plain(result) : withValue(result);
  }

  Quantity negated() {
    return withValue(value.negate());
  }

  private static Quantity scaled(BigDecimal value, Unit unit, int exponent) {
    for (Scale scale : Scale.values()) {
      if (scale.exponent() == exponent) {
        return new Quantity(value, unit, scale, false);
      }
    }
    Scale top = Scale.TRILLION;
    return new Quantity(value.scaleByPowerOfTen(exponent - top.exponent()), unit, top, false);
  }

  /** Restated as {@code %}, {@code bps} or {@code x}; {@code null} where it is no ratio. */
  Quantity as(Unit ratio) {
    return isRatio()
        ? new Quantity(
            absolute().divide(ratio.factor(), Decimals.CONTEXT), ratio, Scale.UNITS, false)
        : null;
  }

  /** Restated in another scale; {@code null} where it has none: a percentage. */
  Quantity as(Scale other) {
    return unit.kind() == Unit.Kind.RATIO
        ? null
        : new Quantity(
            value.scaleByPowerOfTen(scale.exponent() - other.exponent()), unit, other, plain);
  }

  /** For a sentence: {@code USD million}, {@code a plain number}. */
  private String describe() {
    String suffix = Figure.suffix(unit, scale).strip();
    return suffix.isEmpty() ? "a plain number" : suffix;
  }
}
