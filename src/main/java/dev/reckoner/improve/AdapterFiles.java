package dev.reckoner.improve;

import java.io.IOException;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.commons.codec.digest.DigestUtils;

/**
 * The files of one PEFT adapter: {@code adapter_config.json} and {@code adapter_model.safetensors}.
 *
 * @param content file name to bytes, sorted by name
 */
record AdapterFiles(SortedMap<String, byte[]> content) {

  static final String CONFIG = "adapter_config.json";
  static final String WEIGHTS = "adapter_model.safetensors";

  AdapterFiles {
    if (!content.keySet().equals(java.util.Set.of(CONFIG, WEIGHTS))) {
      throw new IllegalArgumentException(
          "an adapter is " + CONFIG + " and " + WEIGHTS + ", not " + content.keySet());
    }
  }

  /** Reads the two files of a PEFT directory; others, such as optimiser state, stay behind. */
  static AdapterFiles read(Path directory) throws IOException {
    SortedMap<String, byte[]> content = new TreeMap<>();
    for (String name : new String[] {CONFIG, WEIGHTS}) {
      Path file = directory.resolve(name);
      if (!Files.isRegularFile(file)) {
        throw new IOException(directory + " is not an adapter: it has no " + name);
      }
      content.put(name, Files.readAllBytes(file));
    }
    return new AdapterFiles(content);
  }

  /** SHA-256 of each file, by name. */
  SortedMap<String, String> fileHashes() {
    return content.entrySet().stream()
        .collect(
            Collectors.toMap(
                Map.Entry::getKey,
                e -> DigestUtils.sha256Hex(e.getValue()),
                (a, b) -> a,
                TreeMap::new));
  }

  /** SHA-256 over the lines {@code <file hash> <name>\n}, as {@code sha256sum} prints them. */
  String hash() {
    return DigestUtils.sha256Hex(
        fileHashes().entrySet().stream()
            .map(e -> e.getValue() + "  " + e.getKey() + "\n")
            .collect(Collectors.joining()));
  }

  /** Writes the files so that {@code directory} either holds all of them or does not exist. */
  void write(Path directory) throws IOException {
    Files.createDirectories(directory.getParent());
    Path partial =
        Files.createTempDirectory(directory.getParent(), directory.getFileName() + ".partial");
    try {
      for (Map.Entry<String, byte[]> file : content.entrySet()) {
        Files.write(partial.resolve(file.getKey()), file.getValue());
      }
      delete(directory);
      try {
        Files.move(partial, directory, StandardCopyOption.ATOMIC_MOVE);
      } catch (AtomicMoveNotSupportedException e) {
        Files.move(partial, directory);
      }
    } finally {
      delete(partial);
    }
  }

  private static void delete(Path directory) throws IOException {
    if (!Files.exists(directory)) {
      return;
    }
    try (Stream<Path> walk = Files.walk(directory)) {
      for (Path path : walk.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(path);
      }
    }
  }
}
