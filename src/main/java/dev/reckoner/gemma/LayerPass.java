package dev.reckoner.gemma;

import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.Indices;
import dev.reckoner.tensor.Matrix;
import dev.reckoner.tensor.Tensor;

/**
 * One decoder layer's training forward, what it keeps, and its backward. Owns its input. A local
 * named {@code dX} is the gradient of the loss with respect to X. Under an adapter what GeGLU makes
 * is not kept but made again by its gradient: a sixth of the memory. Where all parameters are
 * trained the model is small, and it is kept.
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
  private Tensor h;
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
  private Tensor h2;
  private Tensor gateUp;
  private Tensor activated;
  private Tensor downOut;
  private Tensor rstdPostFeedForward;

  // Of the backward pass, each with room for an adapter's ranks behind hidden values.
  private Tensor wideBranch;
  private Tensor wideMiddle;
  private Tensor wideH;
  private Tensor dQkv;

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
    int hidden = config.hidden();
    int qWidth = config.queryWidth();
    int kWidth = config.keyWidth();
    float eps = config.normEpsilon();
    // Weights become bf16 beside what is not products, soon before their turn.
    prepare(w.qkv(), qkvLora, true);
    rstdInput = backend.floats(t, 1);
    qkv = backend.activations(t, qWidth + 2 * kWidth);
    h = activations(t, qkvLora);
    backend.rmsNorm(x, w.inputNorm(), eps, h.columns(0, hidden), rstdInput);
    widening(w.qkv(), qkvLora, h, qkv);
    q = backend.activations(t, qWidth);
    k = backend.activations(t, kWidth);
    rstdQk = backend.floats(t, config.heads() + config.kvHeads());
    backend.qkNormRope(qkv, w.qNorm(), w.kNorm(), eps, shared.positions(), rope, q, k, rstdQk);
    prepare(w.o(), oLora, false);
    prepare(w.gateUp(), gateUpLora, true);
    prepare(w.down(), downLora, false);
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
    attentionOut = activations(t, oLora);
    narrowing(w.o(), oLora, attended, attentionOut);
    middle = backend.activations(t, hidden);
    rstdPostAttention = backend.floats(t, 1);
    rstdPreFeedForward = backend.floats(t, 1);
    gateUp = backend.activations(t, 2 * config.feedForward());
    h2 = activations(t, gateUpLora);
    backend.rmsNormAddNorm(
        attentionOut.columns(0, hidden),
        w.postAttentionNorm(),
        eps,
        x,
        middle,
        rstdPostAttention,
        w.preFeedForwardNorm(),
        h2.columns(0, hidden),
        rstdPreFeedForward);
    widening(w.gateUp(), gateUpLora, h2, gateUp);
    downOut = activations(t, downLora);
    activated = backend.activations(t, config.feedForward());
    backend.geglu(gateUp, activated);
    narrowing(w.down(), downLora, activated, downOut);
    if (adapter != null) {
      activated.close();
      activated = null;
    }
    rstdPostFeedForward = backend.floats(t, 1);
    Tensor out = backend.activations(t, hidden);
    backend.rmsNormAdd(
        downOut.columns(0, hidden), w.postFeedForwardNorm(), eps, middle, out, rstdPostFeedForward);
    return out;
  }

  /** Rows of hidden values, with room for an adapter's ranks behind them. */
  private Tensor activations(int t, LoraPass lora) {
    return backend.activations(t, config.hidden() + (ranks(lora) + 7 & ~7));
  }

  private static int ranks(LoraPass lora) {
    return lora == null ? 0 : lora.ranks();
  }

  /** The ranks behind the hidden values, or null. */
  private Tensor behind(Tensor wide, LoraPass lora) {
    return lora == null ? null : wide.columns(config.hidden(), config.hidden() + lora.ranks());
  }

  /** From hidden values, with u behind them. */
  private void widening(Matrix weight, LoraPass lora, Tensor in, Tensor out) {
    Tensor from = in.columns(0, config.hidden());
    if (lora == null) {
      backend.linear(weight, from, 1, 0, out);
    } else {
      lora.forward(weight, from, behind(in, lora), out);
    }
  }

  /** To hidden values, with u behind them. */
  private void narrowing(Matrix weight, LoraPass lora, Tensor in, Tensor out) {
    Tensor to = out.columns(0, config.hidden());
    if (lora == null) {
      backend.linear(weight, in, 1, 0, to);
    } else {
      lora.forward(weight, in, behind(out, lora), to);
    }
  }

  /**
   * Turns dx from the gradient of the layer's output into that of its input. Gradients of q, k and
   * v's adapters may be unfinished after it: until {@link Backend#join}, or until this has been
   * given to the backward pass of the layer below as {@code above}, which closes it.
   *
   * @param above the layer that was before this one in the backward pass; null for none
   */
  void backward(Tensor dx, LayerPass above) {
    int t = x.rows();
    int hidden = config.hidden();
    prepare(w.down(), downLora, false);
    prepare(w.gateUp(), gateUpLora, true);
    prepare(w.o(), oLora, false);
    wideBranch = activations(t, downLora);
    wideMiddle = activations(t, oLora);
    wideH = activations(t, ranks(qkvLora) > ranks(gateUpLora) ? qkvLora : gateUpLora);
    Tensor dBranch = wideBranch.columns(0, hidden);
    Tensor dMiddle = wideMiddle.columns(0, hidden);
    Tensor dh = wideH.columns(0, hidden);
    backend.rmsNormGradient(
        dx,
        downOut.columns(0, hidden),
        w.postFeedForwardNorm(),
        rstdPostFeedForward,
        0,
        dBranch,
        gradients.postFeedForwardNorm());
    boolean joint = feedForwardGradient(dBranch, dh);
    backend.rmsNormGradients(
        dh,
        middle,
        w.preFeedForwardNorm(),
        rstdPreFeedForward,
        dx,
        gradients.preFeedForwardNorm(),
        attentionOut.columns(0, hidden),
        w.postAttentionNorm(),
        rstdPostAttention,
        dMiddle,
        gradients.postAttentionNorm());
    Tensor du = behind(wideMiddle, oLora);
    try (Tensor dAttended = backend.activations(t, config.queryWidth())) {
      inputGradient(w.o(), oLora, dMiddle, du, dAttended);
      // Few blocks each: all of them at once, beside the gradient of attention.
      if (joint) {
        downLora.bGradientBeside(behind(downOut, downLora), dBranch);
        gateUpLora.aGradientBeside(h2.columns(0, hidden), behind(wideH, gateUpLora));
      }
      weightGradientBeside(
          gradients.o(), oLora, attended, behind(attentionOut, oLora), dMiddle, du);
      if (above != null) {
        above.attentionWeightGradient();
      }
      prepare(w.qkv(), qkvLora, true);
      attentionGradient(dAttended);
    }
    backend.join();
    if (above != null) {
      above.close();
    }
    inputGradient(w.qkv(), qkvLora, dQkv, behind(wideH, qkvLora), dh);
    backend.rmsNormGradient(dh, x, w.inputNorm(), rstdInput, 1, dx, gradients.inputNorm());
    forgetAllButInputs();
    close(wideBranch, wideMiddle);
  }

  /** What {@link #backward} left, {@link Backend#beside}. */
  void attentionWeightGradient() {
    Tensor in = h.columns(0, config.hidden());
    weightGradientBeside(
        gradients.qkv(), qkvLora, in, behind(h, qkvLora), dQkv, behind(wideH, qkvLora));
  }

  /** Whether dA of gate and up and dB of down are left to be accumulated. */
  private boolean feedForwardGradient(Tensor dBranch, Tensor dh) {
    int t = x.rows();
    boolean joint =
        gateUpLora != null
            && downLora != null
            && gateUpLora.dropsNothing()
            && activated == null
            && gradients.gateUp() == null;
    try (Tensor dGateUp = backend.activations(t, 2 * config.feedForward())) {
      if (joint) {
        try (Tensor dActivated = backend.activations(t, config.feedForward())) {
          Tensor du = behind(wideBranch, downLora);
          inputGradient(w.down(), downLora, dBranch, du, dActivated);
          Tensor u = behind(h2, gateUpLora);
          gateUpLora.gegluGradient(downLora, dActivated, gateUp, dGateUp, u, du);
        }
        inputGradient(w.gateUp(), gateUpLora, dGateUp, behind(wideH, gateUpLora), dh);
        return true;
      }
      try (Tensor dActivated = backend.activations(t, config.feedForward());
          Tensor again = activated == null ? backend.activations(t, config.feedForward()) : null) {
        Tensor du = behind(wideBranch, downLora);
        inputGradient(w.down(), downLora, dBranch, du, dActivated);
        if (again == null) {
          backend.gegluGradient(dActivated, gateUp, dGateUp);
        } else {
          backend.gegluGradient(dActivated, gateUp, dGateUp, again);
        }
        Tensor in = again == null ? activated : again;
        Tensor u = behind(downOut, downLora);
        weightGradient(gradients.down(), downLora, in, u, dBranch, du);
      }
      Tensor du = behind(wideH, gateUpLora);
      inputGradient(w.gateUp(), gateUpLora, dGateUp, du, dh);
      Tensor in = h2.columns(0, config.hidden());
      weightGradient(gradients.gateUp(), gateUpLora, in, behind(h2, gateUpLora), dGateUp, du);
    }
    return false;
  }

  private void attentionGradient(Tensor dAttended) {
    int t = x.rows();
    int qWidth = config.queryWidth();
    int kWidth = config.keyWidth();
    dQkv = backend.activations(t, qWidth + 2 * kWidth);
    try (Tensor dq = backend.activations(t, qWidth);
        Tensor dk = backend.activations(t, kWidth)) {
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
    }
  }

  private void prepare(Matrix weight, LoraPass lora, boolean behindInputs) {
    if (lora == null) {
      backend.prepare(weight, null, behindInputs);
    } else {
      lora.prepare(weight, behindInputs);
    }
  }

  private void inputGradient(Matrix weight, LoraPass lora, Tensor dOut, Tensor du, Tensor dIn) {
    if (lora == null) {
      backend.linearInputGradient(weight, dOut, 1, 0, dIn);
    } else {
      lora.inputGradient(weight, dOut, du, dIn);
    }
  }

  private void weightGradient(
      Tensor dWeight, LoraPass lora, Tensor in, Tensor u, Tensor dOut, Tensor du) {
    if (dWeight != null) {
      backend.linearWeightGradient(dOut, in, 1, dWeight);
    }
    if (lora != null) {
      lora.weightGradient(in, u, dOut, du);
    }
  }

  private void weightGradientBeside(
      Tensor dWeight, LoraPass lora, Tensor in, Tensor u, Tensor dOut, Tensor du) {
    if (dWeight != null) {
      backend.linearWeightGradient(dOut, in, 1, dWeight);
    }
    if (lora != null) {
      lora.weightGradientBeside(in, u, dOut, du);
    }
  }

  /** Gives back everything but the input; {@link #forward} makes it again. */
  void forget() {
    forgetAllButInputs();
    close(h);
  }

  /** All but x and h, which the gradient of q, k and v's A reads late. */
  private void forgetAllButInputs() {
    close(
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
        h2,
        gateUp,
        activated,
        downOut,
        rstdPostFeedForward);
  }

  private static void close(Tensor... tensors) {
    for (Tensor tensor : tensors) {
      if (tensor != null) {
        tensor.close();
      }
    }
  }

  @Override
  public void close() {
    forget();
    close(wideBranch, wideMiddle, wideH, dQkv, x);
  }
}
