package dev.reckoner.cli;

import dev.reckoner.gemma.Gemma3;
import dev.reckoner.gemma.GemmaConfig;
import dev.reckoner.gemma.KvCache;
import dev.reckoner.gemma.Segment;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** Prefill and decode, weights random or real: the time does not depend on them. */
final class BenchInference {

  private static final int WARM_UP = 3;

  private interface Timed {
    double seconds();
  }

  private final Gemma3 model;
  private final BenchProbe probe;
  private final int iterations;

  BenchInference(Gemma3 model, BenchProbe probe, int iterations) {
    this.model = model;
    this.probe = probe;
    this.iterations = iterations;
  }

  /** A prompt of {@code tokens} tokens, logits of the last. */
  BenchRate prefill(int tokens) {
    int[] prompt = tokens(tokens);
    BenchSeries series =
        series(
            () -> {
              try (KvCache cache = model.newCache(tokens)) {
                long began = System.nanoTime();
                model.forward(List.of(Segment.of(cache, prompt, null)));
                model.backend().synchronize();
                return (System.nanoTime() - began) / 1e9;
              }
            });
    double flops = BenchWork.prefill(model.config(), 0, tokens);
    return rate("prefill " + tokens, series, tokens, flops, Double.NaN);
  }

  /** One token for each of {@code batch} sequences that hold {@code context} tokens already. */
  BenchRate decode(int batch, int context) {
    List<KvCache> caches = new ArrayList<>();
    try {
      for (int i = 0; i < batch; i++) {
        KvCache cache = model.newCache(context + 1);
        caches.add(cache);
        model.forward(List.of(new Segment(cache, tokens(context), null, 0, null)));
      }
      BenchSeries series =
          series(
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
      double flops = BenchWork.decode(c, batch, context);
      return rate("decode, batch " + batch, series, batch, flops, model.weightBytes());
    } finally {
      caches.forEach(KvCache::close);
    }
  }

  private BenchRate rate(String name, BenchSeries series, int tokens, double flops, double bytes) {
    double seconds = series.median(probe.best());
    return new BenchRate(
        name,
        BenchReport.OURS,
        seconds,
        tokens / seconds,
        flops / seconds / 1e9,
        bytes / seconds / 1e9,
        series.kept(probe.best()),
        series.size());
  }

  private BenchSeries series(Timed body) {
    for (int i = 0; i < WARM_UP; i++) {
      body.seconds();
    }
    BenchSeries series = new BenchSeries();
    probe.settle();
    for (int i = 0; i < iterations; i++) {
      probe.book(series, body.seconds());
    }
    return series;
  }

  private int[] tokens(int n) {
    return new SplittableRandom(n).ints(n, 0, model.config().vocabulary()).toArray();
  }
}
