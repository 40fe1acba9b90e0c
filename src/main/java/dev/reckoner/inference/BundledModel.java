package dev.reckoner.inference;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/**
 * The model that ships with the program, under {@code model/} on the class path. Weights are mapped
 * from a file, so they are copied out of the jar once; a copy is known by the hash of its contents.
 */
public final class BundledModel {

  private static final String FOLDER = "model/";
  private static final String INDEX = "model.safetensors.index.json";

  private BundledModel() {}

  /**
   * A directory with the bundled model.
   *
   * @param cache where a copy may be made
   * @throws InferenceException if this build has no model, or the copy cannot be written
   */
  public static Path directory(Path cache) {
    URL config = resource("config.json");
    if (config == null) {
      throw new InferenceException(
          "this build has no bundled model; name a Gemma 3 checkpoint directory with --model"
              + " (reckoner.model.dir)");
    }
    try {
      if (config.getProtocol().equals("file")) {
        return Path.of(config.toURI()).getParent();
      }
      return copy(cache);
    } catch (URISyntaxException e) {
      throw new InferenceException("the bundled model is at no usable place: " + config, e);
    } catch (IOException e) {
      throw new InferenceException(
          "the bundled model could not be copied to %s (%s); choose another --data-dir"
              .formatted(cache, e.getMessage()),
          e);
    }
  }

  private static Path copy(Path cache) throws IOException {
    Files.createDirectories(cache);
    Path fresh = Files.createTempDirectory(cache, "copying-");
    MessageDigest sha = sha256();
    for (String name : files()) {
      try (InputStream in = resource(name).openStream();
          OutputStream out =
              new DigestOutputStream(Files.newOutputStream(fresh.resolve(name)), sha)) {
        in.transferTo(out);
      }
    }
    Path named = cache.resolve(HexFormat.of().formatHex(sha.digest(), 0, 8));
    if (!Files.isDirectory(named)) {
      try {
        Files.move(fresh, named, StandardCopyOption.ATOMIC_MOVE);
        return named;
      } catch (FileAlreadyExistsException e) {
        // another process was faster
      }
    }
    for (String name : files()) {
      Files.deleteIfExists(fresh.resolve(name));
    }
    Files.delete(fresh);
    return named;
  }

  private static List<String> files() throws IOException {
    List<String> files = new ArrayList<>(List.of("config.json", "tokenizer.json"));
    URL index = resource(INDEX);
    if (index == null) {
      files.add("model.safetensors");
    } else {
      files.add(INDEX);
      try (InputStream in = index.openStream()) {
        JsonNode shards = new ObjectMapper().readTree(in).path("weight_map");
        shards.properties().stream()
            .map(entry -> entry.getValue().asText())
            .distinct()
            .sorted()
            .forEach(files::add);
      }
    }
    for (String name : files) {
      if (resource(name) == null) {
        throw new InferenceException("the bundled model lacks " + name);
      }
    }
    return files;
  }

  private static URL resource(String name) {
    ClassLoader loader = Thread.currentThread().getContextClassLoader();
    return (loader == null ? BundledModel.class.getClassLoader() : loader)
        .getResource(FOLDER + name);
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }
}
