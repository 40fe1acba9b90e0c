package dev.reckoner.corpus;

import dev.reckoner.corpus.Expression.Binary;
import dev.reckoner.corpus.Expression.Number;
import dev.reckoner.corpus.Expression.OverRow;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads gold programs of all three notations into one expression each. */
final class ProgramReader {

  private static final Pattern CALL =
      Pattern.compile("([a-z_]+)\\(([^()]*(?:\\([^()]*\\)[^()]*)*)\\)");
  private static final Pattern TOKEN =
      Pattern.compile(
          "\\s*(?:([0-9][0-9,]*(?:\\.[0-9]+)?|\\.[0-9]+)(\\s*%)?|([a-z][a-z0-9]*)|(.))");

  private ProgramReader() {}

  /**
   * @throws IllegalArgumentException if the program is not of its notation
   */
  static Expression read(Program program) {
    return switch (program.language()) {
      case FINQA -> finqa(program.source());
      case TATQA -> new Infix(program.source(), Map.of()).whole();
      case CONVFINQA -> assignments(program.source());
    };
  }

  /**
   * Reads an infix expression.
   *
   * @param variables what its words stand for
   * @throws IllegalArgumentException if it is none
   */
  static Expression infix(String source, Map<String, Expression> variables) {
    return new Infix(source, variables).whole();
  }

  private static Expression assignments(String source) {
    Map<String, Expression> variables = new HashMap<>();
    Expression last = null;
    for (String statement : source.split(";")) {
      String[] sides = statement.split("=", 2);
      if (sides.length != 2) {
        throw new IllegalArgumentException("not an assignment: " + statement);
      }
      last = new Infix(sides[1], variables).whole();
      variables.put(sides[0].strip(), last);
    }
    return last;
  }

  private static Expression finqa(String source) {
    List<Expression> steps = new ArrayList<>();
    Matcher call = CALL.matcher(source);
    while (call.find()) {
      steps.add(step(call.group(1), call.group(2), steps));
    }
    if (steps.isEmpty()) {
      return operand(source.strip(), steps);
    }
    return steps.getLast();
  }

  private static Expression step(String operation, String arguments, List<Expression> steps) {
    if (operation.startsWith("table_")) {
      int comma = arguments.lastIndexOf(',');
      String label = (comma < 0 ? arguments : arguments.substring(0, comma)).strip();
      String function = operation.substring("table_".length()).replace("average", "avg");
      return new OverRow(function, label);
    }
    char operator =
        switch (operation) {
          case "add" -> '+';
          case "subtract" -> '-';
          case "multiply" -> '*';
          case "divide" -> '/';
          case "exp" -> '^';
          case "greater" -> '>';
          default -> throw new IllegalArgumentException("unknown operation " + operation);
        };
    String[] two = arguments.split(",\\s+|,(?![0-9])");
    if (two.length != 2) {
      throw new IllegalArgumentException(operation + " needs two arguments: " + arguments);
    }
    return new Binary(operator, operand(two[0].strip(), steps), operand(two[1].strip(), steps));
  }

  private static Expression operand(String text, List<Expression> steps) {
    if (text.startsWith("#")) {
      int step = Integer.parseInt(text.substring(1));
      if (step >= steps.size()) {
        throw new IllegalArgumentException("no step " + text);
      }
      return steps.get(step);
    }
    if (text.startsWith("const_")) {
      String value = text.substring("const_".length()).replace('m', '-');
      return new Number(new BigDecimal(value), false, true);
    }
    String plain = text.replaceAll("[$,\\s]", "");
    boolean percent = plain.endsWith("%");
    return new Number(
        new BigDecimal(percent ? plain.substring(0, plain.length() - 1) : plain), percent, false);
  }

  /** Infix notation as annotators write it: brackets of any kind, currency signs, × for *. */
  private static final class Infix {

    private final List<String> tokens = new ArrayList<>();
    private final Map<String, Expression> variables;
    private int at;

    Infix(String source, Map<String, Expression> variables) {
      this.variables = variables;
      String plain =
          source
              .replaceAll("[$£€¥]|RMB|US", "")
              .replace('[', '(')
              .replace(']', ')')
              .replace('{', '(')
              .replace('}', ')')
              .replace('×', '*')
              .replace('–', '-')
              .replace('−', '-')
              .replaceAll("\\s[xX]\\s", " * ")
              .replace("**", "^");
      Matcher token = TOKEN.matcher(plain);
      while (token.find()) {
        if (!token.group().isBlank()) {
          tokens.add(token.group().replaceAll("\\s", ""));
        }
      }
    }

    Expression whole() {
      Expression expression = sum();
      if (peek(">")) {
        at++;
        expression = new Binary('>', expression, sum());
      }
      if (at < tokens.size()) {
        throw new IllegalArgumentException("unexpected '" + tokens.get(at) + "'");
      }
      return expression;
    }

    private Expression sum() {
      Expression left = product();
      while (peek("+") || peek("-")) {
        char operator = tokens.get(at++).charAt(0);
        left = new Binary(operator, left, product());
      }
      return left;
    }

    private Expression product() {
      Expression left = power();
      while (peek("*") || peek("/")) {
        char operator = tokens.get(at++).charAt(0);
        left = new Binary(operator, left, power());
      }
      return left;
    }

    private Expression power() {
      Expression base = atom();
      if (peek("^")) {
        at++;
        return new Binary('^', base, power());
      }
      return base;
    }

    private Expression atom() {
      if (at == tokens.size()) {
        throw new IllegalArgumentException("the expression is not finished");
      }
      String token = tokens.get(at++);
      if (token.equals("(")) {
        Expression inner = sum();
        if (!peek(")")) {
          throw new IllegalArgumentException("a bracket is not closed");
        }
        at++;
        return inner;
      }
      if (token.equals("-")) {
        return switch (atom()) {
          case Number number ->
              new Number(number.value().negate(), number.percent(), number.constant());
          case Expression other -> new Binary('-', new Number(BigDecimal.ZERO, false, true), other);
        };
      }
      if (Character.isLetter(token.charAt(0))) {
        Expression value = variables.get(token);
        if (value == null) {
          throw new IllegalArgumentException("unknown word " + token);
        }
        return value;
      }
      if (!Character.isDigit(token.charAt(0)) && token.charAt(0) != '.') {
        throw new IllegalArgumentException("unexpected '" + token + "'");
      }
      boolean percent = token.endsWith("%");
      String digits = token.replaceAll("[,%]", "");
      return new Number(new BigDecimal(digits), percent, false);
    }

    private boolean peek(String token) {
      return at < tokens.size() && tokens.get(at).equals(token);
    }
  }
}
