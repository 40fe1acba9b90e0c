package dev.reckoner.tensor;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * One memory-mapped safetensors file: an 8-byte little-endian header length, a JSON header, then
 * the tensors' bytes. Every offset is checked when the file is opened, so a truncated file fails
 * there.
 */
public final class SafetensorsFile implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** One tensor of the file. */
  public record Entry(String name, DType type, int[] shape, MemorySegment data, Path file) {
    public long size() {
      return Arrays.stream(shape).asLongStream().reduce(1, Math::multiplyExact);
    }

    /**
     * A row-wise reader, converting to fp32.
     *
     * @throws SafetensorsException where the tensor is not {@code [rows, columns]}
     */
    public WeightSource weights(int rows, int columns) {
      requireShape(rows, columns);
      return WeightSource.of(
          rows,
          columns,
          (row, into, offset) -> convert((long) row * columns, columns, into, offset));
    }

    /** All values as fp32, of a tensor with the given shape. */
    public float[] values(int... expected) {
      requireShape(expected);
      float[] values = new float[Math.toIntExact(size())];
      convert(0, values.length, values, 0);
      return values;
    }

    public void requireShape(int... expected) {
      if (!Arrays.equals(shape, expected)) {
        throw new SafetensorsException(
            "%s: tensor %s has shape %s, the configuration asks for %s"
                .formatted(file, name, Arrays.toString(shape), Arrays.toString(expected)));
      }
    }

    private void convert(long from, int count, float[] into, int offset) {
      switch (type) {
        case F32 ->
            MemorySegment.copy(
                data, ValueLayout.JAVA_FLOAT_UNALIGNED, from * 4, into, offset, count);
        case BF16 -> {
          // In one copy: a segment's single elements are slow to get before they are compiled.
          short[] bits = new short[count];
          MemorySegment.copy(data, SHORT, from * 2, bits, 0, count);
          for (int i = 0; i < count; i++) {
            into[offset + i] = Bf16.toFloat(bits[i]);
          }
        }
        case F16 -> {
          for (int i = 0; i < count; i++) {
            into[offset + i] = Float.float16ToFloat(data.get(SHORT, (from + i) * 2));
          }
        }
        case U8 -> {
          for (int i = 0; i < count; i++) {
            into[offset + i] = data.get(ValueLayout.JAVA_BYTE, from + i) & 0xff;
          }
        }
      }
    }

    /** The raw bytes. */
    public byte[] bytes() {
      return data.toArray(ValueLayout.JAVA_BYTE);
    }

    int intAt(long index) {
      return data.get(INT, index * 4);
    }
  }

  private final Path file;
  private final Arena arena;
  private final MemorySegment mapped;
  private final Map<String, Entry> entries;
  private final Map<String, String> metadata;

  private SafetensorsFile(
      Path file,
      Arena arena,
      MemorySegment mapped,
      Map<String, Entry> entries,
      Map<String, String> metadata) {
    this.file = file;
    this.arena = arena;
    this.mapped = mapped;
    this.entries = entries;
    this.metadata = metadata;
  }

  /**
   * Maps a file.
   *
   * @throws SafetensorsException where it is missing, truncated or malformed
   */
  public static SafetensorsFile open(Path file) {
    Arena arena = Arena.ofShared();
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      long size = channel.size();
      if (size < 8) {
        throw new SafetensorsException(
            "%s: truncated: %d bytes hold no header".formatted(file, size));
      }
      MemorySegment all = channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena);
      long headerLength = all.get(LONG, 0);
      if (headerLength <= 0 || headerLength > Math.min(size - 8, 100_000_000)) {
        throw new SafetensorsException(
            "%s: truncated or no safetensors file: header of %d bytes in a file of %d"
                .formatted(file, headerLength, size));
      }
      String header =
          new String(
              all.asSlice(8, headerLength).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
      MemorySegment body = all.asSlice(8 + headerLength);
      Map<String, Entry> entries = new LinkedHashMap<>();
      Map<String, String> metadata = new LinkedHashMap<>();
      for (Map.Entry<String, JsonNode> field : JSON.readTree(header).properties()) {
        if (field.getKey().equals("__metadata__")) {
          field
              .getValue()
              .properties()
              .forEach(e -> metadata.put(e.getKey(), e.getValue().asText()));
        } else {
          entries.put(field.getKey(), entry(file, field.getKey(), field.getValue(), body));
        }
      }
      return new SafetensorsFile(file, arena, all, entries, metadata);
    } catch (java.nio.file.NoSuchFileException e) {
      arena.close();
      throw new SafetensorsException(file + ": no such file", e);
    } catch (JsonProcessingException e) {
      arena.close();
      throw new SafetensorsException(file + ": the header is not JSON", e);
    } catch (IOException e) {
      arena.close();
      throw new SafetensorsException("%s: cannot be read: %s".formatted(file, e.getMessage()), e);
    } catch (RuntimeException e) {
      arena.close();
      throw e;
    }
  }

  private static Entry entry(Path file, String name, JsonNode node, MemorySegment body) {
    DType type;
    try {
      type = DType.valueOf(node.path("dtype").asText());
    } catch (IllegalArgumentException e) {
      throw new SafetensorsException(
          "%s: tensor %s has type %s; F32, BF16, F16 and U8 are read"
              .formatted(file, name, node.path("dtype").asText()),
          e);
    }
    int[] shape = new int[node.path("shape").size()];
    long size = type.bytes();
    for (int i = 0; i < shape.length; i++) {
      shape[i] = node.get("shape").get(i).asInt();
      size *= shape[i];
    }
    long from = node.path("data_offsets").path(0).asLong(-1);
    long to = node.path("data_offsets").path(1).asLong(-1);
    if (from < 0 || to - from != size) {
      throw new SafetensorsException(
          "%s: tensor %s: %d bytes stored for a shape of %d"
              .formatted(file, name, to - from, size));
    }
    if (to > body.byteSize()) {
      throw new SafetensorsException(
          "%s: truncated: tensor %s ends at byte %d of %d"
              .formatted(file, name, to, body.byteSize()));
    }
    return new Entry(name, type, shape, body.asSlice(from, size), file);
  }

  public Path file() {
    return file;
  }

  public Map<String, Entry> entries() {
    return Collections.unmodifiableMap(entries);
  }

  public Map<String, String> metadata() {
    return Collections.unmodifiableMap(metadata);
  }

  /**
   * The tensor of that name.
   *
   * @throws SafetensorsException where there is none
   */
  public Entry get(String name) {
    Entry entry = entries.get(name);
    if (entry == null) {
      throw new SafetensorsException("%s: tensor %s is missing".formatted(file, name));
    }
    return entry;
  }

  /** Lets go of what has been read: pages of the mapping that count as this process's memory. */
  public void release() {
    mapped.unload();
  }

  /** Unmaps the file; its entries may not be read any more. */
  @Override
  public void close() {
    arena.close();
  }
}
