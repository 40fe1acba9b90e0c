package dev.reckoner.gemma;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.Map;

/**
 * Gemma 3 written a second time, on PyTorch's autograd in double precision and for one unpacked
 * sequence: the oracle for logits, loss and every gradient. LoRA applies where {@code lora} has a
 * layer's A.
 */
public final class TorchGemma {
  private final NDManager manager;
  private final GemmaConfig c;
  private final Map<String, NDArray> w;
  private final Map<String, NDArray> lora;
  private final double loraScale;

  public TorchGemma(
      NDManager manager,
      GemmaConfig c,
      Map<String, NDArray> w,
      Map<String, NDArray> lora,
      double loraScale) {
    this.manager = manager;
    this.c = c;
    this.w = w;
    this.lora = lora;
    this.loraScale = loraScale;
  }

  public static NDArray parameter(NDManager manager, float[] values, int rows, int columns) {
    double[] wide = new double[values.length];
    for (int i = 0; i < wide.length; i++) {
      wide[i] = values[i];
    }
    NDArray a = manager.create(wide, new Shape(rows, columns));
    a.setRequiresGradient(true);
    return a;
  }

  /** Logits {@code [n, vocabulary]} of a sequence. */
  public NDArray logits(int[] tokens) {
    NDArray embedding = w.get("model.embed_tokens.weight");
    NDArray x = oneHot(tokens, c.vocabulary()).matMul(embedding).mul(constant(c.embeddingScale()));
    for (int l = 0; l < c.layers(); l++) {
      String p = "model.layers." + l + ".";
      NDArray h = norm(x, w.get(p + "input_layernorm.weight"));
      NDArray attention = attention(l, p + "self_attn.", h);
      x = x.add(norm(attention, w.get(p + "post_attention_layernorm.weight")));
      h = norm(x, w.get(p + "pre_feedforward_layernorm.weight"));
      NDArray gate = linear(p + "mlp.gate_proj", h);
      NDArray up = linear(p + "mlp.up_proj", h);
      NDArray u =
          gate.add(gate.mul(gate).mul(gate).mul(constant(0.044715)))
              .mul(constant(Math.sqrt(2 / Math.PI)));
      NDArray gelu = gate.mul(u.tanh().add(constant(1))).mul(constant(0.5));
      NDArray down = linear(p + "mlp.down_proj", gelu.mul(up));
      x = x.add(norm(down, w.get(p + "post_feedforward_layernorm.weight")));
    }
    return norm(x, w.get("model.norm.weight")).matMul(embedding.transpose());
  }

  /** Summed weighted loss of the rows of a sequence. */
  public NDArray loss(int[] tokens, int[] rows, int[] targets, double weight) {
    NDArray logProbabilities = logits(tokens).logSoftmax(1);
    double[] mask = new double[tokens.length * c.vocabulary()];
    for (int i = 0; i < rows.length; i++) {
      mask[rows[i] * c.vocabulary() + targets[i]] = -weight;
    }
    NDArray m = manager.create(mask, new Shape(tokens.length, c.vocabulary()));
    return logProbabilities.mul(m).sum();
  }

  /**
   * A number that lives as long as the manager. DJL's own scalar operands do not: autograd keeps
   * pointing at their memory after the garbage collector has freed it.
   */
  public NDArray constant(double value) {
    return manager.create(new double[] {value}, new Shape(1));
  }

  private NDArray oneHot(int[] ids, int classes) {
    double[] hot = new double[ids.length * classes];
    for (int i = 0; i < ids.length; i++) {
      hot[i * classes + ids[i]] = 1;
    }
    return manager.create(hot, new Shape(ids.length, classes));
  }

  private NDArray norm(NDArray x, NDArray weight) {
    int axis = x.getShape().dimension() - 1;
    NDArray mean = x.mul(x).mean(new int[] {axis}, true);
    NDArray flat = weight.reshape(weight.size());
    return x.div(mean.add(constant(c.normEpsilon())).sqrt()).mul(flat.add(constant(1)));
  }

  private NDArray linear(String name, NDArray x) {
    NDArray y = x.matMul(w.get(name + ".weight").transpose());
    NDArray a = lora.get("base_model.model." + name + ".lora_A.weight");
    if (a == null) {
      return y;
    }
    NDArray b = lora.get("base_model.model." + name + ".lora_B.weight");
    return y.add(x.matMul(a.transpose()).matMul(b.transpose()).mul(constant(loraScale)));
  }

  private NDArray attention(int layer, String p, NDArray h) {
    int n = (int) h.getShape().get(0);
    int d = c.headDim();
    NDArray q = heads(linear(p + "q_proj", h), n, c.heads());
    NDArray k = heads(linear(p + "k_proj", h), n, c.kvHeads());
    NDArray v = heads(linear(p + "v_proj", h), n, c.kvHeads());
    q = rope(layer, norm(q, w.get(p + "q_norm.weight")), n);
    k = rope(layer, norm(k, w.get(p + "k_norm.weight")), n);
    NDList outputs = new NDList();
    for (int head = 0; head < c.heads(); head++) {
      int g = head / (c.heads() / c.kvHeads());
      NDArray scores = q.get(head).matMul(k.get(g).transpose()).mul(constant(c.attentionScale()));
      NDArray probabilities = scores.add(mask(layer, n)).softmax(1);
      outputs.add(probabilities.matMul(v.get(g)));
    }
    NDArray joined = NDArrays.concat(outputs, 1);
    return linear(p + "o_proj", joined.reshape(n, (long) c.heads() * d));
  }

  /** {@code [n, heads * d]} to {@code [heads, n, d]}. */
  private NDArray heads(NDArray x, int n, int heads) {
    return x.reshape(n, heads, c.headDim()).transpose(1, 0, 2);
  }

  private NDArray mask(int layer, int n) {
    double[] m = new double[n * n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        boolean visible = j <= i && (c.global(layer) || j > i - c.window());
        m[i * n + j] = visible ? 0 : -1e30;
      }
    }
    return manager.create(m, new Shape(n, n));
  }

  private NDArray rope(int layer, NDArray x, int n) {
    int d = c.headDim();
    double theta = c.global(layer) ? c.ropeThetaGlobal() : c.ropeThetaLocal();
    double factor = c.global(layer) ? c.ropeScaling() : 1;
    double[] cos = new double[n * d];
    double[] sin = new double[n * d];
    double[] rotate = new double[d * d];
    for (int t = 0; t < n; t++) {
      for (int i = 0; i < d; i++) {
        double angle = t / factor * Math.pow(theta, -2.0 * (i % (d / 2)) / d);
        cos[t * d + i] = Math.cos(angle);
        sin[t * d + i] = Math.sin(angle);
      }
    }
    // x @ R = rotate_half(x) = (-x2, x1)
    for (int i = 0; i < d / 2; i++) {
      rotate[(i + d / 2) * d + i] = -1;
      rotate[i * d + i + d / 2] = 1;
    }
    NDArray r = manager.create(rotate, new Shape(d, d));
    NDArray co = manager.create(cos, new Shape(n, d));
    NDArray si = manager.create(sin, new Shape(n, d));
    return x.mul(co).add(x.matMul(r).mul(si));
  }

  public static double[] doubles(NDArray a) {
    return a.toType(DataType.FLOAT64, false).toDoubleArray();
  }
}
