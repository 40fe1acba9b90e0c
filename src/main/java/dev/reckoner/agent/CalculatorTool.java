package dev.reckoner.agent;

import dev.langchain4j.agent.tool.P;
import dev.langchain4j.agent.tool.Tool;
import dev.reckoner.reasoning.Calculator;
import dev.reckoner.reasoning.ExpressionException;
import jakarta.enterprise.context.ApplicationScoped;

/**
 * The calculator as a LangChain4j tool, for agents that ask for it by a tool call. Where a model
 * writes a chain, the same calculator runs inside decoding and is never called this way.
 */
@ApplicationScoped
public class CalculatorTool {

  private final Calculator calculator = new Calculator();

  @Tool("Computes an arithmetic expression exactly, for example (9896 - 8181) / 8181 as %")
  public String calculate(@P("the expression, in infix notation") String expression) {
    try {
      return calculator.evaluate(expression).result().text();
    } catch (ExpressionException e) {
      return "not computed: " + e.getMessage();
    }
  }
}
