package dev.reckoner.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * llama.cpp in a process of its own, driven by {@code evaluation/peers/llama.mjs}: a task a line
 * in, its seconds a line out, so that both engines take turns.
 */
final class BenchPeer implements AutoCloseable {

  static final String NAME = "llama.cpp";

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int PATIENCE_SECONDS = 10;

  private final Process process;
  private final BufferedReader answers;
  private final Writer tasks;
  private final String version;

  /**
   * @param scripts folder of the peer's script
   * @param weights a GGUF file
   */
  BenchPeer(Path scripts, Path weights, int threads) {
    if (!Files.isDirectory(scripts.resolve("node_modules"))) {
      throw new UserException(
          "the peer is not installed: run \"npm install\" in %s (Node 20 or newer)"
              .formatted(scripts));
    }
    try {
      process =
          new ProcessBuilder("node", "llama.mjs", weights.toAbsolutePath().toString(), "" + threads)
              .directory(scripts.toFile())
              .redirectError(ProcessBuilder.Redirect.INHERIT)
              .start();
    } catch (IOException e) {
      throw new UserException("node could not be started: install Node 20 or newer", e);
    }
    answers = process.inputReader();
    tasks = process.outputWriter();
    version = answer().path("version").asText();
  }

  String version() {
    return version;
  }

  /** Seconds that the script says the task took. */
  double seconds(Map<String, ?> task) {
    return ask(task).path("seconds").asDouble(Double.NaN);
  }

  /** Resident memory of the peer in MB, now and at most. */
  double[] megabytes() {
    JsonNode answer = ask(Map.of("task", "memory"));
    return new double[] {answer.path("now").asDouble(), answer.path("most").asDouble()};
  }

  JsonNode ask(Map<String, ?> task) {
    try {
      tasks.write(JSON.writeValueAsString(task) + "\n");
      tasks.flush();
    } catch (IOException e) {
      throw new UncheckedIOException("the peer has ended", e);
    }
    return answer();
  }

  private JsonNode answer() {
    try {
      String line = answers.readLine();
      if (line == null) {
        throw new UserException("the peer ended without an answer; see what it wrote above");
      }
      JsonNode answer = JSON.readTree(line);
      if (answer.has("error")) {
        throw new UserException("the peer failed: " + answer.path("error").asText());
      }
      return answer;
    } catch (JsonProcessingException e) {
      throw new UserException("the peer answered what is no JSON", e);
    } catch (IOException e) {
      throw new UncheckedIOException("the peer has ended", e);
    }
  }

  @Override
  public void close() {
    try {
      tasks.close();
      if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    } catch (IOException e) {
      process.destroyForcibly();
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}
