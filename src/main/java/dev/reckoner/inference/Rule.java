package dev.reckoner.inference;

import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;

/**
 * What may be written, as a context-free expression. Rules are immutable; a {@link
 * GrammarConstraint} walks them one character at a time.
 */
public sealed interface Rule {

  /** Exactly this text. */
  static Rule literal(String text) {
    return new Literal(text, 0);
  }

  /** One after the other. */
  static Rule sequence(Rule... parts) {
    return new Sequence(List.of(parts));
  }

  /** Any one of these. */
  static Rule oneOf(List<? extends Rule> alternatives) {
    return new OneOf(List.copyOf(alternatives));
  }

  /** A rule that is looked up when it is reached, so that rules can be recursive. */
  static Rule reference(Supplier<Rule> target) {
    return new Reference(target);
  }

  /**
   * {@code min} to {@code max} items with a separator between them.
   *
   * @param max the largest number of items; {@link Integer#MAX_VALUE} for no limit
   */
  static Rule repeat(Rule item, String separator, int min, int max) {
    return new Repeat(item, separator, min, max, 0);
  }

  /** Any text, line breaks included, of at least one character. */
  static Rule text() {
    return new FreeText(false);
  }

  /**
   * A JSON string with its quotes.
   *
   * @param min fewest characters (code points)
   * @param max most characters
   */
  static Rule jsonString(int min, int max) {
    return sequence(literal("\""), new StringBody(min, max, StringBody.PLAIN, 0), literal("\""));
  }

  /** A JSON number: no exponent, at most 15 digits before and 10 after the point. */
  static Rule jsonNumber() {
    return new Numeral(false, Numeral.START, 0);
  }

  /** A JSON integer of at most 15 digits. */
  static Rule jsonInteger() {
    return new Numeral(true, Numeral.START, 0);
  }

  /** A rule that reads characters itself; the others only arrange such rules. */
  sealed interface Terminal extends Rule {

    /** What is left of it after {@code c}, or {@code null} where it refuses {@code c}. */
    Terminal after(char c);

    /** Whether it may be left here. */
    boolean mayEnd();
  }

  /** The rest of {@code text} from {@code at}. */
  record Literal(String text, int at) implements Terminal {
    @Override
    public Terminal after(char c) {
      return at < text.length() && text.charAt(at) == c ? new Literal(text, at + 1) : null;
    }

    @Override
    public boolean mayEnd() {
      return at == text.length();
    }

    String rest() {
      return text.substring(at);
    }
  }

  /** Any character but control characters other than line break and tab. */
  record FreeText(boolean begun) implements Terminal {
    @Override
    public Terminal after(char c) {
      return c >= ' ' || c == '\n' || c == '\t' ? new FreeText(true) : null;
    }

    @Override
    public boolean mayEnd() {
      return begun;
    }
  }

  /**
   * The inside of a JSON string.
   *
   * @param min characters still needed
   * @param max characters still possible
   * @param mode plain text, behind a backslash, or inside a Unicode escape
   * @param escape the hexadecimal digits of a Unicode escape read so far
   */
  record StringBody(int min, int max, int mode, int escape) implements Terminal {
    static final int PLAIN = 0;
    static final int BACKSLASH = 1;
    static final int HEX1 = 2;
    static final int HEX4 = 5;

    @Override
    public Terminal after(char c) {
      return switch (mode) {
        case PLAIN -> plain(c);
        case BACKSLASH -> {
          if (c == 'u') {
            yield new StringBody(min, max, HEX1, 0);
          }
          yield "\"\\/bfnrt".indexOf(c) >= 0 ? counted() : null;
        }
        default -> hex(c);
      };
    }

    /** The same without its upper limit. */
    StringBody unlimited() {
      return new StringBody(min, Integer.MAX_VALUE, mode, escape);
    }

    private Terminal plain(char c) {
      if (c == '"' || c < ' ') {
        return null;
      }
      if (Character.isLowSurrogate(c)) {
        return this; // counted with its high surrogate
      }
      if (max == 0) {
        return null;
      }
      return c == '\\' ? new StringBody(min, max, BACKSLASH, 0) : counted();
    }

    private Terminal hex(char c) {
      int digit = c < 128 ? Character.digit(c, 16) : -1;
      // A surrogate (D800 to DFFF) is no character by itself.
      if (digit < 0 || (mode == HEX1 + 1 && escape == 0xd && digit >= 8)) {
        return null;
      }
      return mode == HEX4 ? counted() : new StringBody(min, max, mode + 1, escape * 16 + digit);
    }

    private Terminal counted() {
      return new StringBody(
          Math.max(0, min - 1), max == Integer.MAX_VALUE ? max : max - 1, PLAIN, 0);
    }

    @Override
    public boolean mayEnd() {
      return mode == PLAIN && min == 0;
    }
  }

  /**
   * A decimal number.
   *
   * @param integer whether a fraction is refused
   * @param part where in the number we are
   * @param digits digits of this part so far
   */
  record Numeral(boolean integer, int part, int digits) implements Terminal {
    static final int START = 0;
    static final int MINUS = 1;
    static final int ZERO = 2;
    static final int WHOLE = 3;
    static final int POINT = 4;
    static final int FRACTION = 5;
    private static final int MAX_WHOLE = 15;
    private static final int MAX_FRACTION = 10;

    @Override
    public Terminal after(char c) {
      boolean digit = c >= '0' && c <= '9';
      return switch (part) {
        case START, MINUS -> {
          if (c == '-' && part == START) {
            yield new Numeral(integer, MINUS, 0);
          }
          yield !digit ? null : new Numeral(integer, c == '0' ? ZERO : WHOLE, 1);
        }
        case ZERO, WHOLE -> {
          if (c == '.' && !integer) {
            yield new Numeral(false, POINT, 0);
          }
          yield digit && part == WHOLE && digits < MAX_WHOLE
              ? new Numeral(integer, WHOLE, digits + 1)
              : null;
        }
        default ->
            digit && digits < MAX_FRACTION ? new Numeral(integer, FRACTION, digits + 1) : null;
      };
    }

    @Override
    public boolean mayEnd() {
      return part == ZERO || part == WHOLE || part == FRACTION;
    }
  }

  record Sequence(List<Rule> parts) implements Rule {}

  record OneOf(List<Rule> alternatives) implements Rule {}

  record Repeat(Rule item, String separator, int min, int max, int count) implements Rule {}

  /** Compared by identity: it may lead back to the rule it stands in. */
  final class Reference implements Rule {
    private final Supplier<Rule> target;

    private Reference(Supplier<Rule> target) {
      this.target = Objects.requireNonNull(target);
    }

    Rule target() {
      return Objects.requireNonNull(target.get(), "a reference leads nowhere");
    }
  }
}
