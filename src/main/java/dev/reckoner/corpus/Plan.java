package dev.reckoner.corpus;

import dev.reckoner.reasoning.Flag;
import dev.reckoner.reasoning.Place;
import dev.reckoner.reasoning.Stance;
import java.math.BigDecimal;
import java.util.List;

/**
 * What a chain shall do, before any figure is read or computed.
 *
 * @param cites the figures, which become a, b, c, … in this order
 * @param computes expressions over them and over one another, which take the next letters
 * @param answer the letter that is concluded; {@code null} for "not stated"
 * @param inference a sentence that follows from the answer; empty for none
 * @param stance {@code null} where the evidence does not ask for one
 * @param flags risks to point out; only with a stance
 */
public record Plan(
    List<Reference> cites,
    List<String> computes,
    String answer,
    String inference,
    Stance stance,
    List<Flag> flags) {

  public Plan {
    cites = List.copyOf(cites);
    computes = List.copyOf(computes);
    flags = List.copyOf(flags);
  }

  /** A plan whose last step is the answer. */
  public static Plan of(List<Reference> cites, List<String> computes) {
    int steps = cites.size() + computes.size();
    return new Plan(cites, computes, steps == 0 ? null : letter(steps - 1), "", null, List.of());
  }

  /** The name of the n-th step, counted from 0. */
  static String letter(int n) {
    return String.valueOf((char) ('a' + n));
  }

  /**
   * A figure to cite.
   *
   * @param place where it stands
   * @param value the number as published there; a place may hold several
   */
  public record Reference(Place place, BigDecimal value) {}
}
