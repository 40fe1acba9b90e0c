package dev.reckoner.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.gemma.Gemma3;
import dev.reckoner.inference.TinyModel;
import dev.reckoner.tensor.cpu.CpuBackend;
import dev.reckoner.tuning.PreferenceMetrics;
import dev.reckoner.tuning.StepMetrics;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** {@code train --data} with a model of a few thousand weights, in this process and in its own. */
class TrainCommandTest {

  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path dir;
  private Path model;

  @BeforeEach
  void writeModel() throws IOException {
    model = TinyModel.write(dir.resolve("model"), 1024);
  }

  private List<String> arguments(String recipe, List<String> data, Path out) throws IOException {
    Path recipeFile = Files.writeString(dir.resolve("recipe.yaml"), recipe);
    Path dataFile = Files.write(dir.resolve("data.jsonl"), data);
    return Stream.of(
            "train",
            "--recipe",
            recipeFile,
            "--data",
            dataFile,
            "--out",
            out,
            "--model",
            model,
            "--backend",
            "cpu")
        .map(String::valueOf)
        .toList();
  }

  /** What the command says on its error stream. */
  private String train(int exit, String recipe, List<String> data, Path out) throws IOException {
    StringWriter said = new StringWriter();
    CommandLine line = Main.commandLine();
    line.setErr(new PrintWriter(said, true));
    assertThat(line.execute(arguments(recipe, data, out).toArray(String[]::new)))
        .as(said.toString())
        .isEqualTo(exit);
    return said.toString().strip();
  }

  private static List<String> samples(int count) {
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      lines.add(
          """
          {"messages":[{"role":"user","content":"q %d"},{"role":"assistant","content":"conclude a = %d"}]}\
          """
              .formatted(i, i + 1));
    }
    return lines;
  }

  private static List<String> pairs(int count) {
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      lines.add(
          """
          {"prompt":[{"role":"user","content":"q %d"}],"prefix":"cite a = %d @ r0c1",\
          "chosen":"conclude a = %d","rejected":"conclude not stated"}\
          """
              .formatted(i, i, i));
    }
    return lines;
  }

  private static List<JsonNode> metrics(Path run) throws IOException {
    List<JsonNode> nodes = new ArrayList<>();
    for (String line : Files.readAllLines(run.resolve("metrics.jsonl"))) {
      nodes.add(JSON.readTree(line));
    }
    return nodes;
  }

  private static String recipe(String more) {
    return "rank: 2\nlearningRate: 0.005\ntokensPerMicroBatch: 512\n" + more;
  }

  @Test
  void termFinishesTheStepAndSavesAndTheSameCommandGoesOn() throws Exception {
    Path out = dir.resolve("stopped");
    String recipe = recipe("maxSteps: 120\n");
    List<String> command =
        new ArrayList<>(
            List.of(
                ProcessHandle.current().info().command().orElseThrow(),
                "--add-modules=jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName()));
    command.addAll(arguments(recipe, samples(30), out));
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(dir.resolve("log").toFile())
            .start();
    try {
      Path metrics = out.resolve("metrics.jsonl");
      while (process.isAlive() && (!Files.exists(metrics) || Files.size(metrics) < 600)) {
        Thread.sleep(20);
      }
      process.destroy();
      assertThat(process.waitFor(3, TimeUnit.MINUTES)).isTrue();
    } finally {
      process.destroyForcibly();
    }
    String log = Files.readString(dir.resolve("log"));
    assertThat(process.exitValue()).as(log).isEqualTo(128 + 15);
    int steps = metrics(out).size();
    assertThat(steps).isPositive().isLessThan(120);
    assertThat(log).contains("stopped after step %d;".formatted(steps));
    assertThat(out.resolve("checkpoint.safetensors")).isNotEmptyFile();

    train(0, recipe, samples(30), out);
    assertThat(metrics(out)).hasSize(120);
    Path whole = dir.resolve("whole");
    train(0, recipe, samples(30), whole);
    assertThat(out.resolve("adapter/adapter_model.safetensors"))
        .hasSameBinaryContentAs(whole.resolve("adapter/adapter_model.safetensors"));
  }

  @Test
  void preferencePairsTrainAnAdapterAndAPartOfThemIsHeldOut() throws IOException {
    Path out = dir.resolve("out");
    train(
        0,
        recipe("objective: dpo\nbeta: 0.2\nmaxSteps: 6\nheldOut: 0.25\nevaluateEvery: 3\n"),
        pairs(12),
        out);
    assertThat(out.resolve("adapter/adapter_model.safetensors")).isNotEmptyFile();
    List<JsonNode> lines = metrics(out);
    assertThat(lines).hasSize(8);
    assertThat(lines.getFirst().get("loss").asDouble())
        .isCloseTo(Math.log(2), org.assertj.core.api.Assertions.within(1e-4));
    assertThat(lines.getLast().get("kind").asText()).isEqualTo("evaluation");
    assertThat(lines.getLast().get("rewardMargin").asDouble()).isPositive();
  }

  @Test
  void fullModeWritesACheckpointThatCanBeServed() throws IOException {
    Path out = dir.resolve("out");
    train(0, recipe("mode: full\nmaxSteps: 2\n"), samples(5), out);
    assertThat(out.resolve("model/tokenizer.json"))
        .hasSameBinaryContentAs(model.resolve("tokenizer.json"));
    try (CpuBackend backend = CpuBackend.open(1);
        Gemma3 trained = Gemma3.loadTrainable(out.resolve("model"), backend)) {
      assertThat(trained.config().vocabulary()).isPositive();
    }
  }

  @Test
  void anErrorInTheDataNamesTheLine() throws IOException {
    List<String> data = new ArrayList<>(samples(2));
    data.add("{\"messages\":[{\"role\":\"user\",\"content\":\"q\"}]}");
    assertThat(train(1, recipe("maxSteps: 2\n"), data, dir.resolve("out")))
        .isEqualTo(
            "reckoner: %s:3: no message of the assistant, so nothing to learn"
                .formatted(dir.resolve("data.jsonl")));
    assertThat(train(1, recipe("objective: dpo\n"), samples(2), dir.resolve("out")))
        .startsWith("reckoner: %s:1: ".formatted(dir.resolve("data.jsonl")));
  }

  @Test
  void anEarlyStopNeedsSomethingToEvaluateOn() throws IOException {
    assertThat(train(1, recipe("patience: 2\nheldOut: 0.1\n"), samples(9), dir.resolve("out")))
        .startsWith("reckoner: patience stops by held-out examples, and heldOut: 0.1 of 9 leaves");
  }

  @Test
  void divergenceKeepsTheLastGoodAdapterAndSaysWhere() throws IOException {
    Path out = dir.resolve("out");
    String said =
        train(
            1,
            recipe("learningRate: 1e30\nclip: 0\nmaxSteps: 20\ncheckpointEvery: 1\n"),
            samples(30),
            out);
    assertThat(said)
        .contains("lower learningRate", "the parameters of step 1 are kept")
        .endsWith("they are in " + out);
    assertThat(out.resolve("adapter/adapter_model.safetensors")).isNotEmptyFile();
  }

  @Test
  void theLineBesideTheBarTellsLossSpeedTimeAndMemory() {
    StepMetrics sft = new StepMetrics(10, 110, 0, 1.25, 1e-4f, 0.5, 4096, 900, 2, null);
    assertThat(TrainingProgress.line(sft, 2.5, Double.NaN, 1_640_000_000L))
        .isEqualTo("loss 1.2500, 2,048 tokens/s, 0:04:10 left, 1.6 GB");
    StepMetrics dpo =
        new StepMetrics(
            10, 110, 0, 0.5, 1e-4f, 0.5, 4096, 900, 2, new PreferenceMetrics(0.75, 0.9, -8, -12));
    assertThat(TrainingProgress.line(dpo, 2.5, 0.61, 1_640_000_000L))
        .isEqualTo(
            "loss 0.5000, margin 0.75, preferred 90%, held out 0.6100, 2,048 tokens/s, 0:04:10"
                + " left, 1.6 GB");
  }
}
