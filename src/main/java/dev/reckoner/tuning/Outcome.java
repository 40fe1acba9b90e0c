package dev.reckoner.tuning;

/**
 * How a run ended. The trained parameters are those of the best evaluation where there were
 * held-out samples, else those of the last step.
 *
 * @param steps done, those of resumed runs included
 * @param trainingLoss of the last step
 * @param heldOutLoss best mean loss on the held-out samples, NaN without any
 * @param end why it ended
 */
public record Outcome(long steps, double trainingLoss, double heldOutLoss, End end) {
  /** Why a run ended. */
  public enum End {
    COMPLETED,
    /** The held-out loss had not improved for the recipe's patience. */
    STOPPED_EARLY,
    /** The listener asked for it; the run can be resumed. */
    INTERRUPTED
  }
}
