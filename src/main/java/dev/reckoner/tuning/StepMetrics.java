package dev.reckoner.tuning;

import com.fasterxml.jackson.annotation.JsonUnwrapped;

/**
 * One optimiser step.
 *
 * @param step counted from 1
 * @param steps of the whole run
 * @param loss mean over the step's targets, nats; with preferences mean over its pairs
 * @param gradientNorm before clipping
 * @param tokens packed tokens of the step
 * @param targets tokens that carried loss
 * @param seconds the step took
 * @param preferences null where the objective is to imitate
 */
public record StepMetrics(
    long step,
    long steps,
    int epoch,
    double loss,
    float learningRate,
    double gradientNorm,
    int tokens,
    int targets,
    double seconds,
    @JsonUnwrapped PreferenceMetrics preferences) {
  /** The same with {@code before} steps of an earlier run counted in. */
  public StepMetrics after(long before) {
    return new StepMetrics(
        before + step,
        before + steps,
        epoch,
        loss,
        learningRate,
        gradientNorm,
        tokens,
        targets,
        seconds,
        preferences);
  }

  public double tokensPerSecond() {
    return tokens / seconds;
  }
}
