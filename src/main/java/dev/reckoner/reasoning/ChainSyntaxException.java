package dev.reckoner.reasoning;

/** A chain that cannot be read; says where and why. */
public final class ChainSyntaxException extends Exception {

  private static final long serialVersionUID = 1L;

  private final int line;
  private final int column;
  private final String problem;

  /**
   * @param line counted from 1
   * @param column counted from 1
   * @param problem what is wrong there, without the position
   */
  public ChainSyntaxException(int line, int column, String problem) {
    super("line " + line + ", column " + column + ": " + problem);
    this.line = line;
    this.column = column;
    this.problem = problem;
  }

  public int line() {
    return line;
  }

  public int column() {
    return column;
  }

  public String problem() {
    return problem;
  }
}
