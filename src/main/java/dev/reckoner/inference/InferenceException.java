package dev.reckoner.inference;

/** The engine could not serve a request. The message says why and, where it helps, what to do. */
public class InferenceException extends RuntimeException {

  public InferenceException(String message) {
    super(message);
  }

  public InferenceException(String message, Throwable cause) {
    super(message, cause);
  }

  /** Too many requests wait already: try again later. */
  public static final class Busy extends InferenceException {
    public Busy(int queued) {
      super(queued + " requests are waiting for the model already: try again later");
    }
  }

  /** Prompt and answer do not fit the model. */
  public static final class TooLong extends InferenceException {
    public TooLong(int prompt, int answer, int positions) {
      super(
          "a prompt of %d tokens and an answer of up to %d do not fit the model's %d positions"
              .formatted(prompt, answer, positions));
    }
  }

  /** The engine was closed before the request ended. */
  public static final class Closed extends InferenceException {
    public Closed() {
      super("the inference engine is closed");
    }
  }
}
