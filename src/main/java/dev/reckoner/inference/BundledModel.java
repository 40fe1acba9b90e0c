package dev.reckoner.inference;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.CodeSource;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.apache.commons.codec.digest.DigestUtils;

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
    Path named = cache.resolve(hash());
    if (Files.isDirectory(named)) {
      return named;
    }
    Files.createDirectories(cache);
    Path fresh = Files.createTempDirectory(cache, "copying-");
    for (String name : files()) {
      try (InputStream in = resource(name).openStream()) {
        Files.copy(in, fresh.resolve(name));
      }
    }
    try {
      Files.move(fresh, named, StandardCopyOption.ATOMIC_MOVE);
    } catch (FileSystemException e) {
      if (!Files.isDirectory(named)) {
        throw e;
      }
      // Another process was faster.
      for (String name : files()) {
        Files.deleteIfExists(fresh.resolve(name));
      }
      Files.delete(fresh);
    }
    return named;
  }

  /**
   * The first 16 hexadecimal digits of a SHA-256 over all files: over the checksums that the jar
   * has of them, so that a start need not unpack them all to learn that they are copied already.
   */
  private static String hash() throws IOException {
    MessageDigest sha = DigestUtils.getSha256Digest();
    try (ZipFile jar = ownJar()) {
      for (String name : files()) {
        ZipEntry entry = jar == null ? null : jar.getEntry(FOLDER + name);
        if (entry != null && entry.getCrc() != -1) {
          DigestUtils.updateDigest(
              sha, "%s %d %08x\n".formatted(name, entry.getSize(), entry.getCrc()));
        } else {
          try (InputStream in = resource(name).openStream()) {
            DigestUtils.updateDigest(sha, in);
          }
        }
      }
    }
    return HexFormat.of().formatHex(sha.digest(), 0, 8);
  }

  /**
   * The jar that this class is in, or null. A resource's connection would tell too, but the class
   * loader of a packaged service opens connections of its own that do not.
   */
  private static ZipFile ownJar() {
    CodeSource source = BundledModel.class.getProtectionDomain().getCodeSource();
    try {
      return source == null ? null : new ZipFile(Path.of(source.getLocation().toURI()).toFile());
    } catch (URISyntaxException | IllegalArgumentException | IOException e) {
      return null; // classes in a directory, or in a jar in a jar: their resources are read instead
    }
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
    if (resource(ConfidenceMap.FILE) != null) {
      files.add(ConfidenceMap.FILE);
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
}
