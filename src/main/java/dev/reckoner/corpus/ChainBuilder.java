package dev.reckoner.corpus;

import dev.reckoner.reasoning.Calculator;
import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.ChainGrammar;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.ExpressionException;
import dev.reckoner.reasoning.Figure;
import dev.reckoner.reasoning.Figures;
import dev.reckoner.reasoning.Outcome;
import dev.reckoner.reasoning.Place;
import dev.reckoner.reasoning.Step;
import dev.reckoner.reasoning.TextConstraint;
import dev.reckoner.reasoning.Verdict;
import dev.reckoner.reasoning.Verifier;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Carries a {@link Plan} out: reads the figures, computes, concludes. A chain is only built if
 * every step verifies and the grammar that a model decodes under would let a model write it.
 */
public final class ChainBuilder {

  private final Evidence evidence;
  private final Figures figures;

  public ChainBuilder(Evidence evidence) {
    this.evidence = evidence;
    this.figures = Figures.of(evidence);
  }

  /** What came of a plan. */
  public sealed interface Built {

    /** The chain and its answer. */
    record Done(Chain chain, Outcome answer) implements Built {}

    /** Why there is none: a short reason that drops are counted by. */
    record Dropped(String reason) implements Built {}
  }

  /** The figures of the evidence. */
  Figures figures() {
    return figures;
  }

  /** The chain of a plan, checked. */
  public Built build(Plan plan) {
    return switch (computed(plan)) {
      case Built.Done done -> checked(done);
      case Built.Dropped dropped -> dropped;
    };
  }

  /** The chain of a plan before verifier and grammar have seen it. */
  Built computed(Plan plan) {
    List<Step> steps = new ArrayList<>();
    Map<String, Figure> named = new HashMap<>();
    Map<String, Outcome> outcomes = new HashMap<>();
    for (Plan.Reference reference : plan.cites()) {
      Optional<Figure> figure =
          figures.at(reference.place()).stream()
              .map(Figures.Found::figure)
              .filter(found -> found.value().compareTo(reference.value()) == 0)
              .findFirst();
      if (figure.isEmpty()) {
        return new Built.Dropped("a figure is not read where it stands");
      }
      String name = Plan.letter(steps.size());
      Place place = reference.place();
      steps.add(new Step.Cite(name, figures.label(place), figure.get(), place));
      named.put(name, figure.get());
      outcomes.put(name, figure.get());
    }
    for (String expression : plan.computes()) {
      String name = Plan.letter(steps.size());
      Calculator.Evaluation evaluation;
      try {
        evaluation = new Calculator().evaluate(expression, named);
      } catch (ExpressionException e) {
        return new Built.Dropped("an expression cannot be evaluated");
      }
      if (!evaluation.unitProblems().isEmpty()) {
        return new Built.Dropped("units do not fit");
      }
      if (evaluation.result() == Outcome.Word.UNDEFINED) {
        return new Built.Dropped("a result is undefined");
      }
      steps.add(new Step.Compute(name, expression, evaluation.result()));
      outcomes.put(name, evaluation.result());
      if (evaluation.result() instanceof Figure figure) {
        named.put(name, figure);
      }
    }
    Outcome answer = plan.answer() == null ? Outcome.Word.NOT_STATED : outcomes.get(plan.answer());
    if (!plan.inference().isEmpty() && plan.answer() != null) {
      steps.add(new Step.Infer(List.of(plan.answer()), plan.inference()));
    }
    steps.add(new Step.Conclude(plan.answer(), answer, plan.stance(), plan.flags()));
    return new Built.Done(new Chain(steps), answer);
  }

  private Built checked(Built.Done done) {
    return flaw(done.chain()).<Built>map(Built.Dropped::new).orElse(done);
  }

  /**
   * Why a chain over this evidence may not be learned from, in the words that drops are counted by;
   * empty where every step verifies and a model could write it.
   */
  public Optional<String> flaw(Chain chain) {
    for (Verdict verdict : new Verifier().verify(evidence, chain)) {
      if (!verdict.passed()) {
        return Optional.of("a step does not verify: " + verdict.kind().text());
      }
    }
    return writable(chain.text()) ? Optional.empty() : Optional.of("the grammar does not allow it");
  }

  /** Whether a model could write the text under the grammar of this evidence. */
  private boolean writable(String text) {
    TextConstraint.State state = new ChainGrammar(evidence).start().after(text);
    return state != null && state.accepting();
  }
}
