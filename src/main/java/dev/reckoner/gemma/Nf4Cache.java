package dev.reckoner.gemma;

import dev.reckoner.tensor.Nf4;
import dev.reckoner.tensor.Nf4Tensor;
import dev.reckoner.tensor.WeightSource;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import java.util.zip.CheckedInputStream;
import java.util.zip.CheckedOutputStream;

/**
 * NF4 weights kept on disk, so that a checkpoint is quantised once: one file for each content hash,
 * tensors in the order they were asked for, a checksum at its end. A damaged file is made again, a
 * directory that cannot be written costs a warning; what is loaded is the same bytes in every case.
 * Besides, the content hash of a checkpoint is remembered for as long as its files keep their sizes
 * and times.
 */
final class Nf4Cache implements Weights {
  private static final System.Logger LOG = System.getLogger(Nf4Cache.class.getName());
  private static final byte[] FORMAT = "reckoner nf4 1\n".getBytes(StandardCharsets.US_ASCII);
  private static final String SUFFIX = ".nf4";
  private static final int BUFFER = 1 << 20;

  /** Files kept; the one used longest ago goes first. */
  static final int KEPT = 4;

  private record Place(int rows, int columns, long at) {}

  private final Weights source;
  private final Path directory;
  private final Path file;
  private final String hash;
  private Map<String, Place> places;
  private RandomAccessFile reader;
  private Path fresh;
  private CheckedOutputStream checked;
  private DataOutputStream writer;

  private Nf4Cache(Weights source, Path directory, String hash) {
    this.source = source;
    this.directory = directory;
    this.hash = hash;
    this.file = directory.resolve(hash + SUFFIX);
  }

  /**
   * The cache of {@code source} in {@code directory}.
   *
   * @param source stays the caller's to close
   * @param stamp changes when the checkpoint's files do
   */
  static Nf4Cache of(Weights source, String stamp, Path directory) {
    Nf4Cache cache = new Nf4Cache(source, directory, rememberedHash(source, stamp, directory));
    cache.openForReading();
    if (cache.places == null) {
      cache.openForWriting();
    }
    return cache;
  }

  private static String rememberedHash(Weights source, String stamp, Path directory) {
    Path remembered = directory.resolve(stamp + ".hash");
    try {
      String text = Files.readString(remembered);
      if (text.matches("[0-9a-f]{64}")) {
        return text;
      }
    } catch (IOException _) {
      // not remembered yet
    }
    String hash = source.hash();
    try {
      Files.createDirectories(directory);
      Path part = Files.createTempFile(directory, "hash", ".part");
      Files.writeString(part, hash);
      Files.move(part, remembered, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException _) {
      // whoever cannot write here is told when it comes to the weights
    }
    return hash;
  }

  private static void unwritable(Path directory, IOException e) {
    LOG.log(
        System.Logger.Level.WARNING,
        "quantised weights cannot be kept in %s (%s): the next start quantises again"
            .formatted(directory, e));
  }

  // ---- reading

  private void openForReading() {
    if (!Files.isRegularFile(file)) {
      return;
    }
    try {
      places = index();
      reader = new RandomAccessFile(file.toFile(), "r");
      Files.setLastModifiedTime(file, FileTime.from(Instant.now()));
    } catch (IOException | IllegalArgumentException e) {
      places = null;
      LOG.log(
          System.Logger.Level.WARNING,
          "%s is damaged (%s): the weights are quantised again"
              .formatted(file, String.valueOf(e.getMessage()).lines().findFirst().orElse("")));
    }
  }

  /** Where each tensor lies, after the whole file has passed its checksum. */
  private Map<String, Place> index() throws IOException {
    Map<String, Place> found = new HashMap<>();
    long left = Files.size(file);
    CheckedInputStream sum =
        new CheckedInputStream(
            new BufferedInputStream(Files.newInputStream(file), BUFFER), new CRC32C());
    try (DataInputStream in = new DataInputStream(sum)) {
      if (!Arrays.equals(in.readNBytes(FORMAT.length), FORMAT)) {
        throw new IOException("another format");
      }
      long at = FORMAT.length;
      byte[] buffer = new byte[BUFFER];
      for (String name = in.readUTF(); !name.isEmpty(); name = in.readUTF()) {
        at += 2 + name.getBytes(StandardCharsets.UTF_8).length + 8;
        int rows = in.readInt();
        int columns = in.readInt();
        Place place = new Place(rows, columns, at);
        long bytes = bytes(place);
        if (rows <= 0 || columns <= 0 || bytes > left) {
          throw new EOFException("truncated at " + name);
        }
        for (long n = bytes; n > 0; ) {
          int step = (int) Math.min(n, buffer.length);
          in.readFully(buffer, 0, step);
          n -= step;
        }
        found.put(name, place);
        at += bytes;
      }
      long expected = sum.getChecksum().getValue();
      if (in.readLong() != expected || in.read() >= 0) {
        throw new IOException("its checksum differs");
      }
    } catch (EOFException e) {
      throw new IOException("truncated", e);
    }
    return found;
  }

  private static long blocks(Place p) {
    return (long) p.rows * p.columns / Nf4.BLOCK;
  }

  private static int groups(Place p) {
    int group = Nf4.SCALE_BLOCK;
    return Math.toIntExact((blocks(p) + group - 1) / group);
  }

  private static long bytes(Place p) {
    return (long) p.rows * p.columns / 2 + blocks(p) + 4L * groups(p) + 4;
  }

  private Nf4Tensor read(Place p) throws IOException {
    byte[] codes = new byte[Math.toIntExact((long) p.rows * p.columns / 2)];
    byte[] absmax = new byte[Math.toIntExact(blocks(p))];
    byte[] rest = new byte[4 * groups(p) + 4];
    reader.seek(p.at);
    reader.readFully(codes);
    reader.readFully(absmax);
    reader.readFully(rest);
    FloatBuffer floats = ByteBuffer.wrap(rest).asFloatBuffer();
    float[] absmax2 = new float[groups(p)];
    floats.get(absmax2);
    return new Nf4Tensor(p.rows, p.columns, codes, absmax, absmax2, floats.get());
  }

  // ---- writing

  private void openForWriting() {
    try {
      Files.createDirectories(directory);
      fresh = Files.createTempFile(directory, "nf4", ".part");
      checked =
          new CheckedOutputStream(
              new BufferedOutputStream(Files.newOutputStream(fresh), BUFFER), new CRC32C());
      writer = new DataOutputStream(checked);
      writer.write(FORMAT);
    } catch (IOException e) {
      giveUp(e);
    }
  }

  private void write(String name, Nf4Tensor t) {
    try {
      writer.writeUTF(name);
      writer.writeInt(t.rows());
      writer.writeInt(t.columns());
      writer.write(t.codes());
      writer.write(t.absmax());
      for (float f : t.absmax2()) {
        writer.writeFloat(f);
      }
      writer.writeFloat(t.offset());
    } catch (IOException e) {
      giveUp(e);
    }
  }

  private void giveUp(IOException e) {
    unwritable(directory, e);
    dropUnfinished();
  }

  private void dropUnfinished() {
    try {
      if (writer != null) {
        writer.close();
      }
    } catch (IOException _) {
      // a full disk: the file goes in any case
    }
    try {
      if (fresh != null) {
        Files.deleteIfExists(fresh);
      }
    } catch (IOException _) {
      // it stays behind as a .part file
    }
    writer = null;
    fresh = null;
  }

  /** To be called when every tensor has been asked for: the file gets its name. */
  void complete() {
    if (writer == null) {
      return;
    }
    try {
      writer.writeUTF("");
      writer.writeLong(checked.getChecksum().getValue());
      writer.close();
      Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
      writer = null;
      fresh = null;
      dropOldest();
    } catch (IOException e) {
      giveUp(e);
    }
  }

  private void dropOldest() throws IOException {
    try (Stream<Path> all = Files.list(directory)) {
      List<Path> files =
          all.filter(f -> f.toString().endsWith(SUFFIX))
              .sorted(Comparator.comparingLong(f -> -f.toFile().lastModified()))
              .toList();
      for (Path old : files.subList(Math.min(KEPT, files.size()), files.size())) {
        Files.deleteIfExists(old);
      }
    }
  }

  // ---- weights

  @Override
  public WeightSource matrix(String name, int rows, int columns) {
    return source.matrix(name, rows, columns);
  }

  @Override
  public Nf4Tensor nf4(String name, int rows, int columns) {
    Place place = places == null ? null : places.get(name);
    if (place != null && place.rows == rows && place.columns == columns) {
      try {
        return read(place);
      } catch (IOException e) {
        LOG.log(System.Logger.Level.WARNING, "%s cannot be read: %s".formatted(file, e));
      }
    }
    Nf4Tensor made = source.nf4(name, rows, columns);
    if (writer != null) {
      write(name, made);
    }
    return made;
  }

  @Override
  public float[] vector(String name, int size) {
    return source.vector(name, size);
  }

  @Override
  public void release() {
    source.release();
  }

  @Override
  public String hash() {
    return hash;
  }

  /** Closes the file; one that was not {@link #complete completed} goes. */
  @Override
  public void close() {
    dropUnfinished();
    if (reader != null) {
      try {
        reader.close();
      } catch (IOException _) {
        // it was only read
      }
    }
  }
}
