package dev.reckoner.gemma;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.reckoner.tensor.DType;
import dev.reckoner.tensor.Nf4;
import dev.reckoner.tensor.Nf4Tensor;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.WeightSource;
import dev.reckoner.tensor.cpu.CpuBackend;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A checkpoint whose linear layers bitsandbytes has quantised serves as the same NF4 model. */
class BitsAndBytesTest {
  private static final GemmaConfig CONFIG = GemmaOracleTest.shapes().get(1);

  private record Stored(String dtype, int[] shape, byte[] bytes) {}

  @TempDir private Path dir;

  private static byte[] floats(float... values) {
    ByteBuffer bytes = ByteBuffer.allocate(values.length * 4).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    return bytes.array();
  }

  private static Stored f32(int[] shape, float... values) {
    return new Stored("F32", shape, floats(values));
  }

  private static void quantised(
      Map<String, Stored> tensors, String name, Nf4Tensor w, int blocksize) {
    String state =
        """
        {"quant_type": "nf4", "blocksize": %d, "dtype": "bfloat16", "shape": [%d, %d],
         "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": %s}"""
            .formatted(blocksize, w.rows(), w.columns(), Double.toString(w.offset()));
    byte[] json = state.getBytes(StandardCharsets.UTF_8);
    tensors.put(name, new Stored("U8", new int[] {w.codes().length, 1}, w.codes()));
    tensors.put(name + ".absmax", new Stored("U8", new int[] {w.absmax().length}, w.absmax()));
    tensors.put(name + ".quant_map", f32(new int[] {16}, Nf4.codeValues()));
    tensors.put(name + ".nested_absmax", f32(new int[] {w.absmax2().length}, w.absmax2()));
    tensors.put(name + ".nested_quant_map", f32(new int[] {256}, Nf4.scaleMap()));
    tensors.put(
        name + ".quant_state.bitsandbytes__nf4", new Stored("U8", new int[] {json.length}, json));
  }

  private static void write(Path file, Map<String, Stored> tensors) throws IOException {
    StringBuilder header = new StringBuilder("{");
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    for (Map.Entry<String, Stored> e : tensors.entrySet()) {
      int from = body.size();
      body.writeBytes(e.getValue().bytes());
      header
          .append(header.length() > 1 ? "," : "")
          .append(
              "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}"
                  .formatted(
                      e.getKey(),
                      e.getValue().dtype(),
                      java.util.Arrays.toString(e.getValue().shape()),
                      from,
                      body.size()));
    }
    byte[] json = header.append("}").toString().getBytes(StandardCharsets.UTF_8);
    ByteBuffer all =
        ByteBuffer.allocate(8 + json.length + body.size()).order(ByteOrder.LITTLE_ENDIAN);
    Files.write(file, all.putLong(json.length).put(json).put(body.toByteArray()).array());
  }

  private void save(CpuBackend backend, Path plain, Path stored, int blocksize) throws IOException {
    Map<String, Stored> tensors = new LinkedHashMap<>();
    try (Gemma3 model = GemmaOracleTest.randomModel(CONFIG, backend)) {
      model.save(plain, DType.F32, Long.MAX_VALUE);
      for (Parameters.Entry e : model.parameters().entries()) {
        float[] values = model.parameters().read(e);
        if (e.name().contains("_proj")) {
          Nf4Tensor w = Nf4.quantise(WeightSource.of(values, e.rows(), e.columns()));
          quantised(tensors, e.name(), w, blocksize);
        } else {
          int[] shape = e.rows() == 1 ? new int[] {e.columns()} : new int[] {e.rows(), e.columns()};
          tensors.put(e.name(), f32(shape, values));
        }
      }
    }
    Files.createDirectories(stored);
    Files.copy(plain.resolve("config.json"), stored.resolve("config.json"));
    write(stored.resolve("model.safetensors"), tensors);
  }

  private static float[] logits(Gemma3 model) {
    int[] tokens = {2, 5, 17, 90, 3};
    try (KvCache cache = model.newCache(8)) {
      return model.forward(List.of(Segment.of(cache, tokens, null))).getFirst()[0];
    }
  }

  @Test
  void storedCodesAreTakenOverAsTheyAre() throws IOException {
    try (CpuBackend backend = CpuBackend.open(1)) {
      save(backend, dir.resolve("plain"), dir.resolve("stored"), 64);
      try (Gemma3 here = Gemma3.load(dir.resolve("plain"), backend, Precision.NF4);
          Gemma3 there = Gemma3.load(dir.resolve("stored"), backend, Precision.NF4)) {
        assertThat(logits(there)).isEqualTo(logits(here));
      }
      try (Gemma3 dequantised = Gemma3.load(dir.resolve("stored"), backend, Precision.FP32)) {
        assertThat(logits(dequantised)).hasSize(CONFIG.vocabulary());
      }
    }
  }

  @Test
  void anotherBlockSizeIsRefused() throws IOException {
    try (CpuBackend backend = CpuBackend.open(1)) {
      save(backend, dir.resolve("plain"), dir.resolve("stored"), 128);
      assertThatThrownBy(() -> Gemma3.load(dir.resolve("stored"), backend, Precision.NF4))
          .hasMessageContainingAll("model.safetensors", "q_proj", "blocksize");
    }
  }
}
