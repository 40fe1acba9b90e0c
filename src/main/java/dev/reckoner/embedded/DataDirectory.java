package dev.reckoner.embedded;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.time.temporal.ChronoUnit;

/**
 * The directory that holds everything embedded, locked for this process.
 *
 * <p>The lock is the operating system's lock on the file {@code lock}, so that it goes away with
 * its holder however that ends; the file's text says who holds it.
 */
public final class DataDirectory implements AutoCloseable {

  private final Path path;
  private final FileChannel channel;
  private final FileLock lock;

  private DataDirectory(Path path, FileChannel channel, FileLock lock) {
    this.path = path;
    this.channel = channel;
    this.lock = lock;
  }

  /**
   * Creates the directory where needed and locks it.
   *
   * @param path where
   * @param holder what a second process tells its user, for example {@code reckoner demo}
   * @throws EmbeddedException if another process holds it, or it can not be written
   */
  public static DataDirectory lock(Path path, String holder) {
    Path directory = path.toAbsolutePath().normalize();
    Path file = directory.resolve("lock");
    FileChannel channel = null;
    try {
      Files.createDirectories(directory);
      channel =
          FileChannel.open(
              file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
      FileLock lock = tryLock(channel);
      if (lock == null) {
        String by = Files.readString(file).strip();
        channel.close();
        throw new EmbeddedException(
            "the data directory %s is in use by %s; stop that process or choose another with --data-dir"
                .formatted(directory, by.isEmpty() ? "another process" : by));
      }
      String text =
          "process %d (%s, since %s)\n"
              .formatted(
                  ProcessHandle.current().pid(),
                  holder,
                  Instant.now().truncatedTo(ChronoUnit.SECONDS));
      channel.truncate(0);
      channel.write(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)), 0);
      channel.force(true);
      return new DataDirectory(directory, channel, lock);
    } catch (IOException e) {
      closeQuietly(channel, e);
      throw new EmbeddedException(
          "the data directory %s can not be used (%s); choose another with --data-dir"
              .formatted(directory, e.getMessage()),
          e);
    }
  }

  private static FileLock tryLock(FileChannel channel) throws IOException {
    try {
      return channel.tryLock();
    } catch (OverlappingFileLockException e) {
      return null; // held by this very process
    }
  }

  private static void closeQuietly(FileChannel channel, IOException into) {
    try {
      if (channel != null) {
        channel.close();
      }
    } catch (IOException e) {
      into.addSuppressed(e);
    }
  }

  /** The absolute path. */
  public Path path() {
    return path;
  }

  /** Releases the lock; the directory stays. */
  @Override
  public void close() {
    try {
      channel.truncate(0);
      lock.release();
      channel.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
