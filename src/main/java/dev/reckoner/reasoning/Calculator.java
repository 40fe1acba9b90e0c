package dev.reckoner.reasoning;

import java.util.List;
import java.util.Map;

/** Exact decimal evaluation of infix expressions, with units. */
public final class Calculator {

  /**
   * What an expression comes to.
   *
   * @param result a figure, {@code yes}, {@code no} or {@code undefined}
   * @param unitProblems what was done that units forbid, one plain sentence each
   */
  public record Evaluation(Outcome result, List<String> unitProblems) {
    public Evaluation {
      unitProblems = List.copyOf(unitProblems);
    }
  }

  /** Evaluates an expression of numbers alone: {@code (9896 - 8181) / 8181 as %}. */
  public Evaluation evaluate(String expression) throws ExpressionException {
    return evaluate(expression, Map.of());
  }

  /**
   * Evaluates an expression over named figures.
   *
   * @throws ExpressionException where the expression cannot be read, or uses a name that is not
   *     there
   */
  public Evaluation evaluate(String expression, Map<String, Figure> names)
      throws ExpressionException {
    throw new ExpressionException(1, "cannot be read");
  }
}
