package dev.reckoner.gemma;

import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.Indices;
import dev.reckoner.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * Forward and backward over packed sequences: the gradients of an adapter on a frozen model, or of
 * all parameters of a trainable one. Gradients accumulate over calls until the caller clears them.
 */
public final class TrainingPass {
  private final Gemma3 model;
  private final GemmaConfig config;
  private final Backend backend;
  private final LoraAdapter adapter;
  private final boolean recompute;

  /**
   * @param adapter trained on the frozen model; null trains the model's own parameters
   * @param recompute keep only each layer's input and compute the rest again in the backward pass
   */
  public TrainingPass(Gemma3 model, LoraAdapter adapter, boolean recompute) {
    if (adapter == null && model.parameters() == null) {
      throw new IllegalArgumentException("a frozen model needs an adapter to train");
    }
    this.model = model;
    this.config = model.config();
    this.backend = model.backend();
    this.adapter = adapter;
    this.recompute = recompute;
  }

  /** The parameters whose gradients this computes. */
  public Parameters parameters() {
    return adapter == null ? model.parameters() : adapter.parameters();
  }

  /** Loss of each row ({@code -log p(target)}), without gradients or dropout. */
  public float[] losses(PackedBatch batch) {
    return run(batch, 0, false, null);
  }

  /**
   * Adds the gradients of {@code sum(weight * loss)} to {@link #parameters}.
   *
   * @param dropoutSeed of this micro-batch; used where the adapter has dropout
   * @return the loss of each row, unweighted
   */
  public float[] accumulate(PackedBatch batch, long dropoutSeed) {
    return run(batch, dropoutSeed, true, null);
  }

  /**
   * The same for a loss that is no weighted sum: adds its gradients, given its derivative by the
   * loss of each row. The head is computed twice for it, everything else once.
   *
   * @param derivative from the rows' losses ({@code -log p(target)}, dropout included) to the
   *     derivative by each; stands for the weights of the batch
   */
  public float[] accumulate(
      PackedBatch batch, long dropoutSeed, UnaryOperator<float[]> derivative) {
    return run(batch, dropoutSeed, true, derivative);
  }

  private float[] run(
      PackedBatch batch, long dropoutSeed, boolean backward, UnaryOperator<float[]> derivative) {
    float dropout = backward && adapter != null ? adapter.spec().dropout() : 0;
    int t = batch.tokens().length;
    ModelParts parts = model.parts();
    model.reach(batch.longest());
    float[] losses = new float[batch.rows().length];
    try (Indices ids = backend.indices(batch.tokens());
        Indices positions = backend.indices(batch.positions());
        Indices sequences = backend.indices(batch.starts());
        Tensor rowLosses = backend.floats(Math.max(1, losses.length), 1)) {
      LayerPass.Shared shared = new LayerPass.Shared(positions, sequences, dropout, dropoutSeed);
      List<LayerPass> tape = new ArrayList<>();
      Tensor x = backend.activations(t, config.hidden());
      try {
        backend.embed(parts.embedding(), ids, config.embeddingScale(), x);
        for (int l = 0; l < config.layers(); l++) {
          LayerPass pass = new LayerPass(model, adapter, l, shared, x);
          if (backward) {
            tape.add(pass);
          }
          Tensor out = pass.forward();
          if (!backward) {
            pass.close();
          } else if (recompute) {
            pass.forget();
          }
          x = out;
        }
        Tensor dx = backward ? backend.activations(t, config.hidden()) : null;
        head(batch, x, dx, derivative, rowLosses);
        x.close();
        x = null;
        if (backward) {
          LayerPass above = null;
          for (int l = config.layers() - 1; l >= 0; l--) {
            LayerPass pass = tape.get(l);
            if (recompute) {
              pass.forward().close();
            }
            pass.backward(dx, above);
            above = pass;
          }
          above.attentionWeightGradient();
          if (adapter == null) {
            backend.embedGradient(
                dx,
                ids,
                config.embeddingScale(),
                model.parameters().gradient(parts.embeddingEntry()));
          }
          dx.close();
        }
        // Last: reading waits, and the backward pass is to be asked for before its turn comes.
        if (losses.length > 0) {
          backend.download(rowLosses, losses);
        }
        return losses;
      } finally {
        backend.join();
        tape.forEach(LayerPass::close);
        if (x != null) {
          x.close();
        }
      }
    }
  }

  /**
   * Final norm, head and loss on the supervised rows; the gradient with respect to x goes to dx
   * {@code [T, hidden]} (null: losses only).
   */
  private void head(
      PackedBatch batch, Tensor x, Tensor dx, UnaryOperator<float[]> derivative, Tensor rowLosses) {
    int n = batch.rows().length;
    if (dx != null) {
      backend.fill(dx, 0);
    }
    if (n == 0) {
      return;
    }
    ModelParts parts = model.parts();
    boolean full = adapter == null && dx != null;
    int hidden = config.hidden();
    try (Indices rows = backend.indices(batch.rows());
        Tensor gathered = backend.activations(n, hidden);
        Tensor h = backend.activations(n, hidden);
        Tensor dh = dx == null ? null : backend.activations(n, hidden);
        Tensor rstd = backend.floats(n, 1);
        Tensor weights = backend.floats(n, 1)) {
      backend.gatherRows(x, rows, gathered);
      backend.rmsNorm(gathered, parts.finalNorm(), config.normEpsilon(), h, rstd);
      backend.upload(batch.weights(), weights);
      if (derivative != null) {
        logits(batch, h, weights, rowLosses, null);
        float[] losses = new float[n];
        backend.download(rowLosses, losses);
        backend.upload(derivative.apply(losses), weights);
      }
      logits(batch, h, weights, rowLosses, dh);
      if (dx != null) {
        try (Tensor dGathered = backend.activations(n, hidden)) {
          backend.rmsNormGradient(
              dh,
              gathered,
              parts.finalNorm(),
              rstd,
              0,
              dGathered,
              full ? model.parameters().gradient(parts.finalNormEntry()) : null);
          backend.scatterRows(dGathered, rows, dx);
        }
      }
    }
  }

  /**
   * The loss of each row of h, a chunk of rows at a time, and the gradients of their weighted sum
   * with respect to h (dh null: losses only) and, where it is trained, the embedding.
   */
  private void logits(PackedBatch batch, Tensor h, Tensor weights, Tensor rowLosses, Tensor dh) {
    ModelParts parts = model.parts();
    int n = batch.rows().length;
    int chunk = backend.headRows(config.vocabulary());
    for (int from = 0; from < n; from += chunk) {
      int to = Math.min(n, from + chunk);
      int[] targets = Arrays.copyOfRange(batch.targets(), from, to);
      try (Tensor logits = backend.activations(to - from, config.vocabulary());
          Indices target = backend.indices(targets)) {
        backend.linear(parts.embedding(), h.rows(from, to), 1, 0, logits);
        backend.crossEntropy(logits, target, weights.rows(from, to), rowLosses.rows(from, to));
        if (dh != null) {
          backend.linearInputGradient(parts.embedding(), logits, 1, 0, dh.rows(from, to));
          if (adapter == null) {
            backend.linearWeightGradient(
                logits, h.rows(from, to), 1, model.parameters().gradient(parts.embeddingEntry()));
          }
        }
      }
    }
  }
}
