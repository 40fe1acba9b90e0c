package dev.reckoner.tensor;

/** A weight file that cannot be used; the message names file and tensor and fits on one line. */
public final class SafetensorsException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public SafetensorsException(String message) {
    super(message);
  }

  public SafetensorsException(String message, Throwable cause) {
    super(message, cause);
  }
}
