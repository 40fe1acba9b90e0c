package dev.reckoner.gemma;

import java.util.Collections;
import java.util.EnumSet;
import java.util.Set;

/**
 * The shape of a LoRA adapter: {@code y = W x + scale * B (A x)}.
 *
 * @param alpha scale is alpha / rank, or alpha / sqrt(rank) with rsLoRA
 * @param dropout probability of dropping an input of A during training
 */
public record LoraSpec(int rank, float alpha, boolean rsLora, float dropout, Set<Target> targets) {
  public LoraSpec {
    if (rank < 1) {
      throw new IllegalArgumentException("rank must be positive, not " + rank);
    }
    if (dropout < 0 || dropout >= 1) {
      throw new IllegalArgumentException("dropout must be in [0, 1), not " + dropout);
    }
    if (targets.isEmpty()) {
      throw new IllegalArgumentException("an adapter needs at least one target");
    }
    targets = Collections.unmodifiableSet(EnumSet.copyOf(targets));
  }

  /** All seven linear layers. */
  public static LoraSpec allLinear(int rank, float alpha) {
    return new LoraSpec(rank, alpha, false, 0, EnumSet.allOf(Target.class));
  }

  public float scale() {
    return (float) (rsLora ? alpha / Math.sqrt(rank) : alpha / (double) rank);
  }
}
