package dev.reckoner.tensor;

/**
 * The mask of dropout as a function of (seed, element), so that the backward pass and every backend
 * draw the same one without storing it.
 */
public final class Dropout {
  private Dropout() {}

  /**
   * Whether element {@code index} (row * columns + column) survives with drop probability {@code
   * p}: the upper 32 bits of the SplitMix64 finaliser of {@code seed + index * golden}, compared
   * with {@code p * 2^32}.
   */
  public static boolean keep(long seed, long index, float p) {
    long z = seed + (index + 1) * 0x9E3779B97F4A7C15L;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    z ^= z >>> 31;
    return (z >>> 32) >= (long) (p * 4294967296.0);
  }
}
