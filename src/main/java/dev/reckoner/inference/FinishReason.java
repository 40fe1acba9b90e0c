package dev.reckoner.inference;

/** Why a generation ended. Only {@link #STOP} is a finished answer. */
public enum FinishReason {
  /** The model ended its turn, or the constraint allows nothing more. */
  STOP,
  /** The token limit was reached before the end. */
  LENGTH,
  /** The time limit was reached before the end. */
  TIME,
  /** The caller cancelled. */
  CANCELLED
}
