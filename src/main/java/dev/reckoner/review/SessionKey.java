package dev.reckoner.review;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.HexFormat;

/**
 * The key that encrypts session cookies: one for each data directory, so that a restart signs
 * nobody out and no two installations share one.
 */
public final class SessionKey {

  /** Quarkus' own key; configured, it takes precedence. */
  public static final String PROPERTY = "quarkus.http.auth.session.encryption-key";

  private static final String ENVIRONMENT = "QUARKUS_HTTP_AUTH_SESSION_ENCRYPTION_KEY";

  private SessionKey() {}

  /**
   * Reads or creates {@code session.key} and hands it to Quarkus, unless a key is configured. Must
   * run before Quarkus starts.
   *
   * @param dataDir an existing directory
   */
  public static void install(Path dataDir) {
    if (System.getProperty(PROPERTY) == null && System.getenv(ENVIRONMENT) == null) {
      System.setProperty(PROPERTY, readOrCreate(dataDir.resolve("session.key")));
    }
  }

  static String readOrCreate(Path file) {
    try {
      try {
        byte[] key = new byte[32];
        new SecureRandom().nextBytes(key);
        Files.createFile(file, ownerOnly());
        Files.writeString(file, HexFormat.of().formatHex(key), StandardOpenOption.WRITE);
      } catch (FileAlreadyExistsException expected) {
        // kept from an earlier start
      }
      String key = Files.readString(file, StandardCharsets.US_ASCII).strip();
      if (key.length() < 32) {
        throw new IllegalStateException(
            file + " is damaged: delete it and start again (everybody has to sign in again)");
      }
      return key;
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot read or write " + file + ": " + e.getMessage(), e);
    }
  }

  private static FileAttribute<?>[] ownerOnly() {
    return FileSystems.getDefault().supportedFileAttributeViews().contains("posix")
        ? new FileAttribute<?>[] {
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"))
        }
        : new FileAttribute<?>[0];
  }
}
