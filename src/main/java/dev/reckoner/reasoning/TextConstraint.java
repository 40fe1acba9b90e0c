package dev.reckoner.reasoning;

/**
 * A character-level automaton that decides what a model may write next.
 *
 * <p>Implementations know text and no tokenizer: {@code inference} walks a token's characters
 * through the automaton to know whether the token is allowed. States are immutable, so that one
 * state can be advanced along many candidate tokens.
 */
public interface TextConstraint {

  /** The state before anything is written. */
  State start();

  /** A hash of everything that decides what is allowed; it goes into the lineage of an analysis. */
  String version();

  /**
   * What a state has in common with others: where the keys of two are equal, both allow the same
   * texts among those that are no longer than either's length.
   *
   * @param length characters
   */
  record Likeness(Object key, int length) {}

  /** One point in the text written so far. */
  interface State {

    /** The state after {@code c}, or {@code null} where {@code c} is not allowed here. */
    State next(char c);

    /** The state after all of {@code text}, or {@code null} where some of it is not allowed. */
    default State after(String text) {
      State state = this;
      for (int i = 0; i < text.length() && state != null; i++) {
        state = state.next(text.charAt(i));
      }
      return state;
    }

    /** Whether the text may end here. */
    boolean accepting();

    /** Which other states this one is like, or {@code null} where that is not known. */
    default Likeness likeness() {
      return null;
    }

    /**
     * The text that must follow here whatever the model would prefer: a calculator's result, a
     * citation's figure, fixed words. Empty where the model has a choice. Following it character by
     * character through {@link #next} is always allowed.
     */
    String forced();
  }
}
