package dev.reckoner.gemma;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.reckoner.tensor.DType;
import dev.reckoner.tensor.SafetensorsWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Writes a model as a Hugging Face directory. */
final class ModelWriter {
  private ModelWriter() {}

  static void write(Path dir, GemmaConfig config, Parameters p, DType type, long shardBytes) {
    if (p == null) {
      throw new IllegalStateException("only a trainable model can be saved");
    }
    List<SafetensorsWriter> shards = new ArrayList<>(List.of(new SafetensorsWriter()));
    for (Parameters.Entry e : p.entries()) {
      long bytes = (long) e.size() * type.bytes();
      if (shards.getLast().bytes() > 0 && shards.getLast().bytes() + bytes > shardBytes) {
        shards.add(new SafetensorsWriter());
      }
      int[] shape = e.rows() == 1 ? new int[] {e.columns()} : new int[] {e.rows(), e.columns()};
      shards.getLast().add(e.name(), type, shape, () -> p.read(e));
    }
    try {
      Files.createDirectories(dir);
      Files.writeString(dir.resolve("config.json"), config.toJson() + "\n");
      if (shards.size() == 1) {
        shards.getFirst().write(dir.resolve("model.safetensors"));
      } else {
        writeShards(dir, shards);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(dir + " could not be written", e);
    }
  }

  private static void writeShards(Path dir, List<SafetensorsWriter> shards) throws IOException {
    ObjectNode index = new ObjectMapper().createObjectNode();
    index
        .putObject("metadata")
        .put("total_size", shards.stream().mapToLong(SafetensorsWriter::bytes).sum());
    ObjectNode map = index.putObject("weight_map");
    for (int i = 0; i < shards.size(); i++) {
      String file = "model-%05d-of-%05d.safetensors".formatted(i + 1, shards.size());
      shards.get(i).names().forEach(n -> map.put(n, file));
      shards.get(i).write(dir.resolve(file));
    }
    Files.writeString(dir.resolve("model.safetensors.index.json"), index.toPrettyString() + "\n");
  }
}
