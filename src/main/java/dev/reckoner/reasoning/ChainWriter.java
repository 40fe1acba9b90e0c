package dev.reckoner.reasoning;

import java.util.ArrayList;
import java.util.List;

/**
 * Writes a chain step by step, naming the steps and computing results exactly as the grammar does.
 * For programs that make chains (corpora, corrections); a model writes under {@link ChainGrammar}.
 */
public final class ChainWriter {

  private final Calculator calculator = new Calculator();
  private final List<Step> steps = new ArrayList<>();
  private Workings workings = Workings.NONE;

  /** Cites a figure that {@link Figures} found; returns the step's name. */
  public String cite(Figures.Found found) {
    return cite(found.figure(), found.place());
  }

  /** Cites a figure; returns the step's name. */
  public String cite(Figure figure, Place place) {
    return add(new Step.Cite(nextName(), figure, place), false);
  }

  /**
   * Computes an expression over earlier steps; returns the step's name.
   *
   * @throws ExpressionException where the expression cannot be read
   */
  public String compute(String expression) throws ExpressionException {
    Calculator.Evaluation evaluation = evaluate(expression);
    Step.Compute step = new Step.Compute(nextName(), expression, evaluation.result());
    return add(step, evaluation.plain());
  }

  /**
   * What an expression over the steps so far comes to; writes nothing.
   *
   * @throws ExpressionException where the expression cannot be read
   */
  public Calculator.Evaluation evaluate(String expression) throws ExpressionException {
    return calculator.evaluate(expression, workings::quantity);
  }

  /** What the step of that name came to; {@code null} where there is none. */
  public Outcome outcome(String name) {
    return workings.outcome(name);
  }

  /** Adds an inference. */
  public ChainWriter infer(List<String> premises, String sentence) {
    steps.add(new Step.Infer(premises, sentence));
    return this;
  }

  /** Concludes with an earlier step and returns the chain. */
  public Chain conclude(String name) {
    return conclude(name, null, List.of());
  }

  /** Concludes with an earlier step, a stance and flags, and returns the chain. */
  public Chain conclude(String name, Stance stance, List<Flag> flags) {
    if (workings.outcome(name) == null) {
      throw new IllegalArgumentException("no step is named " + name);
    }
    return end(new Step.Conclude(name, workings.outcome(name), stance, flags));
  }

  /** Concludes with {@code yes}, {@code no} or {@code not stated}, and returns the chain. */
  public Chain conclude(Outcome.Word answer, Stance stance, List<Flag> flags) {
    return end(new Step.Conclude(null, answer, stance, flags));
  }

  private Chain end(Step.Conclude conclude) {
    steps.add(conclude);
    return new Chain(steps);
  }

  private String add(Step step, boolean plain) {
    steps.add(step);
    workings = workings.with(step.name(), step.outcome(), plain);
    return step.name();
  }

  private String nextName() {
    if (workings.size() == Names.MAX) {
      throw new IllegalArgumentException("a chain has at most " + Names.MAX + " named steps");
    }
    return Names.of(workings.size());
  }
}
