package dev.reckoner.gemma;

/** Rotary position tables: cosines then sines of each position, {@code [positions, headDim]}. */
final class Rope {
  private Rope() {}

  /**
   * @param theta base of the frequencies {@code theta^(-2i/headDim)}
   * @param factor linear scaling: positions are divided by it
   */
  static float[] table(int positions, int headDim, double theta, double factor) {
    int half = headDim / 2;
    float[] table = new float[Math.multiplyExact(positions, headDim)];
    for (int i = 0; i < half; i++) {
      float frequency = (float) (1 / Math.pow(theta, 2.0 * i / headDim) / factor);
      for (int p = 0; p < positions; p++) {
        double angle = p * frequency;
        table[p * headDim + i] = (float) Math.cos(angle);
        table[p * headDim + half + i] = (float) Math.sin(angle);
      }
    }
    return table;
  }
}
