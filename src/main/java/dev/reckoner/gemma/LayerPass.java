package dev.reckoner.gemma;

import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.Indices;
import dev.reckoner.tensor.Matrix;
import dev.reckoner.tensor.Tensor;

/**
 * One decoder layer's training forward, what it keeps, and its backward. Owns its input. A local
 * named {@code dX} is the gradient of the loss with respect to X. The inputs of the linear layers
 * that a norm or GeGLU makes are not kept but made again: they are a third of the memory and hardly
 * any of the time.
 */
final class LayerPass implements AutoCloseable {
  /** What all layers of a pass share. */
  record Shared(Indices positions, Indices sequences, float dropout, long dropoutSeed) {}

  private final GemmaConfig config;
  private final Backend backend;
  private final Layer w;
  private final LayerGradients gradients;
  private final LoraAdapter adapter;
  private final Tensor rope;
  private final int layer;
  private final Shared shared;
  private final Tensor x;

  private final LoraPass qkvLora;
  private final LoraPass oLora;
  private final LoraPass gateUpLora;
  private final LoraPass downLora;

  private Tensor rstdInput;
  private Tensor qkv;
  private Tensor q;
  private Tensor k;
  private Tensor rstdQk;
  private Tensor attended;
  private Tensor logSumExp;
  private Tensor attentionOut;
  private Tensor rstdPostAttention;
  private Tensor middle;
  private Tensor rstdPreFeedForward;
  private Tensor gateUp;
  private Tensor downOut;
  private Tensor rstdPostFeedForward;

  LayerPass(Gemma3 model, LoraAdapter adapter, int layer, Shared shared, Tensor x) {
    config = model.config();
    backend = model.backend();
    w = model.parts().layers().get(layer);
    gradients = adapter == null ? model.parts().layerGradients(layer) : LayerGradients.NONE;
    rope = model.rope(layer);
    this.adapter = adapter;
    this.layer = layer;
    this.shared = shared;
    this.x = x;
    qkvLora = lora(Site.QKV);
    oLora = lora(Site.O);
    gateUpLora = lora(Site.GATE_UP);
    downLora = lora(Site.DOWN);
  }

  private LoraPass lora(Site site) {
    LoraAdapter.SiteAdapter at = adapter == null ? null : adapter.at(layer, site);
    if (at == null) {
      return null;
    }
    long seed = shared.dropoutSeed() + (layer * 4L + site.ordinal()) * 0xD1B54A32D192ED03L;
    return new LoraPass(backend, adapter, at, shared.dropout(), seed);
  }

  /** The layer's output {@code [T, hidden]}, owned by the caller. */
  Tensor forward() {
    int t = x.rows();
    int qWidth = config.queryWidth();
    int kWidth = config.keyWidth();
    float eps = config.normEpsilon();
    rstdInput = backend.floats(t, 1);
    qkv = backend.activations(t, qWidth + 2 * kWidth);
    try (Tensor h = backend.activations(t, config.hidden())) {
      backend.rmsNorm(x, w.inputNorm(), eps, h, rstdInput);
      linear(w.qkv(), qkvLora, h, qkv);
    }
    q = backend.activations(t, qWidth);
    k = backend.activations(t, kWidth);
    rstdQk = backend.floats(t, config.heads() + config.kvHeads());
    backend.qkNormRope(qkv, w.qNorm(), w.kNorm(), eps, shared.positions(), rope, q, k, rstdQk);
    attended = backend.activations(t, qWidth);
    logSumExp = backend.floats(t, config.heads());
    backend.attention(
        q,
        k,
        qkv.columns(qWidth + kWidth, qWidth + 2 * kWidth),
        shared.sequences(),
        config.headDim(),
        config.window(layer),
        config.attentionScale(),
        attended,
        logSumExp);
    attentionOut = backend.activations(t, config.hidden());
    linear(w.o(), oLora, attended, attentionOut);
    middle = backend.activations(t, config.hidden());
    rstdPostAttention = backend.floats(t, 1);
    backend.rmsNormAdd(attentionOut, w.postAttentionNorm(), eps, x, middle, rstdPostAttention);

    rstdPreFeedForward = backend.floats(t, 1);
    gateUp = backend.activations(t, 2 * config.feedForward());
    try (Tensor h2 = backend.activations(t, config.hidden())) {
      backend.rmsNorm(middle, w.preFeedForwardNorm(), eps, h2, rstdPreFeedForward);
      linear(w.gateUp(), gateUpLora, h2, gateUp);
    }
    downOut = backend.activations(t, config.hidden());
    try (Tensor activated = backend.activations(t, config.feedForward())) {
      backend.geglu(gateUp, activated);
      linear(w.down(), downLora, activated, downOut);
    }
    rstdPostFeedForward = backend.floats(t, 1);
    Tensor out = backend.activations(t, config.hidden());
    backend.rmsNormAdd(downOut, w.postFeedForwardNorm(), eps, middle, out, rstdPostFeedForward);
    return out;
  }

  /** Turns dx from the gradient of the layer's output into that of its input. */
  void backward(Tensor dx) {
    int t = x.rows();
    int qWidth = config.queryWidth();
    int kWidth = config.keyWidth();
    try (Tensor dBranch = backend.activations(t, config.hidden());
        Tensor dh = backend.activations(t, config.hidden())) {
      backend.rmsNormGradient(
          dx,
          downOut,
          w.postFeedForwardNorm(),
          rstdPostFeedForward,
          0,
          dBranch,
          gradients.postFeedForwardNorm());
      try (Tensor dGateUp = backend.activations(t, 2 * config.feedForward())) {
        try (Tensor activated = backend.activations(t, config.feedForward());
            Tensor dActivated = backend.activations(t, config.feedForward())) {
          backend.geglu(gateUp, activated);
          linearGradient(w.down(), gradients.down(), downLora, activated, dBranch, dActivated);
          backend.gegluGradient(dActivated, gateUp, dGateUp);
        }
        try (Tensor h2 = backend.activations(t, config.hidden())) {
          backend.rmsNorm(middle, w.preFeedForwardNorm(), config.normEpsilon(), h2, null);
          linearGradient(w.gateUp(), gradients.gateUp(), gateUpLora, h2, dGateUp, dh);
        }
      }
      backend.rmsNormGradient(
          dh,
          middle,
          w.preFeedForwardNorm(),
          rstdPreFeedForward,
          1,
          dx,
          gradients.preFeedForwardNorm());

      backend.rmsNormGradient(
          dx,
          attentionOut,
          w.postAttentionNorm(),
          rstdPostAttention,
          0,
          dBranch,
          gradients.postAttentionNorm());
      try (Tensor dQkv = backend.activations(t, qWidth + 2 * kWidth);
          Tensor dAttended = backend.activations(t, qWidth);
          Tensor dq = backend.activations(t, qWidth);
          Tensor dk = backend.activations(t, kWidth)) {
        linearGradient(w.o(), gradients.o(), oLora, attended, dBranch, dAttended);
        backend.attentionGradient(
            dAttended,
            q,
            k,
            qkv.columns(qWidth + kWidth, qWidth + 2 * kWidth),
            attended,
            logSumExp,
            shared.sequences(),
            config.headDim(),
            config.window(layer),
            config.attentionScale(),
            dq,
            dk,
            dQkv.columns(qWidth + kWidth, qWidth + 2 * kWidth));
        backend.qkNormRopeGradient(
            dq,
            dk,
            qkv,
            w.qNorm(),
            w.kNorm(),
            shared.positions(),
            rope,
            rstdQk,
            dQkv,
            gradients.qNorm(),
            gradients.kNorm());
        try (Tensor h = backend.activations(t, config.hidden())) {
          backend.rmsNorm(x, w.inputNorm(), config.normEpsilon(), h, null);
          linearGradient(w.qkv(), gradients.qkv(), qkvLora, h, dQkv, dh);
        }
      }
      backend.rmsNormGradient(dh, x, w.inputNorm(), rstdInput, 1, dx, gradients.inputNorm());
    }
  }

  private void linear(Matrix weight, LoraPass lora, Tensor in, Tensor out) {
    backend.linear(weight, in, 1, 0, out);
    if (lora != null) {
      lora.forward(in, out);
    }
  }

  private void linearGradient(
      Matrix weight, Tensor dWeight, LoraPass lora, Tensor in, Tensor dOut, Tensor dIn) {
    backend.linearInputGradient(weight, dOut, 1, 0, dIn);
    if (dWeight != null) {
      backend.linearWeightGradient(dOut, in, 1, dWeight);
    }
    if (lora != null) {
      lora.backward(in, dOut, dIn);
    }
  }

  /** Gives back everything but the input; {@link #forward} makes it again. */
  void forget() {
    Tensor[] kept = {
      rstdInput,
      qkv,
      q,
      k,
      rstdQk,
      attended,
      logSumExp,
      attentionOut,
      rstdPostAttention,
      middle,
      rstdPreFeedForward,
      gateUp,
      downOut,
      rstdPostFeedForward
    };
    for (Tensor tensor : kept) {
      if (tensor != null) {
        tensor.close();
      }
    }
    for (LoraPass lora : new LoraPass[] {qkvLora, oLora, gateUpLora, downLora}) {
      if (lora != null) {
        lora.forget();
      }
    }
  }

  @Override
  public void close() {
    forget();
    x.close();
  }
}
