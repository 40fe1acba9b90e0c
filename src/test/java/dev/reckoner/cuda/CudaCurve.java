package dev.reckoner.cuda;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.gemma.Gemma3;
import dev.reckoner.gemma.GemmaConfig;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.gemma.LoraSpec;
import dev.reckoner.gemma.PackedBatch;
import dev.reckoner.gemma.Parameters;
import dev.reckoner.gemma.TrainingPass;
import dev.reckoner.tensor.AdamW;
import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.DType;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.Tensor;
import dev.reckoner.tensor.backends.Backends;
import dev.reckoner.tensor.cpu.CpuBackend;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * A loss curve to lay beside another program's. {@code write DIR} makes a small checkpoint, a fresh
 * adapter and tokens of 200 steps; {@code run DIR BACKEND [STEPS]} trains the adapter on them and
 * writes {@code DIR/losses.json}. {@code training/gpu/peer_curve.py} does the same with PEFT.
 */
public final class CudaCurve {
  private static final int STEPS = 200;
  private static final int SEQUENCES = 8;
  private static final int LENGTH = 128;
  private static final int VOCABULARY = 512;
  private static final int USED = 96;
  private static final float RATE = 1e-3f;

  private CudaCurve() {}

  public static void main(String[] args) throws IOException {
    Path dir = Path.of(args[1]);
    if (args[0].equals("write")) {
      write(dir);
    } else {
      run(dir, args[2], args.length > 3 ? Integer.parseInt(args[3]) : STEPS);
    }
  }

  private static void write(Path dir) throws IOException {
    GemmaConfig config =
        new GemmaConfig(
            VOCABULARY,
            256,
            768,
            6,
            4,
            1,
            64,
            512,
            64,
            GemmaConfig.pattern(6, 6),
            1e4,
            1e6,
            1,
            1e-6f,
            64);
    try (Backend cpu = CpuBackend.open()) {
      try (Gemma3 model = Gemma3.randomTrainable(config, cpu, 1)) {
        model.save(dir.resolve("model"), DType.BF16, Long.MAX_VALUE);
      }
      try (Gemma3 model = Gemma3.load(dir.resolve("model"), cpu, Precision.BF16);
          LoraAdapter adapter = LoraAdapter.create(model, "start", LoraSpec.allLinear(16, 16), 2)) {
        adapter.save(dir.resolve("start"), "model");
      }
    }
    // Each token has a usual successor that depends on the one before, and one time in ten another.
    SplittableRandom random = new SplittableRandom(3);
    int[] successor = Ops.integers(random, USED * 2, USED);
    int[][][] tokens = new int[STEPS][SEQUENCES][LENGTH];
    for (int[][] step : tokens) {
      for (int[] sequence : step) {
        sequence[0] = random.nextInt(USED);
        for (int i = 1; i < LENGTH; i++) {
          int before = i > 1 ? sequence[i - 2] & 1 : 0;
          sequence[i] =
              random.nextInt(10) == 0
                  ? random.nextInt(USED)
                  : successor[sequence[i - 1] * 2 + before];
        }
      }
    }
    new ObjectMapper().writeValue(dir.resolve("tokens.json").toFile(), tokens);
  }

  private static void run(Path dir, String backend, int steps) throws IOException {
    ObjectMapper json = new ObjectMapper();
    int[][][] tokens = json.readValue(dir.resolve("tokens.json").toFile(), int[][][].class);
    double[] losses = new double[steps];
    try (Backend b = Backends.open(backend);
        Gemma3 model = Gemma3.load(dir.resolve("model"), b, Precision.BF16);
        LoraAdapter adapter = LoraAdapter.load(dir.resolve("start"), model)) {
      TrainingPass pass = new TrainingPass(model, adapter, false);
      Parameters p = pass.parameters();
      try (Tensor m = b.floats(1, p.size());
          Tensor v = b.floats(1, p.size())) {
        for (int i = 0; i < steps; i++) {
          b.fill(p.gradients(), 0);
          float[] rows = pass.accumulate(batch(tokens[i]), i);
          double sum = 0;
          for (float row : rows) {
            sum += row;
          }
          losses[i] = sum / rows.length;
          b.adamW(
              p.values(), p.gradients(), m, v, new AdamW(RATE, 0.9f, 0.999f, 1e-8f, 0, i + 1L), 1);
          adapter.refresh();
        }
      }
      Map<String, Object> result =
          Map.of("backend", b.description(), "rate", RATE, "losses", losses);
      json.writeValue(dir.resolve("losses.json").toFile(), result);
      System.out.printf(
          "%s: loss %.4f -> %.4f (last 10)%n",
          b.name(),
          losses[0],
          Arrays.stream(losses).skip(Math.max(0, steps - 10)).average().orElseThrow());
    }
  }

  private static PackedBatch batch(int[][] sequences) {
    int[] tokens = Arrays.stream(sequences).flatMapToInt(Arrays::stream).toArray();
    int[] starts = new int[sequences.length + 1];
    Arrays.setAll(starts, i -> i * LENGTH);
    int[] rows = new int[sequences.length * (LENGTH - 1)];
    Arrays.setAll(rows, i -> i / (LENGTH - 1) * LENGTH + i % (LENGTH - 1));
    int[] targets = Arrays.stream(rows).map(r -> tokens[r + 1]).toArray();
    float[] weights = new float[rows.length];
    Arrays.fill(weights, 1f / rows.length);
    return new PackedBatch(tokens, starts, rows, targets, weights);
  }
}
