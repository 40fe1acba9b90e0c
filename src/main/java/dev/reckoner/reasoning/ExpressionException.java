package dev.reckoner.reasoning;

/** An expression that cannot be read or uses what does not exist; says at which character. */
public final class ExpressionException extends Exception {

  private static final long serialVersionUID = 1L;

  private final int position;

  /**
   * @param position of the first character that is wrong, counted from 1
   * @param problem what is wrong there, without the position
   */
  public ExpressionException(int position, String problem) {
    super("at character " + position + ": " + problem);
    this.position = position;
  }

  public int position() {
    return position;
  }
}
