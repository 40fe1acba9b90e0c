package dev.reckoner.tuning;

/**
 * Means over the pairs of a step or an evaluation.
 *
 * @param rewardMargin {@code beta * ((chosen - its reference) - (rejected - its reference))}
 * @param rewardAccuracy share of the pairs whose margin is positive
 * @param chosenLogProbability of the whole chosen continuation, nats
 * @param rejectedLogProbability of the whole rejected continuation, nats
 */
public record PreferenceMetrics(
    double rewardMargin,
    double rewardAccuracy,
    double chosenLogProbability,
    double rejectedLogProbability) {}
