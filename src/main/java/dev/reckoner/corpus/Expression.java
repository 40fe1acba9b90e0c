package dev.reckoner.corpus;

import java.math.BigDecimal;
import java.util.List;
import java.util.stream.Collectors;

/** An arithmetic expression over the numbers of a gold program. */
sealed interface Expression {

  /**
   * A number as the program writes it.
   *
   * @param constant whether the program says that it is no figure of the page
   */
  record Number(BigDecimal value, boolean percent, boolean constant) implements Expression {}

  /** {@code + - * / ^ > <}. */
  record Binary(char operator, Expression left, Expression right) implements Expression {}

  /** {@code sum avg max min} of a table row, named by its label. */
  record OverRow(String function, String label) implements Expression {}

  /** A function of operands already found. */
  record Call(String function, List<Expression> arguments) implements Expression {}

  /** A name: a step of a chain, or a variable of the program. */
  record Name(String name) implements Expression {}

  /** As the calculator reads it, with no more parentheses than it needs. */
  static String text(Expression expression) {
    return text(expression, 0);
  }

  private static String text(Expression expression, int outer) {
    return switch (expression) {
      case Number number ->
          number.value().stripTrailingZeros().toPlainString() + (number.percent() ? "%" : "");
      case Name name -> name.name();
      case OverRow row -> row.function() + "(" + row.label() + ")";
      case Call call ->
          call.arguments().stream()
              .map(argument -> text(argument, 0))
              .collect(Collectors.joining(", ", call.function() + "(", ")"));
      case Binary binary -> {
        int level = level(binary.operator());
        String text =
            text(binary.left(), level)
                + " "
                + binary.operator()
                + " "
                + text(binary.right(), level + 1);
        yield level < outer ? "(" + text + ")" : text;
      }
    };
  }

  private static int level(char operator) {
    return switch (operator) {
      case '>', '<' -> 1;
      case '+', '-' -> 2;
      case '*', '/' -> 3;
      default -> 5;
    };
  }
}
