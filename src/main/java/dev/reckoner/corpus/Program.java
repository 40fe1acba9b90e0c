package dev.reckoner.corpus;

/**
 * How the annotators of a data set derived an answer.
 *
 * @param language how to read {@code source}
 * @param source the program as published
 */
public record Program(Language language, String source) {

  /** The notations of the published data sets. */
  public enum Language {
    /** {@code subtract(5829, 5735), divide(#0, 5735)} */
    FINQA,
    /** An infix expression: {@code (44.1-56.7)/56.7} */
    TATQA,
    /** Assignments, the last to {@code ans}: {@code x0 = 93 - 103; ans = x0 / 103} */
    CONVFINQA
  }
}
