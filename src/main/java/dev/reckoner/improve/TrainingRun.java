package dev.reckoner.improve;

import java.time.Instant;
import java.util.UUID;

/**
 * One training run, as stored.
 *
 * @param datasetHash {@code null} until the dataset is built
 * @param adapterId the candidate it made; {@code null} before
 * @param steps optimiser steps in all; 0 while unknown
 * @param loss mean loss of the last step, {@code null} before the first
 * @param message what it does now, or why it ended as it did; one line
 */
public record TrainingRun(
    UUID id,
    Status status,
    String startedBy,
    String datasetHash,
    String adapterId,
    String backend,
    int step,
    int steps,
    Double loss,
    String message,
    Instant createdAt,
    Instant startedAt,
    Instant finishedAt) {

  /** Where a run stands. The first four are active: only one run may be in them at a time. */
  public enum Status {
    QUEUED,
    BUILDING,
    TRAINING,
    EVALUATING,
    /** Through the gate, and waiting for someone to promote it. */
    PASSED,
    PROMOTED,
    /** The gate, or the dataset build, said no; the message says why. */
    REFUSED,
    FAILED,
    CANCELLED;

    public boolean active() {
      return ordinal() <= EVALUATING.ordinal();
    }

    String column() {
      return name().toLowerCase(java.util.Locale.ROOT);
    }
  }

  /** What happened when. */
  public record LogLine(Instant at, String line) {}

  /** A point of the loss curve. */
  public record LossPoint(int step, double loss, double learningRate) {}
}
