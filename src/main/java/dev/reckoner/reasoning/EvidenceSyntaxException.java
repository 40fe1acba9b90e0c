package dev.reckoner.reasoning;

/** A text that is not rendered evidence; says in which line. */
public final class EvidenceSyntaxException extends Exception {

  private static final long serialVersionUID = 1L;

  private final int line;

  /**
   * @param line counted from 1
   * @param problem what is wrong there, without the position
   */
  public EvidenceSyntaxException(int line, String problem) {
    super("line " + line + ": " + problem);
    this.line = line;
  }

  public int line() {
    return line;
  }
}
