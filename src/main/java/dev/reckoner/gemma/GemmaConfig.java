package dev.reckoner.gemma;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.reckoner.tensor.Bf16;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What {@code config.json} says of a Gemma 3 text model.
 *
 * @param hidden width of the residual stream
 * @param feedForward width of the MLP
 * @param globalLayers one a layer: whether it attends to everything, not only the window
 * @param window keys a local layer sees, the query's own included
 * @param ropeScaling linear factor that divides global positions (1 = none)
 * @param attentionScale factor of the scores, {@code query_pre_attn_scalar^-0.5}
 */
public record GemmaConfig(
    int vocabulary,
    int hidden,
    int feedForward,
    int layers,
    int heads,
    int kvHeads,
    int headDim,
    int maxPositions,
    int window,
    List<Boolean> globalLayers,
    double ropeThetaLocal,
    double ropeThetaGlobal,
    double ropeScaling,
    float normEpsilon,
    float queryPreAttentionScalar) {
  private static final ObjectMapper JSON = new ObjectMapper();

  public GemmaConfig {
    globalLayers = List.copyOf(globalLayers);
    require(globalLayers.size() == layers, "layer_types must name every layer");
    require(kvHeads > 0 && heads % kvHeads == 0, "heads must be a multiple of kv heads");
    require(headDim % 2 == 0, "head_dim must be even");
    require(window > 0, "sliding_window must be positive");
  }

  private static void require(boolean condition, String message) {
    if (!condition) {
      throw new ModelFormatException("config.json: " + message);
    }
  }

  /** The scale of input embeddings: sqrt(hidden) rounded to bfloat16, as the reference does. */
  public float embeddingScale() {
    return Bf16.round((float) Math.sqrt(hidden));
  }

  public float attentionScale() {
    return (float) (1 / Math.sqrt(queryPreAttentionScalar));
  }

  public boolean global(int layer) {
    return globalLayers.get(layer);
  }

  /** The window of a layer, 0 where it sees everything. */
  public int window(int layer) {
    return global(layer) ? 0 : window;
  }

  public int queryWidth() {
    return heads * headDim;
  }

  public int keyWidth() {
    return kvHeads * headDim;
  }

  /** Parameters, the tied embedding counted once. */
  public long parameters() {
    long layer =
        (long) hidden * (queryWidth() * 2L + keyWidth() * 2L)
            + 3L * hidden * feedForward
            + 4L * hidden
            + 2L * headDim;
    return (long) vocabulary * hidden + layers * layer + hidden;
  }

  /**
   * The shape of a released text model.
   *
   * @param name gemma-3-270m, gemma-3-1b or gemma-3-4b
   */
  public static GemmaConfig released(String name) {
    return switch (name) {
      case "gemma-3-270m" -> released(262144, 640, 2048, 18, 4, 1, 512, 32768, 1);
      case "gemma-3-1b" -> released(262144, 1152, 6912, 26, 4, 1, 512, 32768, 1);
      case "gemma-3-4b" -> released(262208, 2560, 10240, 34, 8, 4, 1024, 131072, 8);
      default ->
          throw new ModelFormatException(
              "no shape \"%s\": gemma-3-270m, gemma-3-1b and gemma-3-4b are known".formatted(name));
    };
  }

  private static GemmaConfig released(
      int vocabulary,
      int hidden,
      int feedForward,
      int layers,
      int heads,
      int kvHeads,
      int window,
      int maxPositions,
      double ropeScaling) {
    return new GemmaConfig(
        vocabulary,
        hidden,
        feedForward,
        layers,
        heads,
        kvHeads,
        256,
        maxPositions,
        window,
        pattern(layers, 6),
        1e4,
        1e6,
        ropeScaling,
        1e-6f,
        256);
  }

  /** The pattern of the released models: every sixth layer is global. */
  public static List<Boolean> pattern(int layers, int every) {
    List<Boolean> global = new ArrayList<>(layers);
    for (int i = 0; i < layers; i++) {
      global.add((i + 1) % every == 0);
    }
    return global;
  }

  /**
   * Reads {@code dir/config.json} in any of its spellings: a text model's or a multimodal model's
   * {@code text_config}; {@code sliding_window_pattern}, {@code _sliding_window_pattern} or {@code
   * layer_types}; {@code rope_theta} with {@code rope_local_base_freq} or {@code rope_parameters}.
   *
   * @throws ModelFormatException where it is missing or no Gemma 3 model
   */
  public static GemmaConfig read(Path dir) {
    Path file = dir.resolve("config.json");
    JsonNode root;
    try {
      root = JSON.readTree(Files.readAllBytes(file));
    } catch (java.nio.file.NoSuchFileException e) {
      throw new ModelFormatException(
          file + ": no such file; name the directory of a Gemma 3 checkpoint", e);
    } catch (IOException e) {
      throw new ModelFormatException("%s: %s".formatted(file, firstLine(e)), e);
    }
    try {
      return parse(root);
    } catch (ModelFormatException e) {
      throw new ModelFormatException(file + e.getMessage().replaceFirst("^config.json", ""), e);
    }
  }

  private static String firstLine(Exception e) {
    return String.valueOf(e.getMessage()).lines().findFirst().orElse("");
  }

  static GemmaConfig parse(JsonNode root) {
    String type = root.path("model_type").asText();
    JsonNode c = root;
    if (type.equals("gemma3") && root.has("text_config")) {
      c = root.get("text_config");
    } else if (!type.equals("gemma3_text")) {
      throw new ModelFormatException(
          "config.json: architecture %s (model_type \"%s\") is not supported; gemma3_text and gemma3 are"
              .formatted(root.path("architectures").path(0).asText("unknown"), type));
    }
    int layers = integer(c, "num_hidden_layers");
    int heads = c.path("num_attention_heads").asInt(8);
    int headDim = c.path("head_dim").asInt(256);
    require(
        c.path("attn_logit_softcapping").isMissingNode()
            || c.path("attn_logit_softcapping").isNull(),
        "attn_logit_softcapping is not supported");
    require(
        c.path("final_logit_softcapping").isMissingNode()
            || c.path("final_logit_softcapping").isNull(),
        "final_logit_softcapping is not supported");
    require(!c.path("attention_bias").asBoolean(false), "attention_bias is not supported");
    require(
        !c.path("use_bidirectional_attention").asBoolean(false),
        "use_bidirectional_attention is not supported");
    require(c.path("tie_word_embeddings").asBoolean(true), "untied embeddings are not supported");
    String activation =
        c.path("hidden_activation").asText(c.path("hidden_act").asText("gelu_pytorch_tanh"));
    require(
        activation.equals("gelu_pytorch_tanh"),
        "hidden_activation \"%s\" is not supported".formatted(activation));
    double thetaGlobal = c.path("rope_theta").asDouble(1e6);
    double thetaLocal = c.path("rope_local_base_freq").asDouble(1e4);
    double scaling = ropeScaling(c.path("rope_scaling"));
    JsonNode rope = c.path("rope_parameters");
    if (rope.has("full_attention")) {
      thetaGlobal = rope.path("full_attention").path("rope_theta").asDouble(thetaGlobal);
      scaling = ropeScaling(rope.path("full_attention"));
      thetaLocal = rope.path("sliding_attention").path("rope_theta").asDouble(thetaLocal);
    }
    return new GemmaConfig(
        c.path("vocab_size").asInt(262208),
        integer(c, "hidden_size"),
        integer(c, "intermediate_size"),
        layers,
        heads,
        c.path("num_key_value_heads").asInt(heads),
        headDim,
        c.path("max_position_embeddings").asInt(131072),
        c.path("sliding_window").asInt(4096),
        globalLayers(c, layers),
        thetaLocal,
        thetaGlobal,
        scaling,
        (float) c.path("rms_norm_eps").asDouble(1e-6),
        (float) c.path("query_pre_attn_scalar").asDouble(256));
  }

  private static int integer(JsonNode c, String key) {
    require(c.path(key).isInt(), "%s is missing".formatted(key));
    return c.get(key).asInt();
  }

  private static double ropeScaling(JsonNode rope) {
    if (rope.isMissingNode() || rope.isNull()) {
      return 1;
    }
    String type = rope.path("rope_type").asText(rope.path("type").asText("default"));
    return switch (type) {
      case "default" -> 1;
      case "linear" -> rope.path("factor").asDouble(1);
      default ->
          throw new ModelFormatException(
              "config.json: rope scaling \"%s\" is not supported; linear is".formatted(type));
    };
  }

  private static List<Boolean> globalLayers(JsonNode c, int layers) {
    if (c.has("layer_types")) {
      List<Boolean> global = new ArrayList<>();
      for (JsonNode t : c.get("layer_types")) {
        switch (t.asText()) {
          case "full_attention" -> global.add(true);
          case "sliding_attention" -> global.add(false);
          default ->
              throw new ModelFormatException(
                  "config.json: layer type \"%s\" is not supported".formatted(t.asText()));
        }
      }
      return global;
    }
    int every = c.path("sliding_window_pattern").asInt(c.path("_sliding_window_pattern").asInt(6));
    return pattern(layers, every);
  }

  /** The same as a Hugging Face {@code config.json}. */
  public String toJson() {
    ObjectNode c = JSON.createObjectNode();
    c.putArray("architectures").add("Gemma3ForCausalLM");
    c.put("model_type", "gemma3_text");
    c.put("attention_bias", false);
    c.put("attention_dropout", 0.0);
    c.put("bos_token_id", 2);
    c.put("eos_token_id", 1);
    c.put("pad_token_id", 0);
    c.put("head_dim", headDim);
    c.put("hidden_activation", "gelu_pytorch_tanh");
    c.put("hidden_size", hidden);
    c.put("intermediate_size", feedForward);
    var types = c.putArray("layer_types");
    globalLayers.forEach(g -> types.add(g ? "full_attention" : "sliding_attention"));
    c.put("max_position_embeddings", maxPositions);
    c.put("num_attention_heads", heads);
    c.put("num_hidden_layers", layers);
    c.put("num_key_value_heads", kvHeads);
    // transformers takes an integer only.
    if (queryPreAttentionScalar == Math.rint(queryPreAttentionScalar)) {
      c.put("query_pre_attn_scalar", (int) queryPreAttentionScalar);
    } else {
      c.put("query_pre_attn_scalar", queryPreAttentionScalar);
    }
    c.put("rms_norm_eps", Double.parseDouble(Float.toString(normEpsilon)));
    c.put("rope_theta", ropeThetaGlobal);
    c.put("rope_local_base_freq", ropeThetaLocal);
    if (ropeScaling != 1) {
      c.putObject("rope_scaling").put("rope_type", "linear").put("factor", ropeScaling);
    } else {
      c.putNull("rope_scaling");
    }
    c.put("sliding_window", window);
    c.put("tie_word_embeddings", true);
    c.put("torch_dtype", "bfloat16");
    c.put("vocab_size", vocabulary);
    return c.toPrettyString();
  }
}
