package dev.reckoner.gemma;

import dev.reckoner.tensor.Tensor;

/** The fp32 gradients of a {@link Layer}, views into {@link Parameters#gradients}. */
record LayerGradients(
    Tensor inputNorm,
    Tensor qkv,
    Tensor qNorm,
    Tensor kNorm,
    Tensor o,
    Tensor postAttentionNorm,
    Tensor preFeedForwardNorm,
    Tensor gateUp,
    Tensor down,
    Tensor postFeedForwardNorm) {

  /** Where every parameter is frozen. */
  static final LayerGradients NONE =
      new LayerGradients(null, null, null, null, null, null, null, null, null, null);
}
