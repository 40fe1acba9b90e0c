package dev.reckoner.gemma;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.tensor.DType;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.SafetensorsFile;
import dev.reckoner.tensor.SafetensorsWriter;
import dev.reckoner.tensor.cpu.CpuBackend;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Logits, loss and gradients equal what transformers and PEFT computed once, on a checkpoint and an
 * adapter that they wrote; and the adapter that PEFT read and gave our logits is still what we
 * write. {@code src/test/golden/make_golden.py} says how the files were made.
 */
class PeftGoldenTest {
  private static final double TOLERANCE = 1e-4;
  private static final Path GOLDEN = Path.of("src/test/resources/golden");
  private static final Path CHECKPOINT = GOLDEN.resolve("checkpoint");
  private static final String LOGITS = "logits.safetensors";

  private CpuBackend backend;
  private SafetensorsFile expected;

  @TempDir private Path dir;

  @BeforeEach
  void open() {
    backend = CpuBackend.open(2);
    expected = SafetensorsFile.open(GOLDEN.resolve("expected.safetensors"));
  }

  @AfterEach
  void close() {
    expected.close();
    backend.close();
  }

  /** Writes the adapter that {@code make_golden.py check} reads. */
  public static void main(String... args) {
    try (CpuBackend backend = CpuBackend.open(1);
        SafetensorsFile expected = SafetensorsFile.open(GOLDEN.resolve("expected.safetensors"))) {
      writeOurs(backend, expected, GOLDEN.resolve("reckoner"));
    }
  }

  private static void writeOurs(CpuBackend backend, SafetensorsFile expected, Path to) {
    try (Gemma3 model = Gemma3.load(CHECKPOINT, backend, Precision.FP32);
        LoraAdapter adapter =
            LoraAdapter.create(model, "ours", new LoraSpec(4, 6, true, 0.1f, targets()), 1)) {
      SplittableRandom random = new SplittableRandom(2);
      for (Parameters.Entry e : adapter.parameters().entries()) {
        float[] values = new float[e.size()];
        for (int i = 0; i < values.length; i++) {
          values[i] = (float) random.nextDouble(-0.3, 0.3);
        }
        adapter.parameters().write(e, values);
      }
      adapter.refresh();
      adapter.save(to, "checkpoint");
      SafetensorsWriter writer = new SafetensorsWriter();
      for (int s = 0; s < 2; s++) {
        float[] logits = logits(model, adapter, tokens(expected, s));
        int[] shape = {logits.length / model.config().vocabulary(), model.config().vocabulary()};
        writer.add("logits." + s, DType.F32, shape, () -> logits);
      }
      writer.write(to.resolve(LOGITS));
    }
  }

  /** Not all layers, so that a part of a fused layer is left alone. */
  private static Set<Target> targets() {
    return EnumSet.complementOf(EnumSet.of(Target.K_PROJ, Target.UP_PROJ));
  }

  private static int[] tokens(SafetensorsFile expected, int sequence) {
    float[] stored = floats(expected, "tokens." + sequence);
    return IntStream.range(0, stored.length).map(i -> (int) stored[i]).toArray();
  }

  private static float[] floats(SafetensorsFile file, String name) {
    return file.get(name).values(file.get(name).shape());
  }

  private static double[] doubles(SafetensorsFile file, String name) {
    float[] values = floats(file, name);
    return IntStream.range(0, values.length).mapToDouble(i -> values[i]).toArray();
  }

  private static float[] logits(Gemma3 model, LoraAdapter adapter, int[] tokens) {
    int vocabulary = model.config().vocabulary();
    try (KvCache cache = model.newCache(tokens.length)) {
      float[][] rows =
          model
              .forward(List.of(new Segment(cache, tokens, adapter, tokens.length, null)))
              .getFirst();
      float[] flat = new float[rows.length * vocabulary];
      for (int i = 0; i < rows.length; i++) {
        System.arraycopy(rows[i], 0, flat, i * vocabulary, vocabulary);
      }
      return flat;
    }
  }

  /** Both sequences in one pack, their prompts unsupervised. */
  private PackedBatch batch() {
    int prompt = (int) floats(expected, "prompt")[0];
    int[] first = tokens(expected, 0);
    int[] second = tokens(expected, 1);
    int[] tokens = IntStream.concat(Arrays.stream(first), Arrays.stream(second)).toArray();
    int[] rows =
        IntStream.concat(
                IntStream.range(prompt - 1, first.length - 1),
                IntStream.range(first.length + prompt - 1, tokens.length - 1))
            .toArray();
    int[] targets = Arrays.stream(rows).map(r -> tokens[r + 1]).toArray();
    float[] weights = new float[rows.length];
    Arrays.fill(weights, 1f / rows.length);
    return new PackedBatch(
        tokens, new int[] {0, first.length, tokens.length}, rows, targets, weights);
  }

  private void assertLogits(String prefix, Gemma3 model, LoraAdapter adapter) {
    for (int s = 0; s < 2; s++) {
      float[] ours = logits(model, adapter, tokens(expected, s));
      assertThat(GemmaOracleTest.relativeError(ours, doubles(expected, prefix + ".logits." + s)))
          .isLessThan(TOLERANCE);
    }
  }

  private void assertLossAndGradients(String prefix, Gemma3 model, LoraAdapter adapter) {
    TrainingPass pass = new TrainingPass(model, adapter, false);
    float[] losses = pass.accumulate(batch(), 0);
    double loss =
        IntStream.range(0, losses.length).mapToDouble(i -> losses[i]).average().orElseThrow();
    double golden = floats(expected, prefix + ".loss")[0];
    assertThat(Math.abs(loss - golden) / golden).isLessThan(TOLERANCE);
    for (Parameters.Entry e : pass.parameters().entries()) {
      float[] ours = new float[e.size()];
      backend.download(pass.parameters().gradient(e), ours);
      assertThat(
              GemmaOracleTest.relativeError(
                  ours, doubles(expected, prefix + ".gradient." + e.name())))
          .as(e.name())
          .isLessThan(TOLERANCE);
    }
  }

  @Test
  void logitsLossAndAllGradientsEqualThoseOfTransformers() {
    try (Gemma3 model = Gemma3.loadTrainable(CHECKPOINT, backend)) {
      assertLogits("base", model, null);
      assertLossAndGradients("base", model, null);
    }
  }

  @Test
  void anAdapterWrittenByPeftGivesItsLogitsLossAndGradients() {
    try (Gemma3 model = Gemma3.load(CHECKPOINT, backend, Precision.FP32);
        LoraAdapter adapter = LoraAdapter.load(GOLDEN.resolve("peft"), model)) {
      assertThat(adapter.spec())
          .isEqualTo(new LoraSpec(3, 5, false, 0.05f, LoraSpec.allLinear(3, 5).targets()));
      assertLogits("peft", model, adapter);
    }
    try (Gemma3 model = Gemma3.load(CHECKPOINT, backend, Precision.FP32);
        LoraAdapter adapter = LoraAdapter.load(withoutDropout(), model)) {
      assertLossAndGradients("peft", model, adapter);
    }
  }

  /** The gradients were taken with dropout switched off. */
  private Path withoutDropout() {
    try {
      Path peft = GOLDEN.resolve("peft");
      String config = Files.readString(peft.resolve("adapter_config.json"));
      Files.writeString(
          dir.resolve("adapter_config.json"),
          config.replace("\"lora_dropout\": 0.05", "\"lora_dropout\": 0.0"));
      Files.copy(
          peft.resolve("adapter_model.safetensors"), dir.resolve("adapter_model.safetensors"));
      return dir;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void theAdapterThatPeftReadIsWhatIsWrittenStill() {
    writeOurs(backend, expected, dir);
    Path read = GOLDEN.resolve("reckoner");
    for (String file : List.of("adapter_config.json", "adapter_model.safetensors")) {
      assertThat(dir.resolve(file)).hasSameBinaryContentAs(read.resolve(file));
    }
    try (SafetensorsFile ours = SafetensorsFile.open(dir.resolve(LOGITS));
        SafetensorsFile theirs = SafetensorsFile.open(read.resolve(LOGITS))) {
      for (String name : theirs.entries().keySet()) {
        assertThat(GemmaOracleTest.relativeError(floats(ours, name), doubles(theirs, name)))
            .as(name)
            .isLessThan(1e-5);
      }
    }
  }
}
