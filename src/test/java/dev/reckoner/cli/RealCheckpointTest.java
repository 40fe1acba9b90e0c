package dev.reckoner.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.inference.SyntheticCheckpoint;
import dev.reckoner.inference.SyntheticCheckpoint.Shape;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/**
 * A directory as gemma-3-1b-it is distributed goes unchanged through material, training, scores and
 * an analysis: random weights of its kind in a narrow shape. The true shape takes the same commands
 * (see {@link SyntheticCheckpoint}).
 */
class RealCheckpointTest {

  @TempDir Path dir;

  private static void run(Object command, Object... args) {
    assertThat(said(command, args)).isEmpty();
  }

  /** What a command that failed said; nothing from one that did not. */
  private static String said(Object command, Object... args) {
    StringWriter err = new StringWriter();
    CommandLine line = PlainMain.line(command);
    line.setErr(new PrintWriter(err, true));
    int code = line.execute(Stream.of(args).map(String::valueOf).toArray(String[]::new));
    return code == 0 ? "" : code + ": " + err;
  }

  @Test
  void aDirectoryAsDistributedIsTrainedOnMeasuredAndServed() throws IOException {
    Path model = dir.resolve("gemma-3-1b-it");
    SyntheticCheckpoint.write(model, Shape.NARROW, 200_000);
    try (Stream<Path> files = Files.list(model)) {
      assertThat(files.filter(f -> f.toString().endsWith(".safetensors")).count()).isGreaterThan(3);
    }
    Path corpus = dir.resolve("corpus");
    run(new CorpusCommand(), "--out", corpus, "--synthetic", 24, "--held-out-synthetic", 4);
    Path recipe =
        Files.writeString(
            dir.resolve("recipe.yaml"),
            "mode: qlora\nrank: 8\nlearningRate: 0.01\ntokensPerMicroBatch: 2048\nmaxSteps: 6\n");
    Path tuned = dir.resolve("tuned");
    Path lessons = corpus.resolve("synthetic.jsonl.gz");
    run(new FitCommand(), "--recipe", recipe, "--model", model, "--data", lessons, "--out", tuned);
    List<Double> losses = losses(tuned);
    assertThat(losses).hasSize(6).allMatch(Double::isFinite);
    assertThat(losses.getLast()).isLessThan(losses.getFirst());
    Path adapter = tuned.resolve("adapter");

    Path scores = dir.resolve("scores");
    run(
        new EvaluateCommand(),
        "--model",
        model,
        "--adapter",
        adapter,
        "--against",
        "base",
        "--limit",
        2,
        "--backend",
        "cpu",
        "--suite",
        corpus.resolve("suites/synthetic.jsonl"),
        "--out",
        scores,
        "--results",
        scores.resolve("page"));
    JsonNode results = new ObjectMapper().readTree(scores.resolve("results.json").toFile());
    assertThat(results.path("measurements")).hasSize(2);
    assertThat(results.path("comparisons")).hasSize(1);
    assertThat(scores.resolve("page/README.md")).content().contains("| synthetic | adapter | 2 |");

    JsonNode analysis = analyze(model, adapter);
    assertThat(analysis.path("baseModelHash").asText()).hasSize(64);
    assertThat(analysis.path("adapterHash").asText()).hasSize(64);
    assertThat(analysis.path("steps").size()).isPositive();
    assertThat(analysis.path("steps"))
        .allSatisfy(
            step -> assertThat(step.path("verdict").asText()).isNotEqualTo("wrong arithmetic"));
  }

  /** Of the first sample that it concludes on: weights that are nearly random may go on and on. */
  private JsonNode analyze(Path model, Path adapter) throws IOException {
    List<String> events;
    try (InputStream samples =
        getClass().getClassLoader().getResourceAsStream("packs/finance/samples.jsonl")) {
      events = new String(samples.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
    }
    Path event = dir.resolve("event.json");
    PrintStream before = System.out;
    for (String one : events) {
      Files.writeString(event, one);
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
      String said;
      try {
        said = said(new AnalyzeCommand(), event, "--model", model, "--adapter", adapter, "--json");
      } finally {
        System.setOut(before);
      }
      if (said.isEmpty()) {
        return new ObjectMapper().readTree(out.toString(StandardCharsets.UTF_8));
      }
      assertThat(said).contains("did not conclude");
    }
    throw new AssertionError("no sample of %d was concluded on".formatted(events.size()));
  }

  private static List<Double> losses(Path run) throws IOException {
    List<Double> losses = new ArrayList<>();
    for (String line : Files.readAllLines(run.resolve("metrics.jsonl"))) {
      JsonNode node = new ObjectMapper().readTree(line);
      if (node.path("kind").asText().equals("train")) {
        losses.add(node.path("loss").asDouble());
      }
    }
    return losses;
  }
}
