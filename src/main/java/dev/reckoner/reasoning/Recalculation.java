package dev.reckoner.reasoning;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A chain's text as a person edits it, with every result and the conclusion's outcome computed
 * again, so that correcting one step carries into those that stand on it. Results may be left out:
 * {@code compute c = a - b} and {@code conclude c} are enough. A line that cannot be read or
 * computed stays as it is, for the {@link Verifier} to say what is wrong with it.
 */
public final class Recalculation {

  private static final Pattern COMPUTE =
      Pattern.compile("compute\\s+([a-z])\\s*=\\s*([^=]+?)\\s*(?:=.*)?");
  private static final Pattern CONCLUDE =
      Pattern.compile("conclude\\s+([a-z])(?:\\s*=\\s*[^;]*?)?\\s*(;.*)?");

  private final Calculator calculator = new Calculator();
  private Workings workings = Workings.NONE;

  private Recalculation() {}

  /** The text without blank lines and surrounding space, its results renewed. */
  public static String of(String text) {
    Recalculation recalculation = new Recalculation();
    List<String> lines = new ArrayList<>();
    for (String line : text.split("\\R")) {
      if (!line.isBlank()) {
        lines.add(recalculation.line(line.strip()));
      }
    }
    return String.join("\n", lines);
  }

  private String line(String line) {
    Matcher compute = COMPUTE.matcher(line);
    if (compute.matches()) {
      try {
        Calculator.Evaluation evaluation =
            calculator.evaluate(compute.group(2), workings::quantity);
        Step.Compute step =
            new Step.Compute(compute.group(1), compute.group(2), evaluation.result());
        workings = workings.with(step.name(), step.result(), evaluation.plain());
        return step.text();
      } catch (ExpressionException e) {
        return line;
      }
    }
    Matcher conclude = CONCLUDE.matcher(line);
    if (conclude.matches() && workings.outcome(conclude.group(1)) != null) {
      String rest = conclude.group(2) == null ? "" : " " + conclude.group(2);
      String name = conclude.group(1);
      return "conclude " + name + " = " + workings.outcome(name).text() + rest;
    }
    try {
      if (Chain.parseLine(line, 1) instanceof Step.Cite cite) {
        workings = workings.with(cite.name(), cite.figure(), false);
      }
    } catch (ChainSyntaxException e) {
      return line;
    }
    return line;
  }
}
