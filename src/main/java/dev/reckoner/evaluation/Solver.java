package dev.reckoner.evaluation;

import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.Evidence;
import java.time.Duration;

/** Something that answers questions with chains: a model, with or without an adapter. */
@FunctionalInterface
public interface Solver {

  /**
   * Answers one question. Called by several threads at once.
   *
   * @return never {@code null}; a solver that does not get to an answer says so in the solution
   */
  Solution solve(Evidence evidence) throws InterruptedException;

  /**
   * An answer.
   *
   * @param chain {@code null} where none was reached
   * @param failure why there is no chain, one line; {@code null} where there is one
   * @param confidence how likely the solver thinks that it is right, 0..1; 0 without a chain
   * @param certainty what the confidence was made of, 0..1; equal to it where nothing is made of it
   * @param tokens generated
   * @param took time in the model
   */
  record Solution(
      Chain chain, String failure, double confidence, double certainty, int tokens, Duration took) {

    public Solution {
      if ((chain == null) == (failure == null)) {
        throw new IllegalArgumentException("a solution is a chain or a failure");
      }
    }

    /** An answer whose confidence is its certainty. */
    public Solution(Chain chain, String failure, double confidence, int tokens, Duration took) {
      this(chain, failure, confidence, confidence, tokens, took);
    }

    /** An answer that was not reached. */
    public static Solution failed(String failure, int tokens, Duration took) {
      return new Solution(null, failure, 0, tokens, took);
    }
  }
}
