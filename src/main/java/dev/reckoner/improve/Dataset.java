package dev.reckoner.improve;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.UUID;
import org.apache.commons.codec.digest.DigestUtils;

/**
 * An immutable snapshot of what a run learns from. Its files:
 *
 * <ul>
 *   <li>{@code train.jsonl}: supervised conversations, {@code {"id", "use", "messages": [...]}}
 *   <li>{@code preferences.jsonl}: {@code {"id", "messages", "prefix", "chosen", "rejected"}},
 *       where the prefix is the chain up to the first wrong step
 *   <li>{@code rejections.jsonl}: what reviewers turned down, kept for methods that learn from it
 * </ul>
 *
 * @param files name to content, sorted by name
 * @param items which analyses went in, and as what
 * @param counts samples, preferences, rejections, replay, and what was left out and why
 */
record Dataset(
    SortedMap<String, String> files,
    SortedMap<UUID, ValidatedChain.Use> items,
    SortedMap<String, Integer> counts) {

  static final String TRAIN = "train.jsonl";
  static final String PREFERENCES = "preferences.jsonl";
  static final String REJECTIONS = "rejections.jsonl";

  /** SHA-256 over the lines {@code <file hash> <name>} of the files. */
  String hash() {
    StringBuilder lines = new StringBuilder();
    files.forEach(
        (name, content) ->
            lines.append(DigestUtils.sha256Hex(content)).append("  ").append(name).append('\n'));
    return DigestUtils.sha256Hex(lines.toString());
  }

  /**
   * Reads what {@link #write} wrote, without the items, which are in the database.
   *
   * @return nothing where the files are not there, or no longer what they were
   */
  static Optional<Dataset> read(Path root, String hash) throws IOException {
    Path directory = root.resolve(hash);
    SortedMap<String, String> files = new TreeMap<>();
    for (String name : List.of(TRAIN, PREFERENCES, REJECTIONS)) {
      if (!Files.exists(directory.resolve(name))) {
        return Optional.empty();
      }
      files.put(name, Files.readString(directory.resolve(name)));
    }
    SortedMap<String, Integer> counts = new TreeMap<>();
    CanonicalJson.MAPPER
        .readTree(Files.readString(directory.resolve("card.json")))
        .path("counts")
        .properties()
        .forEach(count -> counts.put(count.getKey(), count.getValue().asInt()));
    Dataset dataset = new Dataset(files, new TreeMap<>(), counts);
    return dataset.hash().equals(hash) ? Optional.of(dataset) : Optional.empty();
  }

  int count(String name) {
    return counts.getOrDefault(name, 0);
  }

  /**
   * Writes the snapshot to {@code root/<hash>} with its card, if it is not there already.
   *
   * @return the directory
   */
  Path write(Path root, String card) throws IOException {
    Path directory = root.resolve(hash());
    SortedMap<String, String> all = new TreeMap<>(files);
    all.put("card.json", card);
    Files.createDirectories(directory);
    for (Map.Entry<String, String> file : all.entrySet()) {
      Path target = directory.resolve(file.getKey());
      Path partial = directory.resolve(file.getKey() + ".partial");
      Files.write(partial, file.getValue().getBytes(StandardCharsets.UTF_8));
      Files.move(
          partial,
          target,
          java.nio.file.StandardCopyOption.ATOMIC_MOVE,
          java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    }
    return directory;
  }
}
