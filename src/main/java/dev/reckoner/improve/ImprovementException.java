package dev.reckoner.improve;

/** What was asked of the improvement loop cannot be done now; the message tells a user why. */
public final class ImprovementException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  public ImprovementException(String message) {
    super(message);
  }

  public ImprovementException(String message, Throwable cause) {
    super(message, cause);
  }
}
