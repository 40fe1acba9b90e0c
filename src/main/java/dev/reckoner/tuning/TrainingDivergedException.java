package dev.reckoner.tuning;

/**
 * The loss rose far above where it began, or it or the gradient stopped being finite. The trained
 * parameters are those of the best evaluation, else of the last checkpoint, where there is one.
 */
public final class TrainingDivergedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final long keptStep;

  TrainingDivergedException(String message, long keptStep) {
    super(message);
    this.keptStep = keptStep;
  }

  /** The step whose parameters were kept, 0 where there was neither evaluation nor checkpoint. */
  public long keptStep() {
    return keptStep;
  }
}
