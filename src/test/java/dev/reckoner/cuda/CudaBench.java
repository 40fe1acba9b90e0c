package dev.reckoner.cuda;

import dev.reckoner.gemma.Gemma3;
import dev.reckoner.gemma.GemmaConfig;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.gemma.LoraSpec;
import dev.reckoner.gemma.PackedBatch;
import dev.reckoner.gemma.Parameters;
import dev.reckoner.gemma.TrainingPass;
import dev.reckoner.tensor.AdamW;
import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.Indices;
import dev.reckoner.tensor.Matrix;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.Tensor;
import dev.reckoner.tensor.WeightSource;
import dev.reckoner.tensor.cuda.CudaBackend;
import dev.reckoner.tensor.cuda.CudaException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Times training steps of named shapes with random weights, and single operations. {@code --model
 * bundled|270m|1b|4b}, {@code --mode full|qlora}, {@code --runs 8x1024,8x1024@30,1x1024r}
 * (sequences, length, percent supervised, recompute), {@code --steps N}; {@code --operations} times
 * the operations of that shape instead, {@code --serve} prefill and decoding; {@code --profile}
 * tells how a step's time divides among its operations. Medians, after warm-up.
 */
public final class CudaBench {
  private static final int PROFILED_STEPS = 4;

  private CudaBench() {}

  static GemmaConfig shape(String name) {
    return switch (name) {
      case "bundled" -> shape(8192, 512, 2048, 10, 8, 2, 64, 4096, 512);
      case "270m" -> shape(262144, 640, 2048, 18, 4, 1, 256, 32768, 512);
      case "1b" -> shape(262144, 1152, 6912, 26, 4, 1, 256, 32768, 512);
      case "4b" -> shape(262208, 2560, 10240, 34, 8, 4, 256, 32768, 1024);
      default -> throw new IllegalArgumentException("unknown shape " + name);
    };
  }

  private static GemmaConfig shape(
      int vocabulary,
      int hidden,
      int feedForward,
      int layers,
      int heads,
      int kvHeads,
      int headDim,
      int positions,
      int window) {
    return new GemmaConfig(
        vocabulary,
        hidden,
        feedForward,
        layers,
        heads,
        kvHeads,
        headDim,
        positions,
        window,
        GemmaConfig.pattern(layers, 6),
        1e4,
        1e6,
        1,
        1e-6f,
        headDim);
  }

  public static void main(String[] args) {
    String model = "bundled";
    String mode = "full";
    String runs = "32x1024";
    int steps = 12;
    boolean operations = false;
    boolean serve = false;
    String serving = "operations,prefill,1,8,16,32,64,64a16,1a1";
    boolean profile = false;
    for (int i = 0; i < args.length; i++) {
      switch (args[i]) {
        case "--model" -> model = args[++i];
        case "--mode" -> mode = args[++i];
        case "--runs" -> runs = args[++i];
        case "--steps" -> steps = Integer.parseInt(args[++i]);
        case "--operations" -> operations = true;
        case "--serve" -> serve = true;
        case "--decode" -> serving = args[++i];
        case "--profile" -> profile = true;
        default -> throw new IllegalArgumentException("unknown option " + args[i]);
      }
    }
    try (CudaBackend b = CudaBackend.open(0)) {
      System.out.println(b.description());
      GemmaConfig c = shape(model);
      if (serve) {
        ServeBench.run(b, c, List.of(serving.split(",")), steps);
      } else if (operations) {
        Run run = Run.of(runs);
        operations(b, c, run.sequences, run.length);
      } else {
        train(b, profile ? new Profile(b) : null, c, model, mode, runs.split(","), steps);
      }
    } catch (CudaException e) {
      System.out.println(e.getMessage());
      System.exit(2);
    }
  }

  private static PackedBatch batch(GemmaConfig c, int sequences, int length, int supervised) {
    SplittableRandom random = new SplittableRandom(1);
    int[] tokens = Ops.integers(random, sequences * length, c.vocabulary());
    int[] starts = new int[sequences + 1];
    List<Integer> rows = new ArrayList<>();
    for (int s = 0; s < sequences; s++) {
      starts[s + 1] = (s + 1) * length;
      int first = length - length * supervised / 100;
      for (int i = first; i + 1 < length; i++) {
        rows.add(s * length + i);
      }
    }
    int[] places = rows.stream().mapToInt(i -> i).toArray();
    int[] targets = Arrays.stream(places).map(i -> tokens[i + 1]).toArray();
    float[] weights = new float[places.length];
    Arrays.fill(weights, 1f / places.length);
    return new PackedBatch(tokens, starts, places, targets, weights);
  }

  /** {@code 8x1024}, then {@code @30} for 30% supervised, {@code r} for recompute. */
  private record Run(int sequences, int length, int supervised, boolean recompute) {
    private static final Pattern FORM = Pattern.compile("(\\d+)x(\\d+)(?:@(\\d+))?(r?)");

    static Run of(String text) {
      Matcher m = FORM.matcher(text);
      if (!m.matches()) {
        throw new IllegalArgumentException("a run is written 8x1024@30r, not " + text);
      }
      return new Run(
          Integer.parseInt(m.group(1)),
          Integer.parseInt(m.group(2)),
          m.group(3) == null ? 100 : Integer.parseInt(m.group(3)),
          !m.group(4).isEmpty());
    }
  }

  private static void train(
      CudaBackend device,
      Profile profile,
      GemmaConfig c,
      String name,
      String mode,
      String[] runs,
      int steps) {
    Backend b = profile == null ? device : profile.backend();
    boolean full = mode.equals("full");
    try (Gemma3 model =
            full ? Gemma3.randomTrainable(c, b, 1) : Gemma3.random(c, b, Precision.NF4, 1);
        LoraAdapter adapter =
            full ? null : LoraAdapter.create(model, "bench", LoraSpec.allLinear(16, 16), 2)) {
      for (String run : runs) {
        train(device, profile, model, adapter, name + " " + mode + " " + run, Run.of(run), steps);
      }
    }
  }

  private static void train(
      CudaBackend device,
      Profile profile,
      Gemma3 model,
      LoraAdapter adapter,
      String name,
      Run run,
      int steps) {
    Backend b = model.backend();
    GemmaConfig c = model.config();
    boolean full = adapter == null;
    PackedBatch batch = batch(c, run.sequences, run.length, run.supervised);
    TrainingPass pass = new TrainingPass(model, adapter, run.recompute);
    Parameters p = pass.parameters();
    try (Tensor m = b.floats(1, p.size());
        Tensor v = b.floats(1, p.size())) {
      double[] seconds = new double[steps];
      double[] losses = new double[steps];
      device.resetPeakMemory();
      for (int i = 0; i < steps; i++) {
        b.synchronize();
        long start = System.nanoTime();
        float[] rowLosses = step(b, pass, batch, m, v, i);
        if (full) {
          model.refresh();
        } else {
          adapter.refresh();
        }
        b.synchronize();
        seconds[i] = (System.nanoTime() - start) * 1e-9;
        double sum = 0;
        for (float l : rowLosses) {
          sum += l;
        }
        losses[i] = sum / rowLosses.length;
      }
      double[] warm = Arrays.copyOfRange(seconds, Math.min(4, steps - 1), steps);
      Arrays.sort(warm);
      double median = warm[warm.length / 2];
      int t = batch.tokens().length;
      double flop = flop(c, full, t, run.length, batch.rows().length);
      System.out.printf(
          Locale.ROOT,
          "%s, %.1fM parameters: first %.0f ms, median %.2f ms (%.2f-%.2f), %,.0f tok/s, %.0f"
              + " TFLOP/s, peak %.2f GiB, loss %.3f -> %.3f%n",
          name,
          c.parameters() / 1e6,
          seconds[0] * 1e3,
          median * 1e3,
          warm[0] * 1e3,
          warm[warm.length - 1] * 1e3,
          t / median,
          flop / median / 1e12,
          device.peakMemory() / (double) (1L << 30),
          losses[0],
          losses[steps - 1]);
      if (profile != null) {
        profile.start();
        for (int i = 0; i < PROFILED_STEPS; i++) {
          step(b, pass, batch, m, v, steps + i);
        }
        profile.print(PROFILED_STEPS);
      }
    }
    p.dropGradients();
  }

  private static float[] step(
      Backend b, TrainingPass pass, PackedBatch batch, Tensor m, Tensor v, int i) {
    Parameters p = pass.parameters();
    b.fill(p.gradients(), 0);
    float[] rowLosses = pass.accumulate(batch, i);
    double norm = Math.sqrt(b.sumOfSquares(p.gradients()));
    AdamW step = new AdamW(3e-4f, 0.9f, 0.95f, 1e-8f, 0.1f, i + 1L);
    b.adamW(p.values(), p.gradients(), m, v, step, (float) Math.min(1, 1 / norm));
    return rowLosses;
  }

  /** Useful work of a step: products and attention forward and backward, without recomputation. */
  private static double flop(GemmaConfig c, boolean full, int t, int length, int headRows) {
    double body =
        (double) c.layers()
            * ((double) c.hidden() * (2.0 * c.queryWidth() + 2.0 * c.keyWidth())
                + 3.0 * c.hidden() * c.feedForward());
    double attention = 0;
    for (int l = 0; l < c.layers(); l++) {
      double keys =
          c.global(l) || c.window() >= length
              ? length / 2.0
              : c.window() - c.window() * (double) c.window() / (2.0 * length);
      attention += 4.0 * c.queryWidth() * keys;
    }
    double head = (double) c.vocabulary() * c.hidden();
    return full
        ? t * (6 * body + 3.5 * attention) + headRows * 6 * head
        : t * (4 * body + 3.5 * attention) + headRows * 4 * head;
  }

  private interface Step {
    void run();
  }

  /** Prints microseconds and the rate of a repeated operation. */
  private static void time(CudaBackend b, String name, double flop, double bytes, Step step) {
    step.run();
    step.run();
    b.synchronize();
    int repeats = 5;
    double[] seconds = new double[7];
    for (int i = 0; i < seconds.length; i++) {
      long start = System.nanoTime();
      for (int k = 0; k < repeats; k++) {
        step.run();
      }
      b.synchronize();
      seconds[i] = (System.nanoTime() - start) * 1e-9 / repeats;
    }
    Arrays.sort(seconds);
    double s = seconds[seconds.length / 2];
    System.out.printf(
        Locale.ROOT,
        "%-34s %9.1f us %8.1f TFLOP/s %8.0f GB/s%n",
        name,
        s * 1e6,
        flop / s / 1e12,
        bytes / s / 1e9);
  }

  private static void operations(CudaBackend b, GemmaConfig c, int sequences, int length) {
    int t = sequences * length;
    int h = c.hidden();
    int f = c.feedForward();
    int q = c.queryWidth();
    int kv = c.keyWidth();
    int d = c.headDim();
    SplittableRandom random = new SplittableRandom(3);
    int[] starts = new int[sequences + 1];
    int[] positions = new int[t];
    Arrays.setAll(starts, i -> i * length);
    Arrays.setAll(positions, i -> i % length);
    try (Ops o = new Ops(b)) {
      Tensor x = filled(o, random, t, h);
      Tensor y = filled(o, random, t, h);
      Tensor out = filled(o, random, t, h);
      Tensor qkv = filled(o, random, t, q + 2 * kv);
      Tensor dQkv = filled(o, random, t, q + 2 * kv);
      Tensor tq = filled(o, random, t, q);
      Tensor tk = filled(o, random, t, kv);
      Tensor dq = filled(o, random, t, q);
      Tensor dk = filled(o, random, t, kv);
      Tensor attended = filled(o, random, t, q);
      Tensor gateUp = filled(o, random, t, 2 * f);
      Tensor dGateUp = filled(o, random, t, 2 * f);
      Tensor activated = filled(o, random, t, f);
      Tensor weight = o.zeros(1, h);
      Tensor dWeight = o.zeros(1, h);
      Tensor rstd = o.zeros(t, 1);
      Tensor headWeight = o.zeros(1, d);
      Tensor dHead = o.zeros(1, d);
      Tensor rope = o.zeros(length, d);
      Tensor rstdQk = o.zeros(t, (q + kv) / d);
      Tensor lse = o.zeros(t, c.heads());
      Indices sequencesOf = o.indices(starts);
      Indices positionsOf = o.indices(positions);
      double th = (double) t * h;
      time(b, "rmsNorm", 0, 4 * th, () -> b.rmsNorm(x, weight, 1e-6f, out, rstd));
      time(b, "rmsNormAdd", 0, 6 * th, () -> b.rmsNormAdd(x, weight, 1e-6f, y, out, rstd));
      time(
          b,
          "rmsNormGradient",
          0,
          8 * th,
          () -> b.rmsNormGradient(x, y, weight, rstd, 1, out, null));
      time(
          b,
          "rmsNormGradient + weight",
          0,
          8 * th,
          () -> b.rmsNormGradient(x, y, weight, rstd, 1, out, dWeight));
      double qk = (double) t * (q + kv);
      time(
          b,
          "qkNormRope",
          0,
          4 * qk,
          () ->
              b.qkNormRope(qkv, headWeight, headWeight, 1e-6f, positionsOf, rope, tq, tk, rstdQk));
      time(
          b,
          "qkNormRopeGradient + weight",
          0,
          6 * qk,
          () ->
              b.qkNormRopeGradient(
                  tq,
                  tk,
                  qkv,
                  headWeight,
                  headWeight,
                  positionsOf,
                  rope,
                  rstdQk,
                  dQkv,
                  dHead,
                  dHead));
      double tf = (double) t * f;
      time(b, "geglu", 0, 6 * tf, () -> b.geglu(gateUp, activated));
      time(b, "gegluGradient", 0, 10 * tf, () -> b.gegluGradient(activated, gateUp, dGateUp));
      float scale = (float) (1 / Math.sqrt(d));
      Tensor v = qkv.columns(q + kv, q + 2 * kv);
      Tensor dv = dQkv.columns(q + kv, q + 2 * kv);
      for (int window : new int[] {0, c.window()}) {
        double keys =
            window == 0 || window >= length
                ? length / 2.0
                : window - window * (double) window / (2.0 * length);
        double flop = 4.0 * t * q * keys;
        time(
            b,
            "attention window " + window,
            flop,
            0,
            () -> b.attention(tq, tk, v, sequencesOf, d, window, scale, attended, lse));
        time(
            b,
            "attentionGradient window " + window,
            2.5 * flop,
            0,
            () ->
                b.attentionGradient(
                    attended, tq, tk, v, attended, lse, sequencesOf, d, window, scale, dq, dk, dv));
      }
      product(b, o, random, "qkv", x, qkv);
      product(b, o, random, "o", attended, out);
      product(b, o, random, "gate|up", x, gateUp);
      product(b, o, random, "down", activated, out);
      head(b, o, random, c, x, out);
    }
  }

  private static Tensor filled(Ops o, SplittableRandom random, int rows, int columns) {
    float[] row = Ops.normal(random, columns, 1);
    Tensor t = o.keep(o.b.activations(rows, columns));
    int n = Math.min(rows, 64);
    float[] some = new float[n * columns];
    for (int i = 0; i < n; i++) {
      for (int k = 0; k < columns; k++) {
        some[i * columns + k] = row[(k + 31 * i) % columns];
      }
    }
    o.b.upload(some, t.rows(0, n));
    for (int at = n; at < rows; at += n) {
      int m = Math.min(n, rows - at);
      o.b.copy(t.rows(0, m), t.rows(at, at + m));
    }
    return t;
  }

  private static void product(
      CudaBackend b, Ops o, SplittableRandom random, String name, Tensor in, Tensor out) {
    int n = out.columns();
    int k = in.columns();
    float[] row = Ops.normal(random, k, 0.05);
    WeightSource source =
        WeightSource.of(
            n,
            k,
            (r, into, offset) -> {
              for (int c = 0; c < k; c++) {
                into[offset + c] = row[(c + 17 * r) % k];
              }
            });
    Matrix w = o.keep(b.dense(List.of(source), Precision.BF16));
    Tensor dw = o.zeros(n, k);
    double flop = 2.0 * in.rows() * n * k;
    time(b, name + " forward", flop, 0, () -> b.linear(w, in, 1, 0, out));
    time(b, name + " dx", flop, 0, () -> b.linearInputGradient(w, out, 1, 0, in));
    time(b, name + " dw", flop, 0, () -> b.linearWeightGradient(out, in, 1, dw));
  }

  private static void head(
      CudaBackend b, Ops o, SplittableRandom random, GemmaConfig c, Tensor x, Tensor dx) {
    int rows = Math.min(x.rows(), 2048);
    Tensor logits = filled(o, random, rows, c.vocabulary());
    Tensor h = x.rows(0, rows);
    product(b, o, random, "head of %d rows".formatted(rows), h, logits);
    Tensor weights = o.zeros(rows, 1);
    Tensor losses = o.zeros(rows, 1);
    b.fill(weights, 0.1f);
    Indices targets = o.indices(Ops.integers(random, rows, c.vocabulary()));
    time(
        b,
        "crossEntropy",
        0,
        6.0 * rows * c.vocabulary(),
        () -> b.crossEntropy(logits, targets, weights, losses));
    b.copy(dx.rows(0, rows), h);
  }
}
