package dev.reckoner.teacher;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
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
import java.util.ArrayList;
import java.util.List;

/**
 * Every answer of a teacher, as JSON Lines: first how it is asked, then one line a sample. A line
 * is written and forced to disk at once; one that a crash cut off is dropped when the file is
 * opened again, and its sample asked anew. Only one process may hold it. Safe for use by several
 * threads.
 */
final class Journal implements AutoCloseable {

  private static final ObjectMapper JSON = new ObjectMapper();

  /** How a run asks; answers of two ways do not mix. */
  record Header(String model, String prompt, Double temperature) {}

  /**
   * One sample.
   *
   * @param number of the sample among those of its problem, from 0
   * @param chain the accepted chain, or {@code null}
   * @param rejection why there is none, or {@code null}
   * @param answer what the teacher wrote
   * @param requests how many were sent for it
   */
  record Entry(
      String problem,
      int number,
      String chain,
      String rejection,
      String answer,
      long requests,
      long tokens) {}

  private final FileChannel channel;
  private final List<Entry> entries;

  private Journal(FileChannel channel, List<Entry> entries) {
    this.channel = channel;
    this.entries = entries;
  }

  /**
   * Opens a journal, or begins one.
   *
   * @throws TeacherException where it is of another way to ask, held by another process, or not a
   *     journal
   */
  static Journal open(Path file, Header header) throws IOException {
    Files.createDirectories(file.toAbsolutePath().getParent());
    FileChannel channel =
        FileChannel.open(
            file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
    try {
      lock(channel, file);
      byte[] bytes = Files.readAllBytes(file);
      int whole = bytes.length;
      while (whole > 0 && bytes[whole - 1] != '\n') {
        whole--;
      }
      channel.truncate(whole);
      channel.position(whole);
      List<String> lines = new String(bytes, 0, whole, StandardCharsets.UTF_8).lines().toList();
      Journal journal = new Journal(channel, new ArrayList<>());
      if (lines.isEmpty()) {
        journal.write(JSON.writeValueAsString(header));
        return journal;
      }
      for (int i = 0; i < lines.size(); i++) {
        try {
          if (i == 0) {
            journal.check(file, header, JSON.readTree(lines.get(0)));
          } else {
            journal.entries.add(JSON.readValue(lines.get(i), Entry.class));
          }
        } catch (JsonProcessingException e) {
          throw new TeacherException(
              "%s, line %d is no line of a journal; name another --out".formatted(file, i + 1), e);
        }
      }
      return journal;
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  private static void lock(FileChannel channel, Path file) throws IOException {
    FileLock lock;
    try {
      lock = channel.tryLock();
    } catch (OverlappingFileLockException e) {
      lock = null;
    }
    if (lock == null) {
      throw new TeacherException(file + " is in use by another run; wait for it to end");
    }
  }

  private void check(Path file, Header wanted, JsonNode found) {
    if (!found.equals(JSON.valueToTree(wanted))) {
      throw new TeacherException(
          "%s was begun in another way (%s, now %s); name another --out"
              .formatted(file, found, JSON.valueToTree(wanted)));
    }
  }

  /** What is in it, in the order written. */
  synchronized List<Entry> entries() {
    return List.copyOf(entries);
  }

  /** Adds a line. When this returns, a crash does not lose it. */
  synchronized void add(Entry entry) {
    try {
      write(JSON.writeValueAsString(entry));
      entries.add(entry);
    } catch (IOException e) {
      throw new UncheckedIOException("the journal could not be written: " + e.getMessage(), e);
    }
  }

  private void write(String line) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap((line + "\n").getBytes(StandardCharsets.UTF_8));
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
    channel.force(false);
  }

  @Override
  public synchronized void close() throws IOException {
    channel.close();
  }
}
