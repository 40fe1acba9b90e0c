package dev.reckoner.tensor;

import java.util.List;

/**
 * The operations a Gemma 3 model is made of, forward and backward side by side, over packed tokens:
 * an activation is {@code [T, features]} where T counts the tokens of all sequences of a batch. The
 * model is written once against this interface; every backend gives an operation the same meaning
 * ({@link dev.reckoner.tensor.cpu.CpuBackend} is the reference).
 *
 * <p>Memory is explicit: whoever gets a {@link Tensor}, {@link Indices}, {@link Matrix}, {@link
 * KeyValues} or {@link CacheBatch} closes it. Unless an operation says otherwise its outputs are
 * overwritten and must not overlap its inputs. Arguments named {@code beta} scale what the output
 * held before (0 ignores it, even NaN). Weight gradients are fp32 and always accumulate. A backend
 * is used by one thread at a time; operations may run asynchronously, {@link #download} and the
 * methods returning a number wait for them.
 *
 * <p>The result for one token never depends on which other tokens are in the batch: reductions run
 * in a fixed order.
 */
public interface Backend extends AutoCloseable {
  /** {@code cpu} or {@code cuda}. */
  String name();

  /** One line for people: device, width or memory, threads. */
  String description();

  // ---- memory

  /** An activation {@code [rows, columns]}, contents undefined. */
  Tensor activations(int rows, int columns);

  /** An fp32 tensor {@code [rows, columns]} of zeros: parameters, gradients, statistics. */
  Tensor floats(int rows, int columns);

  Indices indices(int[] values);

  /** Copies {@code from}, row-major and dense, into {@code to}. */
  void upload(float[] from, Tensor to);

  /** Copies {@code from} into {@code to}, row-major and dense. */
  void download(Tensor from, float[] to);

  void fill(Tensor t, float value);

  void copy(Tensor from, Tensor to);

  /** {@code y += x}. */
  void add(Tensor x, Tensor y);

  /** {@code out[i] = from[rows[i]]}. */
  void gatherRows(Tensor from, Indices rows, Tensor out);

  /** {@code out[rows[i]] = from[i]}; rows are distinct, other rows of {@code out} stay. */
  void scatterRows(Tensor from, Indices rows, Tensor out);

  // ---- weights

  /** A frozen NF4 matrix: the given tensors stacked by rows (q, k and v; or gate and up). */
  Matrix nf4(List<Nf4Tensor> stacked);

  /**
   * A frozen matrix of the sources stacked by rows.
   *
   * @param precision BF16, FP32 or, on a CPU, INT8
   */
  Matrix dense(List<WeightSource> stacked, Precision precision);

  /**
   * A matrix whose values are {@code master} (contiguous fp32 {@code [out, in]}, owned by the
   * caller): a view where the backend computes in fp32, else a copy in its compute type that {@link
   * #refresh} brings up to date.
   */
  Matrix trainable(Tensor master);

  /** Takes over the master values of a {@link #trainable} matrix after they changed. */
  void refresh(Matrix trainable);

  /** {@link #refresh(Matrix)} of many. */
  default void refresh(List<Matrix> trainable) {
    trainable.forEach(this::refresh);
  }

  // ---- embedding

  /** {@code out[t] = scale * table[ids[t]]}; table {@code [vocabulary, hidden]}. */
  void embed(Matrix table, Indices ids, float scale, Tensor out);

  /** {@code dTable[ids[t]] += scale * dOut[t]}, in a fixed order. */
  void embedGradient(Tensor dOut, Indices ids, float scale, Tensor dTable);

  // ---- linear

  /** {@code y = alpha * x W^T + beta * y}: x {@code [T, in]}, y {@code [T, out]}. */
  void linear(Matrix w, Tensor x, float alpha, float beta, Tensor y);

  /** {@code dx = alpha * dy W + beta * dx}. */
  void linearInputGradient(Matrix w, Tensor dy, float alpha, float beta, Tensor dx);

  /** {@code dw += alpha * dy^T x}: dw fp32 {@code [out, in]}. */
  void linearWeightGradient(Tensor dy, Tensor x, float alpha, Tensor dw);

  /**
   * An adapted layer: {@code u = x A^T}, {@code y = x W^T + scale * u B^T}. A backend may make both
   * with one product where u lies behind x or behind y in the same rows.
   *
   * @param u out {@code [T, ranks]}
   */
  default void linear(Matrix w, LowRank adapter, Tensor x, Tensor u, Tensor y) {
    linear(adapter.a(), x, 1, 0, u);
    linear(w, x, 1, 0, y);
    addLowRank(adapter, u, y);
  }

  /** {@code y += scale * u B^T}, u being all ranks of an adapter. */
  default void addLowRank(LowRank adapter, Tensor u, Tensor y) {
    for (LowRank.Part part : adapter.parts()) {
      linear(
          part.b(),
          u.columns(part.fromRank(), part.toRank()),
          adapter.scale(),
          1,
          y.columns(part.fromColumn(), part.toColumn()));
    }
  }

  /**
   * Backward of the adapted layer with respect to x: {@code du = scale * dy B}, {@code dx = dy W +
   * du A}. A backend may make it with fewer products where du lies behind dx or behind dy.
   *
   * @param du out {@code [T, ranks]}
   */
  default void linearInputGradient(Matrix w, LowRank adapter, Tensor dy, Tensor du, Tensor dx) {
    for (LowRank.Part part : adapter.parts()) {
      linearInputGradient(
          part.b(),
          dy.columns(part.fromColumn(), part.toColumn()),
          adapter.scale(),
          0,
          du.columns(part.fromRank(), part.toRank()));
    }
    linearInputGradient(w, dy, 1, 0, dx);
    linearInputGradient(adapter.a(), du, 1, 1, dx);
  }

  /** Rows of logits that training computes at a time: enough to be fast, few enough to fit. */
  default int headRows(int vocabulary) {
    return Math.clamp((32L << 20) / vocabulary, 16, 4096);
  }

  /**
   * Weight gradients of an adapter's B: {@code dB_p += scale * dy_p^T u_p} of each part.
   *
   * @param gradients fp32, one a part
   */
  default void lowRankGradient(LowRank adapter, Tensor dy, Tensor u, List<Tensor> gradients) {
    for (int i = 0; i < gradients.size(); i++) {
      LowRank.Part part = adapter.parts().get(i);
      linearWeightGradient(
          dy.columns(part.fromColumn(), part.toColumn()),
          u.columns(part.fromRank(), part.toRank()),
          adapter.scale(),
          gradients.get(i));
    }
  }

  /**
   * Only some output features: {@code y[t, j] = x[t] . W[rows[j]]}, equal bit for bit to those
   * columns of {@link #linear}.
   */
  void linearRows(Matrix w, Indices rows, Tensor x, Tensor y);

  // ---- norms

  /**
   * {@code out = x * rstd * (1 + weight)}, {@code rstd = 1/sqrt(mean(x^2) + eps)} per row, in fp32.
   *
   * @param weight fp32 {@code [1, features]}
   * @param rstd fp32 {@code [T, 1]} kept for the backward pass, or null
   */
  void rmsNorm(Tensor x, Tensor weight, float eps, Tensor out, Tensor rstd);

  /**
   * {@code out = residual + rmsNorm(x)}; {@code out} may be {@code residual}. {@code rstd} as
   * above.
   */
  void rmsNormAdd(Tensor x, Tensor weight, float eps, Tensor residual, Tensor out, Tensor rstd);

  /**
   * {@link #rmsNormAdd}, and of its result {@link #rmsNorm} with the weight {@code next}, into h.
   */
  default void rmsNormAddNorm(
      Tensor x,
      Tensor weight,
      float eps,
      Tensor residual,
      Tensor out,
      Tensor rstd,
      Tensor next,
      Tensor h,
      Tensor nextRstd) {
    rmsNormAdd(x, weight, eps, residual, out, rstd);
    rmsNorm(out, next, eps, h, nextRstd);
  }

  /**
   * Backward of {@link #rmsNorm} (and of {@link #rmsNormAdd} with respect to x): {@code dx = beta *
   * dx + ...}.
   *
   * @param dWeight accumulates the weight's gradient, or null
   */
  void rmsNormGradient(
      Tensor dOut, Tensor x, Tensor weight, Tensor rstd, float beta, Tensor dx, Tensor dWeight);

  /**
   * {@link #rmsNormGradient} of one norm added to dx, then of another norm at that dx into out.
   *
   * @param dWeight accumulates, or null; likewise dNext
   */
  default void rmsNormGradients(
      Tensor dOut,
      Tensor x,
      Tensor weight,
      Tensor rstd,
      Tensor dx,
      Tensor dWeight,
      Tensor nextX,
      Tensor next,
      Tensor nextRstd,
      Tensor out,
      Tensor dNext) {
    rmsNormGradient(dOut, x, weight, rstd, 1, dx, dWeight);
    rmsNormGradient(dx, nextX, next, nextRstd, 0, out, dNext);
  }

  // ---- attention

  /**
   * Normalises each head of q and k over the head's dimensions and rotates them (half-split RoPE).
   *
   * @param qkv {@code [T, (heads + 2 kvHeads) * headDim]}: q heads, k heads, v heads
   * @param qWeight fp32 {@code [1, headDim]}, likewise kWeight; scaled by 1 + weight
   * @param rope fp32 {@code [maxPositions, headDim]}: headDim/2 cosines, then headDim/2 sines
   * @param q out {@code [T, heads * headDim]}
   * @param k out {@code [T, kvHeads * headDim]}
   * @param rstd fp32 {@code [T, heads + kvHeads]} kept for the backward pass, or null
   */
  void qkNormRope(
      Tensor qkv,
      Tensor qWeight,
      Tensor kWeight,
      float eps,
      Indices positions,
      Tensor rope,
      Tensor q,
      Tensor k,
      Tensor rstd);

  /**
   * Backward: writes the q and k columns of {@code dQkv}, leaves its v columns.
   *
   * @param dqWeight accumulates, or null; likewise dkWeight
   */
  void qkNormRopeGradient(
      Tensor dq,
      Tensor dk,
      Tensor qkv,
      Tensor qWeight,
      Tensor kWeight,
      Indices positions,
      Tensor rope,
      Tensor rstd,
      Tensor dQkv,
      Tensor dqWeight,
      Tensor dkWeight);

  /**
   * Causal attention within each packed sequence, grouped-query: query head h reads kv head {@code
   * h / (heads / kvHeads)}. Key j is visible to query i iff {@code j <= i} and (window = 0 or
   * {@code j > i - window}).
   *
   * @param q {@code [T, heads * headDim]}; k and v {@code [T, kvHeads * headDim]} (may be views)
   * @param sequences cumulative starts: sequence s owns rows {@code [values[s], values[s+1])}
   * @param out {@code [T, heads * headDim]}
   * @param logSumExp fp32 {@code [T, heads]} of the scaled scores, kept for the backward pass
   */
  void attention(
      Tensor q,
      Tensor k,
      Tensor v,
      Indices sequences,
      int headDim,
      int window,
      float scale,
      Tensor out,
      Tensor logSumExp);

  void attentionGradient(
      Tensor dOut,
      Tensor q,
      Tensor k,
      Tensor v,
      Tensor out,
      Tensor logSumExp,
      Indices sequences,
      int headDim,
      int window,
      float scale,
      Tensor dq,
      Tensor dk,
      Tensor dv);

  // ---- cached attention (inference)

  KeyValues keyValues(int layers, int kvHeads, int headDim, int capacity);

  /** Copies the first {@code tokens} tokens of every layer. */
  void copyKeyValues(KeyValues from, KeyValues to, int tokens);

  /**
   * @param caches one a segment, distinct
   * @param starts segments + 1 cumulative row numbers
   * @param past tokens already in each cache
   */
  CacheBatch batch(List<KeyValues> caches, int[] starts, int[] past);

  /** Stores the step's keys and values {@code [T, kvHeads * headDim]} behind the past ones. */
  void appendKeyValues(CacheBatch batch, int layer, Tensor k, Tensor v);

  /** Attention of the step's queries over past and appended keys; masks as {@link #attention}. */
  void cachedAttention(
      CacheBatch batch, int layer, Tensor q, int headDim, int window, float scale, Tensor out);

  // ---- order

  /**
   * Runs operations whose results nothing reads before {@link #join}. A backend may run them beside
   * what it is asked for next, so until then nothing may overwrite or close what they read or
   * write, unless they make it themselves; they pass no values between host and backend.
   */
  default void beside(Runnable operations) {
    operations.run();
  }

  /**
   * Says that one product with w, and with this adapter, follows before {@link #join}, so that a
   * backend can begin what that takes beside what comes before it.
   *
   * @param adapter null for a product without
   * @param behindInputs whether in that product u (or du) lies behind the layer's inputs (or their
   *     gradient), not behind its outputs
   */
  default void prepare(Matrix w, LowRank adapter, boolean behindInputs) {}

  /** What follows sees what ran {@link #beside}; what was prepared and not used is given up. */
  default void join() {}

  // ---- steps of one token (inference)

  /**
   * Runs operations that are the same at every call with this key, on tensors, indices and caches
   * at the same places; nothing in them may pass values between host and backend. A backend may
   * record them and run the recording.
   */
  default void repeat(Object key, Runnable operations) {
    operations.run();
  }

  /** Gives up what {@link #repeat} holds for a key. */
  default void forget(Object key) {}

  /**
   * How many sequences {@link #decode} takes at a time through these layers; 0 where this backend
   * has no such steps.
   */
  default int mostDecoded(DecoderStack stack) {
    return 0;
  }

  /**
   * One new token of each sequence through all layers, adapters included.
   *
   * @param h out {@code [T, hidden]}: hidden states behind the final norm
   */
  default void decode(DecoderStack stack, Indices ids, CacheBatch batch, Tensor h) {
    throw noSteps();
  }

  /**
   * Makes adapters of one fused layer ready for {@link #decode}.
   *
   * @param adapters of rows {@code [starts[i], starts[i + 1])}; null for none
   */
  default LowRankRows lowRankRows(List<LowRank> adapters, int[] starts) {
    throw noSteps();
  }

  /** Other values, as many, in the same place; where {@link #decode}. */
  default void assign(Indices indices, int[] values) {
    throw noSteps();
  }

  /** Other caches and positions, each of one new token, in the same place. */
  default void assign(CacheBatch batch, List<KeyValues> caches, int[] past) {
    throw noSteps();
  }

  /** Whether {@link #mostLikely} without a mask works even where there is no {@link #decode}. */
  default boolean picks() {
    return false;
  }

  /**
   * The most likely token of each row, the lowest of equals; where {@link #decode}.
   *
   * @param logits {@code [N, vocabulary]}
   * @param mask a bit for each token that may be chosen, the first in the lowest bit of the first
   *     word; null for all
   * @param picks out, fp32 {@code [N, 2]}: the token, and the log of its probability among those;
   *     not finite where a logit is not
   */
  default void mostLikely(Tensor logits, Indices mask, Tensor picks) {
    throw noSteps();
  }

  /**
   * The same, each row r among its columns {@code [starts[r], starts[r + 1])} only, which picks
   * counts from 0.
   */
  default void mostLikelyAmong(Tensor scores, Indices starts, Tensor picks) {
    throw noSteps();
  }

  /**
   * The tokens of one row that are at most {@code reach} below the most likely.
   *
   * @param pick of {@link #mostLikely}, {@code [1, 2]}
   * @param found fp32 {@code [1, 2 + 2 * most]}, zeros; out: how many, the least logit that counts,
   *     then token (as the bits of an int) and logit of each in any order, of the first {@code
   *     most}
   */
  default void likely(Tensor logits, Tensor pick, float reach, Tensor found) {
    throw noSteps();
  }

  private UnsupportedOperationException noSteps() {
    return new UnsupportedOperationException(name() + " has no steps of one token");
  }

  // ---- feed-forward

  /** {@code out = gelu_tanh(gate) * up}: gateUp {@code [T, 2F]}, out {@code [T, F]}. */
  void geglu(Tensor gateUp, Tensor out);

  void gegluGradient(Tensor dOut, Tensor gateUp, Tensor dGateUp);

  /**
   * {@link #gegluGradient} between two adapted layers, and the weight gradients that read what it
   * makes: of B of gate|up, and of A of down.
   *
   * @param gateUpU {@code [T, ranks]} of gate|up's forward
   * @param bGradients fp32, added to, one a part of gate|up's adapter
   * @param downDu {@code [T, ranks]} of down's backward, with its scale
   * @param aGradient fp32 {@code [ranks, F]} of down's adapter, added to
   */
  default void adaptedGegluGradient(
      Tensor dOut,
      Tensor gateUp,
      Tensor dGateUp,
      LowRank gateUpAdapter,
      Tensor gateUpU,
      List<Tensor> bGradients,
      Tensor downDu,
      Tensor aGradient) {
    try (Tensor activated = activations(dOut.rows(), dOut.columns())) {
      gegluGradient(dOut, gateUp, dGateUp, activated);
      linearWeightGradient(downDu, activated, 1, aGradient);
    }
    lowRankGradient(gateUpAdapter, dGateUp, gateUpU, bGradients);
  }

  /** The same, and {@link #geglu} made again: {@code activated [T, F]}. */
  default void gegluGradient(Tensor dOut, Tensor gateUp, Tensor dGateUp, Tensor activated) {
    gegluGradient(dOut, gateUp, dGateUp);
    geglu(gateUp, activated);
  }

  // ---- LoRA dropout

  /**
   * {@code out = x * mask / (1 - p)} where the mask of element (t, c) is drawn from {@link
   * Dropout#keep}; {@code out} may be {@code x}. Its own backward, with the same seed. {@code beta}
   * accumulates.
   */
  void dropout(Tensor x, float p, long seed, float beta, Tensor out);

  // ---- loss and optimiser

  /**
   * Softmax cross-entropy of each row; the logits are overwritten by their gradient times the row's
   * weight: {@code weights[i] * (softmax - onehot)}.
   *
   * @param logits {@code [N, vocabulary]}
   * @param weights fp32 {@code [N, 1]}
   * @param losses fp32 {@code [N, 1]}: {@code -log p(target)}, unweighted
   */
  void crossEntropy(Tensor logits, Indices targets, Tensor weights, Tensor losses);

  /** Sum of squares over a contiguous fp32 tensor, accumulated in double in a fixed order. */
  double sumOfSquares(Tensor t);

  /**
   * One AdamW update over contiguous fp32 tensors of equal size; the gradient is multiplied by
   * {@code gradientScale} first (clipping, averaging).
   */
  void adamW(
      Tensor parameters, Tensor gradients, Tensor m, Tensor v, AdamW step, float gradientScale);

  /** Waits until all operations are done. */
  void synchronize();

  @Override
  void close();
}
