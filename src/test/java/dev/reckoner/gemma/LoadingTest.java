package dev.reckoner.gemma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.reckoner.tensor.DType;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.SafetensorsFile;
import dev.reckoner.tensor.SafetensorsWriter;
import dev.reckoner.tensor.cpu.CpuBackend;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is wrong with a directory is said in one line that names the file and the tensor. */
class LoadingTest {
  private static final GemmaConfig CONFIG = GemmaOracleTest.shapes().get(1);

  private CpuBackend backend;

  @TempDir private Path dir;

  @BeforeEach
  void save() {
    backend = CpuBackend.open(1);
    try (Gemma3 model = GemmaOracleTest.randomModel(CONFIG, backend)) {
      model.save(dir, DType.F32, Long.MAX_VALUE);
    }
  }

  @AfterEach
  void close() {
    backend.close();
  }

  private void assertRefused(String... parts) {
    assertThatThrownBy(() -> Gemma3.load(dir, backend, Precision.FP32))
        .hasMessageContainingAll(parts)
        .satisfies(e -> assertThat(e.getMessage().lines().count()).isEqualTo(1));
  }

  private void editConfig(String from, String to) throws IOException {
    Path config = dir.resolve("config.json");
    String text = Files.readString(config);
    assertThat(text).contains(from);
    Files.writeString(config, text.replace(from, to));
  }

  @Test
  void aShardedBf16ModelIsTheSameModelRounded() throws IOException {
    try (Gemma3 model = Gemma3.loadTrainable(dir, backend)) {
      model.save(dir.resolve("sharded"), DType.BF16, 20_000);
    }
    assertThat(dir.resolve("sharded/model.safetensors.index.json")).exists();
    try (Gemma3 model = Gemma3.loadTrainable(dir.resolve("sharded"), backend);
        Gemma3 original = Gemma3.loadTrainable(dir, backend)) {
      for (Parameters.Entry e : model.parameters().entries()) {
        float[] rounded = original.parameters().read(e);
        for (int i = 0; i < rounded.length; i++) {
          rounded[i] = dev.reckoner.tensor.Bf16.round(rounded[i]);
        }
        assertThat(model.parameters().read(e)).as(e.name()).isEqualTo(rounded);
      }
    }
  }

  @Test
  void aTruncatedFileIsNamed() throws IOException {
    Path file = dir.resolve("model.safetensors");
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.truncate(Files.size(file) - 4);
    }
    assertRefused("model.safetensors", "truncated", "model.norm.weight");
  }

  @Test
  void aWrongShapeIsNamed() throws IOException {
    editConfig("\"intermediate_size\" : 128", "\"intermediate_size\" : 64");
    assertRefused("model.safetensors", "layers.0.mlp", "[128, 64]", "[64, 64]");
  }

  @Test
  void aMissingTensorIsNamed() throws IOException {
    editConfig("\"num_hidden_layers\" : 2", "\"num_hidden_layers\" : 3");
    editConfig("\"sliding_attention\", ", "\"sliding_attention\", \"sliding_attention\", ");
    assertRefused("model.safetensors", "model.layers.2.input_layernorm.weight", "missing");
  }

  @Test
  void anUnknownArchitectureIsNamed() throws IOException {
    editConfig("Gemma3ForCausalLM", "LlamaForCausalLM");
    editConfig("gemma3_text", "llama");
    assertRefused("config.json", "LlamaForCausalLM");
  }

  @Test
  void aMissingDirectoryIsNamed() throws IOException {
    Files.delete(dir.resolve("config.json"));
    assertRefused("config.json", "no such file");
  }

  @Test
  void anAdapterComesBackAsItWasSaved() {
    try (Gemma3 model = Gemma3.load(dir, backend, Precision.NF4);
        LoraAdapter adapter = GemmaOracleTest.randomAdapter(model)) {
      adapter.save(dir.resolve("adapter-7"), "base");
      try (LoraAdapter loaded = LoraAdapter.load(dir.resolve("adapter-7"), model)) {
        assertThat(loaded.id()).isEqualTo("adapter-7");
        assertThat(loaded.hash()).isEqualTo(adapter.hash());
        assertThat(loaded.spec()).isEqualTo(adapter.spec());
      }
      try (SafetensorsFile file =
          SafetensorsFile.open(dir.resolve("adapter-7/adapter_model.safetensors"))) {
        assertThat(
                file.get("base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight").shape())
            .containsExactly(5, 64);
        assertThat(file.metadata()).containsEntry("format", "pt");
      }
    }
  }

  @Test
  void anAdapterThatDoesNotFitIsRefused() {
    try (Gemma3 model = Gemma3.load(dir, backend, Precision.NF4);
        LoraAdapter adapter = GemmaOracleTest.randomAdapter(model)) {
      Path saved = dir.resolve("adapter");
      adapter.save(saved, "base");
      new SafetensorsWriter()
          .add("some.other.weight", DType.F32, new int[] {1}, () -> new float[1])
          .write(saved.resolve("adapter_model.safetensors"));
      assertThatThrownBy(() -> LoraAdapter.load(saved, model))
          .hasMessageContainingAll("adapter_model.safetensors", "lora_A", "missing");
    }
  }

  @Test
  void everySpellingOfTheAttentionPatternAndRopeIsRead() throws IOException {
    String base =
        """
        {"model_type": "gemma3_text", "hidden_size": 64, "intermediate_size": 128,
         "num_hidden_layers": 4, "num_attention_heads": 2, "num_key_value_heads": 1,
         "head_dim": 32, "vocab_size": 100, "sliding_window": 8, %s}
        """;
    List<String> patterns =
        List.of(
            "\"sliding_window_pattern\": 2",
            "\"_sliding_window_pattern\": 2",
            """
            "layer_types": ["sliding_attention", "full_attention",
                            "sliding_attention", "full_attention"]""");
    List<String> ropes =
        List.of(
            """
            "rope_theta": 500000.0, "rope_local_base_freq": 2000.0,
            "rope_scaling": {"factor": 8.0, "rope_type": "linear"}""",
            """
            "rope_parameters": {
              "full_attention": {"rope_theta": 500000.0, "rope_type": "linear", "factor": 8.0},
              "sliding_attention": {"rope_theta": 2000.0, "rope_type": "default"}}""");
    for (String pattern : patterns) {
      for (String rope : ropes) {
        Files.writeString(dir.resolve("config.json"), base.formatted(pattern + ", " + rope));
        GemmaConfig c = GemmaConfig.read(dir);
        assertThat(c.globalLayers()).containsExactly(false, true, false, true);
        assertThat(c.ropeThetaGlobal()).isEqualTo(500000.0);
        assertThat(c.ropeThetaLocal()).isEqualTo(2000.0);
        assertThat(c.ropeScaling()).isEqualTo(8);
      }
    }
  }

  @Test
  void theReleasedModelsHaveTheirPublishedParameterCounts() {
    assertThat(GemmaConfig.released("gemma-3-270m").parameters()).isEqualTo(268_098_176L);
    assertThat(GemmaConfig.released("gemma-3-1b").parameters()).isEqualTo(999_885_952L);
    assertThat(GemmaConfig.released("gemma-3-4b").parameters()).isEqualTo(3_880_263_168L);
    assertThat(GemmaConfig.released("gemma-3-1b").embeddingScale()).isEqualTo(34.0f);
    assertThat(GemmaConfig.released("gemma-3-270m").embeddingScale()).isEqualTo(25.25f);
  }
}
