package dev.reckoner.tuning;

import java.util.List;

/**
 * Which examples each optimiser step of a run sees: a function of the step alone, so that a resumed
 * run sees what an uninterrupted one would.
 *
 * @param <E> samples to imitate, or preferences
 */
interface Feed<E> {

  /** Optimiser steps of the whole run. */
  long steps();

  /** The pass over the data that step {@code step} (from 0) belongs to. */
  int epoch(long step);

  /** The micro-batches of step {@code step} (from 0), each at most the recipe's tokens. */
  List<List<E>> groups(long step);

  /** Whether an evaluation is due when {@code step} steps are done. */
  boolean evaluateAfter(long step);
}
