package dev.reckoner.tuning;

import dev.reckoner.gemma.TrainingPass;
import java.util.List;

/** What a run learns from its examples. */
interface Objective<E extends Example> {
  /** What of an example the loss is a mean over. */
  int units(E example);

  /**
   * Adds the gradients of {@code share} times the summed loss of a micro-batch to the pass's
   * parameters, and what it measured to the tally.
   */
  void accumulate(TrainingPass pass, List<E> group, float share, long dropoutSeed, Tally tally);

  /** Measures a micro-batch, without gradients or dropout. */
  void evaluate(TrainingPass pass, List<E> group, Tally tally);
}
