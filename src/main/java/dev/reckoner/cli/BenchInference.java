package dev.reckoner.cli;

import dev.reckoner.gemma.Gemma3;
import dev.reckoner.gemma.GemmaConfig;
import dev.reckoner.gemma.KvCache;
import dev.reckoner.gemma.Segment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.DoubleSupplier;

/**
 * Prefill, decode and whole requests, weights random or real: the time does not depend on them. A
 * peer takes turns with the engine, repetition by repetition.
 */
final class BenchInference {

  /** Tokens of one timed repetition of decoding. */
  private static final int STEPS = 8;

  private static final int WARM_UP = 2;

  private final Gemma3 model;
  private final BenchPeer peer;
  private final BenchProbe probe;
  private final BenchReport report;
  private final int iterations;

  /**
   * @param peer may be null
   */
  BenchInference(
      Gemma3 model, BenchPeer peer, BenchProbe probe, BenchReport report, int iterations) {
    this.model = model;
    this.peer = peer;
    this.probe = probe;
    this.report = report;
    this.iterations = iterations;
  }

  /** A prompt of {@code tokens} tokens, logits of the last. */
  void prefill(int tokens) {
    int[] prompt = tokens(tokens);
    measure(
        "prefill " + tokens,
        tokens,
        BenchWork.prefill(model.config(), 0, tokens),
        Double.NaN,
        iterations,
        () -> {
          try (KvCache cache = model.newCache(tokens)) {
            long began = System.nanoTime();
            model.forward(List.of(Segment.of(cache, prompt, null)));
            model.backend().synchronize();
            return (System.nanoTime() - began) / 1e9;
          }
        },
        task("prefill", Map.of("tokens", prompt)));
  }

  /** Tokens for each of {@code batch} sequences that hold {@code context} tokens already. */
  void decode(int batch, int context) {
    int[] prompt = tokens(context);
    if (peer != null) {
      peer.ask(Map.of("task", "prepare", "batch", batch, "tokens", prompt));
    }
    List<KvCache> caches = new ArrayList<>();
    try {
      for (int i = 0; i < batch; i++) {
        KvCache cache = model.newCache(context + STEPS);
        caches.add(cache);
        model.forward(List.of(new Segment(cache, prompt, null, 0, null)));
      }
      GemmaConfig c = model.config();
      measure(
          "decode, batch %d, %d steps".formatted(batch, STEPS),
          batch * STEPS,
          STEPS * BenchWork.decode(c, batch, context),
          STEPS * (double) model.weightBytes(),
          iterations,
          () -> {
            caches.forEach(cache -> cache.truncate(context));
            long began = System.nanoTime();
            for (int step = 0; step < STEPS; step++) {
              model.answer(
                  caches.stream()
                      .map(cache -> Segment.greedy(cache, new int[] {5}, null))
                      .toList());
            }
            return (System.nanoTime() - began) / 1e9;
          },
          task("decode", Map.of("context", context, "steps", STEPS)));
    } finally {
      caches.forEach(KvCache::close);
    }
  }

  /** A prompt with and without its beginning in the prefix cache, to the first token. */
  void prefix(BenchRequests requests, int tokens) {
    int[] prompt = tokens(tokens);
    int seen = tokens - Math.min(16, tokens / 2);
    measure(
        "first token of %d, all new".formatted(tokens),
        tokens,
        BenchWork.prefill(model.config(), 0, tokens),
        Double.NaN,
        Math.max(3, iterations / 3),
        () -> requests.firstToken(prompt, 0),
        null);
    measure(
        "first token of %d, %d seen before".formatted(tokens, seen),
        tokens,
        BenchWork.prefill(model.config(), seen, tokens),
        Double.NaN,
        Math.max(3, iterations / 3),
        () -> requests.firstToken(prompt, seen),
        null);
  }

  /** A whole analysis; the peer reads the same tokens and writes as many. */
  void analysis(BenchRequests requests) {
    int written = requests.settle();
    Map<String, Object> task = new HashMap<>();
    task.put("prompt", requests.prompt());
    task.put("shared", BenchRequests.SHARED);
    task.put("count", written);
    task.put("grammar", requests.gbnf());
    if (peer != null) {
      task.put("task", "analysis");
      int peers = peer.ask(task).path("written").asInt();
      if (peers != written) {
        throw new UserException("the peer wrote %d tokens, not %d".formatted(peers, written));
      }
    }
    measure(
        "analysis, %d + %d tokens".formatted(requests.prompt().length, written),
        written,
        Double.NaN,
        Double.NaN,
        Math.max(3, iterations / 3),
        requests::analysis,
        task("analysis", task));
  }

  private DoubleSupplier task(String name, Map<String, ?> values) {
    if (peer == null) {
      return null;
    }
    Map<String, Object> task = new HashMap<>(values);
    task.put("task", name);
    return () -> peer.seconds(task);
  }

  private void measure(
      String name,
      int tokens,
      double flops,
      double bytes,
      int repetitions,
      DoubleSupplier ours,
      DoubleSupplier theirs) {
    System.err.println("measuring " + name);
    for (int i = 0; i < WARM_UP; i++) {
      ours.getAsDouble();
    }
    if (theirs != null) {
      theirs.getAsDouble();
    }
    BenchSeries own = new BenchSeries();
    BenchSeries other = new BenchSeries();
    probe.settle();
    for (int i = 0; i < repetitions; i++) {
      probe.book(own, ours.getAsDouble());
      if (theirs != null) {
        probe.book(other, theirs.getAsDouble());
      }
    }
    report.add(rate(name, BenchReport.OURS, own, tokens, flops, bytes));
    if (theirs != null) {
      report.add(rate(name, BenchPeer.NAME, other, tokens, flops, Double.NaN));
    }
  }

  private BenchRate rate(
      String name, String engine, BenchSeries series, int tokens, double flops, double bytes) {
    double seconds = series.median(probe.best());
    return new BenchRate(
        name,
        engine,
        seconds,
        tokens / seconds,
        flops / seconds / 1e9,
        bytes / seconds / 1e9,
        series.kept(probe.best()),
        series.size());
  }

  private int[] tokens(int n) {
    int size = model.config().vocabulary();
    // Ordinary tokens: the first few hundred are control tokens and bytes.
    return new SplittableRandom(n).ints(n, Math.min(400, size / 2), size).toArray();
  }
}
