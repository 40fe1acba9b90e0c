package dev.reckoner.reasoning;

import java.util.List;
import java.util.function.Function;

/**
 * The expression of a compute line: operands and operators in turn, single spaces between, so that
 * whatever is written parses; then the result, which the calculator forces.
 *
 * <p>The bounds are counted so that there is always a way to the end: an operator or a parenthesis
 * is only offered while the operands that it asks for are left.
 */
final class ExpressionGrammar {

  private static final int MAX_OPERANDS = 8;
  private static final int MAX_PARENTHESES = 2;
  private static final int MAX_FUNCTIONS = 2;
  private static final List<String> FUNCTIONS = List.of("sum", "avg", "max", "min");

  /** For the version of the grammar. */
  static final String LIMITS =
      MAX_OPERANDS + " " + MAX_PARENTHESES + " " + MAX_FUNCTIONS + " " + FUNCTIONS;

  private final Workings workings;
  private final String[] names;
  private final Function<Calculator.Evaluation, Automaton.Node> then;
  private final Calculator calculator = new Calculator();

  private ExpressionGrammar(
      Workings workings, Function<Calculator.Evaluation, Automaton.Node> then) {
    this.workings = workings;
    this.names = workings.figures();
    this.then = then;
  }

  /**
   * The state where an expression begins.
   *
   * @param then the state after the line, by what the expression came to
   */
  static Automaton.Node start(
      Workings workings, Function<Calculator.Evaluation, Automaton.Node> then) {
    return new ExpressionGrammar(workings, then).operand(Written.NOTHING);
  }

  /**
   * An expression so far, up to the end of an operand or an operator.
   *
   * @param operands how many it has; a function with its arguments is one
   * @param outer operands in the outer of two open parentheses, without the inner one
   * @param inner operands in the innermost open parenthesis
   * @param open open parentheses
   * @param named whether a name occurs in it
   * @param operated whether it computes anything yet
   * @param compared whether a comparison sign occurs in it
   */
  private record Written(
      String text,
      int operands,
      int open,
      int outer,
      int inner,
      int functions,
      boolean named,
      boolean operated,
      boolean compared) {

    static final Written NOTHING = new Written("", 0, 0, 0, 0, 0, false, false, false);

    Written operand(String operand, boolean name) {
      return new Written(
          text + operand,
          operands + 1,
          open,
          outer,
          inner + 1,
          functions,
          named || name,
          operated,
          compared);
    }

    Written function(String call) {
      return new Written(
          text + call, operands + 1, open, outer, inner + 1, functions + 1, true, true, compared);
    }

    Written operator(String operator) {
      return new Written(
          text + operator, operands, open, outer, inner, functions, named, true, compared);
    }

    Written comparison(String sign) {
      return new Written(text + sign, operands, 0, 0, 0, functions, named, true, true);
    }

    Written opened() {
      return new Written(
          text + "(", operands, open + 1, inner, 0, functions, named, operated, compared);
    }

    Written closed() {
      return new Written(
          text + ")", operands, open - 1, 0, outer + 1, functions, named, operated, compared);
    }

    boolean after(char operator) {
      return text.length() > 1 && text.charAt(text.length() - 2) == operator;
    }

    /**
     * How many operands must be left where one more begins: itself, and what every open parenthesis
     * then lacks to its two.
     */
    int needed() {
      return switch (open) {
        case 0 -> 1;
        case 1 -> Math.max(1, 2 - inner);
        default -> Math.max(1, 2 - inner) + Math.max(0, 1 - outer);
      };
    }
  }

  private Automaton.Node operand(Written so) {
    Automaton.Choice choice = new Automaton.Choice();
    boolean divides = so.after('/');
    for (String name : names) {
      if (!divides || workings.quantity(name).value().signum() != 0) {
        choice.or(name, () -> afterOperand(so.operand(name, true)));
      }
    }
    int left = MAX_OPERANDS - so.operands();
    if (so.named() || left > so.needed()) {
      for (String constant : ChainGrammar.CONSTANTS) {
        choice.or(constant, () -> afterOperand(so.operand(constant, false)));
      }
      if (so.after('*')) {
        choice.or("-1", () -> afterOperand(so.operand("-1", false)));
      }
    }
    if (so.open() < MAX_PARENTHESES && left >= so.opened().needed()) {
      choice.or("(", () -> operand(so.opened()));
    }
    if (names.length > 1 && so.functions() < MAX_FUNCTIONS) {
      for (String function : FUNCTIONS) {
        choice.or(function + "(", () -> argument(so, function + "(", 0, 0));
      }
    }
    return choice.node();
  }

  /** An argument of a function: a name after the one before, leaving one for a second argument. */
  private Automaton.Node argument(Written so, String call, int from, int count) {
    Automaton.Choice choice = new Automaton.Choice();
    for (int i = from; i < (count == 0 ? names.length - 1 : names.length); i++) {
      int after = i + 1;
      String longer = call + names[i];
      choice.or(names[i], () -> afterArgument(so, longer, after, count + 1));
    }
    return choice.node();
  }

  private Automaton.Node afterArgument(Written so, String call, int from, int count) {
    Automaton.Choice choice = new Automaton.Choice();
    if (from < names.length) {
      choice.or(", ", () -> argument(so, call + ", ", from, count));
    }
    if (count > 1) {
      choice.or(")", () -> afterOperand(so.function(call + ")")));
    }
    return choice.node();
  }

  private Automaton.Node afterOperand(Written so) {
    Automaton.Choice choice = new Automaton.Choice();
    if (so.operands() + so.needed() <= MAX_OPERANDS) {
      for (String operator : List.of(" + ", " - ", " * ")) {
        choice.or(operator, () -> operand(so.operator(operator)));
      }
      if (so.named() || anyDivisor()) {
        choice.or(" / ", () -> operand(so.operator(" / ")));
      }
      if (!so.text().contains("^")) {
        choice.or(" ^ ", () -> operand(so.operator(" ^ ")));
      }
      if (so.open() == 0 && !so.compared()) {
        choice.or(" > ", () -> operand(so.comparison(" > ")));
        choice.or(" < ", () -> operand(so.comparison(" < ")));
      }
    }
    if (so.open() > 0 && so.inner() > 1) {
      choice.or(")", () -> afterOperand(so.closed()));
    }
    if (so.open() == 0 && so.named()) {
      if (so.operated()) {
        choice.or(" = ", () -> result(so.text()));
      }
      if (!so.compared()) {
        restatements(so.text(), choice);
      }
    }
    return choice.node();
  }

  private boolean anyDivisor() {
    for (String name : names) {
      if (workings.quantity(name).value().signum() != 0) {
        return true;
      }
    }
    return false;
  }

  private void restatements(String text, Automaton.Choice choice) {
    Quantity quantity;
    try {
      quantity = Calculator.quantity(text, workings::quantity);
    } catch (ExpressionException e) {
      throw new IllegalStateException("the grammar wrote " + text, e);
    }
    if (quantity == null) {
      return;
    }
    for (Unit ratio : List.of(Unit.PERCENT, Unit.BASIS_POINTS, Unit.TIMES)) {
      if (quantity.unit() != ratio && quantity.as(ratio) != null) {
        restatement(text + " as " + ratio.text(), " as " + ratio.text(), choice);
      }
    }
    for (Scale scale : Scale.values()) {
      if (quantity.scale() != scale && quantity.as(scale) != null) {
        restatement(text + " as " + scale.text(), " as " + scale.text(), choice);
      }
    }
  }

  private void restatement(String whole, String as, Automaton.Choice choice) {
    choice.or(as + " = ", () -> result(whole));
  }

  private Automaton.Node result(String text) {
    try {
      Calculator.Evaluation evaluation = calculator.evaluate(text, workings::quantity);
      return Automaton.word(evaluation.result().text() + "\n", () -> then.apply(evaluation));
    } catch (ExpressionException e) {
      throw new IllegalStateException("the grammar wrote " + text, e);
    }
  }
}
