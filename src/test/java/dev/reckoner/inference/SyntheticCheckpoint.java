package dev.reckoner.inference;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.reckoner.tensor.DType;
import dev.reckoner.tensor.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * A directory as Hugging Face distributes gemma-3-1b-it, with random weights and a made-up
 * tokenizer: {@code config.json} with the fields of the released one, sharded BF16 safetensors with
 * its index, {@code tokenizer.json}. In its true shape or a narrow one of the same kind.
 *
 * <p>{@code SyntheticCheckpoint DIR} writes the true shape (2 GB).
 */
public final class SyntheticCheckpoint {

  private static final ObjectMapper JSON = new ObjectMapper();

  /** The numbers in which checkpoints of the kind differ. */
  public record Shape(
      int vocabulary, int hidden, int feedForward, int layers, int heads, int headDim, int window) {

    /** gemma-3-1b-it. */
    public static final Shape RELEASED = new Shape(262_144, 1152, 6912, 26, 4, 256, 512);

    /** The same kind, small enough for a test: both kinds of layers, four query heads on one. */
    public static final Shape NARROW = new Shape(4_096, 64, 128, 7, 4, 32, 64);
  }

  private SyntheticCheckpoint() {}

  public static void main(String... args) throws IOException {
    write(Path.of(args[0]), Shape.RELEASED, 1_000_000_000L);
  }

  /** Writes the directory; no file has more than {@code shardBytes} unless one tensor has. */
  public static void write(Path dir, Shape s, long shardBytes) throws IOException {
    Files.createDirectories(dir);
    TinyTokenizer.write(dir, s.vocabulary());
    config(dir, s);
    List<SafetensorsWriter> shards = new ArrayList<>(List.of(new SafetensorsWriter()));
    add(shards, shardBytes, "model.embed_tokens.weight", 0.02, s.vocabulary(), s.hidden());
    int queries = s.heads() * s.headDim();
    for (int layer = 0; layer < s.layers(); layer++) {
      String at = "model.layers." + layer + ".";
      for (String norm :
          List.of(
              "input_layernorm",
              "post_attention_layernorm",
              "pre_feedforward_layernorm",
              "post_feedforward_layernorm")) {
        add(shards, shardBytes, at + norm + ".weight", 0.1, s.hidden());
      }
      add(shards, shardBytes, at + "self_attn.q_norm.weight", 0.1, s.headDim());
      add(shards, shardBytes, at + "self_attn.k_norm.weight", 0.1, s.headDim());
      add(shards, shardBytes, at + "self_attn.q_proj.weight", 0.03, queries, s.hidden());
      add(shards, shardBytes, at + "self_attn.k_proj.weight", 0.03, s.headDim(), s.hidden());
      add(shards, shardBytes, at + "self_attn.v_proj.weight", 0.03, s.headDim(), s.hidden());
      add(shards, shardBytes, at + "self_attn.o_proj.weight", 0.03, s.hidden(), queries);
      add(shards, shardBytes, at + "mlp.gate_proj.weight", 0.03, s.feedForward(), s.hidden());
      add(shards, shardBytes, at + "mlp.up_proj.weight", 0.03, s.feedForward(), s.hidden());
      add(shards, shardBytes, at + "mlp.down_proj.weight", 0.03, s.hidden(), s.feedForward());
    }
    add(shards, shardBytes, "model.norm.weight", 0.1, s.hidden());
    ObjectNode index = JSON.createObjectNode();
    index
        .putObject("metadata")
        .put("total_size", shards.stream().mapToLong(SafetensorsWriter::bytes).sum());
    ObjectNode map = index.putObject("weight_map");
    for (int i = 0; i < shards.size(); i++) {
      String file = "model-%05d-of-%05d.safetensors".formatted(i + 1, shards.size());
      shards.get(i).names().forEach(name -> map.put(name, file));
      shards.get(i).write(dir.resolve(file));
    }
    JSON.writeValue(dir.resolve("model.safetensors.index.json").toFile(), index);
  }

  private static void add(
      List<SafetensorsWriter> shards, long limit, String name, double deviation, int... shape) {
    int size = shape.length == 1 ? shape[0] : Math.multiplyExact(shape[0], shape[1]);
    if (shards.getLast().bytes() > 0 && shards.getLast().bytes() + 2L * size > limit) {
      shards.add(new SafetensorsWriter());
    }
    shards.getLast().add(name, DType.BF16, shape, () -> random(name, size, deviation));
  }

  /** Uniform, of that standard deviation. */
  private static float[] random(String name, int size, double deviation) {
    SplittableRandom random = new SplittableRandom(name.hashCode());
    float[] values = new float[size];
    double width = deviation * Math.sqrt(12);
    for (int i = 0; i < size; i++) {
      values[i] = (float) ((random.nextDouble() - 0.5) * width);
    }
    return values;
  }

  /** The fields of the released file. */
  private static void config(Path dir, Shape s) throws IOException {
    ObjectNode c = JSON.createObjectNode();
    c.putArray("architectures").add("Gemma3ForCausalLM");
    c.put("attention_bias", false).put("attention_dropout", 0.0);
    c.putNull("attn_logit_softcapping")
        .put("bos_token_id", 2)
        .put("cache_implementation", "hybrid");
    c.putArray("eos_token_id").add(1).add(5);
    c.putNull("final_logit_softcapping").put("head_dim", s.headDim());
    c.put("hidden_activation", "gelu_pytorch_tanh").put("hidden_size", s.hidden());
    c.put("initializer_range", 0.02).put("intermediate_size", s.feedForward());
    c.put("max_position_embeddings", 32_768).put("model_type", "gemma3_text");
    c.put("num_attention_heads", s.heads()).put("num_hidden_layers", s.layers());
    c.put("num_key_value_heads", 1).put("pad_token_id", 0);
    c.put("query_pre_attn_scalar", s.headDim()).put("rms_norm_eps", 1e-6);
    c.put("rope_local_base_freq", 10_000).putNull("rope_scaling").put("rope_theta", 1_000_000);
    c.put("sliding_window", s.window()).put("sliding_window_pattern", 6);
    c.put("torch_dtype", "bfloat16").put("transformers_version", "4.50.0.dev0");
    c.put("use_cache", true).put("vocab_size", s.vocabulary());
    JSON.writeValue(dir.resolve("config.json").toFile(), c);
  }
}
