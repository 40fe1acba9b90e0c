package dev.reckoner.tuning;

/** Hears of a run's progress, on the training thread, and may ask it to stop. */
public interface TrainingListener {
  /** After each optimiser step. */
  default void step(StepMetrics metrics) {}

  /** After each evaluation on held-out samples. */
  default void evaluated(long step, double loss, boolean best) {}

  /** Asked after each step: true saves a checkpoint and ends the run, to be resumed later. */
  default boolean stopRequested() {
    return false;
  }
}
