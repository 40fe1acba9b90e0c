package dev.reckoner.gemma;

import java.util.Arrays;
import java.util.SplittableRandom;

/** The rate of forward and backward over a packed micro-batch, every token supervised. */
public final class TrainingBenchmark {
  private TrainingBenchmark() {}

  /**
   * @param adapter trained on a frozen model; null measures all parameters of a trainable one
   */
  public static Rate run(
      Gemma3 model, LoraAdapter adapter, int sequences, int length, int iterations) {
    TrainingPass pass = new TrainingPass(model, adapter, false);
    PackedBatch batch = batch(model.config(), sequences, length);
    double[] times = new double[iterations];
    for (int i = -2; i < iterations; i++) {
      model.backend().fill(pass.parameters().gradients(), 0);
      long began = System.nanoTime();
      pass.accumulate(batch, i);
      model.backend().synchronize();
      if (i >= 0) {
        times[i] = (System.nanoTime() - began) / 1e9;
      }
    }
    pass.parameters().dropGradients();
    Arrays.sort(times);
    double seconds = times[iterations / 2];
    int tokens = sequences * length;
    double flops = flops(model.config(), adapter, sequences, length);
    String name =
        "%s step, %d x %d".formatted(adapter == null ? "full" : "LoRA", sequences, length);
    return new Rate(name, seconds, tokens / seconds, flops / seconds / 1e9, Double.NaN);
  }

  private static PackedBatch batch(GemmaConfig c, int sequences, int length) {
    int tokens = sequences * length;
    int[] ids = new SplittableRandom(1).ints(tokens, 0, c.vocabulary()).toArray();
    int[] starts = new int[sequences + 1];
    Arrays.setAll(starts, s -> s * length);
    int[] rows = new int[sequences * (length - 1)];
    Arrays.setAll(rows, i -> i / (length - 1) * length + i % (length - 1));
    int[] targets = Arrays.stream(rows).map(r -> ids[r + 1]).toArray();
    float[] weights = new float[rows.length];
    Arrays.fill(weights, 1f / rows.length);
    return new PackedBatch(ids, starts, rows, targets, weights);
  }

  /**
   * Multiply-adds as two operations: body and head forward and input gradients, attention forward
   * and 2.5 times that backward; weight gradients of what is trained.
   */
  static double flops(GemmaConfig c, LoraAdapter adapter, int sequences, int length) {
    double tokens = (double) sequences * length;
    double weights = InferenceBenchmark.bodyWeights(c) + (double) c.vocabulary() * c.hidden();
    double attention = 3.5 * sequences * InferenceBenchmark.attentionFlops(c, length);
    double trained = adapter == null ? 2 * weights : 6.0 * adapter.parameters().size();
    return tokens * (4 * weights + trained) + attention;
  }
}
