package dev.reckoner.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.reckoner.cli.FitCommand.Grouped;
import dev.reckoner.cli.FitCommand.Material;
import dev.reckoner.inference.BundledModel;
import dev.reckoner.inference.ConfidenceMap;
import dev.reckoner.tuning.Sample;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** The way from nothing to a scored adapter, with a model of a few thousand weights. */
class FitCommandTest {

  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path dir;
  private Path start;

  /** A folder with the bundled tokenizer and a much smaller shape, and no weights. */
  @BeforeEach
  void writeShape() throws IOException {
    Path bundled = BundledModel.directory(dir.resolve("cache"));
    start = Files.createDirectories(dir.resolve("start"));
    for (String name : List.of("tokenizer.json", "tokenizer_config.json")) {
      Files.copy(bundled.resolve(name), start.resolve(name));
    }
    ObjectNode config = (ObjectNode) JSON.readTree(bundled.resolve("config.json").toFile());
    config.put("hidden_size", 64).put("intermediate_size", 64).put("num_hidden_layers", 2);
    config.put("num_attention_heads", 2).put("num_key_value_heads", 1).put("head_dim", 32);
    config.put("query_pre_attn_scalar", 32);
    ArrayNode layers = config.putArray("layer_types");
    layers.add("sliding_attention").add("full_attention");
    JSON.writeValue(start.resolve("config.json").toFile(), config);
  }

  private static String run(Object command, Stream<Object> args, int exit) {
    StringWriter out = new StringWriter();
    CommandLine line = PlainMain.line(command);
    line.setErr(new PrintWriter(out, true));
    int code = line.execute(args.map(String::valueOf).toArray(String[]::new));
    assertThat(code).as(out.toString()).isEqualTo(exit);
    return out.toString();
  }

  private void fit(String recipe, Path model, Path out, Object... more) throws IOException {
    Path file = Files.writeString(dir.resolve("recipe.yaml"), recipe);
    run(
        new FitCommand(),
        Stream.concat(
            Stream.of("--recipe", file, "--model", model, "--out", out, "--threads", 2),
            Arrays.stream(more)),
        0);
  }

  private static List<JsonNode> metrics(Path run) throws IOException {
    try (Stream<String> lines = Files.lines(run.resolve("metrics.jsonl"))) {
      return lines.map(FitCommandTest::json).filter(node -> node.has("loss")).toList();
    }
  }

  private static JsonNode json(String line) {
    try {
      return JSON.readTree(line);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  @Test
  void aModelFromRandomWeightsThenAnAdapterThenTheirScores() throws IOException {
    Path base = dir.resolve("base");
    String full = "mode: full\nlearningRate: 0.01\ntokensPerMicroBatch: 1024\nmaxSteps: 8\n";
    fit(full, start, base, "--synthetic", 40, "--reading", 50);
    List<JsonNode> losses = metrics(base);
    assertThat(losses.getLast().get("loss").asDouble())
        .isLessThan(losses.getFirst().get("loss").asDouble());
    assertThat(base.resolve("model/tokenizer.json"))
        .hasSameBinaryContentAs(start.resolve("tokenizer.json"));

    Path corpus = dir.resolve("corpus");
    run(
        new CorpusCommand(),
        Stream.of("--out", corpus, "--synthetic", 30, "--held-out-synthetic", 3, "--vocabulary", 0),
        0);
    Path lessons = corpus.resolve("synthetic.jsonl.gz");
    Path tuned = dir.resolve("tuned");
    String qlora =
        "mode: qlora\nrank: 2\nlearningRate: 0.01\ntokensPerMicroBatch: 1024\nmaxSteps: 2\n";
    fit(qlora, base.resolve("model"), tuned, "--data", lessons, "--repeat", 2);
    assertThat(tuned.resolve("adapter/adapter_model.safetensors")).isNotEmptyFile();

    Path results = dir.resolve("results");
    run(
        new EvaluateCommand(),
        Stream.of(
            "--model",
            base.resolve("model"),
            "--adapter",
            tuned.resolve("adapter"),
            "--suite",
            corpus.resolve("suites/synthetic.jsonl"),
            "--limit",
            2,
            "--backend",
            "cpu",
            "--out",
            results),
        0);
    JsonNode measured = JSON.readTree(results.resolve("results.json").toFile()).get("measurements");
    assertThat(measured).hasSize(1);
    assertThat(measured.get(0).get("suite").asText()).isEqualTo("synthetic");
    assertThat(measured.get(0).get("grades")).hasSize(2);

    // The answers that are kept give the same numbers without asking again.
    Path again = dir.resolve("again");
    Path kept = results.resolve("results.json");
    run(
        new EvaluateCommand(),
        Stream.of("--from", kept, "--against", "adapter", "--out", again),
        0);
    assertThat(again.resolve("results.json")).hasSameTextualContentAs(kept);

    // With a model that has a map of confidence, by that.
    Path mapped = Files.createDirectories(dir.resolve("mapped"));
    String weights = JSON.readTree(kept.toFile()).at("/setting/weights").asText();
    new ConfidenceMap(0, 2, new ConfidenceMap.Origin(weights, "problems", 1, 100, 0.88))
        .write(mapped);
    run(new EvaluateCommand(), Stream.of("--from", kept, "--model", mapped, "--out", again), 0);
    JsonNode grade =
        JSON.readTree(again.resolve("results.json").toFile()).at("/measurements/0/grades/0");
    assertThat(grade.get("confidence").asDouble()).isCloseTo(0.8808, within(1e-4));
    String few =
        run(
            new EvaluateCommand(),
            Stream.of("--calibrate", "--from", kept, "--model", mapped),
            CommandLine.ExitCode.SOFTWARE);
    assertThat(few).contains("too few to calibrate by");
    Files.writeString(again.resolve("results.json"), "{}");
    String said =
        run(
            new EvaluateCommand(),
            Stream.of("--from", again.resolve("results.json")),
            CommandLine.ExitCode.SOFTWARE);
    assertThat(said).contains("is not what evaluate --out writes");
  }

  @Test
  void aMixtureReplaysLessonsThatItDoesNotCountAsItsOwn() throws IOException {
    Path corpus = dir.resolve("mixed-corpus");
    run(
        new CorpusCommand(),
        Stream.of("--out", corpus, "--synthetic", 30, "--held-out-synthetic", 3),
        0);
    Path lessons = corpus.resolve("synthetic.jsonl.gz");
    Path house = corpus.resolve("house-rule.jsonl.gz");
    String full = "mode: full\nlearningRate: 0.01\ntokensPerMicroBatch: 1024\nmaxSteps: 3\n";
    Path mixed = dir.resolve("mixed");
    String shares = "data=35,replay=35,conversation=15,topic=15";
    fit(full, start, mixed, "--data", house, "--replay", lessons, "--mix", shares);
    assertThat(metrics(mixed)).isNotEmpty();
    String said =
        run(
            new FitCommand(),
            Stream.of(
                "--recipe",
                dir.resolve("recipe.yaml"),
                "--model",
                start,
                "--data",
                house,
                "--mix",
                "data=50,replay=50",
                "--out",
                dir.resolve("nothing-to-replay")),
            CommandLine.ExitCode.SOFTWARE);
    assertThat(said).contains("--replay");
  }

  @Test
  void whatAFilingsHeldOutPageKeepsFromTrainingIsWrittenToChooseBy() throws IOException {
    Path data = dir.resolve("data");
    Files.createDirectories(data.resolve("finqa"));
    StringBuilder pages = new StringBuilder();
    for (int n = 0; n < 30; n++) {
      pages.append(
          """
          {"id": "T/2008/page_%1$d.pdf-1", "pre_text": ["note %1$d says %2$s of %1$d ."], "post_text": [],
           "table": [["in millions", "2008", "2007"], ["net sales of unit %1$d", "%3$d", "81"]],
           "question": "what was the change in net sales?", "answer": "%4$d", "exe_ans": %4$d.0,
           "program": "subtract(%3$d, 81)", "gold_inds": {"table_1": "net sales"}}
          """
              .formatted(n, "x".repeat(n + 3), 100 + n, 19 + n)
              .replace("\n", " "));
      pages.append('\n');
    }
    Files.writeString(data.resolve("finqa/dev.json"), pages);
    Path set = dir.resolve("set");
    run(
        new CorpusCommand(),
        Stream.of("--data", data, "--out", set, "--synthetic", 5, "--held-out-synthetic", 3),
        0);
    List<String> suite = Files.readAllLines(set.resolve("suites/finqa-page.jsonl"));
    List<String> aside =
        Files.readAllLines(set.resolve("validation/published-validation-page.jsonl"));
    assertThat(suite).isNotEmpty().doesNotContainAnyElementsOf(aside);
    assertThat(aside).isNotEmpty();
    assertThat(suite.size() + aside.size()).isEqualTo(30);
    assertThat(set.resolve("published.jsonl.gz")).doesNotExist();
  }

  @Test
  void noLessonAndNoGroupIsBothTrainedOnAndHeldOut() {
    List<Grouped> lessons = new ArrayList<>();
    for (int i = 0; i < 600; i++) {
      lessons.add(new Grouped("page " + i / 3, Sample.text(new int[] {i, i + 1}), 4));
    }
    Material material = Material.of(lessons, 1);
    assertThat(material.heldOut()).hasSize(30).doesNotHaveDuplicates();
    assertThat(material.training()).hasSize(4 * 570);
    assertThat(groups(material.heldOut())).hasSize(10);
    assertThat(groups(material.training())).doesNotContainAnyElementsOf(groups(material.heldOut()));
    assertThat(Material.of(lessons, 1)).isEqualTo(material);
    assertThat(Material.of(lessons, 2).heldOut()).isNotEqualTo(material.heldOut());
  }

  private static Set<Integer> groups(List<Sample> samples) {
    return samples.stream().map(sample -> sample.tokens()[0] / 3).collect(Collectors.toSet());
  }

  @Test
  void withoutLessonsItSaysWhatToName() throws IOException {
    Path recipe = Files.writeString(dir.resolve("recipe.yaml"), "mode: full\n");
    String said =
        run(
            new FitCommand(),
            Stream.of("--recipe", recipe, "--model", start, "--out", dir.resolve("out")),
            CommandLine.ExitCode.SOFTWARE);
    assertThat(said.strip())
        .isEqualTo("reckoner: nothing to train on: name lessons with --data or --synthetic");
  }
}
