package dev.reckoner.tensor;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Writes one safetensors file: tensors in the order they were added, the same input always the same
 * bytes. The file appears under its name only when complete.
 */
public final class SafetensorsWriter {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** Values of one tensor, made when they are written. */
  @FunctionalInterface
  public interface Values {
    float[] get();
  }

  private record Pending(String name, DType type, int[] shape, Values values) {
    long bytes() {
      long n = type.bytes();
      for (int d : shape) {
        n *= d;
      }
      return n;
    }
  }

  private final List<Pending> tensors = new ArrayList<>();
  private final Map<String, String> metadata = new TreeMap<>(Map.of("format", "pt"));

  public SafetensorsWriter metadata(String key, String value) {
    metadata.put(key, value);
    return this;
  }

  /** Adds a tensor of type F32 or BF16 (rounded to nearest even). */
  public SafetensorsWriter add(String name, DType type, int[] shape, Values values) {
    if (type != DType.F32 && type != DType.BF16) {
      throw new IllegalArgumentException("written as F32 or BF16, not " + type);
    }
    tensors.add(new Pending(name, type, shape.clone(), values));
    return this;
  }

  /** Bytes of tensor data added so far. */
  public long bytes() {
    return tensors.stream().mapToLong(Pending::bytes).sum();
  }

  public List<String> names() {
    return tensors.stream().map(Pending::name).toList();
  }

  public void write(Path file) {
    ObjectNode header = JSON.createObjectNode();
    ObjectNode meta = header.putObject("__metadata__");
    metadata.forEach(meta::put);
    long offset = 0;
    for (Pending t : tensors) {
      ObjectNode node = header.putObject(t.name);
      node.put("dtype", t.type.name());
      var shape = node.putArray("shape");
      for (int d : t.shape) {
        shape.add(d);
      }
      node.putArray("data_offsets").add(offset).add(offset + t.bytes());
      offset += t.bytes();
    }
    byte[] json = header.toString().getBytes(StandardCharsets.UTF_8);
    int padded = (json.length + 7) / 8 * 8;
    Path partial = file.resolveSibling(file.getFileName() + ".partial");
    try {
      try (FileChannel channel =
          FileChannel.open(
              partial,
              StandardOpenOption.CREATE,
              StandardOpenOption.TRUNCATE_EXISTING,
              StandardOpenOption.WRITE)) {
        ByteBuffer head = ByteBuffer.allocate(8 + padded).order(ByteOrder.LITTLE_ENDIAN);
        head.putLong(padded).put(json);
        while (head.hasRemaining()) {
          head.put((byte) ' ');
        }
        writeFully(channel, head.flip());
        for (Pending t : tensors) {
          writeValues(channel, t);
        }
      }
      Files.move(
          partial, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw new UncheckedIOException(file + " could not be written", e);
    }
  }

  private static void writeValues(FileChannel channel, Pending t) throws IOException {
    float[] values = t.values.get();
    if ((long) values.length * t.type.bytes() != t.bytes()) {
      throw new IllegalStateException("%s: %d values".formatted(t.name, values.length));
    }
    int chunk = 1 << 20;
    ByteBuffer buffer =
        ByteBuffer.allocate(Math.min(values.length, chunk) * t.type.bytes())
            .order(ByteOrder.LITTLE_ENDIAN);
    for (int from = 0; from < values.length; from += chunk) {
      buffer.clear();
      int to = Math.min(values.length, from + chunk);
      for (int i = from; i < to; i++) {
        if (t.type == DType.F32) {
          buffer.putFloat(values[i]);
        } else {
          buffer.putShort(Bf16.fromFloat(values[i]));
        }
      }
      writeFully(channel, buffer.flip());
    }
  }

  private static void writeFully(FileChannel channel, ByteBuffer buffer) throws IOException {
    while (buffer.hasRemaining()) {
      channel.write(buffer);
    }
  }
}
