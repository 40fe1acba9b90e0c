package dev.reckoner.tuning;

/** Loss or gradient stopped being finite; nothing was updated with it. */
public final class TrainingDivergedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public TrainingDivergedException(String message) {
    super(message);
  }
}
