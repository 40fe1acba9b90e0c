package dev.reckoner.gemma;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.tensor.DType;
import dev.reckoner.tensor.Nf4;
import dev.reckoner.tensor.Nf4Tensor;
import dev.reckoner.tensor.SafetensorsException;
import dev.reckoner.tensor.SafetensorsFile;
import java.io.IOException;
import java.util.Arrays;
import java.util.Map;

/**
 * NF4 weights as bitsandbytes stores them: {@code weight} (uint8 [n/2, 1]) with {@code .absmax},
 * {@code .quant_map}, {@code .nested_absmax}, {@code .nested_quant_map} and {@code
 * .quant_state.bitsandbytes__nf4} (JSON bytes). They are taken over code for code.
 */
final class BitsAndBytes {
  private static final String STATE = ".quant_state.bitsandbytes__nf4";

  private BitsAndBytes() {}

  static boolean quantised(Map<String, SafetensorsFile.Entry> entries, String name) {
    return entries.containsKey(name + STATE);
  }

  static Nf4Tensor read(
      Map<String, SafetensorsFile.Entry> entries, String name, int rows, int columns) {
    JsonNode state = state(part(entries, name, STATE));
    SafetensorsFile.Entry weight = part(entries, name, "");
    require(weight, state.path("blocksize").asInt() == Nf4.BLOCK, "blocksize is not 64");
    require(
        weight,
        state.path("nested_blocksize").asInt() == Nf4.SCALE_BLOCK,
        "its scales are not double-quantised in blocks of 256");
    int[] shape = {state.path("shape").path(0).asInt(), state.path("shape").path(1).asInt()};
    require(
        weight,
        Arrays.equals(shape, new int[] {rows, columns}),
        "has shape %s, the configuration asks for %s"
            .formatted(Arrays.toString(shape), Arrays.toString(new int[] {rows, columns})));
    require(weight, columns % Nf4.BLOCK == 0, "rows do not divide into blocks of 64");
    int blocks = Math.multiplyExact(rows, columns / Nf4.BLOCK);
    requireMap(part(entries, name, ".quant_map"), Nf4.codeValues());
    requireMap(part(entries, name, ".nested_quant_map"), Nf4.scaleMap());
    SafetensorsFile.Entry absmax = part(entries, name, ".absmax");
    require(absmax, absmax.type() == DType.U8, "is not 8-bit");
    absmax.requireShape(blocks);
    require(weight, weight.size() == (long) rows * columns / 2, "has the wrong size");
    float[] absmax2 =
        part(entries, name, ".nested_absmax")
            .values((blocks + Nf4.SCALE_BLOCK - 1) / Nf4.SCALE_BLOCK);
    float offset = (float) state.path("nested_offset").asDouble();
    return new Nf4Tensor(rows, columns, weight.bytes(), absmax.bytes(), absmax2, offset);
  }

  private static SafetensorsFile.Entry part(
      Map<String, SafetensorsFile.Entry> entries, String name, String suffix) {
    SafetensorsFile.Entry entry = entries.get(name + suffix);
    if (entry == null) {
      throw new SafetensorsException(
          "%s: tensor %s is missing".formatted(entries.get(name + STATE).file(), name + suffix));
    }
    return entry;
  }

  private static JsonNode state(SafetensorsFile.Entry entry) {
    try {
      return new ObjectMapper().readTree(entry.bytes());
    } catch (IOException e) {
      throw new SafetensorsException(
          "%s: tensor %s is not JSON".formatted(entry.file(), entry.name()), e);
    }
  }

  private static void require(SafetensorsFile.Entry entry, boolean condition, String message) {
    if (!condition) {
      throw new SafetensorsException(
          "%s: tensor %s %s".formatted(entry.file(), entry.name(), message));
    }
  }

  /** The maps are constants of the format; another one would be another format. */
  private static void requireMap(SafetensorsFile.Entry entry, float[] expected) {
    float[] map = entry.values(expected.length);
    for (int i = 0; i < map.length; i++) {
      require(entry, Math.abs(map[i] - expected[i]) <= 1e-6, "is not the map of NF4");
    }
  }
}
