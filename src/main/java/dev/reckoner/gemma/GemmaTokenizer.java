package dev.reckoner.gemma;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.filter.FilteringParserDelegate;
import com.fasterxml.jackson.core.filter.TokenFilter;
import com.fasterxml.jackson.core.filter.TokenFilter.Inclusion;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Text to token ids and back, and the chat format. Encoding is Hugging Face's own tokenizers
 * library over {@code tokenizer.json}; the bytes of single tokens are read from the same file, so
 * that a grammar can be walked along them. Safe for use by several threads.
 */
public final class GemmaTokenizer implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();

  static {
    Telemetry.optOut();
  }

  private final HuggingFaceTokenizer tokenizer;
  private final byte[][] pieces;
  private final String[] control;
  private final int[] controlIds;
  private final int bos;
  private final int eos;
  private final int pad;
  private final int startOfTurn;
  private final int endOfTurn;

  private GemmaTokenizer(Path file, HuggingFaceTokenizer tokenizer, JsonNode json) {
    this.tokenizer = tokenizer;
    JsonNode vocabulary = json.path("model").path("vocab");
    JsonNode added = json.path("added_tokens");
    int size = 0;
    for (Map.Entry<String, JsonNode> e : vocabulary.properties()) {
      size = Math.max(size, e.getValue().asInt() + 1);
    }
    for (JsonNode e : added) {
      size = Math.max(size, e.path("id").asInt() + 1);
    }
    pieces = new byte[size][];
    boolean byteLevel = json.path("decoder").toString().contains("\"ByteLevel\"");
    int[] byteOf = byteLevel ? byteLevelAlphabet() : null;
    for (Map.Entry<String, JsonNode> e : vocabulary.properties()) {
      pieces[e.getValue().asInt()] = bytes(e.getKey(), byteOf);
    }
    List<String> names = new ArrayList<>();
    List<Integer> ids = new ArrayList<>();
    for (JsonNode e : added) {
      int id = e.path("id").asInt();
      String content = e.path("content").asText();
      if (e.path("special").asBoolean()) {
        pieces[id] = new byte[0];
        names.add(content);
        ids.add(id);
      } else {
        pieces[id] = content.getBytes(StandardCharsets.UTF_8);
      }
    }
    for (int i = 0; i < size; i++) {
      if (pieces[i] == null) {
        pieces[i] = new byte[0];
      }
    }
    control = names.toArray(String[]::new);
    controlIds = ids.stream().mapToInt(i -> i).toArray();
    bos = required(file, "<bos>");
    eos = required(file, "<eos>");
    pad = required(file, "<pad>");
    startOfTurn = required(file, "<start_of_turn>");
    endOfTurn = required(file, "<end_of_turn>");
  }

  /**
   * Reads {@code dir/tokenizer.json}.
   *
   * @throws ModelFormatException where it is missing or lacks one of Gemma's control tokens
   */
  public static GemmaTokenizer read(Path dir) {
    Path file = dir.resolve("tokenizer.json");
    if (!Files.isRegularFile(file)) {
      throw new ModelFormatException(
          file + ": no such file; name the directory of a Gemma 3 checkpoint");
    }
    try {
      JsonNode json = tokens(file);
      HuggingFaceTokenizer tokenizer =
          HuggingFaceTokenizer.newInstance(
              file, Map.of("truncation", "false", "padding", "false", "addSpecialTokens", "false"));
      return new GemmaTokenizer(file, tokenizer, json);
    } catch (IOException e) {
      throw new ModelFormatException(
          "%s: %s".formatted(file, String.valueOf(e.getMessage()).lines().findFirst().orElse("")),
          e);
    }
  }

  /** What is needed of the file: without the merges, which are more than all else together. */
  private static JsonNode tokens(Path file) throws IOException {
    TokenFilter filter =
        new TokenFilter() {
          @Override
          public TokenFilter includeProperty(String name) {
            return switch (name) {
              case "model" -> this;
              case "vocab", "added_tokens", "decoder" -> INCLUDE_ALL;
              default -> null;
            };
          }
        };
    try (JsonParser parser =
        new FilteringParserDelegate(
            JSON.createParser(file.toFile()), filter, Inclusion.INCLUDE_ALL_AND_PATH, true)) {
      return JSON.readTree(parser);
    }
  }

  private int required(Path file, String token) {
    for (int i = 0; i < control.length; i++) {
      if (control[i].equals(token)) {
        return controlIds[i];
      }
    }
    throw new ModelFormatException("%s: special token %s is missing".formatted(file, token));
  }

  private static byte[] bytes(String token, int[] byteOf) {
    if (byteOf != null) {
      byte[] b = new byte[token.length()];
      for (int i = 0; i < b.length; i++) {
        b[i] = (byte) byteOf[token.charAt(i)];
      }
      return b;
    }
    if (token.length() == 6 && token.startsWith("<0x") && token.endsWith(">")) {
      return new byte[] {(byte) Integer.parseInt(token.substring(3, 5), 16)};
    }
    return token.replace('\u2581', ' ').getBytes(StandardCharsets.UTF_8);
  }

  /** GPT-2's printable stand-ins for bytes, inverted. */
  private static int[] byteLevelAlphabet() {
    int[] byteOf = new int[512];
    int next = 256;
    for (int b = 0; b < 256; b++) {
      boolean printable = b >= 33 && b <= 126 || b >= 161 && b <= 172 || b >= 174;
      byteOf[printable ? b : next++] = b;
    }
    return byteOf;
  }

  /**
   * Encodes text in which control tokens written out (such as {@code <end_of_turn>}) are ordinary
   * characters, so that nobody can forge a turn.
   */
  public int[] encode(String text, boolean withBos) {
    IntStream ids = Arrays.stream(encodePlain(text));
    return (withBos ? IntStream.concat(IntStream.of(bos), ids) : ids).toArray();
  }

  private int[] encodePlain(String text) {
    int cut = -1;
    for (String token : control) {
      int at = text.indexOf(token);
      if (at >= 0 && (cut < 0 || at < cut)) {
        cut = at;
      }
    }
    if (cut < 0) {
      return text.isEmpty() ? new int[0] : ids(text);
    }
    return IntStream.concat(
            Arrays.stream(ids(text.substring(0, cut + 1))),
            Arrays.stream(encodePlain(text.substring(cut + 1))))
        .toArray();
  }

  private int[] ids(String text) {
    return Arrays.stream(tokenizer.encode(text, false, false).getIds())
        .mapToInt(Math::toIntExact)
        .toArray();
  }

  /** The text of the tokens; control tokens give nothing, broken UTF-8 gives U+FFFD. */
  public String decode(int... ids) {
    return new String(bytes(ids), StandardCharsets.UTF_8);
  }

  /** The UTF-8 bytes of the tokens. */
  public byte[] bytes(int... ids) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (int id : ids) {
      out.writeBytes(pieces[id]);
    }
    return out.toByteArray();
  }

  /**
   * The exact text of one token, spaces included; empty for control tokens. A token that is only
   * part of a character decodes to U+FFFD: use {@link #bytes} there.
   */
  public String piece(int id) {
    return new String(pieces[id], StandardCharsets.UTF_8);
  }

  /** Whether the token is a control token, which stands for no text. */
  public boolean special(int id) {
    return pieces[id].length == 0;
  }

  /** Ids are below this; the model's embedding may have more rows. */
  public int vocabularySize() {
    return pieces.length;
  }

  public int bos() {
    return bos;
  }

  public int eos() {
    return eos;
  }

  public int pad() {
    return pad;
  }

  public int endOfTurn() {
    return endOfTurn;
  }

  /** Tokens that end a generation. */
  public int[] stopIds() {
    return new int[] {eos, endOfTurn};
  }

  /**
   * Chat turns in Gemma's format, BOS first. A system message is folded into the user turn that
   * follows; contents are trimmed, as the released template does.
   *
   * @param addGenerationPrompt whether to open the model's turn at the end
   */
  public int[] chat(List<ChatMessage> turns, boolean addGenerationPrompt) {
    return tokenise(turns, addGenerationPrompt).tokens();
  }

  /**
   * The same as training material: what the model writes, {@code <end_of_turn>} and the newline
   * after it are supervised.
   */
  public TokenizedChat chatForTraining(List<ChatMessage> turns) {
    return tokenise(turns, false);
  }

  private TokenizedChat tokenise(List<ChatMessage> turns, boolean addGenerationPrompt) {
    IntStream.Builder tokens = IntStream.builder();
    List<Boolean> supervised = new ArrayList<>();
    tokens.add(bos);
    supervised.add(false);
    String system = "";
    int[] newline = encodePlain("\n");
    for (ChatMessage turn : turns) {
      String content = turn.content().strip();
      switch (turn.role()) {
        case SYSTEM -> system = turn.content() + "\n\n";
        case USER -> {
          append(tokens, supervised, false, startOfTurn);
          append(tokens, supervised, false, encodePlain("user\n" + system + content));
          append(tokens, supervised, false, endOfTurn);
          append(tokens, supervised, false, newline);
          system = "";
        }
        case ASSISTANT -> {
          append(tokens, supervised, false, startOfTurn);
          append(tokens, supervised, false, encodePlain("model\n"));
          append(tokens, supervised, true, encodePlain(content));
          append(tokens, supervised, true, endOfTurn);
          append(tokens, supervised, true, newline);
        }
      }
    }
    if (addGenerationPrompt) {
      append(tokens, supervised, false, startOfTurn);
      append(tokens, supervised, false, encodePlain("model\n"));
    }
    boolean[] mask = new boolean[supervised.size()];
    for (int i = 0; i < mask.length; i++) {
      mask[i] = supervised.get(i);
    }
    return new TokenizedChat(tokens.build().toArray(), mask);
  }

  private static void append(
      IntStream.Builder tokens, List<Boolean> supervised, boolean flag, int... ids) {
    for (int id : ids) {
      tokens.add(id);
      supervised.add(flag);
    }
  }

  @Override
  public void close() {
    tokenizer.close();
  }
}
