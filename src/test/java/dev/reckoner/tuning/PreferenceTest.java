package dev.reckoner.tuning;

import static dev.reckoner.gemma.GemmaOracleTest.relativeError;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.training.GradientCollector;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.gemma.Gemma3;
import dev.reckoner.gemma.GemmaConfig;
import dev.reckoner.gemma.GemmaOracleTest;
import dev.reckoner.gemma.KvCache;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.gemma.Parameters;
import dev.reckoner.gemma.Segment;
import dev.reckoner.gemma.TorchGemma;
import dev.reckoner.gemma.TrainingPass;
import dev.reckoner.tensor.DType;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.SafetensorsFile;
import dev.reckoner.tensor.cpu.CpuBackend;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
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

/** Preference training: its arithmetic against autograd and PEFT, and what it does to a model. */
class PreferenceTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final TrainingListener SILENT = new TrainingListener() {};
  private static final Path GOLDEN = Path.of("src/test/resources/golden");
  private static final GemmaConfig CONFIG = GemmaOracleTest.shapes().getFirst();
  private static final DirectPreference DPO = new DirectPreference(0.3, 0.1, 0.5);

  private CpuBackend backend;

  @TempDir private Path dir;

  @BeforeEach
  void open() {
    backend = CpuBackend.open(2);
  }

  @AfterEach
  void close() {
    backend.close();
  }

  /** A continuation of tokens of a prompt. */
  private static Sample sample(int[] prompt, int... continuation) {
    int[] tokens = IntStream.concat(Arrays.stream(prompt), Arrays.stream(continuation)).toArray();
    boolean[] scored = new boolean[tokens.length];
    Arrays.fill(scored, prompt.length, tokens.length, true);
    return new Sample(tokens, scored);
  }

  private static PreferencePair pair(
      SplittableRandom random, int prompt, int chosen, int rejected) {
    int[] shared = random.ints(prompt, 0, CONFIG.vocabulary()).toArray();
    return new PreferencePair(
        sample(shared, random.ints(chosen, 0, CONFIG.vocabulary()).toArray()),
        sample(shared, random.ints(rejected, 0, CONFIG.vocabulary()).toArray()));
  }

  private static List<PreferencePair> pairs(int count, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    List<PreferencePair> pairs = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      pairs.add(pair(random, random.nextInt(1, 12), random.nextInt(1, 9), random.nextInt(1, 9)));
    }
    return pairs;
  }

  /** Odd lengths, one beyond the window, references that are not the policy's own. */
  private static List<ReferencedPair> referenced() {
    SplittableRandom random = new SplittableRandom(4);
    return List.of(
        new ReferencedPair(pair(random, 11, 7, 3), -30, -15.5),
        new ReferencedPair(pair(random, 1, 1, 5), -3.2, -21),
        new ReferencedPair(pair(random, 23, 9, 10), -42, -44.5));
  }

  private float[] gradients(Parameters p) {
    float[] values = new float[p.size()];
    backend.download(p.gradients(), values);
    return values;
  }

  private static float[] part(float[] all, Parameters.Entry e) {
    return Arrays.copyOfRange(all, (int) e.offset(), (int) e.offset() + e.size());
  }

  /** The summed loss of the pairs, on PyTorch. */
  private static NDArray torchLoss(TorchGemma torch, List<ReferencedPair> pairs) {
    NDArray total = null;
    for (ReferencedPair p : pairs) {
      NDArray chosen = logProbability(torch, p.pair().chosen());
      NDArray rejected = logProbability(torch, p.pair().rejected());
      NDArray margin =
          chosen
              .sub(torch.constant(p.chosenReference()))
              .sub(rejected.sub(torch.constant(p.rejectedReference())))
              .mul(torch.constant(DPO.beta()));
      NDArray loss =
          softplus(torch, margin.neg())
              .mul(torch.constant(1 - DPO.smoothing()))
              .add(softplus(torch, margin).mul(torch.constant(DPO.smoothing())))
              .sub(chosen.mul(torch.constant(DPO.nllWeight() / p.pair().chosen().targets())));
      total = total == null ? loss : total.add(loss);
    }
    return total;
  }

  private static NDArray softplus(TorchGemma torch, NDArray x) {
    return x.exp().add(torch.constant(1)).log();
  }

  private static NDArray logProbability(TorchGemma torch, Sample s) {
    int[] rows = IntStream.range(1, s.length()).filter(t -> s.supervised()[t]).toArray();
    return torch.loss(
        s.tokens(),
        Arrays.stream(rows).map(t -> t - 1).toArray(),
        Arrays.stream(rows).map(t -> s.tokens()[t]).toArray(),
        -1);
  }

  private void assertEqualsAutograd(
      TrainingPass pass,
      GemmaConfig c,
      Map<String, NDArray> w,
      Map<String, NDArray> lora,
      double scale,
      NDManager manager) {
    List<ReferencedPair> group = referenced();
    double oracle;
    try (GradientCollector collector = Engine.getEngine("PyTorch").newGradientCollector()) {
      NDArray loss = torchLoss(new TorchGemma(manager, c, w, lora, scale), group);
      collector.backward(loss);
      oracle = loss.getDouble();
    }
    Tally tally = new Tally();
    DPO.accumulate(pass, group, 1, 0, tally);
    assertThat(tally.meanLoss() * group.size()).isCloseTo(oracle, within(1e-4 * oracle));
    float[] ours = gradients(pass.parameters());
    for (Parameters.Entry e : pass.parameters().entries()) {
      NDArray gradient = (lora.isEmpty() ? w : lora).get(e.name()).getGradient();
      assertThat(relativeError(part(ours, e), TorchGemma.doubles(gradient)))
          .as(e.name())
          .isLessThan(1e-4);
    }
  }

  private static Map<String, NDArray> torch(NDManager manager, Parameters p) {
    Map<String, NDArray> arrays = new HashMap<>();
    for (Parameters.Entry e : p.entries()) {
      arrays.put(e.name(), TorchGemma.parameter(manager, p.read(e), e.rows(), e.columns()));
    }
    return arrays;
  }

  @Test
  void everyGradientEqualsAutogradOfTheFormula() {
    try (NDManager manager = Engine.getEngine("PyTorch").newBaseManager();
        Gemma3 full = GemmaOracleTest.randomModel(CONFIG, backend)) {
      full.save(dir, DType.F32, Long.MAX_VALUE);
      Map<String, NDArray> w = torch(manager, full.parameters());
      assertEqualsAutograd(new TrainingPass(full, null, false), CONFIG, w, Map.of(), 0, manager);
      try (Gemma3 model = Gemma3.load(dir, backend, Precision.FP32);
          LoraAdapter adapter = GemmaOracleTest.randomAdapter(model)) {
        for (boolean recompute : new boolean[] {false, true}) {
          backend.fill(adapter.parameters().gradients(), 0);
          assertEqualsAutograd(
              new TrainingPass(model, adapter, recompute),
              CONFIG,
              torch(manager, full.parameters()),
              torch(manager, adapter.parameters()),
              adapter.spec().scale(),
              manager);
        }
      }
    }
  }

  @Test
  void theGradientIsTheSlopeOfTheLoss() {
    try (Gemma3 full = GemmaOracleTest.randomModel(CONFIG, backend)) {
      full.save(dir, DType.F32, Long.MAX_VALUE);
    }
    try (Gemma3 model = Gemma3.load(dir, backend, Precision.FP32);
        LoraAdapter adapter = GemmaOracleTest.randomAdapter(model)) {
      TrainingPass pass = new TrainingPass(model, adapter, false);
      DPO.accumulate(pass, referenced(), 1, 0, new Tally());
      float[] gradient = gradients(adapter.parameters());
      double norm =
          Math.sqrt(
              IntStream.range(0, gradient.length)
                  .mapToDouble(i -> (double) gradient[i] * gradient[i])
                  .sum());
      float[] start = new float[gradient.length];
      backend.download(adapter.parameters().values(), start);
      double h = 2e-3;
      double[] losses = new double[2];
      for (int side = 0; side < 2; side++) {
        float[] moved = start.clone();
        for (int i = 0; i < moved.length; i++) {
          moved[i] += (float) ((side == 0 ? -h : h) * gradient[i] / norm);
        }
        backend.upload(moved, adapter.parameters().values());
        adapter.refresh();
        Tally tally = new Tally();
        DPO.evaluate(pass, referenced(), tally);
        losses[side] = tally.meanLoss() * referenced().size();
      }
      assertThat((losses[1] - losses[0]) / (2 * h)).isCloseTo(norm, within(2e-3 * norm));
    }
  }

  @Test
  void lossAndGradientsEqualThoseOfPeft() {
    try (SafetensorsFile golden = SafetensorsFile.open(GOLDEN.resolve("expected.safetensors"));
        Gemma3 model = Gemma3.load(GOLDEN.resolve("checkpoint"), backend, Precision.FP32);
        LoraAdapter adapter = LoraAdapter.load(peftWithoutDropout(), model)) {
      int prompt = (int) floats(golden, "prompt")[0];
      float[] settings = floats(golden, "dpo.settings");
      DirectPreference dpo = new DirectPreference(settings[0], settings[1], settings[2]);
      PreferencePair pair =
          new PreferencePair(sample(golden, 2, prompt), sample(golden, 3, prompt));
      TrainingPass pass = new TrainingPass(model, adapter, false);
      float[] policy = floats(golden, "dpo.policy");
      double[] ours = DirectPreference.logProbabilities(pass, List.of(pair))[0];
      assertThat(ours[0]).isCloseTo(policy[0], within(1e-3));
      assertThat(ours[1]).isCloseTo(policy[1], within(1e-3));
      float[] reference = floats(golden, "dpo.reference");
      Tally tally = new Tally();
      dpo.accumulate(
          pass, List.of(new ReferencedPair(pair, reference[0], reference[1])), 1, 0, tally);
      double loss = floats(golden, "dpo.loss")[0];
      assertThat(tally.meanLoss()).isCloseTo(loss, within(1e-4 * loss));
      float[] all = gradients(adapter.parameters());
      for (Parameters.Entry e : adapter.parameters().entries()) {
        float[] values = floats(golden, "dpo.gradient." + e.name());
        double[] expected = IntStream.range(0, values.length).mapToDouble(i -> values[i]).toArray();
        assertThat(relativeError(part(all, e), expected)).as(e.name()).isLessThan(1e-4);
      }
    }
  }

  private Path peftWithoutDropout() {
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

  private static float[] floats(SafetensorsFile file, String name) {
    return file.get(name).values(file.get(name).shape());
  }

  private static Sample sample(SafetensorsFile golden, int sequence, int prompt) {
    float[] stored = floats(golden, "tokens." + sequence);
    int[] tokens = IntStream.range(0, stored.length).map(i -> (int) stored[i]).toArray();
    return sample(Arrays.copyOf(tokens, prompt), Arrays.copyOfRange(tokens, prompt, tokens.length));
  }

  @Test
  void aPackOfPairsEqualsTheSumOfItsPairs() {
    try (Gemma3 model = Gemma3.random(CONFIG, backend, Precision.FP32, 3);
        LoraAdapter adapter = GemmaOracleTest.randomAdapter(model)) {
      TrainingPass pass = new TrainingPass(model, adapter, false);
      Tally together = new Tally();
      DPO.accumulate(pass, referenced(), 1, 0, together);
      float[] packed = gradients(adapter.parameters());
      backend.fill(adapter.parameters().gradients(), 0);
      Tally apart = new Tally();
      referenced().forEach(p -> DPO.accumulate(pass, List.of(p), 1, 0, apart));
      float[] sum = gradients(adapter.parameters());
      assertThat(together.meanLoss()).isEqualTo(apart.meanLoss());
      assertThat(together.preferences()).isEqualTo(apart.preferences());
      double[] expected = IntStream.range(0, sum.length).mapToDouble(i -> sum[i]).toArray();
      assertThat(relativeError(packed, expected)).isLessThan(1e-5);
    }
  }

  private static Recipe recipe(String more) {
    return Recipe.parse(
        """
        objective: dpo
        rank: 4
        alpha: 8
        dropout: 0.1
        learningRate: 0.003
        tokensPerMicroBatch: 90
        accumulation: 2
        maxSteps: 8
        clip: 1
        """
            + more);
  }

  private byte[] train(
      Recipe recipe, List<PreferencePair> data, Path out, TrainingListener listener) {
    try (Gemma3 model = Gemma3.random(CONFIG, backend, Precision.FP32, 3);
        LoraAdapter adapter = LoraAdapter.create(model, "a", recipe.lora(), recipe.seed());
        Trainer trainer = new Trainer(model, adapter, recipe)) {
      trainer.prefer(data, List.of(), out, listener);
      adapter.save(out, "base");
      return Files.readAllBytes(out.resolve("adapter_model.safetensors"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static TrainingListener stopAtQuestion(int number) {
    return new TrainingListener() {
      private int asked;

      @Override
      public boolean stopRequested() {
        return ++asked == number;
      }
    };
  }

  @Test
  void aResumedRunEqualsAnUninterruptedOneBitForBit() throws IOException {
    List<PreferencePair> data = pairs(40, 1);
    byte[] whole = train(recipe(""), data, dir.resolve("whole"), SILENT);
    Path cut = dir.resolve("cut");
    // The first questions come while the reference is computed.
    byte[] before = train(recipe(""), data, cut, stopAtQuestion(2));
    assertThat(cut.resolve("checkpoint.safetensors")).doesNotExist();
    int microBatches = Packing.bestFit(data, 90, 0).size();
    byte[] half = train(recipe(""), data, cut, stopAtQuestion(microBatches + 3));
    assertThat(Files.readAllLines(cut.resolve("metrics.jsonl"))).hasSize(3);
    assertThat(half).isNotEqualTo(before).isNotEqualTo(whole);
    assertThat(train(recipe(""), data, cut, SILENT)).isEqualTo(whole);
    assertThat(Files.readAllLines(cut.resolve("metrics.jsonl"))).hasSize(8);
    assertThatThrownBy(() -> train(recipe(""), pairs(40, 2), cut, SILENT))
        .isInstanceOf(RecipeException.class)
        .hasMessageContainingAll("reference.json", "another");
  }

  @Test
  void samplesAndPairsAreNotConfused() {
    try (Gemma3 model = Gemma3.random(CONFIG, backend, Precision.FP32, 3);
        LoraAdapter adapter = GemmaOracleTest.randomAdapter(model);
        Trainer dpo = new Trainer(model, adapter, recipe(""));
        Trainer sft = new Trainer(model, adapter, recipe("objective: sft\n"))) {
      List<Sample> samples = List.of(Sample.text(new int[] {1, 2}));
      assertThatThrownBy(() -> dpo.run(samples, List.of(), dir, SILENT))
          .isInstanceOf(RecipeException.class);
      assertThatThrownBy(() -> sft.prefer(pairs(1, 1), List.of(), dir, SILENT))
          .isInstanceOf(RecipeException.class);
    }
  }

  /** What the model writes from here, most likely token first. */
  private static int[] greedy(Gemma3 model, LoraAdapter adapter, int[] prompt, int length) {
    int[] written = new int[length];
    try (KvCache cache = model.newCache(prompt.length + length)) {
      int[] next = prompt;
      for (int i = 0; i < length; i++) {
        float[] logits = model.forward(List.of(Segment.of(cache, next, adapter))).getFirst()[0];
        int best = 0;
        for (int t = 1; t < logits.length; t++) {
          best = logits[t] > logits[best] ? t : best;
        }
        written[i] = best;
        next = new int[] {best};
      }
    }
    return written;
  }

  private static List<JsonNode> metrics(Path out, String kind) throws IOException {
    List<JsonNode> nodes = new ArrayList<>();
    for (String line : Files.readAllLines(out.resolve("metrics.jsonl"))) {
      JsonNode node = JSON.readTree(line);
      if (node.get("kind").asText().equals(kind)) {
        nodes.add(node);
      }
    }
    return nodes;
  }

  /**
   * The base prefers a wrong step after a right one. Pairs whose prompt ends before the wrong step
   * turn that around for every question, and leave the shared step as it was.
   */
  @Test
  void theMarginGrowsAndThePreferredStepBecomesTheGreedyAnswer() throws IOException {
    GemmaConfig c = CONFIG;
    List<Sample> taught = new ArrayList<>();
    List<PreferencePair> pairs = new ArrayList<>();
    List<PreferencePair> heldOut = new ArrayList<>();
    int[] step = {60, 61, 62};
    int[] right = {70, 71, 2};
    int[] wrong = {80, 81, 2};
    for (int q = 0; q < 24; q++) {
      int[] question = {1, 10 + q, 5, 10 + (q + 7) % 24};
      int[] prompt = IntStream.concat(Arrays.stream(question), Arrays.stream(step)).toArray();
      taught.add(
          sample(question, IntStream.concat(Arrays.stream(step), Arrays.stream(wrong)).toArray()));
      PreferencePair pair = new PreferencePair(sample(prompt, right), sample(prompt, wrong));
      (q % 6 == 0 ? heldOut : pairs).add(pair);
    }
    Recipe sft =
        recipe("objective: sft\ndropout: 0\nmode: full\nlearningRate: 0.005\nmaxSteps: 60\n");
    Path base = dir.resolve("base");
    try (Gemma3 model = Gemma3.randomTrainable(c, backend, 3);
        Trainer trainer = new Trainer(model, null, sft)) {
      trainer.run(taught, List.of(), dir.resolve("sft"), SILENT);
      model.save(base, DType.F32, Long.MAX_VALUE);
    }
    Recipe dpo = recipe("learningRate: 0.001\nnllWeight: 0.2\nmaxSteps: 45\nevaluateEvery: 15\n");
    Path out = dir.resolve("dpo");
    try (Gemma3 model = Gemma3.load(base, backend, Precision.FP32);
        LoraAdapter adapter = LoraAdapter.create(model, "a", dpo.lora(), 1);
        Trainer trainer = new Trainer(model, adapter, dpo)) {
      int[] unseen = {1, 10, 5, 17};
      int[] chain = greedy(model, adapter, unseen, 6);
      assertThat(chain).containsExactly(60, 61, 62, 80, 81, 2);
      Outcome outcome = trainer.prefer(pairs, heldOut, out, SILENT);
      assertThat(greedy(model, adapter, unseen, 6)).containsExactly(60, 61, 62, 70, 71, 2);
      JsonNode first = metrics(out, "train").getFirst();
      assertThat(first.get("rewardMargin").asDouble()).isCloseTo(0, within(1e-5));
      JsonNode last = metrics(out, "train").getLast();
      assertThat(last.get("rewardMargin").asDouble()).isGreaterThan(1);
      assertThat(last.get("rewardAccuracy").asDouble()).isEqualTo(1);
      assertThat(last.get("chosenLogProbability").asDouble())
          .isGreaterThan(last.get("rejectedLogProbability").asDouble());
      List<JsonNode> evaluations = metrics(out, "evaluation");
      assertThat(evaluations).hasSize(3);
      assertThat(evaluations.getLast().get("rewardMargin").asDouble()).isGreaterThan(1);
      assertThat(outcome.heldOutLoss())
          .isEqualTo(
              evaluations.stream().mapToDouble(e -> e.get("loss").asDouble()).min().orElseThrow());
    }
  }
}
