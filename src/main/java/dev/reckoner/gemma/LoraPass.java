package dev.reckoner.gemma;

import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.Tensor;

/** Forward and backward of the adapter of one fused layer in training. */
final class LoraPass {
  private final Backend backend;
  private final LoraAdapter adapter;
  private final LoraAdapter.SiteAdapter site;
  private final float scale;
  private final float dropout;
  private final long seed;
  private Tensor u;

  LoraPass(
      Backend backend,
      LoraAdapter adapter,
      LoraAdapter.SiteAdapter site,
      float dropout,
      long seed) {
    this.backend = backend;
    this.adapter = adapter;
    this.site = site;
    this.scale = adapter.spec().scale();
    this.dropout = dropout;
    this.seed = seed;
  }

  /** {@code y += scale * B (A dropout(x))}; keeps {@code u = A dropout(x)}. */
  void forward(Tensor x, Tensor y) {
    u = backend.activations(x.rows(), site.ranks());
    try (Tensor dropped = dropped(x)) {
      backend.linear(site.a(), dropped == null ? x : dropped, 1, 0, u);
    }
    for (LoraAdapter.Part part : site.parts()) {
      backend.linear(
          part.b(),
          u.columns(part.fromRank(), part.toRank()),
          scale,
          1,
          y.columns(part.fromColumn(), part.toColumn()));
    }
  }

  /** Accumulates dA and dB and adds to dx. */
  void backward(Tensor x, Tensor dy, Tensor dx) {
    try (Tensor du = backend.activations(x.rows(), site.ranks());
        Tensor dropped = dropped(x)) {
      for (LoraAdapter.Part part : site.parts()) {
        Tensor dyPart = dy.columns(part.fromColumn(), part.toColumn());
        backend.linearWeightGradient(
            dyPart, u.columns(part.fromRank(), part.toRank()), scale, adapter.bGradient(part));
        backend.linearInputGradient(
            part.b(), dyPart, scale, 0, du.columns(part.fromRank(), part.toRank()));
      }
      backend.linearWeightGradient(du, dropped == null ? x : dropped, 1, adapter.aGradient(site));
      if (dropped == null) {
        backend.linearInputGradient(site.a(), du, 1, 1, dx);
      } else {
        backend.linearInputGradient(site.a(), du, 1, 0, dropped);
        backend.dropout(dropped, dropout, seed, 1, dx);
      }
    }
  }

  private Tensor dropped(Tensor x) {
    if (dropout == 0) {
      return null;
    }
    Tensor out = backend.activations(x.rows(), x.columns());
    backend.dropout(x, dropout, seed, 0, out);
    return out;
  }

  void forget() {
    if (u != null) {
      u.close();
      u = null;
    }
  }
}
