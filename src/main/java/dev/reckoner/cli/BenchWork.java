package dev.reckoner.cli;

import dev.reckoner.gemma.GemmaConfig;

/** Operations that a model's work takes: a multiply and an add are two. */
final class BenchWork {

  private BenchWork() {}

  /** Weights of all linear layers, without the head. */
  static double bodyWeights(GemmaConfig c) {
    return c.layers()
        * ((double) c.hidden() * (2 * c.queryWidth() + 2 * c.keyWidth())
            + 3.0 * c.hidden() * c.feedForward());
  }

  static double headWeights(GemmaConfig c) {
    return (double) c.vocabulary() * c.hidden();
  }

  /** Scores and weighted values over the visible keys when {@code to - from} tokens are added. */
  static double attention(GemmaConfig c, int from, int to) {
    double flops = 0;
    for (int l = 0; l < c.layers(); l++) {
      int window = c.global(l) ? to : Math.min(c.window(), to);
      flops += 4.0 * c.queryWidth() * (keys(to, window) - keys(from, window));
    }
    return flops;
  }

  /** Keys seen by the first n queries under a window. */
  private static double keys(double n, double window) {
    double full = Math.min(n, window);
    return full * (full + 1) / 2 + (n - full) * window;
  }

  /** A prompt of {@code to} tokens whose first {@code from} are known; logits of its last. */
  static double prefill(GemmaConfig c, int from, int to) {
    return 2 * bodyWeights(c) * (to - from) + 2 * headWeights(c) + attention(c, from, to);
  }

  /** One token for each of {@code batch} sequences of {@code context} tokens. */
  static double decode(GemmaConfig c, int batch, int context) {
    return batch * (2 * (bodyWeights(c) + headWeights(c)) + attention(c, context, context + 1));
  }

  /**
   * A training step: body forward and input gradient, attention forward and 2.5 times that
   * backward, the head on the rows with a target, the adapter with its own gradient.
   *
   * @param trained parameters of the adapter
   */
  static double trainingStep(GemmaConfig c, long trained, int sequences, int length) {
    double tokens = (double) sequences * length;
    double targets = (double) sequences * (length - 1);
    return tokens * (4 * bodyWeights(c) + 6.0 * trained)
        + targets * 4 * headWeights(c)
        + 3.5 * sequences * attention(c, 0, length);
  }
}
