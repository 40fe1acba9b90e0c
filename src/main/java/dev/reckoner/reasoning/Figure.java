package dev.reckoner.reasoning;

import java.math.BigDecimal;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Pattern;

/**
 * A number with its unit and scale, as its source states it.
 *
 * <p>The digits are kept as published ({@code 9,896} stays {@code 9,896}, but a negative {@code
 * (1,234)} is {@code -1,234}), because a model copies them and a person looks for them. Compare
 * figures with {@link #sameAs}: {@code equals} tells {@code 9896} from {@code 9,896}.
 *
 * @param digits an optional minus, digits with or without thousands commas, optional decimals
 */
public record Figure(String digits, Unit unit, Scale scale) implements Outcome {

  /** More digits than any published figure has; a bound for everything that computes with them. */
  public static final int MAX_DIGITS = 32;

  private static final Pattern DIGITS =
      Pattern.compile("-?[0-9](?:[0-9]|,(?=[0-9]))*(?:\\.[0-9]+)?");

  private static final Map<String, Figure> SUFFIXES = suffixes();

  public Figure {
    Objects.requireNonNull(unit, "unit");
    Objects.requireNonNull(scale, "scale");
    if (digits.length() > MAX_DIGITS || !DIGITS.matcher(digits).matches()) {
      throw new IllegalArgumentException("not the digits of a figure: " + digits);
    }
    if (unit.kind() == Unit.Kind.RATIO && scale != Scale.UNITS) {
      throw new IllegalArgumentException("a figure in " + unit.text() + " has no scale");
    }
  }

  /** The number that the digits write; {@code 9896} for {@code 9,896 USD million}. */
  public BigDecimal value() {
    return new BigDecimal(digits.replace(",", ""));
  }

  /** The number with its scale applied; {@code 9896000000} for {@code 9,896 USD million}. */
  public BigDecimal absolute() {
    return value().multiply(scale.factor()).multiply(unit.factor());
  }

  /** Whether both state the same number in the same unit and scale, however they are written. */
  public boolean sameAs(Figure other) {
    return unit == other.unit && scale == other.scale && value().compareTo(other.value()) == 0;
  }

  /** For example {@code 9,896 USD million}, {@code 20.96 %}, {@code 3.5 million shares}. */
  @Override
  public String text() {
    return digits + suffix(unit, scale);
  }

  /** What follows the digits, with its leading space: {@code " USD million"}; may be empty. */
  static String suffix(Unit unit, Scale scale) {
    String scaled = scale == Scale.UNITS ? "" : " " + scale.text();
    String named = unit == Unit.NONE ? "" : " " + unit.text();
    return unit == Unit.SHARES ? scaled + named : named + scaled;
  }

  /**
   * Reads what {@link #text} writes.
   *
   * @throws IllegalArgumentException where it is not a figure
   */
  public static Figure parse(String text) {
    int space = text.indexOf(' ');
    String digits = space < 0 ? text : text.substring(0, space);
    Figure shape = SUFFIXES.get(space < 0 ? "" : text.substring(space));
    if (shape == null) {
      throw new IllegalArgumentException("not a unit and scale: " + text.substring(space + 1));
    }
    return new Figure(digits, shape.unit, shape.scale);
  }

  private static Map<String, Figure> suffixes() {
    Map<String, Figure> all = new HashMap<>();
    for (Unit unit : Unit.values()) {
      for (Scale scale : Scale.values()) {
        if (scale == Scale.UNITS || unit.kind() != Unit.Kind.RATIO) {
          all.put(suffix(unit, scale), new Figure("0", unit, scale));
        }
      }
    }
    return Map.copyOf(all);
  }
}
