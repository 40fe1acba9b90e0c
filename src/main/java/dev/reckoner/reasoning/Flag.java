package dev.reckoner.reasoning;

/** A risk that a conclusion points out; a closed vocabulary, so that consumers can rely on it. */
public enum Flag {
  CONCENTRATION("concentration"),
  CURRENCY("currency"),
  GUIDANCE_CUT("guidance-cut"),
  LEVERAGE("leverage"),
  LIQUIDITY("liquidity"),
  MARGIN_PRESSURE("margin-pressure"),
  ONE_OFF("one-off"),
  RESTATEMENT("restatement");

  private final String text;

  Flag(String text) {
    this.text = text;
  }

  public String text() {
    return text;
  }

  /**
   * The flag of that name.
   *
   * @throws IllegalArgumentException where there is none
   */
  public static Flag parse(String text) {
    for (Flag flag : values()) {
      if (flag.text.equals(text)) {
        return flag;
      }
    }
    throw new IllegalArgumentException("not a flag: " + text);
  }
}
