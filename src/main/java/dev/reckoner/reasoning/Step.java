package dev.reckoner.reasoning;

import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;

/** One line of a {@link Chain}. */
public sealed interface Step {

  /** The letter that later steps call it by; {@code null} for a step that yields no value. */
  String name();

  /** The line as a chain writes it, without its line break. */
  String text();

  /** What later steps may use under {@link #name}; {@code null} for a step that has no name. */
  Outcome outcome();

  /**
   * A figure with its place in the evidence: {@code cite a = Net sales|2018 : 9,896 USD million @
   * r3c2}.
   *
   * @param label what the table says of the place, see {@link Figures#label}; empty where it says
   *     nothing, or where whoever wrote the step left it out
   */
  record Cite(String name, String label, Figure figure, Place place) implements Step {
    public Cite {
      Names.check(name);
      if (!label.isEmpty()) {
        Names.checkLine(label, "label");
      }
      Objects.requireNonNull(figure, "figure");
      Objects.requireNonNull(place, "place");
    }

    /** A cite that leaves the label out. */
    public Cite(String name, Figure figure, Place place) {
      this(name, "", figure, place);
    }

    @Override
    public Outcome outcome() {
      return figure;
    }

    @Override
    public String text() {
      return "cite " + name + " = " + citation(label, figure, place);
    }

    /** What a cite writes behind its name. */
    static String citation(String label, Figure figure, Place place) {
      String labelled = label.isEmpty() ? figure.text() : label + " : " + figure.text();
      return labelled + " @ " + place.address();
    }
  }

  /**
   * An expression over earlier steps and its result: {@code compute c = (a - b) / b as % = 20.9632
   * %}.
   *
   * @param expression in the language of {@link Calculator}
   * @param result a figure, {@code yes}, {@code no} or {@code undefined}
   */
  record Compute(String name, String expression, Outcome result) implements Step {
    public Compute {
      Names.check(name);
      Names.checkLine(expression, "expression");
      Objects.requireNonNull(result, "result");
      if (expression.indexOf('=') >= 0) {
        throw new IllegalArgumentException("an expression has no '=': " + expression);
      }
      if (result == Outcome.Word.NOT_STATED) {
        throw new IllegalArgumentException("a result cannot be 'not stated'");
      }
    }

    @Override
    public Outcome outcome() {
      return result;
    }

    @Override
    public String text() {
      return "compute " + name + " = " + expression + " = " + result.text();
    }
  }

  /**
   * A sentence that follows from earlier steps: {@code infer a,c : Net sales rose.}
   *
   * @param premises names of the steps it follows from, at least one
   */
  record Infer(List<String> premises, String sentence) implements Step {
    public Infer {
      premises = List.copyOf(premises);
      if (premises.isEmpty()) {
        throw new IllegalArgumentException("an inference needs a premise");
      }
      premises.forEach(Names::check);
      Names.checkLine(sentence, "sentence");
    }

    @Override
    public String name() {
      return null;
    }

    @Override
    public Outcome outcome() {
      return null;
    }

    @Override
    public String text() {
      return "infer " + String.join(",", premises) + " : " + sentence;
    }
  }

  /**
   * The answer: {@code conclude c = 20.9632 % ; stance positive ; flags none}.
   *
   * @param of the step whose outcome is the answer; {@code null} where the answer is a word of its
   *     own ({@code conclude yes}, {@code conclude not stated})
   * @param answer the outcome of that step, or the word
   * @param stance {@code null} where the evidence does not ask for one
   * @param flags in the order of the vocabulary; empty is written {@code none}
   */
  record Conclude(String of, Outcome answer, Stance stance, List<Flag> flags) implements Step {
    public Conclude {
      Objects.requireNonNull(answer, "answer");
      flags = flags.stream().distinct().sorted().toList();
      if (of != null) {
        Names.check(of);
      } else if (answer instanceof Figure) {
        throw new IllegalArgumentException("a figure can only be concluded from a step");
      }
      if (answer == Outcome.Word.UNDEFINED || (answer == Outcome.Word.NOT_STATED && of != null)) {
        throw new IllegalArgumentException("cannot conclude " + answer.text() + " from a step");
      }
      if (stance == null && !flags.isEmpty()) {
        throw new IllegalArgumentException("flags come with a stance");
      }
    }

    @Override
    public String name() {
      return null;
    }

    @Override
    public Outcome outcome() {
      return null;
    }

    @Override
    public String text() {
      String line = "conclude " + (of == null ? "" : of + " = ") + answer.text();
      if (stance == null) {
        return line;
      }
      String raised =
          flags.isEmpty()
              ? "none"
              : flags.stream().map(Flag::text).collect(Collectors.joining(","));
      return line + " ; stance " + stance.text() + " ; flags " + raised;
    }
  }
}
