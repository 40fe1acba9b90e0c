package dev.reckoner.reasoning;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Exact decimal evaluation of infix expressions, with units.
 *
 * <p>The language: names of steps, numbers ({@code 100}, {@code 0.5}, {@code 8%}), {@code + - * /
 * ^} with the usual precedence ({@code ^} binds to the right), parentheses, {@code sum avg max min}
 * over two or more operands, one comparison {@code >} or {@code <} on the outside, which comes to
 * {@code yes} or {@code no}, and at the end {@code as %}, {@code as bps}, {@code as x}, {@code as
 * units}, {@code as thousand} … to restate the result. Arithmetic is {@link java.math.BigDecimal}'s
 * with 40 digits; the result is rounded once, as {@link Decimals#digits} says, so that what a chain
 * shows is what later steps compute with.
 *
 * <p>A division by zero, a root of a negative and a number beyond 10^24 come to {@code undefined}.
 */
public final class Calculator {

  /** The longest expression that is read. */
  public static final int MAX_LENGTH = 400;

  private static final int MAX_DEPTH = 16;

  /**
   * What an expression comes to.
   *
   * @param result a figure, {@code yes}, {@code no} or {@code undefined}
   * @param plain whether the result is a figure known to have no unit: a ratio of likes
   * @param unitProblems what was done that units forbid, one plain sentence each
   */
  public record Evaluation(Outcome result, boolean plain, List<String> unitProblems) {
    public Evaluation {
      unitProblems = List.copyOf(unitProblems);
    }
  }

  /**
   * Evaluates an expression of numbers alone: {@code (9896 - 8181) / 8181 as %}.
   *
   * @throws ExpressionException where the expression cannot be read
   */
  public Evaluation evaluate(String expression) throws ExpressionException {
    return evaluate(expression, Map.of());
  }

  /**
   * Evaluates an expression over named figures, each taken as its text states it. The text of a
   * ratio cannot say that it is one: over the results of a chain, use {@link Recalculation}, which
   * knows.
   *
   * @throws ExpressionException where the expression cannot be read, or uses a name that is not
   *     there
   */
  public Evaluation evaluate(String expression, Map<String, Figure> names)
      throws ExpressionException {
    Map<String, Quantity> quantities = new HashMap<>();
    names.forEach((name, figure) -> quantities.put(name, Quantity.of(figure, false)));
    return evaluate(expression, quantities::get);
  }

  /**
   * As the public one, over quantities; {@code names} yields {@code null} for what is not there.
   */
  Evaluation evaluate(String expression, Function<String, Quantity> names)
      throws ExpressionException {
    if (expression.length() > MAX_LENGTH) {
      throw new ExpressionException(MAX_LENGTH, "longer than " + MAX_LENGTH + " characters");
    }
    return new Parser(expression, names).whole();
  }

  /** An expression without comparison and {@code as}, not rounded; {@code null} for undefined. */
  static Quantity quantity(String expression, Function<String, Quantity> names)
      throws ExpressionException {
    Parser parser = new Parser(expression, names);
    Quantity quantity = parser.sum();
    parser.end();
    return quantity;
  }

  /** The names and the numbers that an expression uses, in order. */
  record Operands(List<String> names, List<String> numbers) {}

  static Operands operands(String expression) {
    List<String> names = new ArrayList<>();
    List<String> numbers = new ArrayList<>();
    int as = expression.indexOf(" as ");
    String body = as < 0 ? expression : expression.substring(0, as);
    for (int i = 0; i < body.length(); i++) {
      int start = i;
      if (isLetter(body.charAt(i))) {
        while (i + 1 < body.length() && isLetter(body.charAt(i + 1))) {
          i++;
        }
        if (i == start) {
          names.add(body.substring(start, i + 1));
        }
      } else if (isDigit(body.charAt(i)) || body.charAt(i) == '.') {
        while (i + 1 < body.length() && "0123456789.%".indexOf(body.charAt(i + 1)) >= 0) {
          i++;
        }
        numbers.add(body.substring(start, i + 1));
      }
    }
    return new Operands(names, numbers);
  }

  private static boolean isLetter(char c) {
    return c >= 'a' && c <= 'z';
  }

  private static boolean isDigit(char c) {
    return c >= '0' && c <= '9';
  }

  /** Recursive descent; {@code null} is the undefined quantity. */
  private static final class Parser {
    private final String text;
    private final Function<String, Quantity> names;
    private final List<String> problems = new ArrayList<>();
    private int at;
    private int depth;

    Parser(String text, Function<String, Quantity> names) {
      this.text = text;
      this.names = names;
    }

    Evaluation whole() throws ExpressionException {
      Quantity left = sum();
      skipSpace();
      if (peek() == '>' || peek() == '<') {
        char sign = text.charAt(at++);
        Quantity right = sum();
        end();
        if (left == null || right == null) {
          return new Evaluation(Outcome.Word.UNDEFINED, false, problems);
        }
        int order = left.compare(right, problems);
        boolean holds = sign == '>' ? order > 0 : order < 0;
        return new Evaluation(holds ? Outcome.Word.YES : Outcome.Word.NO, false, problems);
      }
      if (text.startsWith("as ", at)) {
        int start = at + 3;
        at = text.length();
        left = restated(left, text.substring(start).strip(), start);
      }
      end();
      Outcome result = left == null ? Outcome.Word.UNDEFINED : figure(left);
      boolean plain = result instanceof Figure && left.plain();
      return new Evaluation(result, plain, problems);
    }

    private Quantity restated(Quantity value, String target, int start) throws ExpressionException {
      Quantity result;
      switch (target) {
        case "%", "bps", "x" -> result = value == null ? null : value.as(Unit.parse(target));
        case "units", "thousand", "million", "billion", "trillion" ->
            result = value == null ? null : value.as(Scale.parse(target));
        default ->
            throw new ExpressionException(start + 1, "expected %, bps, x or a scale after 'as'");
      }
      if (result == null && value != null) {
        problems.add("the result cannot be stated as " + target);
        return value;
      }
      return result;
    }

    private static Outcome figure(Quantity quantity) {
      String digits = Decimals.digits(quantity.value());
      return digits.length() > Figure.MAX_DIGITS
          ? Outcome.Word.UNDEFINED
          : new Figure(digits, quantity.unit(), quantity.scale());
    }

    private Quantity sum() throws ExpressionException {
      Quantity left = product();
      while (true) {
        skipSpace();
        char sign = peek();
        if (sign != '+' && sign != '-') {
          return left;
        }
        at++;
        Quantity right = product();
        if (left == null || right == null) {
          left = null;
        } else {
          left = bounded(sign == '+' ? left.plus(right, problems) : left.minus(right, problems));
        }
      }
    }

    private Quantity product() throws ExpressionException {
      Quantity left = power();
      while (true) {
        skipSpace();
        char sign = peek();
        if (sign != '*' && sign != '/') {
          return left;
        }
        at++;
        Quantity right = power();
        if (left == null || right == null) {
          left = null;
        } else {
          left = bounded(sign == '*' ? left.times(right, problems) : left.over(right, problems));
        }
      }
    }

    /** A minus binds weaker than a power, as on paper: -2 ^ 2 is -4. */
    private Quantity power() throws ExpressionException {
      enter();
      skipSpace();
      Quantity base;
      if (peek() == '-') {
        at++;
        base = power();
        base = base == null ? null : base.negated();
      } else {
        base = operand();
        skipSpace();
        if (peek() == '^') {
          at++;
          Quantity exponent = power();
          base = base == null || exponent == null ? null : bounded(base.power(exponent, problems));
        }
      }
      depth--;
      return base;
    }

    private Quantity operand() throws ExpressionException {
      char c = peek();
      if (c == '(') {
        at++;
        Quantity inner = sum();
        expect(')');
        return inner;
      }
      if (isDigit(c) || c == '.') {
        return number();
      }
      if (isLetter(c)) {
        int start = at;
        while (isLetter(peek())) {
          at++;
        }
        String word = text.substring(start, at);
        if (word.length() > 1) {
          return function(word, start);
        }
        Quantity quantity = names.apply(word);
        if (quantity == null) {
          throw new ExpressionException(start + 1, "no figure is named " + word);
        }
        return quantity;
      }
      throw new ExpressionException(
          at + 1,
          at == text.length() ? "the expression is not finished" : "unexpected '" + c + "'");
    }

    private Quantity number() throws ExpressionException {
      int start = at;
      while (isDigit(peek()) || peek() == '.') {
        at++;
      }
      String digits = text.substring(start, at);
      if (digits.length() > Figure.MAX_DIGITS || !digits.matches("\\d+(\\.\\d+)?|\\.\\d+")) {
        throw new ExpressionException(start + 1, "not a number: " + digits);
      }
      BigDecimal value = new BigDecimal(digits);
      if (peek() == '%') {
        at++;
        return new Quantity(value, Unit.PERCENT, Scale.UNITS, false);
      }
      return bounded(Quantity.plain(value));
    }

    private Quantity function(String word, int start) throws ExpressionException {
      if (!List.of("sum", "avg", "max", "min").contains(word)) {
        throw new ExpressionException(start + 1, "no function is named " + word);
      }
      skipSpace();
      expect('(');
      List<Quantity> arguments = new ArrayList<>();
      do {
        arguments.add(sum());
        skipSpace();
      } while (peek() == ',' && at++ >= 0);
      expect(')');
      Quantity result = arguments.getFirst();
      for (Quantity next : arguments.subList(1, arguments.size())) {
        if (result == null || next == null) {
          return null;
        }
        result =
            switch (word) {
              case "max" -> result.compare(next, problems) >= 0 ? result : next;
              case "min" -> result.compare(next, problems) <= 0 ? result : next;
              default -> bounded(result.plus(next, problems));
            };
      }
      if (word.equals("avg") && result != null) {
        Quantity count = Quantity.plain(BigDecimal.valueOf(arguments.size()));
        return result.over(count, problems);
      }
      return result;
    }

    private static Quantity bounded(Quantity quantity) {
      if (quantity == null || Decimals.bounded(quantity.absolute()) == null) {
        return null;
      }
      BigDecimal value = quantity.value();
      return value.precision() <= 2 * Decimals.CONTEXT.getPrecision()
          ? quantity
          : new Quantity(
              value.round(Decimals.CONTEXT), quantity.unit(), quantity.scale(), quantity.plain());
    }

    private void enter() throws ExpressionException {
      if (++depth > MAX_DEPTH) {
        throw new ExpressionException(at + 1, "nested deeper than " + MAX_DEPTH);
      }
    }

    private void expect(char c) throws ExpressionException {
      skipSpace();
      if (peek() != c) {
        throw new ExpressionException(at + 1, "expected '" + c + "'");
      }
      at++;
    }

    private void end() throws ExpressionException {
      skipSpace();
      if (at < text.length()) {
        throw new ExpressionException(at + 1, "unexpected '" + text.charAt(at) + "'");
      }
    }

    private char peek() {
      return at < text.length() ? text.charAt(at) : '\0';
    }

    private void skipSpace() {
      while (peek() == ' ') {
        at++;
      }
    }
  }
}
