package dev.reckoner.tensor;

/**
 * The numbers of one AdamW step (decoupled weight decay, Loshchilov and Hutter 2019), with bias
 * correction for step {@code step} (counted from 1).
 */
public record AdamW(
    float learningRate, float beta1, float beta2, float epsilon, float weightDecay, long step) {

  /** {@code 1 - beta1^step}. */
  public float correction1() {
    return (float) (1 - Math.pow(beta1, step));
  }

  /** {@code 1 - beta2^step}. */
  public float correction2() {
    return (float) (1 - Math.pow(beta2, step));
  }
}
