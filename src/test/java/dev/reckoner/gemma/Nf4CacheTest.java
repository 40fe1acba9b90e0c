package dev.reckoner.gemma;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.tensor.DType;
import dev.reckoner.tensor.Nf4Tensor;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.WeightSource;
import dev.reckoner.tensor.cpu.CpuBackend;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Quantised weights kept on disk change what a start costs and nothing else. */
class Nf4CacheTest {
  private static final GemmaConfig CONFIG = GemmaOracleTest.shapes().get(1);

  private CpuBackend backend;

  @TempDir private Path dir;
  private Path cache;

  @BeforeEach
  void save() {
    backend = CpuBackend.open(1);
    cache = dir.resolve("cache");
    try (Gemma3 model = GemmaOracleTest.randomModel(CONFIG, backend)) {
      model.save(dir, DType.F32, Long.MAX_VALUE);
    }
  }

  @AfterEach
  void close() {
    backend.close();
  }

  private float[] logits(long cachedFrom) {
    try (Gemma3 model =
            Gemma3.load(dir, backend, Precision.NF4, Precision.BF16, cache, cachedFrom);
        KvCache keyValues = model.newCache(4)) {
      return model.forward(List.of(Segment.of(keyValues, new int[] {1, 2, 3}, null))).get(0)[0];
    }
  }

  private List<Path> files(String suffix) throws IOException {
    try (Stream<Path> all = Files.list(cache)) {
      return all.filter(f -> f.toString().endsWith(suffix)).toList();
    }
  }

  private Path file() throws IOException {
    assertThat(files(".nf4")).hasSize(1);
    return files(".nf4").getFirst();
  }

  @Test
  void aSecondLoadQuantisesNothingAndGivesTheSameBits() throws IOException {
    float[] without = logits(Long.MAX_VALUE);
    assertThat(cache).doesNotExist();
    assertThat(logits(0)).containsExactly(without);
    assertThat(logits(0)).containsExactly(without);
    assertThat(files(".part")).isEmpty();
    try (Checkpoint checkpoint = Checkpoint.open(dir);
        Nf4Cache weights = Nf4Cache.of(readOnly(checkpoint), checkpoint.stamp(), cache)) {
      assertThat(weights.hash()).isEqualTo(checkpoint.hash());
      String name = ModelParts.name(0, Target.DOWN_PROJ.path());
      int rows = Target.DOWN_PROJ.out(CONFIG);
      int columns = Target.DOWN_PROJ.in(CONFIG);
      Nf4Tensor kept = weights.nf4(name, rows, columns);
      Nf4Tensor made = checkpoint.nf4(name, rows, columns);
      assertThat(kept.codes()).containsExactly(made.codes());
      assertThat(kept.absmax()).containsExactly(made.absmax());
      assertThat(kept.absmax2()).containsExactly(made.absmax2());
      assertThat(kept.offset()).isEqualTo(made.offset());
    }
  }

  /** Weights that can neither be quantised nor hashed. */
  private static Weights readOnly(Weights source) {
    return new Weights() {
      @Override
      public WeightSource matrix(String name, int rows, int columns) {
        return source.matrix(name, rows, columns);
      }

      @Override
      public Nf4Tensor nf4(String name, int rows, int columns) {
        throw new AssertionError(name + " is quantised again");
      }

      @Override
      public float[] vector(String name, int size) {
        return source.vector(name, size);
      }

      @Override
      public String hash() {
        throw new AssertionError("hashed again");
      }

      @Override
      public void close() {}
    };
  }

  @Test
  void aDamagedTruncatedOrForeignFileIsMadeAgain() throws IOException {
    float[] expected = logits(0);
    byte[] good = Files.readAllBytes(file());
    byte[] flipped = good.clone();
    flipped[good.length / 2] ^= 1;
    byte[] longer = Arrays.copyOf(good, good.length + 1);
    byte[] foreign = "a file of somebody else".getBytes(java.nio.charset.StandardCharsets.UTF_8);
    for (byte[] bad :
        List.of(flipped, Arrays.copyOf(good, good.length / 3), longer, foreign, new byte[0])) {
      Files.write(file(), bad);
      assertThat(logits(0)).containsExactly(expected);
      assertThat(Files.readAllBytes(file())).containsExactly(good);
    }
  }

  @Test
  void anotherCheckpointHasAFileOfItsOwnAndTheOldestGoes() throws IOException {
    logits(0);
    Path first = file();
    for (int i = 0; i < Nf4Cache.KEPT; i++) {
      Path old = Files.writeString(cache.resolve("old" + i + ".nf4"), "");
      Files.setLastModifiedTime(old, FileTime.fromMillis(1_000L * (i + 1)));
    }
    CpuBackend other = CpuBackend.open(1);
    try (other;
        Gemma3 model = Gemma3.randomTrainable(CONFIG, other, 99)) {
      model.save(dir, DType.F32, Long.MAX_VALUE);
    }
    logits(0);
    assertThat(files(".nf4")).hasSize(Nf4Cache.KEPT).contains(first);
    assertThat(cache.resolve("old0.nf4")).doesNotExist();
    assertThat(cache.resolve("old1.nf4")).doesNotExist();
  }

  @Test
  void aLoadThatIsNotCompletedLeavesNothing() throws IOException {
    try (Checkpoint checkpoint = Checkpoint.open(dir);
        Nf4Cache weights = Nf4Cache.of(checkpoint, checkpoint.stamp(), cache)) {
      String name = ModelParts.name(0, Target.DOWN_PROJ.path());
      weights.nf4(name, Target.DOWN_PROJ.out(CONFIG), Target.DOWN_PROJ.in(CONFIG));
      assertThat(files(".part")).hasSize(1);
    }
    assertThat(files(".nf4")).isEmpty();
    assertThat(files(".part")).isEmpty();
  }

  @Test
  void aDirectoryThatCannotBeWrittenCostsNothingButTime() throws IOException {
    float[] expected = logits(Long.MAX_VALUE);
    Files.writeString(cache, "a file where the directory should be");
    assertThat(logits(0)).containsExactly(expected);
  }
}
