package dev.reckoner.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * A tokenizer of any vocabulary size: that of a checkpoint, made larger by words of random letters
 * that no merge leads to, so that a sampler and a grammar meet as many tokens as a real one has.
 */
final class BenchVocabulary {

  private static final ObjectMapper JSON = new ObjectMapper();

  private BenchVocabulary() {}

  /**
   * Writes {@code tokenizer.json} to {@code to}.
   *
   * @param from directory of the tokenizer to enlarge
   * @param size tokens of the result
   */
  static void enlarge(Path from, int size, Path to) {
    try {
      JsonNode json = JSON.readTree(from.resolve("tokenizer.json").toFile());
      ObjectNode vocabulary = (ObjectNode) json.path("model").path("vocab");
      SplittableRandom random = new SplittableRandom(1);
      int id = pieces(json, 0).length;
      while (id < size) {
        StringBuilder word = new StringBuilder(random.nextInt(4) > 0 ? "\u2581" : "");
        for (int n = random.nextInt(4, 10); n > 0; n--) {
          word.append((char) ('a' + random.nextInt(26)));
        }
        if (!vocabulary.has(word.toString())) {
          vocabulary.put(word.toString(), id++);
        }
      }
      JSON.writeValue(to.resolve("tokenizer.json").toFile(), json);
    } catch (IOException e) {
      throw new UncheckedIOException("the tokenizer could not be enlarged", e);
    }
  }

  /** The text of each token as {@code tokenizer.json} has it, at least {@code size} of them. */
  static String[] pieces(Path directory, int size) {
    try {
      return pieces(JSON.readTree(Files.readAllBytes(directory.resolve("tokenizer.json"))), size);
    } catch (IOException e) {
      throw new UncheckedIOException(directory + " has no readable tokenizer.json", e);
    }
  }

  private static String[] pieces(JsonNode json, int atLeast) {
    int size = atLeast;
    for (Map.Entry<String, JsonNode> e : json.path("model").path("vocab").properties()) {
      size = Math.max(size, e.getValue().asInt() + 1);
    }
    for (JsonNode e : json.path("added_tokens")) {
      size = Math.max(size, e.path("id").asInt() + 1);
    }
    String[] pieces = new String[size];
    for (Map.Entry<String, JsonNode> e : json.path("model").path("vocab").properties()) {
      pieces[e.getValue().asInt()] = e.getKey();
    }
    for (JsonNode e : json.path("added_tokens")) {
      pieces[e.path("id").asInt()] = e.path("content").asText();
    }
    for (int i = 0; i < size; i++) {
      if (pieces[i] == null) {
        pieces[i] = "<empty" + i + ">";
      }
    }
    return pieces;
  }
}
