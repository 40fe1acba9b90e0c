package dev.reckoner.reasoning;

/** Which way a conclusion points, where the evidence asks for it. */
public enum Stance {
  POSITIVE("positive"),
  NEUTRAL("neutral"),
  NEGATIVE("negative");

  private final String text;

  Stance(String text) {
    this.text = text;
  }

  public String text() {
    return text;
  }

  /**
   * The stance of that name.
   *
   * @throws IllegalArgumentException where there is none
   */
  public static Stance parse(String text) {
    for (Stance stance : values()) {
      if (stance.text.equals(text)) {
        return stance;
      }
    }
    throw new IllegalArgumentException("not a stance: " + text);
  }
}
