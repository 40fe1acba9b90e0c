package dev.reckoner.improve;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import dev.reckoner.gemma.ChatMessage;
import dev.reckoner.gemma.GemmaTokenizer;
import dev.reckoner.tuning.LessonSamples;
import dev.reckoner.tuning.Sample;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.StringReader;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Training material as JSON Lines: conversations, {@code {"messages": [{"role", "content"}]}} with
 * roles {@code system}, {@code user} and {@code assistant}, of which only what the assistant says
 * is learned, and of its chains not what the calculator writes when they are decoded; or plain
 * text, {@code {"text": "..."}}, which is learned throughout. Other fields are ignored.
 *
 * @param samples what is short enough
 * @param tooLong how many were longer than {@code maxTokens} and left out
 */
public record TrainingFile(List<Sample> samples, int tooLong) {

  /**
   * Reads a file.
   *
   * @param maxTokens longer samples are left out
   * @throws ImprovementException one line that names file and line
   */
  public static TrainingFile read(Path file, GemmaTokenizer tokenizer, int maxTokens) {
    try (BufferedReader reader = Files.newBufferedReader(file)) {
      return read(file.toString(), reader, tokenizer, maxTokens);
    } catch (IOException e) {
      throw new ImprovementException(
          file + " cannot be read; name a JSONL file of training samples", e);
    }
  }

  /** Reads the lines of a dataset. */
  static TrainingFile parse(String jsonl, GemmaTokenizer tokenizer, int maxTokens) {
    try {
      return read(Dataset.TRAIN, new BufferedReader(new StringReader(jsonl)), tokenizer, maxTokens);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static TrainingFile read(
      String name, BufferedReader reader, GemmaTokenizer tokenizer, int maxTokens)
      throws IOException {
    List<Sample> samples = new ArrayList<>();
    int tooLong = 0;
    int number = 0;
    for (String line = reader.readLine(); line != null; line = reader.readLine()) {
      number++;
      if (line.isBlank()) {
        continue;
      }
      Sample sample;
      try {
        sample = sample(CanonicalJson.MAPPER.readTree(line), tokenizer);
      } catch (JsonProcessingException e) {
        throw new ImprovementException(
            name + ":" + number + ": not valid JSON: " + e.getOriginalMessage(), e);
      } catch (IllegalArgumentException e) {
        throw new ImprovementException(name + ":" + number + ": " + e.getMessage(), e);
      }
      if (sample.length() > maxTokens) {
        tooLong++;
      } else {
        samples.add(sample);
      }
    }
    return new TrainingFile(List.copyOf(samples), tooLong);
  }

  private static Sample sample(JsonNode node, GemmaTokenizer tokenizer) {
    if (node.path("text").isTextual()) {
      return Sample.text(tokenizer.encode(node.get("text").asText(), true));
    }
    if (!node.path("messages").isArray() || node.get("messages").isEmpty()) {
      throw new IllegalArgumentException("a sample has \"messages\" or \"text\"");
    }
    Sample sample = LessonSamples.of(tokenizer, turns(node.get("messages")));
    if (sample.targets() == 0) {
      throw new IllegalArgumentException("no message of the assistant, so nothing to learn");
    }
    return sample;
  }

  /** Chat messages of {@code [{"role", "content"}]}. */
  static List<ChatMessage> turns(JsonNode messages) {
    List<ChatMessage> turns = new ArrayList<>();
    for (JsonNode message : messages) {
      String content = message.path("content").asText();
      turns.add(
          switch (message.path("role").asText()) {
            case "system" -> ChatMessage.system(content);
            case "user" -> ChatMessage.user(content);
            case "assistant", "model" -> ChatMessage.assistant(content);
            case String role -> throw new IllegalArgumentException("unknown role \"" + role + "\"");
          });
    }
    return turns;
  }
}
