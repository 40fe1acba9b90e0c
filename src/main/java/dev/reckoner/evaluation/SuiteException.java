package dev.reckoner.evaluation;

/** A suite cannot be used; the message says which and why, in one line. */
public final class SuiteException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  public SuiteException(String message) {
    super(message);
  }

  public SuiteException(String message, Throwable cause) {
    super(message, cause);
  }
}
