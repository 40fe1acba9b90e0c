package dev.reckoner.embedded;

/**
 * An embedded service can not be started. The message is one line for the user that says what to
 * do.
 */
public final class EmbeddedException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  EmbeddedException(String message) {
    super(message);
  }

  EmbeddedException(String message, Throwable cause) {
    super(message, cause);
  }
}
