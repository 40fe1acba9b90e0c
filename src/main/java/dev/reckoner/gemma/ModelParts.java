package dev.reckoner.gemma;

import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.Matrix;
import dev.reckoner.tensor.Nf4Tensor;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.Tensor;
import dev.reckoner.tensor.WeightSource;
import java.util.ArrayList;
import java.util.List;

/**
 * A model's weights in a backend's memory.
 *
 * @param parameters what the weights are views of when every parameter is trained, else null
 * @param gradients one a layer; {@link LayerGradients#NONE} when frozen
 */
record ModelParts(
    Matrix embedding,
    List<Layer> layers,
    Tensor finalNorm,
    Parameters parameters,
    Parameters.Entry embeddingEntry,
    Parameters.Entry finalNormEntry,
    List<LayerGradientEntries> gradients)
    implements AutoCloseable {

  /** Where a layer's parameters lie; fused matrices begin at their first part. */
  record LayerGradientEntries(
      Parameters.Entry inputNorm,
      Parameters.Entry q,
      int qkvRows,
      Parameters.Entry qNorm,
      Parameters.Entry kNorm,
      Parameters.Entry o,
      Parameters.Entry postAttentionNorm,
      Parameters.Entry preFeedForwardNorm,
      Parameters.Entry gate,
      int gateUpRows,
      Parameters.Entry down,
      Parameters.Entry postFeedForwardNorm) {

    LayerGradients views(Parameters p) {
      return new LayerGradients(
          p.gradient(inputNorm),
          p.gradients().slice(q.offset(), qkvRows, q.columns()),
          p.gradient(qNorm),
          p.gradient(kNorm),
          p.gradient(o),
          p.gradient(postAttentionNorm),
          p.gradient(preFeedForwardNorm),
          p.gradients().slice(gate.offset(), gateUpRows, gate.columns()),
          p.gradient(down),
          p.gradient(postFeedForwardNorm));
    }
  }

  static final String EMBEDDING = "model.embed_tokens.weight";
  static final String FINAL_NORM = "model.norm.weight";

  static String name(int layer, String rest) {
    return "model.layers." + layer + "." + rest + ".weight";
  }

  /**
   * Frozen weights.
   *
   * @param embedding precision of the embedding, which is the head too
   */
  static ModelParts frozen(
      GemmaConfig c, Weights w, Backend backend, Precision precision, Precision embedding) {
    // The largest first: the rest is made where its distributed form was.
    Matrix table =
        backend.dense(List.of(w.matrix(EMBEDDING, c.vocabulary(), c.hidden())), embedding);
    w.release();
    List<Layer> layers = new ArrayList<>();
    for (int l = 0; l < c.layers(); l++) {
      layers.add(
          new Layer(
              norm(backend, w, name(l, "input_layernorm"), c.hidden()),
              stacked(c, w, backend, precision, l, Site.QKV),
              norm(backend, w, name(l, "self_attn.q_norm"), c.headDim()),
              norm(backend, w, name(l, "self_attn.k_norm"), c.headDim()),
              stacked(c, w, backend, precision, l, Site.O),
              norm(backend, w, name(l, "post_attention_layernorm"), c.hidden()),
              norm(backend, w, name(l, "pre_feedforward_layernorm"), c.hidden()),
              stacked(c, w, backend, precision, l, Site.GATE_UP),
              stacked(c, w, backend, precision, l, Site.DOWN),
              norm(backend, w, name(l, "post_feedforward_layernorm"), c.hidden())));
      w.release();
    }
    Tensor finalNorm = norm(backend, w, FINAL_NORM, c.hidden());
    return new ModelParts(table, layers, finalNorm, null, null, null, List.of());
  }

  private static Tensor norm(Backend backend, Weights w, String name, int size) {
    Tensor t = backend.floats(1, size);
    backend.upload(w.vector(name, size), t);
    return t;
  }

  private static Matrix stacked(
      GemmaConfig c, Weights w, Backend backend, Precision precision, int layer, Site site) {
    if (precision == Precision.NF4) {
      List<Nf4Tensor> parts = new ArrayList<>();
      for (Target t : site.parts) {
        parts.add(w.nf4(name(layer, t.path()), t.out(c), t.in(c)));
      }
      return backend.nf4(parts);
    }
    List<WeightSource> parts = new ArrayList<>();
    for (Target t : site.parts) {
      parts.add(w.matrix(name(layer, t.path()), t.out(c), t.in(c)));
    }
    return backend.dense(parts, precision);
  }

  /** Weights that are all trained, over one fp32 master copy. */
  static ModelParts trainable(GemmaConfig c, Weights w, Backend backend) {
    Parameters.Layout layout = new Parameters.Layout();
    Parameters.Entry embedding = layout.add(EMBEDDING, c.vocabulary(), c.hidden());
    List<LayerGradientEntries> entries = new ArrayList<>();
    for (int l = 0; l < c.layers(); l++) {
      entries.add(layerEntries(c, layout, l));
    }
    Parameters.Entry finalNorm = layout.add(FINAL_NORM, 1, c.hidden());
    Parameters p = layout.allocate(backend);
    for (Parameters.Entry e : p.entries()) {
      p.write(e, read(w, e));
    }
    List<Layer> layers = new ArrayList<>();
    for (LayerGradientEntries e : entries) {
      layers.add(
          new Layer(
              p.value(e.inputNorm()),
              backend.trainable(p.values().slice(e.q().offset(), e.qkvRows(), e.q().columns())),
              p.value(e.qNorm()),
              p.value(e.kNorm()),
              backend.trainable(p.value(e.o())),
              p.value(e.postAttentionNorm()),
              p.value(e.preFeedForwardNorm()),
              backend.trainable(
                  p.values().slice(e.gate().offset(), e.gateUpRows(), e.gate().columns())),
              backend.trainable(p.value(e.down())),
              p.value(e.postFeedForwardNorm())));
    }
    ModelParts parts =
        new ModelParts(
            backend.trainable(p.value(embedding)),
            layers,
            p.value(finalNorm),
            p,
            embedding,
            finalNorm,
            entries);
    parts.refresh(backend);
    return parts;
  }

  private static LayerGradientEntries layerEntries(GemmaConfig c, Parameters.Layout layout, int l) {
    Parameters.Entry inputNorm = layout.add(name(l, "input_layernorm"), 1, c.hidden());
    Parameters.Entry q = linear(c, layout, l, Target.Q_PROJ);
    Parameters.Entry k = linear(c, layout, l, Target.K_PROJ);
    Parameters.Entry v = linear(c, layout, l, Target.V_PROJ);
    Parameters.Entry qNorm = layout.add(name(l, "self_attn.q_norm"), 1, c.headDim());
    Parameters.Entry kNorm = layout.add(name(l, "self_attn.k_norm"), 1, c.headDim());
    Parameters.Entry o = linear(c, layout, l, Target.O_PROJ);
    Parameters.Entry postAttention = layout.add(name(l, "post_attention_layernorm"), 1, c.hidden());
    Parameters.Entry preFeedForward =
        layout.add(name(l, "pre_feedforward_layernorm"), 1, c.hidden());
    Parameters.Entry gate = linear(c, layout, l, Target.GATE_PROJ);
    Parameters.Entry up = linear(c, layout, l, Target.UP_PROJ);
    Parameters.Entry down = linear(c, layout, l, Target.DOWN_PROJ);
    Parameters.Entry postFeedForward =
        layout.add(name(l, "post_feedforward_layernorm"), 1, c.hidden());
    return new LayerGradientEntries(
        inputNorm,
        q,
        q.rows() + k.rows() + v.rows(),
        qNorm,
        kNorm,
        o,
        postAttention,
        preFeedForward,
        gate,
        gate.rows() + up.rows(),
        down,
        postFeedForward);
  }

  private static Parameters.Entry linear(
      GemmaConfig c, Parameters.Layout layout, int layer, Target t) {
    return layout.add(name(layer, t.path()), t.out(c), t.in(c));
  }

  private static float[] read(Weights w, Parameters.Entry e) {
    if (e.rows() == 1) {
      return w.vector(e.name(), e.columns());
    }
    WeightSource source = w.matrix(e.name(), e.rows(), e.columns());
    float[] values = new float[e.size()];
    for (int row = 0; row < e.rows(); row++) {
      source.read(row, values, row * e.columns());
    }
    return values;
  }

  /** Brings the compute copies of trained weights up to date. */
  void refresh(Backend backend) {
    backend.refresh(embedding);
    for (Layer l : layers) {
      backend.refresh(l.qkv());
      backend.refresh(l.o());
      backend.refresh(l.gateUp());
      backend.refresh(l.down());
    }
  }

  LayerGradients layerGradients(int layer) {
    return parameters == null ? LayerGradients.NONE : gradients.get(layer).views(parameters);
  }

  @Override
  public void close() {
    embedding.close();
    layers.forEach(Layer::close);
    finalNorm.close();
    if (parameters != null) {
      parameters.close();
    }
  }
}
