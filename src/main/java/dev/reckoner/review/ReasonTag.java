package dev.reckoner.review;

/** Why a chain is wrong, in the words of the person who reviewed it. */
public enum ReasonTag {
  WRONG_FIGURE("Wrong figure"),
  WRONG_FORMULA("Wrong formula"),
  WRONG_UNIT("Wrong unit or scale"),
  WRONG_CONCLUSION("Wrong conclusion"),
  MISSING_STEP("Missing step"),
  NOT_IN_SOURCE("Not in the source"),
  UNCLEAR_QUESTION("Unclear question"),
  OTHER("Other");

  private final String label;

  ReasonTag(String label) {
    this.label = label;
  }

  /** The tag as shown. */
  public String label() {
    return label;
  }

  /** The digit that picks it on the page, from 1. */
  public int key() {
    return ordinal() + 1;
  }
}
