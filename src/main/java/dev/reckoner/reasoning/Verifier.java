package dev.reckoner.reasoning;

import java.util.List;

/** Checks every step of a chain against its evidence and by computing it again. */
public final class Verifier {

  /** One verdict a step, in order. */
  public List<Verdict> verify(Evidence evidence, Chain chain) {
    return List.of();
  }

  /**
   * A line of raw text with what is to be said of it.
   *
   * @param line counted from 1; blank lines are left out
   * @param step {@code null} where the line cannot be read
   */
  public record Line(int line, String text, Step step, Verdict verdict) {}

  /** Verifies text that may not be a chain: a line that cannot be read has no basis. */
  public List<Line> verifyText(Evidence evidence, String text) {
    return List.of();
  }
}
