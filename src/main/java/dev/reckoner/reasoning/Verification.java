package dev.reckoner.reasoning;

import static dev.reckoner.reasoning.Verdict.Kind.GROUNDED;
import static dev.reckoner.reasoning.Verdict.Kind.NO_BASIS;
import static dev.reckoner.reasoning.Verdict.Kind.RECOMPUTED;
import static dev.reckoner.reasoning.Verdict.Kind.UNSUPPORTED_FIGURE;
import static dev.reckoner.reasoning.Verdict.Kind.WRONG_ARITHMETIC;
import static dev.reckoner.reasoning.Verdict.Kind.WRONG_UNIT_OR_SCALE;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** One walk down a chain: what the steps so far came to, and the verdict on the next. */
final class Verification {

  private static final int ROUNDED_DIGITS = 4;
  private static final BigDecimal NEAR = new BigDecimal("0.00001");

  private final Evidence evidence;
  private final Figures figures;
  private final Collection<String> years;
  private final Calculator calculator = new Calculator();
  private final Map<String, List<Place>> places = new HashMap<>();
  private final Map<String, Step> steps = new HashMap<>();
  private Workings workings = Workings.NONE;
  private boolean inferred;

  Verification(Evidence evidence) {
    this.evidence = evidence;
    this.figures = Figures.of(evidence);
    this.years = Years.of(evidence);
  }

  boolean knows(String name) {
    return workings.outcome(name) != null;
  }

  /** The verdict on the next step, which later steps may then use. */
  Verdict next(Step step) {
    Verdict verdict =
        switch (step) {
          case Step.Cite cite -> cite(cite);
          case Step.Compute compute -> compute(compute);
          case Step.Infer infer -> infer(infer);
          case Step.Conclude conclude -> conclude(conclude);
        };
    if (step.name() != null) {
      steps.put(step.name(), step);
      places.put(step.name(), verdict.places());
    }
    return verdict;
  }

  private Verdict cite(Step.Cite cite) {
    workings = workings.with(cite.name(), cite.figure(), false);
    Place place = cite.place();
    if (!exists(place)) {
      return new Verdict(NO_BASIS, "The evidence has no " + place.address() + ".", List.of());
    }
    String label = figures.label(place);
    if (!cite.label().isEmpty() && !cite.label().equals(label)) {
      String is = label.isEmpty() ? " has no label" : " is " + label;
      return new Verdict(
          NO_BASIS, place.address() + is + ", the step says " + cite.label() + ".", List.of(place));
    }
    Figure said = cite.figure();
    List<Figure> there = figures.at(place).stream().map(Figures.Found::figure).toList();
    String holds = place.address() + " holds " + (there.isEmpty() ? "no figure" : list(there));
    if (there.stream().anyMatch(said::sameAs)) {
      return new Verdict(GROUNDED, place.address() + " holds " + said.text() + ".", List.of(place));
    }
    boolean sameNumber =
        there.stream()
            .anyMatch(
                f ->
                    f.value().compareTo(said.value()) == 0
                        || f.absolute().compareTo(said.absolute()) == 0);
    return new Verdict(
        sameNumber ? WRONG_UNIT_OR_SCALE : UNSUPPORTED_FIGURE,
        holds + ", the step says " + said.text() + ".",
        List.of(place));
  }

  private boolean exists(Place place) {
    return switch (place) {
      case Place.Cell cell ->
          cell.table() < evidence.tables().size()
              && cell.row() < evidence.tables().get(cell.table()).rows().size()
              && cell.column() < evidence.tables().get(cell.table()).rows().get(cell.row()).size();
      case Place.Sentence sentence -> sentence.index() < evidence.sentences().size();
      case Place.Question _ -> true;
    };
  }

  private static String list(List<Figure> figures) {
    String few = figures.stream().limit(4).map(Figure::text).collect(Collectors.joining(", "));
    return figures.size() > 4 ? few + " and " + (figures.size() - 4) + " more" : few;
  }

  private Verdict compute(Step.Compute step) {
    Calculator.Operands operands = Calculator.operands(step.expression());
    List<Place> from = placesOf(operands.names());
    Calculator.Evaluation right = null;
    String unreadable = null;
    try {
      right = calculator.evaluate(step.expression(), workings::quantity);
    } catch (ExpressionException e) {
      unreadable = e.getMessage();
    }
    String problem = baseless(operands, unreadable);
    workings = workings.with(step.name(), step.result(), right != null && right.plain());
    if (problem != null) {
      return new Verdict(NO_BASIS, problem, from);
    }
    for (String number : operands.numbers()) {
      if (!ChainGrammar.CONSTANTS.contains(number)) {
        return new Verdict(
            UNSUPPORTED_FIGURE,
            number + " is neither a step's figure nor one of the constants.",
            from);
      }
    }
    String comesTo = filledIn(step.expression()) + " comes to " + right.result().text();
    String butSays = comesTo + ", the step says " + step.result().text() + ".";
    if (right.result() instanceof Figure result && step.result() instanceof Figure said) {
      boolean sameTerms = said.unit() == result.unit() && said.scale() == result.scale();
      boolean sameNumber = agrees(said.value(), result.value());
      if (!sameTerms && (sameNumber || isNear(said.absolute(), result.absolute()))) {
        return new Verdict(WRONG_UNIT_OR_SCALE, butSays, from);
      }
      if (!sameNumber) {
        return new Verdict(WRONG_ARITHMETIC, butSays, from);
      }
    } else if (right.result() != step.result()) {
      return new Verdict(WRONG_ARITHMETIC, butSays, from);
    }
    if (!right.unitProblems().isEmpty()) {
      return new Verdict(
          WRONG_UNIT_OR_SCALE,
          "In " + step.expression() + ", " + right.unitProblems().getFirst() + ".",
          from);
    }
    return new Verdict(RECOMPUTED, comesTo + ".", from);
  }

  /** Why an expression has nothing to stand on; {@code null} where it has. */
  private String baseless(Calculator.Operands operands, String unreadable) {
    for (String name : operands.names()) {
      if (workings.outcome(name) == null) {
        return "No earlier step is named " + name + ".";
      }
      if (workings.quantity(name) == null) {
        return "Step " + name + " is " + workings.outcome(name).text() + ", which is no figure.";
      }
    }
    if (unreadable != null) {
      return "The expression cannot be read: " + unreadable + ".";
    }
    return operands.names().isEmpty() ? "The expression uses no figure of an earlier step." : null;
  }

  /** The expression with the digits of the steps in place of their names. */
  private String filledIn(String expression) {
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < expression.length(); i++) {
      String name = expression.substring(i, i + 1);
      boolean alone =
          Names.isName(name)
              && (i == 0 || !Character.isLetter(expression.charAt(i - 1)))
              && (i + 1 == expression.length() || !Character.isLetter(expression.charAt(i + 1)));
      // The x of "as x" is no step.
      boolean unit = expression.startsWith("as ", Math.max(0, i - 3));
      out.append(alone && !unit && workings.outcome(name) instanceof Figure f ? f.digits() : name);
    }
    return out.toString();
  }

  /** Whether a stated number is the right one, or it rounded to at least four digits. */
  private static boolean agrees(BigDecimal said, BigDecimal right) {
    if (said.compareTo(right) == 0) {
      return true;
    }
    return said.precision() >= ROUNDED_DIGITS
        && said.scale() >= 0
        && (right.setScale(said.scale(), RoundingMode.HALF_EVEN).compareTo(said) == 0
            || right.setScale(said.scale(), RoundingMode.HALF_UP).compareTo(said) == 0);
  }

  /** Whether two numbers are the same but for the rounding of a restated result. */
  private static boolean isNear(BigDecimal said, BigDecimal right) {
    return said.subtract(right).abs().compareTo(right.abs().multiply(NEAR)) <= 0;
  }

  private Verdict infer(Step.Infer step) {
    List<Place> from = placesOf(step.premises());
    for (String premise : step.premises()) {
      if (!knows(premise)) {
        return new Verdict(NO_BASIS, "No earlier step is named " + premise + ".", from);
      }
    }
    inferred = true;
    List<Figures.Found> said = Figures.inText(step.sentence(), new Place.Question());
    for (Figures.Found found : said) {
      Figure figure = found.figure();
      if (years.contains(figure.text()) || anyStep(figure, true)) {
        continue;
      }
      boolean otherUnit = anyStep(figure, false);
      return new Verdict(
          otherUnit ? WRONG_UNIT_OR_SCALE : UNSUPPORTED_FIGURE,
          "The sentence says "
              + figure.text()
              + (otherUnit
                  ? ", a step holds that number in another unit or scale."
                  : ", which no earlier step holds."),
          from);
    }
    String reason =
        said.isEmpty()
            ? "The sentence states no figure; it rests on "
                + String.join(", ", step.premises())
                + "."
            : "Every figure of the sentence is an earlier step's.";
    return new Verdict(GROUNDED, reason, from);
  }

  /** Whether a figure of a sentence is one of the steps', its sign and rounding apart. */
  private boolean anyStep(Figure said, boolean unitToo) {
    for (String name : workings.figures()) {
      Figure held = (Figure) workings.outcome(name);
      boolean ratios = said.unit().kind() == Unit.Kind.RATIO && workings.quantity(name).isRatio();
      boolean bare = said.unit() == Unit.NONE && said.scale() == Scale.UNITS;
      BigDecimal value = held.value();
      if (unitToo && !bare) {
        if (said.unit() != held.unit() && !ratios && said.unit() != Unit.NONE) {
          continue;
        }
        value =
            held.absolute()
                .divide(said.scale().factor().multiply(said.unit().factor()), Decimals.CONTEXT);
      }
      BigDecimal magnitude = said.value().abs();
      BigDecimal rounded = value.abs().setScale(said.value().scale(), RoundingMode.HALF_EVEN);
      BigDecimal up = value.abs().setScale(said.value().scale(), RoundingMode.HALF_UP);
      boolean nothing = magnitude.signum() == 0 && value.signum() != 0;
      if (!nothing && (rounded.compareTo(magnitude) == 0 || up.compareTo(magnitude) == 0)) {
        return true;
      }
    }
    return false;
  }

  private Verdict conclude(Step.Conclude step) {
    if (evidence.stance() && step.stance() == null) {
      return new Verdict(NO_BASIS, "The evidence asks for a stance, none is given.", List.of());
    }
    if (step.of() == null) {
      if (step.answer() == Outcome.Word.NOT_STATED) {
        String reason =
            "The answer is that the evidence does not say; there is no figure to check.";
        return new Verdict(GROUNDED, reason, List.of());
      }
      return inferred
          ? new Verdict(GROUNDED, "The answer rests on the inference before it.", List.of())
          : new Verdict(NO_BASIS, "No inference leads to " + step.answer().text() + ".", List.of());
    }
    List<Place> from = placesOf(List.of(step.of()));
    Outcome held = workings.outcome(step.of());
    if (held == null) {
      return new Verdict(NO_BASIS, "No earlier step is named " + step.of() + ".", from);
    }
    String holds = "Step " + step.of() + " is " + held.text();
    String butSays = holds + ", the conclusion says " + step.answer().text() + ".";
    if (held instanceof Figure figure && step.answer() instanceof Figure said) {
      if (!figure.sameAs(said)) {
        boolean sameNumber =
            figure.value().compareTo(said.value()) == 0
                || figure.absolute().compareTo(said.absolute()) == 0;
        return new Verdict(sameNumber ? WRONG_UNIT_OR_SCALE : UNSUPPORTED_FIGURE, butSays, from);
      }
    } else if (held != step.answer()) {
      return new Verdict(NO_BASIS, butSays, from);
    }
    boolean computed = steps.get(step.of()) instanceof Step.Compute;
    return new Verdict(computed ? RECOMPUTED : GROUNDED, holds + ".", from);
  }

  /** Where the figures of some steps come from, without repetition. */
  private List<Place> placesOf(Collection<String> names) {
    LinkedHashSet<Place> all = new LinkedHashSet<>();
    names.forEach(name -> all.addAll(places.getOrDefault(name, List.of())));
    return new ArrayList<>(all);
  }
}
