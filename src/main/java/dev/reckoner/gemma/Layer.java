package dev.reckoner.gemma;

import dev.reckoner.tensor.Matrix;
import dev.reckoner.tensor.Tensor;

/**
 * The weights of one decoder layer, named as in the checkpoint; q, k, v and gate, up are stacked by
 * rows. Norm weights are {@code [1, features]}.
 */
record Layer(
    Tensor inputNorm,
    Matrix qkv,
    Tensor qNorm,
    Tensor kNorm,
    Matrix o,
    Tensor postAttentionNorm,
    Tensor preFeedForwardNorm,
    Matrix gateUp,
    Matrix down,
    Tensor postFeedForwardNorm)
    implements AutoCloseable {

  @Override
  public void close() {
    inputNorm.close();
    qkv.close();
    qNorm.close();
    kNorm.close();
    o.close();
    postAttentionNorm.close();
    preFeedForwardNorm.close();
    gateUp.close();
    down.close();
    postFeedForwardNorm.close();
  }
}
