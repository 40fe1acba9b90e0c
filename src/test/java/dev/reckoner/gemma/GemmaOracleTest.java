package dev.reckoner.gemma;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.training.GradientCollector;
import dev.reckoner.tensor.DType;
import dev.reckoner.tensor.Nf4;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.WeightSource;
import dev.reckoner.tensor.cpu.CpuBackend;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Logits, loss and every gradient equal PyTorch's autograd on small random models. */
public class GemmaOracleTest {
  private static final double TOLERANCE = 1e-4;

  private CpuBackend backend;
  private NDManager manager;

  @TempDir private Path dir;

  @BeforeEach
  void open() {
    backend = CpuBackend.open(2);
    manager = Engine.getEngine("PyTorch").newBaseManager();
  }

  @AfterEach
  void close() {
    manager.close();
    backend.close();
  }

  /** Both layer kinds, windows shorter than the sequence, several kv heads, odd widths. */
  public static List<GemmaConfig> shapes() {
    return List.of(
        config(101, 48, 72, 3, 4, 2, 16, 5, 3, 1),
        config(97, 64, 128, 2, 2, 1, 64, 7, 2, 8),
        config(130, 40, 56, 4, 6, 3, 36, 33, 2, 1));
  }

  private static GemmaConfig config(
      int vocabulary,
      int hidden,
      int feedForward,
      int layers,
      int heads,
      int kvHeads,
      int headDim,
      int window,
      int every,
      double factor) {
    return new GemmaConfig(
        vocabulary,
        hidden,
        feedForward,
        layers,
        heads,
        kvHeads,
        headDim,
        256,
        window,
        GemmaConfig.pattern(layers, every),
        1e4,
        1e6,
        factor,
        1e-6f,
        headDim);
  }

  /** A trainable model whose every parameter, norms included, is random. */
  public static Gemma3 randomModel(GemmaConfig c, CpuBackend backend) {
    Gemma3 model = Gemma3.randomTrainable(c, backend, 7);
    SplittableRandom random = new SplittableRandom(11);
    for (Parameters.Entry e : model.parameters().entries()) {
      float[] values = new float[e.size()];
      double scale = e.rows() == 1 ? 0.3 : e.name().contains("embed") ? 0.4 : 0.15;
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) (random.nextGaussian() * scale);
      }
      model.parameters().write(e, values);
    }
    model.refresh();
    return model;
  }

  /** Three sequences of odd lengths, the prompt of each unsupervised. */
  private static PackedBatch batch(GemmaConfig c) {
    int[] lengths = {37, 5, 83};
    SplittableRandom random = new SplittableRandom(3);
    int[] starts = new int[lengths.length + 1];
    for (int s = 0; s < lengths.length; s++) {
      starts[s + 1] = starts[s] + lengths[s];
    }
    int[] tokens = random.ints(starts[lengths.length], 0, c.vocabulary()).toArray();
    IntStream.Builder rows = IntStream.builder();
    for (int s = 0; s < lengths.length; s++) {
      for (int t = starts[s] + lengths[s] / 3; t < starts[s + 1] - 1; t++) {
        rows.add(t);
      }
    }
    int[] r = rows.build().toArray();
    int[] targets = Arrays.stream(r).map(i -> tokens[i + 1]).toArray();
    float[] weights = new float[r.length];
    Arrays.fill(weights, 1f / r.length);
    return new PackedBatch(tokens, starts, r, targets, weights);
  }

  private double torchBackward(TorchGemma torch, PackedBatch b) {
    double total = 0;
    try (GradientCollector collector = Engine.getEngine("PyTorch").newGradientCollector()) {
      NDArray sum = null;
      for (int s = 0; s + 1 < b.starts().length; s++) {
        int from = b.starts()[s];
        int to = b.starts()[s + 1];
        int[] own =
            IntStream.range(0, b.rows().length)
                .filter(i -> b.rows()[i] >= from && b.rows()[i] < to)
                .toArray();
        NDArray loss =
            torch.loss(
                Arrays.copyOfRange(b.tokens(), from, to),
                Arrays.stream(own).map(i -> b.rows()[i] - from).toArray(),
                Arrays.stream(own).map(i -> b.targets()[i]).toArray(),
                b.weights()[0]);
        sum = sum == null ? loss : sum.add(loss);
      }
      collector.backward(sum);
      total = sum.getDouble();
    }
    return total;
  }

  private Map<String, NDArray> torchParameters(Parameters p) {
    Map<String, NDArray> arrays = new HashMap<>();
    for (Parameters.Entry e : p.entries()) {
      arrays.put(e.name(), TorchGemma.parameter(manager, p.read(e), e.rows(), e.columns()));
    }
    return arrays;
  }

  public static double relativeError(float[] ours, double[] oracle) {
    assertThat(ours).hasSameSizeAs(oracle);
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < ours.length; i++) {
      difference += (ours[i] - oracle[i]) * (ours[i] - oracle[i]);
      norm += oracle[i] * oracle[i];
    }
    assertThat(norm).isPositive();
    return Math.sqrt(difference / norm);
  }

  private void assertGradients(Parameters p, Map<String, NDArray> oracle) {
    for (Parameters.Entry e : p.entries()) {
      float[] ours = new float[e.size()];
      backend.download(p.gradient(e), ours);
      NDArray gradient = oracle.get(e.name()).getGradient();
      assertThat(gradient.abs().sum().getDouble()).as(e.name()).isPositive();
      assertThat(relativeError(ours, TorchGemma.doubles(gradient)))
          .as(e.name())
          .isLessThan(TOLERANCE);
    }
  }

  @Test
  void packedTrainingEqualsTheSumOfUnpacked() {
    GemmaConfig c = shapes().getFirst();
    try (Gemma3 model = randomModel(c, backend);
        LoraAdapter adapter = randomAdapter(model)) {
      PackedBatch packed = batch(c);
      TrainingPass pass = new TrainingPass(model, adapter, false);
      float[] together = pass.accumulate(packed, 0);
      float[] gradient = new float[adapter.parameters().size()];
      backend.download(adapter.parameters().gradients(), gradient);
      backend.fill(adapter.parameters().gradients(), 0);
      int row = 0;
      for (int s = 0; s + 1 < packed.starts().length; s++) {
        int from = packed.starts()[s];
        int to = packed.starts()[s + 1];
        int first = row;
        while (row < together.length && packed.rows()[row] < to) {
          row++;
        }
        PackedBatch single =
            new PackedBatch(
                Arrays.copyOfRange(packed.tokens(), from, to),
                new int[] {0, to - from},
                Arrays.stream(packed.rows(), first, row).map(r -> r - from).toArray(),
                Arrays.copyOfRange(packed.targets(), first, row),
                Arrays.copyOfRange(packed.weights(), first, row));
        assertThat(pass.accumulate(single, 0)).isEqualTo(Arrays.copyOfRange(together, first, row));
      }
      float[] sum = new float[gradient.length];
      backend.download(adapter.parameters().gradients(), sum);
      double[] expected = IntStream.range(0, sum.length).mapToDouble(i -> sum[i]).toArray();
      assertThat(relativeError(gradient, expected)).isLessThan(1e-5);
    }
  }

  private static double mean(float[] losses) {
    return IntStream.range(0, losses.length).mapToDouble(i -> losses[i]).average().orElseThrow();
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void allParameterGradientsEqualAutograd(GemmaConfig c) {
    try (Gemma3 model = randomModel(c, backend)) {
      PackedBatch batch = batch(c);
      Map<String, NDArray> w = torchParameters(model.parameters());
      double oracle = torchBackward(new TorchGemma(manager, c, w, Map.of(), 0), batch);
      float[] losses = new TrainingPass(model, null, false).accumulate(batch, 0);
      assertThat(Math.abs(mean(losses) - oracle) / oracle).isLessThan(TOLERANCE);
      assertGradients(model.parameters(), w);
    }
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void adapterGradientsEqualAutogradWithAndWithoutRecomputing(GemmaConfig c) {
    try (Gemma3 trainable = randomModel(c, backend)) {
      trainable.save(dir, DType.F32, 50_000);
      Map<String, NDArray> w = torchParameters(trainable.parameters());
      try (Gemma3 model = Gemma3.load(dir, backend, Precision.FP32);
          LoraAdapter adapter = randomAdapter(model)) {
        assertAdapterGradients(model, adapter, w);
      }
    }
  }

  @Test
  void adapterGradientsOnAnNf4BaseEqualAutogradOverItsDequantisedWeights() {
    GemmaConfig c = shapes().get(1);
    try (Gemma3 trainable = randomModel(c, backend)) {
      trainable.save(dir, DType.F32, Long.MAX_VALUE);
      Map<String, NDArray> w = torchParameters(trainable.parameters());
      for (Parameters.Entry e : trainable.parameters().entries()) {
        float[] values = trainable.parameters().read(e);
        if (e.name().contains("proj")) {
          var nf4 = Nf4.quantise(WeightSource.of(values, e.rows(), e.columns()));
          for (int r = 0; r < e.rows(); r++) {
            Nf4.dequantise(nf4, r, values, r * e.columns());
          }
        } else if (e.name().contains("embed")) {
          for (int i = 0; i < values.length; i++) {
            values[i] = dev.reckoner.tensor.Bf16.round(values[i]);
          }
        }
        w.put(e.name(), TorchGemma.parameter(manager, values, e.rows(), e.columns()));
      }
      try (Gemma3 model = Gemma3.load(dir, backend, Precision.NF4);
          LoraAdapter adapter = randomAdapter(model)) {
        assertAdapterGradients(model, adapter, w);
      }
    }
  }

  public static LoraAdapter randomAdapter(Gemma3 model) {
    LoraAdapter adapter = LoraAdapter.create(model, "test", LoraSpec.allLinear(5, 7), 5);
    SplittableRandom random = new SplittableRandom(2);
    for (Parameters.Entry e : adapter.parameters().entries()) {
      float[] values = new float[e.size()];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) (random.nextGaussian() * 0.2);
      }
      adapter.parameters().write(e, values);
    }
    adapter.refresh();
    return adapter;
  }

  private void assertAdapterGradients(Gemma3 model, LoraAdapter adapter, Map<String, NDArray> w) {
    GemmaConfig c = model.config();
    PackedBatch batch = batch(c);
    Map<String, NDArray> lora = torchParameters(adapter.parameters());
    TorchGemma torch = new TorchGemma(manager, c, w, lora, adapter.spec().scale());
    double oracle = torchBackward(torch, batch);
    for (boolean recompute : new boolean[] {false, true}) {
      backend.fill(adapter.parameters().gradients(), 0);
      float[] losses = new TrainingPass(model, adapter, recompute).accumulate(batch, 0);
      assertThat(Math.abs(mean(losses) - oracle) / oracle).isLessThan(TOLERANCE);
      assertGradients(adapter.parameters(), lora);
    }
    int[] prompt = Arrays.copyOfRange(batch.tokens(), batch.starts()[2], batch.starts()[3]);
    double[] logits = TorchGemma.doubles(torch.logits(prompt));
    try (KvCache cache = model.newCache(prompt.length)) {
      float[][] ours =
          model
              .forward(List.of(new Segment(cache, prompt, adapter, prompt.length, null)))
              .getFirst();
      float[] flat = new float[logits.length];
      for (int i = 0; i < ours.length; i++) {
        System.arraycopy(ours[i], 0, flat, i * c.vocabulary(), c.vocabulary());
      }
      assertThat(relativeError(flat, logits)).isLessThan(TOLERANCE);
    }
  }
}
