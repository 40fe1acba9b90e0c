package dev.reckoner.reasoning;

import java.util.ArrayList;
import java.util.List;

/**
 * Checks every step of a chain against its evidence and by computing it again. It trusts nothing
 * that the chain says of itself, so a chain that a person edited is checked as one that a model
 * wrote.
 *
 * <p>Each step is checked on its own: a step that uses a wrong earlier one is right if it uses it
 * rightly, so the first failed verdict is the first wrong step. A chain stands only if it has a
 * conclusion and every verdict {@link Verdict#passed passed}.
 */
public final class Verifier {

  /**
   * A line of raw text with what is to be said of it.
   *
   * @param line counted from 1; blank lines are left out
   * @param step {@code null} where the line cannot be read
   */
  public record Line(int line, String text, Step step, Verdict verdict) {}

  /** One verdict a step, in order. */
  public List<Verdict> verify(Evidence evidence, Chain chain) {
    Verification verification = new Verification(evidence);
    return chain.steps().stream().map(verification::next).toList();
  }

  /**
   * Verifies text that may not be a chain: a line that cannot be read has no basis. Lines beyond
   * {@link Chain#MAX_LINES} are left out.
   */
  public List<Line> verifyText(Evidence evidence, String text) {
    Verification verification = new Verification(evidence);
    List<Line> lines = new ArrayList<>();
    boolean concluded = false;
    int number = 0;
    for (String raw : text.split("\n", -1)) {
      number++;
      if (raw.isBlank() || lines.size() == Chain.MAX_LINES) {
        continue;
      }
      try {
        Step step = Chain.parseLine(raw, number);
        if (concluded) {
          throw new ChainSyntaxException(number, 1, "nothing may follow the conclusion");
        }
        if (step.name() != null && verification.knows(step.name())) {
          throw new ChainSyntaxException(
              number, 1, "a step named " + step.name() + " exists already");
        }
        concluded = step instanceof Step.Conclude;
        lines.add(new Line(number, raw, step, verification.next(step)));
      } catch (ChainSyntaxException e) {
        String reason = "The line cannot be read: " + e.problem() + ".";
        Verdict verdict = new Verdict(Verdict.Kind.NO_BASIS, reason, List.of());
        lines.add(new Line(number, raw, null, verdict));
      }
    }
    return List.copyOf(lines);
  }
}
