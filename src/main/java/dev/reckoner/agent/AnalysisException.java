package dev.reckoner.agent;

import java.util.List;

/**
 * Why an event has no analysis. There is never a half one: a model that fails or is cut off ends
 * here and not in an answer.
 */
public abstract sealed class AnalysisException extends RuntimeException {

  private AnalysisException(String message, Throwable cause) {
    super(message, cause);
  }

  /** A short constant code, for headers and metrics. */
  public abstract String reason();

  /** Whether the same event may succeed later without anything being changed. */
  public abstract boolean retryable();

  /** The event is not what its type promises, or of an unknown type. */
  public static final class InvalidEvent extends AnalysisException {
    public InvalidEvent(List<String> problems) {
      super(String.join("; ", problems), null);
    }

    @Override
    public String reason() {
      return "invalid-event";
    }

    @Override
    public boolean retryable() {
      return false;
    }
  }

  /** The evidence does not fit the model's context. */
  public static final class TooLong extends AnalysisException {
    public TooLong(String message) {
      super(message, null);
    }

    @Override
    public String reason() {
      return "too-long";
    }

    @Override
    public boolean retryable() {
      return false;
    }
  }

  /** The model reached the limit on length or time before its conclusion. */
  public static final class Truncated extends AnalysisException {
    private final String written;

    /**
     * @param limit what was reached, for example {@code "512 tokens"}
     * @param written the text so far, for a person to look at
     */
    public Truncated(String limit, String written) {
      super("the model did not conclude within " + limit, null);
      this.written = written;
    }

    /** What the model had written. */
    public String written() {
      return written;
    }

    @Override
    public String reason() {
      return "truncated";
    }

    @Override
    public boolean retryable() {
      return false;
    }
  }

  /** The model wrote what cannot be read as a chain. */
  public static final class Unreadable extends AnalysisException {
    public Unreadable(String message, Throwable cause) {
      super(message, cause);
    }

    @Override
    public String reason() {
      return "unreadable";
    }

    @Override
    public boolean retryable() {
      return false;
    }
  }

  /** The model could not serve: it is overloaded, closing, or broken. */
  public static final class ModelFailed extends AnalysisException {
    public ModelFailed(String message, Throwable cause) {
      super(message, cause);
    }

    @Override
    public String reason() {
      return "model-failed";
    }

    @Override
    public boolean retryable() {
      return true;
    }
  }
}
