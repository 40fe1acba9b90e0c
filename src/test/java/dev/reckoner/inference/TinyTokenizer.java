package dev.reckoner.inference;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * A tokenizer of Gemma's kind, small enough to read: byte fallback, ASCII, single digits, and the
 * words of a chain with the space before them.
 */
public final class TinyTokenizer {

  private static final List<String> WORDS =
      List.of(
          "cite",
          "compute",
          "conclude",
          "infer",
          "\u2581USD",
          "\u2581EUR",
          "\u2581million",
          "\u2581billion",
          "\u2581stance",
          "\u2581positive",
          "\u2581negative",
          "\u2581neutral",
          "\u2581flags",
          "\u2581none",
          "\u2581yes",
          "\u2581no",
          "\u2581not",
          "\u2581stated",
          "\u2581the",
          "\u2581rose",
          "\u2581fell",
          "\u2581sales",
          "true",
          "false",
          "\",\"");

  private TinyTokenizer() {}

  /**
   * Writes {@code tokenizer.json}.
   *
   * @return the size of the vocabulary
   */
  public static int write(Path dir) throws IOException {
    return write(dir, 0);
  }

  /**
   * The same, filled up with made-up words as a large vocabulary has them.
   *
   * @param size of the vocabulary, if that is more than it has anyway
   */
  public static int write(Path dir, int size) throws IOException {
    ObjectMapper json = new ObjectMapper();
    ObjectNode root = json.createObjectNode();
    root.put("version", "1.0").putNull("truncation").putNull("padding");
    Map<String, Integer> vocabulary = new LinkedHashMap<>();
    ArrayNode added = root.putArray("added_tokens");
    for (String control :
        List.of("<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>")) {
      added
          .addObject()
          .put("id", vocabulary.size())
          .put("content", control)
          .put("single_word", false)
          .put("lstrip", false)
          .put("rstrip", false)
          .put("normalized", false)
          .put("special", true);
      vocabulary.put(control, vocabulary.size());
    }
    for (int b = 0; b < 256; b++) {
      vocabulary.put("<0x%02X>".formatted(b), vocabulary.size());
    }
    vocabulary.put("\n", vocabulary.size());
    vocabulary.put("\u2581", vocabulary.size());
    for (char c = '!'; c <= '~'; c++) {
      vocabulary.put(String.valueOf(c), vocabulary.size());
    }
    ObjectNode model = json.createObjectNode();
    ArrayNode merges = json.createArrayNode();
    for (String word : WORDS) {
      for (int end = 2; end <= word.length(); end++) {
        String left = word.substring(0, end - 1);
        String merged = word.substring(0, end);
        if (vocabulary.putIfAbsent(merged, vocabulary.size()) == null) {
          merges.addArray().add(left).add(word.substring(end - 1, end));
        }
      }
    }
    SplittableRandom random = new SplittableRandom(7);
    while (vocabulary.size() < size) {
      String word = random.nextInt(3) == 0 ? "" : "\u2581";
      for (int letters = 2 + random.nextInt(7);
          letters > 0 && vocabulary.size() < size;
          letters--) {
        String letter = String.valueOf((char) ('a' + random.nextInt(26)));
        if (!word.isEmpty() && vocabulary.putIfAbsent(word + letter, vocabulary.size()) == null) {
          merges.addArray().add(word).add(letter);
        }
        word += letter;
      }
    }
    root.putObject("normalizer")
        .put("type", "Replace")
        .put("content", "\u2581")
        .putObject("pattern")
        .put("String", " ");
    root.putNull("pre_tokenizer").putNull("post_processor");
    ObjectNode decoder = root.putObject("decoder").put("type", "Sequence");
    ArrayNode decoders = decoder.putArray("decoders");
    decoders
        .addObject()
        .put("type", "Replace")
        .put("content", " ")
        .putObject("pattern")
        .put("String", "\u2581");
    decoders.addObject().put("type", "ByteFallback");
    decoders.addObject().put("type", "Fuse");
    model.put("type", "BPE").putNull("dropout").put("unk_token", "<unk>");
    model.putNull("continuing_subword_prefix").putNull("end_of_word_suffix");
    model.put("fuse_unk", true).put("byte_fallback", true).put("ignore_merges", false);
    model.set("vocab", json.valueToTree(vocabulary));
    model.set("merges", merges);
    root.set("model", model);
    Files.createDirectories(dir);
    Files.writeString(dir.resolve("tokenizer.json"), root.toString());
    return vocabulary.size();
  }
}
