package dev.reckoner.tuning;

/**
 * One optimiser step.
 *
 * @param step counted from 1
 * @param steps of the whole run
 * @param loss mean over the step's targets, nats
 * @param gradientNorm before clipping
 * @param tokens packed tokens of the step
 * @param targets tokens that carried loss
 * @param seconds the step took
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
    double seconds) {
  public double tokensPerSecond() {
    return tokens / seconds;
  }
}
