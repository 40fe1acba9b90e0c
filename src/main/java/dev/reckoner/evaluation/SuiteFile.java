package dev.reckoner.evaluation;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.reckoner.corpus.Gold;
import dev.reckoner.corpus.Problem;
import dev.reckoner.corpus.Support;
import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.ChainSyntaxException;
import dev.reckoner.reasoning.Evidence;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A suite as JSON Lines, one problem a line: {@code id}, {@code group}, {@code origin}, {@code
 * evidence} and {@code gold}, which is {@code {"number": "20.96", "unit": "%", "scale": ""}},
 * {@code {"text": ["yes"]}} or {@code {"unanswerable": true}}; and {@code chain}, the gold chain's
 * text, where there is one.
 */
public final class SuiteFile {

  private static final ObjectMapper JSON = new ObjectMapper();

  private SuiteFile() {}

  /**
   * Reads a suite; its name is the file's, without the ending.
   *
   * @throws SuiteException if a line is not a problem; names file and line
   */
  public static Suite read(Path file) throws IOException {
    String name = file.getFileName().toString().replaceFirst("\\.jsonl$", "");
    try (BufferedReader reader = Files.newBufferedReader(file)) {
      return read(name, reader);
    }
  }

  /** Whether a file looks like a suite, by its name and first line. */
  public static boolean is(Path file) throws IOException {
    if (!file.toString().endsWith(".jsonl")) {
      return false;
    }
    try (BufferedReader reader = Files.newBufferedReader(file)) {
      String line = reader.readLine();
      return line != null && line.contains("\"gold\"") && line.contains("\"evidence\"");
    }
  }

  static Suite read(String name, BufferedReader reader) throws IOException {
    List<Problem> problems = new ArrayList<>();
    Map<String, Chain> chains = new HashMap<>();
    int number = 0;
    for (String line = reader.readLine(); line != null; line = reader.readLine()) {
      number++;
      if (!line.isBlank()) {
        try {
          JsonNode node = JSON.readTree(line);
          problems.add(problem(node));
          if (node.has("chain")) {
            chains.put(problems.getLast().id(), Chain.parse(text(node, "chain")));
          }
        } catch (JsonProcessingException | IllegalArgumentException | ChainSyntaxException e) {
          String reason =
              e instanceof JsonProcessingException j ? j.getOriginalMessage() : e.getMessage();
          throw new SuiteException("suite " + name + ", line " + number + ": " + reason, e);
        }
      }
    }
    return Suite.of(name, problems, chains);
  }

  /** Writes what {@link #read} reads; gold chains are made of the problems' programs. */
  public static void write(Path file, List<Problem> problems) throws IOException {
    write(file, problems, Suite.chains(problems));
  }

  /** Writes what {@link #read} reads. */
  public static void write(Path file, Suite suite) throws IOException {
    write(file, suite.problems(), suite.chains());
  }

  private static void write(Path file, List<Problem> problems, Map<String, Chain> chains)
      throws IOException {
    try (BufferedWriter writer = Files.newBufferedWriter(file)) {
      for (Problem problem : problems) {
        ObjectNode node = JSON.createObjectNode();
        node.put("id", problem.id());
        node.put("group", problem.group());
        node.put("origin", problem.origin());
        node.set("evidence", JSON.valueToTree(problem.evidence()));
        node.set("gold", gold(problem.gold()));
        if (chains.containsKey(problem.id())) {
          node.put("chain", chains.get(problem.id()).text());
        }
        writer.write(JSON.writeValueAsString(node));
        writer.newLine();
      }
    }
  }

  private static Problem problem(JsonNode node) throws JsonProcessingException {
    return new Problem(
        text(node, "id"),
        text(node, "group"),
        text(node, "origin"),
        JSON.treeToValue(node.get("evidence"), Evidence.class),
        gold(node.path("gold")),
        null,
        Support.UNKNOWN);
  }

  private static ObjectNode gold(Gold gold) {
    ObjectNode node = JSON.createObjectNode();
    switch (gold) {
      case Gold.Number(BigDecimal value, String unit, String scale) ->
          node.put("number", value.toPlainString()).put("unit", unit).put("scale", scale);
      case Gold.Text(List<String> spans) -> node.set("text", JSON.valueToTree(spans));
      case Gold.Unanswerable _ -> node.put("unanswerable", true);
    }
    return node;
  }

  private static Gold gold(JsonNode node) {
    if (node.path("unanswerable").asBoolean()) {
      return new Gold.Unanswerable();
    }
    if (node.has("text")) {
      return new Gold.Text(node.get("text").valueStream().map(JsonNode::asText).toList());
    }
    return new Gold.Number(
        new BigDecimal(text(node, "number")),
        node.path("unit").asText(),
        node.path("scale").asText());
  }

  private static String text(JsonNode node, String field) {
    if (!node.path(field).isTextual()) {
      throw new IllegalArgumentException("a problem needs the text " + field);
    }
    return node.get(field).asText();
  }
}
