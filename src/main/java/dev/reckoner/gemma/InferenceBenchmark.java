package dev.reckoner.gemma;

import dev.reckoner.tensor.Backend;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Prefill and decode rates of a model, weights random or real: the time does not depend on them.
 */
public final class InferenceBenchmark {
  private static final int WARM_UP = 3;

  private final Gemma3 model;
  private final Backend backend;
  private final int iterations;

  /**
   * @param iterations timed repetitions of each measurement, after three untimed ones
   */
  public InferenceBenchmark(Gemma3 model, int iterations) {
    this.model = model;
    this.backend = model.backend();
    this.iterations = iterations;
  }

  /** A prompt of {@code tokens} tokens, logits of the last. */
  public Rate prefill(int tokens) {
    int[] prompt = tokens(tokens);
    double seconds =
        median(
            () -> {
              try (KvCache cache = model.newCache(tokens)) {
                long began = System.nanoTime();
                model.forward(List.of(Segment.of(cache, prompt, null)));
                backend.synchronize();
                return (System.nanoTime() - began) / 1e9;
              }
            });
    GemmaConfig c = model.config();
    double flops = 2.0 * bodyWeights(c) * tokens + 2.0 * c.vocabulary() * c.hidden();
    flops += attentionFlops(c, tokens);
    String name = "prefill " + tokens;
    return new Rate(name, seconds, tokens / seconds, flops / seconds / 1e9, Double.NaN);
  }

  /** One token for each of {@code batch} sequences that hold {@code context} tokens already. */
  public Rate decode(int batch, int context) {
    List<KvCache> caches = new ArrayList<>();
    try {
      for (int i = 0; i < batch; i++) {
        KvCache cache = model.newCache(context + 1);
        caches.add(cache);
        model.forward(List.of(new Segment(cache, tokens(context), null, 0, null)));
      }
      double seconds =
          median(
              () -> {
                List<Segment> step = new ArrayList<>();
                for (KvCache cache : caches) {
                  cache.truncate(context);
                  step.add(Segment.of(cache, new int[] {5}, null));
                }
                long began = System.nanoTime();
                model.forward(step);
                return (System.nanoTime() - began) / 1e9;
              });
      GemmaConfig c = model.config();
      double flops = 2.0 * batch * (bodyWeights(c) + (double) c.vocabulary() * c.hidden());
      return new Rate(
          "decode, batch " + batch,
          seconds,
          batch / seconds,
          flops / seconds / 1e9,
          model.weightBytes() / seconds / 1e9);
    } finally {
      caches.forEach(KvCache::close);
    }
  }

  private int[] tokens(int n) {
    return new SplittableRandom(n).ints(n, 0, model.config().vocabulary()).toArray();
  }

  /** Weights of all linear layers, without the head. */
  static double bodyWeights(GemmaConfig c) {
    return c.layers()
        * ((double) c.hidden() * (2 * c.queryWidth() + 2 * c.keyWidth())
            + 3.0 * c.hidden() * c.feedForward());
  }

  /** Scores and weighted values over the visible keys of one sequence. */
  static double attentionFlops(GemmaConfig c, int tokens) {
    double flops = 0;
    for (int l = 0; l < c.layers(); l++) {
      double window = c.global(l) ? tokens : Math.min(c.window(), tokens);
      double keys = window * (window + 1) / 2 + (tokens - window) * window;
      flops += 4.0 * c.queryWidth() * keys;
    }
    return flops;
  }

  private interface Timed {
    double seconds();
  }

  private double median(Timed body) {
    for (int i = 0; i < WARM_UP; i++) {
      body.seconds();
    }
    double[] times = new double[iterations];
    for (int i = 0; i < iterations; i++) {
      times[i] = body.seconds();
    }
    Arrays.sort(times);
    return times[iterations / 2];
  }
}
