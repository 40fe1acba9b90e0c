package dev.reckoner.improve;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import dev.reckoner.gemma.ChatMessage;
import dev.reckoner.gemma.GemmaTokenizer;
import dev.reckoner.gemma.TokenizedChat;
import dev.reckoner.tuning.PreferencePair;
import dev.reckoner.tuning.Sample;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Preference pairs as JSON Lines, as the DPO export and a dataset have them: {@code {"prompt":
 * [{"role", "content"}], "prefix", "chosen", "rejected"}}, where {@code prompt} may be called
 * {@code messages} and {@code prefix} are the lines that both continuations follow on; it is read
 * and never scored. Other fields are ignored.
 *
 * @param pairs what is short enough
 * @param tooLong how many were left out
 */
public record PreferenceFile(List<PreferencePair> pairs, int tooLong) {

  /**
   * Reads a file.
   *
   * @param maxTokens pairs with more tokens in both sequences together are left out
   * @param maxPositions so are those of which one sequence is longer
   * @throws ImprovementException one line that names file and line
   */
  public static PreferenceFile read(
      Path file, GemmaTokenizer tokenizer, int maxTokens, int maxPositions) {
    List<PreferencePair> pairs = new ArrayList<>();
    int tooLong = 0;
    int number = 0;
    try (BufferedReader reader = Files.newBufferedReader(file)) {
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        number++;
        if (line.isBlank()) {
          continue;
        }
        PreferencePair pair = pair(line, file + ":" + number, tokenizer);
        boolean fits =
            pair.length() <= maxTokens
                && Math.max(pair.chosen().length(), pair.rejected().length()) <= maxPositions;
        if (fits) {
          pairs.add(pair);
        } else {
          tooLong++;
        }
      }
    } catch (IOException e) {
      throw new ImprovementException(
          file + " cannot be read; name a JSONL file of preference pairs", e);
    }
    return new PreferenceFile(List.copyOf(pairs), tooLong);
  }

  private static PreferencePair pair(String line, String where, GemmaTokenizer tokenizer) {
    try {
      JsonNode node = CanonicalJson.MAPPER.readTree(line);
      List<ChatMessage> prompt =
          TrainingFile.turns(node.has("prompt") ? node.get("prompt") : node.path("messages"));
      if (prompt.isEmpty() || prompt.getLast().role() != ChatMessage.Role.USER) {
        throw new IllegalArgumentException("\"prompt\" must be messages that end with the user's");
      }
      String prefix = node.path("prefix").asText("").strip();
      String chosen = text(node, "chosen");
      String rejected = text(node, "rejected");
      if (chosen.equals(rejected)) {
        throw new IllegalArgumentException("\"chosen\" and \"rejected\" are the same");
      }
      return new PreferencePair(
          sample(prompt, prefix, chosen, tokenizer), sample(prompt, prefix, rejected, tokenizer));
    } catch (JsonProcessingException e) {
      throw new ImprovementException(where + ": not valid JSON: " + e.getOriginalMessage(), e);
    } catch (IllegalArgumentException e) {
      throw new ImprovementException(where + ": " + e.getMessage(), e);
    }
  }

  private static String text(JsonNode node, String key) {
    if (!node.path(key).isTextual()) {
      throw new IllegalArgumentException("a pair needs \"%s\", a text".formatted(key));
    }
    return node.get(key).asText().strip();
  }

  /**
   * The chain is tokenised as a whole, as it is when it is imitated or served; a token that reaches
   * beyond the prefix is scored. So is the end of the turn, and the line break after the prefix:
   * where one of the two ends there, this is what they differ in.
   */
  private static Sample sample(
      List<ChatMessage> prompt, String prefix, String continuation, GemmaTokenizer tokenizer) {
    String chain =
        prefix.isEmpty() || continuation.isEmpty()
            ? prefix + continuation
            : prefix + "\n" + continuation;
    List<ChatMessage> turns = new ArrayList<>(prompt);
    turns.add(ChatMessage.assistant(chain));
    TokenizedChat chat = tokenizer.chatForTraining(turns);
    int at = tokenizer.chat(prompt, true).length;
    int left = prefix.getBytes(StandardCharsets.UTF_8).length;
    while (left > 0) {
      left -= tokenizer.bytes(chat.tokens()[at]).length;
      at += left >= 0 ? 1 : 0;
    }
    boolean[] scored = chat.supervised().clone();
    Arrays.fill(scored, 0, at, false);
    return new Sample(chat.tokens(), scored);
  }
}
