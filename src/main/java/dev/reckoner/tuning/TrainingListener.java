package dev.reckoner.tuning;

/** Hears of a run's progress, on the training thread, and may ask it to stop. */
public interface TrainingListener {
  /** While the reference of preference training is computed, before the first step. */
  default void reference(int donePairs, int pairs) {}

  /** After each optimiser step. */
  default void step(StepMetrics metrics) {}

  /** After each evaluation on held-out samples. */
  default void evaluated(long step, double loss, boolean best) {}

  /**
   * Asked after each step: true saves a checkpoint and ends the run, to be resumed later. Asked,
   * too, while the reference is computed, which then is lost.
   */
  default boolean stopRequested() {
    return false;
  }
}
