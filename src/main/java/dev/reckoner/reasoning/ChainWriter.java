package dev.reckoner.reasoning;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes a chain step by step, naming the steps and computing results exactly as the grammar does.
 * For programs that make chains (corpora, corrections); a model writes under {@link ChainGrammar}.
 */
public final class ChainWriter {

  private final Calculator calculator = new Calculator();
  private final List<Step> steps = new ArrayList<>();
  private final Map<String, Figure> names = new HashMap<>();
  private final Map<String, Outcome> outcomes = new HashMap<>();

  /** Cites a figure that {@link Figures} found; returns the step's name. */
  public String cite(Figures.Found found) {
    return cite(found.figure(), found.place());
  }

  /** Cites a figure; returns the step's name. */
  public String cite(Figure figure, Place place) {
    String name = nextName();
    return add(new Step.Cite(name, figure, place));
  }

  /**
   * Computes an expression over earlier steps; returns the step's name.
   *
   * @throws ExpressionException where the expression cannot be read
   */
  public String compute(String expression) throws ExpressionException {
    Outcome result = calculator.evaluate(expression, names).result();
    return add(new Step.Compute(nextName(), expression, result));
  }

  /** What the step of that name came to. */
  public Outcome outcome(String name) {
    return outcomes.get(name);
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
    if (!outcomes.containsKey(name)) {
      throw new IllegalArgumentException("no step is named " + name);
    }
    return end(new Step.Conclude(name, outcomes.get(name), stance, flags));
  }

  /** Concludes with {@code yes}, {@code no} or {@code not stated}, and returns the chain. */
  public Chain conclude(Outcome.Word answer, Stance stance, List<Flag> flags) {
    return end(new Step.Conclude(null, answer, stance, flags));
  }

  private Chain end(Step.Conclude conclude) {
    steps.add(conclude);
    return new Chain(steps);
  }

  private String add(Step step) {
    steps.add(step);
    outcomes.put(step.name(), step.outcome());
    if (step.outcome() instanceof Figure figure) {
      names.put(step.name(), figure);
    }
    return step.name();
  }

  private String nextName() {
    if (outcomes.size() == Names.MAX) {
      throw new IllegalArgumentException("a chain has at most " + Names.MAX + " named steps");
    }
    return Names.of(outcomes.size());
  }
}
