package dev.reckoner.tensor;

import java.util.ArrayList;
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

  /**
   * Weight gradients of B: {@code dB_p += scale * dy_p^T u_p} of each part.
   *
   * @param gradients fp32, one a part
   */
  public List<Backend.WeightGradient> bGradients(Tensor dy, Tensor u, List<Tensor> gradients) {
    List<Backend.WeightGradient> all = new ArrayList<>();
    for (int i = 0; i < parts.size(); i++) {
      Part part = parts.get(i);
      all.add(
          new Backend.WeightGradient(
              dy.columns(part.fromColumn(), part.toColumn()),
              u.columns(part.fromRank(), part.toRank()),
              scale,
              gradients.get(i)));
    }
    return all;
  }
}
