package dev.reckoner.gemma;

import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.LowRank;
import dev.reckoner.tensor.Matrix;
import dev.reckoner.tensor.Tensor;
import java.util.List;

/** Forward and backward of one fused layer and its adapter in training. */
final class LoraPass {
  private final Backend backend;
  private final LoraAdapter adapter;
  private final LoraAdapter.SiteAdapter site;
  private final LowRank lowRank;
  private final float dropout;
  private final long seed;

  LoraPass(
      Backend backend,
      LoraAdapter adapter,
      LoraAdapter.SiteAdapter site,
      float dropout,
      long seed) {
    this.backend = backend;
    this.adapter = adapter;
    this.site = site;
    this.lowRank = site.lowRank(adapter.spec().scale());
    this.dropout = dropout;
    this.seed = seed;
  }

  int ranks() {
    return site.ranks();
  }

  /**
   * {@code y = x W^T + scale * u B^T}, {@code u = A dropout(x)}.
   *
   * @param u out {@code [T, ranks]}; which {@link #weightGradient} wants back
   */
  void forward(Matrix w, Tensor x, Tensor u, Tensor y) {
    if (dropout == 0) {
      backend.linear(w, lowRank, x, u, y);
      return;
    }
    try (Tensor dropped = dropped(x)) {
      backend.linear(site.a(), dropped, 1, 0, u);
    }
    backend.linear(w, x, 1, 0, y);
    for (LowRank.Part part : lowRank.parts()) {
      backend.linear(
          part.b(),
          u.columns(part.fromRank(), part.toRank()),
          lowRank.scale(),
          1,
          y.columns(part.fromColumn(), part.toColumn()));
    }
  }

  /** {@code du = scale * dy B}, {@code dx = dy W + dropout(du A)}. */
  void inputGradient(Matrix w, Tensor dy, Tensor du, Tensor dx) {
    if (dropout == 0) {
      backend.linearInputGradient(w, lowRank, dy, du, dx);
      return;
    }
    for (LowRank.Part part : lowRank.parts()) {
      backend.linearInputGradient(
          part.b(),
          dy.columns(part.fromColumn(), part.toColumn()),
          lowRank.scale(),
          0,
          du.columns(part.fromRank(), part.toRank()));
    }
    backend.linearInputGradient(w, dy, 1, 0, dx);
    try (Tensor through = backend.activations(dx.rows(), dx.columns())) {
      backend.linearInputGradient(site.a(), du, 1, 0, through);
      backend.dropout(through, dropout, seed, 1, dx);
    }
  }

  /** Whether the layer's input goes into A as it is. */
  boolean dropsNothing() {
    return dropout == 0;
  }

  /**
   * Backward of GeGLU between this layer, gate|up, and {@code down}; accumulates dB of this one and
   * dA of that one, neither of which drops anything.
   */
  void gegluGradient(
      LoraPass down, Tensor dOut, Tensor gateUp, Tensor dGateUp, Tensor u, Tensor downDu) {
    backend.adaptedGegluGradient(
        dOut, gateUp, dGateUp, lowRank, u, bGradients(), downDu, adapter.aGradient(down.site));
  }

  private List<Tensor> bGradients() {
    return site.parts().stream().map(adapter::bGradient).toList();
  }

  /** Accumulates dA and dB. */
  void weightGradient(Tensor x, Tensor u, Tensor dy, Tensor du) {
    bGradient(u, dy);
    aGradient(x, du);
  }

  /** The same {@link Backend#beside}. */
  void weightGradientBeside(Tensor x, Tensor u, Tensor dy, Tensor du) {
    bGradientBeside(u, dy);
    aGradientBeside(x, du);
  }

  void bGradientBeside(Tensor u, Tensor dy) {
    backend.beside(() -> bGradient(u, dy));
  }

  void aGradientBeside(Tensor x, Tensor du) {
    backend.beside(() -> aGradient(x, du));
  }

  private void bGradient(Tensor u, Tensor dy) {
    backend.lowRankGradient(lowRank, dy, u, bGradients());
  }

  private void aGradient(Tensor x, Tensor du) {
    try (Tensor dropped = dropped(x)) {
      backend.linearWeightGradient(du, dropped == null ? x : dropped, 1, adapter.aGradient(site));
    }
  }

  /** Says that a product with w follows, forward or backward: {@link Backend#prepare}. */
  void prepare(Matrix w, boolean behindInputs) {
    backend.prepare(w, dropout == 0 ? lowRank : null, behindInputs);
  }

  private Tensor dropped(Tensor x) {
    if (dropout == 0) {
      return null;
    }
    Tensor out = backend.activations(x.rows(), x.columns());
    backend.dropout(x, dropout, seed, 0, out);
    return out;
  }
}
