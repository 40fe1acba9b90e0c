package dev.reckoner.gemma;

import dev.reckoner.tensor.Nf4;
import dev.reckoner.tensor.Nf4Tensor;
import dev.reckoner.tensor.WeightSource;
import java.util.SplittableRandom;
import org.apache.commons.codec.digest.DigestUtils;

/** Where a model's weights come from, by their checkpoint names. */
interface Weights extends AutoCloseable {
  WeightSource matrix(String name, int rows, int columns);

  /** The NF4 form of a matrix: as stored, or quantised now. */
  default Nf4Tensor nf4(String name, int rows, int columns) {
    return Nf4.quantise(matrix(name, rows, columns));
  }

  float[] vector(String name, int size);

  /** Gives back memory that holds what has been read; reading goes on as before. */
  default void release() {}

  /** SHA-256 over configuration and weights. */
  String hash();

  @Override
  void close();

  /**
   * Random weights: normal with standard deviation 0.02, norms zero. Each row has a generator of
   * its own, so that rows can be made in any order.
   */
  static Weights random(GemmaConfig config, long seed) {
    return new Weights() {
      @Override
      public WeightSource matrix(String name, int rows, int columns) {
        long matrixSeed = seed * 31 + name.hashCode();
        return WeightSource.of(
            rows,
            columns,
            (row, into, offset) -> {
              SplittableRandom random = new SplittableRandom(matrixSeed * 1_000_003 + row);
              for (int i = 0; i < columns; i++) {
                into[offset + i] = (float) (random.nextGaussian() * 0.02);
              }
            });
      }

      @Override
      public float[] vector(String name, int size) {
        return new float[size];
      }

      @Override
      public String hash() {
        return DigestUtils.sha256Hex("random %d %s".formatted(seed, config.toJson()));
      }

      @Override
      public void close() {}
    };
  }
}
