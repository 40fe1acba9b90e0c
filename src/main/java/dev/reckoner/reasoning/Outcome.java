package dev.reckoner.reasoning;

/** What a step comes to: a figure, or a word. */
public sealed interface Outcome permits Figure, Outcome.Word {

  /** As a chain writes it. */
  String text();

  /**
   * Reads what {@link #text} writes.
   *
   * @throws IllegalArgumentException where it is neither a figure nor one of the words
   */
  static Outcome parse(String text) {
    for (Word word : Word.values()) {
      if (word.text().equals(text)) {
        return word;
      }
    }
    return Figure.parse(text);
  }

  /** An outcome that is no figure. */
  enum Word implements Outcome {
    YES("yes"),
    NO("no"),
    /** The evidence does not say; only a conclusion can be this. */
    NOT_STATED("not stated"),
    /** No number exists: a division by zero, or a result beyond the calculator's bounds. */
    UNDEFINED("undefined");

    private final String text;

    Word(String text) {
      this.text = text;
    }

    @Override
    public String text() {
      return text;
    }
  }
}
