package dev.reckoner.gemma;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.tensor.Nf4;
import dev.reckoner.tensor.Nf4Tensor;
import dev.reckoner.tensor.SafetensorsException;
import dev.reckoner.tensor.SafetensorsFile;
import dev.reckoner.tensor.WeightSource;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.apache.commons.codec.digest.DigestUtils;

/**
 * The weights of a Hugging Face directory: {@code model.safetensors}, or the shards of its index.
 */
final class Checkpoint implements Weights {
  private static final List<String> PREFIXES = List.of("", "language_model.", "model.language_");

  private final Path dir;
  private final Map<Path, SafetensorsFile> files;
  private final Map<String, SafetensorsFile.Entry> entries = new LinkedHashMap<>();
  private final String prefix;

  private Checkpoint(Path dir, Map<Path, SafetensorsFile> files) {
    this.dir = dir;
    this.files = files;
    files.values().forEach(f -> entries.putAll(f.entries()));
    prefix =
        PREFIXES.stream()
            .filter(p -> entries.containsKey(p + "model.embed_tokens.weight"))
            .findFirst()
            .orElse("");
  }

  static Checkpoint open(Path dir) {
    Map<Path, SafetensorsFile> files = new LinkedHashMap<>();
    try {
      for (Path file : weightFiles(dir)) {
        files.put(file, SafetensorsFile.open(file));
      }
      return new Checkpoint(dir, files);
    } catch (RuntimeException e) {
      files.values().forEach(SafetensorsFile::close);
      throw e;
    }
  }

  private static Iterable<Path> weightFiles(Path dir) {
    Path index = dir.resolve("model.safetensors.index.json");
    if (!Files.exists(index)) {
      return List.of(dir.resolve("model.safetensors"));
    }
    try {
      JsonNode map = new ObjectMapper().readTree(Files.readAllBytes(index)).path("weight_map");
      TreeSet<Path> files = new TreeSet<>();
      map.forEach(name -> files.add(dir.resolve(name.asText())));
      if (files.isEmpty()) {
        throw new ModelFormatException(index + ": weight_map is missing or empty");
      }
      return files;
    } catch (IOException e) {
      throw new ModelFormatException(
          "%s: %s".formatted(index, String.valueOf(e.getMessage()).lines().findFirst().orElse("")),
          e);
    }
  }

  private SafetensorsFile.Entry entry(String name) {
    SafetensorsFile.Entry entry = entries.get(prefix + name);
    if (entry == null) {
      throw new SafetensorsException(
          "%s: tensor %s is missing".formatted(dir.resolve("model.safetensors"), prefix + name));
    }
    return entry;
  }

  @Override
  public WeightSource matrix(String name, int rows, int columns) {
    if (!BitsAndBytes.quantised(entries, prefix + name)) {
      return entry(name).weights(rows, columns);
    }
    Nf4Tensor stored = BitsAndBytes.read(entries, prefix + name, rows, columns);
    return WeightSource.of(
        rows, columns, (row, into, offset) -> Nf4.dequantise(stored, row, into, offset));
  }

  @Override
  public Nf4Tensor nf4(String name, int rows, int columns) {
    return BitsAndBytes.quantised(entries, prefix + name)
        ? BitsAndBytes.read(entries, prefix + name, rows, columns)
        : Nf4.quantise(matrix(name, rows, columns));
  }

  @Override
  public float[] vector(String name, int size) {
    return entry(name).values(size);
  }

  @Override
  public void release() {
    files.values().forEach(SafetensorsFile::release);
  }

  @Override
  public String hash() {
    MessageDigest sha = DigestUtils.getSha256Digest();
    byte[] buffer = new byte[1 << 20];
    update(sha, dir.resolve("config.json"), buffer);
    files.keySet().forEach(f -> update(sha, f, buffer));
    return HexFormat.of().formatHex(sha.digest());
  }

  /** Bytes of all weight files. */
  long bytes() {
    return files.keySet().stream().mapToLong(f -> f.toFile().length()).sum();
  }

  /** Changes when one of the files is replaced or written: from their paths, sizes and times. */
  String stamp() {
    StringBuilder text = new StringBuilder();
    Stream.concat(Stream.of(dir.resolve("config.json")), files.keySet().stream())
        .map(Path::toFile)
        .map(f -> "%s %d %d%n".formatted(f.getAbsolutePath(), f.length(), f.lastModified()))
        .forEach(text::append);
    return DigestUtils.sha256Hex(text.toString());
  }

  private static void update(MessageDigest sha, Path file, byte[] buffer) {
    try (InputStream in = Files.newInputStream(file)) {
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        sha.update(buffer, 0, n);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(file + " cannot be read", e);
    }
  }

  @Override
  public void close() {
    files.values().forEach(SafetensorsFile::close);
  }
}
