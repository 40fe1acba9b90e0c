package dev.reckoner.tensor;

import java.util.List;

/**
 * What a LoRA adapter adds to a fused layer: {@code y += scale * u B^T} where {@code u = x A^T}.
 *
 * @param a {@code [ranks of all parts, in]}
 * @param parts in ascending order of columns and ranks
 */
public record LowRank(Matrix a, float scale, List<Part> parts) {

  /**
   * Output columns {@code [fromColumn, toColumn)} of the fused layer, from ranks {@code [fromRank,
   * toRank)}.
   *
   * @param b {@code [toColumn - fromColumn, toRank - fromRank]}
   */
  public record Part(Matrix b, int fromColumn, int toColumn, int fromRank, int toRank) {}

  /** Of all parts. */
  public int ranks() {
    return a.rows();
  }
}
