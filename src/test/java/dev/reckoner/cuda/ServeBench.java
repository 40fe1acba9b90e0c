package dev.reckoner.cuda;

import dev.reckoner.gemma.Gemma3;
import dev.reckoner.gemma.GemmaConfig;
import dev.reckoner.gemma.KvCache;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.gemma.LoraSpec;
import dev.reckoner.gemma.Segment;
import dev.reckoner.gemma.Target;
import dev.reckoner.tensor.Matrix;
import dev.reckoner.tensor.Nf4;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.Tensor;
import dev.reckoner.tensor.WeightSource;
import dev.reckoner.tensor.cuda.CudaBackend;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;

/** Prefill and decoding rates of an NF4 model with random weights. */
final class ServeBench {
  private static final int CONTEXT = 256;

  private ServeBench() {}

  /**
   * @param runs {@code prefill}, {@code operations}, or a batch size such as {@code 64}, with so
   *     many adapters: {@code 64a16}, on some layers only: {@code 64a16:qkvo} (also g, u, d)
   */
  static void run(CudaBackend device, GemmaConfig c, List<String> runs, int steps) {
    if (runs.contains("operations")) {
      operations(device, c);
      runs = runs.stream().filter(r -> !r.equals("operations")).toList();
    }
    try (Gemma3 model = Gemma3.random(c, device, Precision.NF4, 1)) {
      warmUp(device, model);
      for (String run : runs) {
        if (run.equals("prefill")) {
          prefill(device, model, Math.min(steps, 12));
        } else {
          String[] parts = run.split(":");
          int[] n = Arrays.stream(parts[0].split("a")).mapToInt(Integer::parseInt).toArray();
          String letters = parts.length == 1 ? "qkvogud" : parts[1];
          decode(device, model, n[0], n.length == 1 ? 0 : n[1], letters, steps);
        }
      }
    }
  }

  /** Operations of a decoding step, many of each in one recording: the time without launches. */
  private static void operations(CudaBackend b, GemmaConfig c) {
    SplittableRandom random = new SplittableRandom(4);
    int h = c.hidden();
    int f = c.feedForward();
    try (Ops o = new Ops(b)) {
      Matrix qkv = nf4(o, random, c.queryWidth() + 2 * c.keyWidth(), h);
      Matrix out = nf4(o, random, h, c.queryWidth());
      Matrix gateUp = nf4(o, random, 2 * f, h);
      Matrix down = nf4(o, random, h, f);
      Tensor weight = o.zeros(1, h);
      for (int t : new int[] {1, 8, 16, 32, 64}) {
        Tensor x = o.activation(Ops.normal(random, t * h, 1), t, h);
        Tensor y = o.out(t, h);
        Tensor z = o.out(t, h);
        Tensor attended =
            o.activation(Ops.normal(random, t * c.queryWidth(), 1), t, c.queryWidth());
        Tensor wide = o.out(t, qkv.rows());
        Tensor both = o.out(t, 2 * f);
        Tensor activated = o.activation(Ops.normal(random, t * f, 1), t, f);
        time(b, t + " qkv", qkv.bytes(), () -> b.linear(qkv, x, 1, 0, wide));
        time(b, t + " o", out.bytes(), () -> b.linear(out, attended, 1, 0, y));
        time(b, t + " gate|up", gateUp.bytes(), () -> b.linear(gateUp, x, 1, 0, both));
        time(b, t + " down", down.bytes(), () -> b.linear(down, activated, 1, 0, y));
        time(
            b,
            t + " norms",
            0,
            () -> b.rmsNormAddNorm(y, weight, 1e-6f, x, z, null, weight, y, null));
      }
    }
  }

  private static Matrix nf4(Ops o, SplittableRandom random, int rows, int columns) {
    float[] values = Ops.normal(random, 64 * columns, 0.05);
    WeightSource source =
        WeightSource.of(
            rows,
            columns,
            (r, into, offset) -> System.arraycopy(values, r % 64 * columns, into, offset, columns));
    return o.keep(o.b.nf4(List.of(Nf4.quantise(source))));
  }

  private static void time(CudaBackend b, String name, long bytes, Runnable operation) {
    int times = 50;
    Runnable many =
        () -> {
          for (int i = 0; i < times; i++) {
            operation.run();
          }
        };
    double[] seconds = new double[7];
    for (int i = -3; i < seconds.length; i++) {
      b.synchronize();
      long start = System.nanoTime();
      b.repeat(name, many);
      b.synchronize();
      if (i >= 0) {
        seconds[i] = (System.nanoTime() - start) * 1e-9 / times;
      }
    }
    b.forget(name);
    double s = median(seconds);
    System.out.printf(Locale.ROOT, "%-20s %8.2f us %8.0f GB/s%n", name, s * 1e6, bytes / s / 1e9);
  }

  private static int[] tokens(GemmaConfig c, int n, int seed) {
    return Ops.integers(new SplittableRandom(seed), n, c.vocabulary());
  }

  /** A device that did nothing runs at a low clock for a while. */
  private static void warmUp(CudaBackend device, Gemma3 model) {
    long end = System.nanoTime() + 1_000_000_000;
    while (System.nanoTime() < end) {
      try (KvCache cache = model.newCache(1024)) {
        model.forward(List.of(Segment.of(cache, tokens(model.config(), 1024, 1), null)));
        device.synchronize();
      }
    }
  }

  private static double median(double[] seconds) {
    Arrays.sort(seconds);
    return seconds[seconds.length / 2];
  }

  private static void prefill(CudaBackend device, Gemma3 model, int steps) {
    int sequences = 8;
    int length = 1024;
    double[] seconds = new double[steps];
    for (int i = -2; i < steps; i++) {
      List<KvCache> caches = new ArrayList<>();
      List<Segment> segments = new ArrayList<>();
      for (int s = 0; s < sequences; s++) {
        caches.add(model.newCache(length));
        segments.add(Segment.of(caches.get(s), tokens(model.config(), length, s), null));
      }
      device.synchronize();
      long start = System.nanoTime();
      model.forward(segments);
      device.synchronize();
      if (i >= 0) {
        seconds[i] = (System.nanoTime() - start) * 1e-9;
      }
      caches.forEach(KvCache::close);
    }
    double s = median(seconds);
    System.out.printf(
        Locale.ROOT, "prefill 8x1024: %.2f ms, %,.0f tok/s%n", s * 1e3, sequences * length / s);
  }

  /** One token each for sequences that hold 256, with so many adapters in turn. */
  private static void decode(
      CudaBackend device, Gemma3 model, int batch, int adapters, String letters, int steps) {
    List<KvCache> caches = new ArrayList<>();
    List<LoraAdapter> loras = new ArrayList<>();
    EnumSet<Target> targets = EnumSet.noneOf(Target.class);
    for (Target target : Target.values()) {
      if (letters.indexOf(Character.toLowerCase(target.name().charAt(0))) >= 0) {
        targets.add(target);
      }
    }
    for (int i = 0; i < adapters; i++) {
      loras.add(LoraAdapter.create(model, "a" + i, new LoraSpec(16, 16, false, 0, targets), i));
    }
    for (int i = 0; i < batch; i++) {
      KvCache cache = model.newCache(CONTEXT + steps + 4);
      caches.add(cache);
      model.forward(List.of(new Segment(cache, tokens(model.config(), CONTEXT, i), null, 0, null)));
    }
    double[] seconds = new double[steps];
    for (int i = -3; i < steps; i++) {
      List<Segment> segments = new ArrayList<>();
      for (int s = 0; s < batch; s++) {
        LoraAdapter lora = adapters == 0 ? null : loras.get(s % adapters);
        segments.add(Segment.greedy(caches.get(s), new int[] {5 + s}, lora));
      }
      device.synchronize();
      long start = System.nanoTime();
      model.answer(segments);
      device.synchronize();
      if (i >= 0) {
        seconds[i] = (System.nanoTime() - start) * 1e-9;
      }
    }
    double s = median(seconds);
    System.out.printf(
        Locale.ROOT,
        "decode batch %d, %d adapters%s: %.3f ms, %,.0f tok/s%n",
        batch,
        adapters,
        targets.size() == Target.values().length ? "" : " on " + letters,
        s * 1e3,
        batch / s);
    caches.forEach(KvCache::close);
    loras.forEach(LoraAdapter::close);
  }
}
