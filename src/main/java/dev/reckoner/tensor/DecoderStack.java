package dev.reckoner.tensor;

import java.util.List;

/**
 * The layers of a decoder, and the adapters of a batch's rows, as one new token of each sequence
 * passes through them: {@link Backend#decode}.
 *
 * @param embedding {@code [vocabulary, hidden]}
 * @param finalNorm {@code [1, hidden]}, as all norm weights
 */
public record DecoderStack(
    Matrix embedding,
    float embeddingScale,
    int headDim,
    float attentionScale,
    float eps,
    List<Layer> layers,
    Tensor finalNorm) {

  /**
   * @param rope {@code [positions, headDim]}, cosines then sines
   * @param window visible keys, 0 for all
   * @param adapters of the rows
   */
  public record Layer(
      Tensor inputNorm,
      Matrix qkv,
      Tensor qNorm,
      Tensor kNorm,
      Tensor rope,
      int window,
      Matrix o,
      Tensor postAttentionNorm,
      Tensor preFeedForwardNorm,
      Matrix gateUp,
      Matrix down,
      Tensor postFeedForwardNorm,
      Adapters adapters) {}

  /** Adapters of a layer's products; null where no row has any. */
  public record Adapters(LowRankRows qkv, LowRankRows o, LowRankRows gateUp, LowRankRows down) {}
}
