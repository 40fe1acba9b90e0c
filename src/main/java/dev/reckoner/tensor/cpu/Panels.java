package dev.reckoner.tensor.cpu;

/** The right operand B {@code [k, n]} of a product, delivered as panels of 32 columns. */
interface Panels {
  int k();

  int n();

  /**
   * The array that holds rows {@code [k0, k0 + kc)} of panel {@code p} as {@code [kc][32]}: its
   * own, or {@code scratch} filled now (from index 0).
   */
  float[] panel(int p, int k0, int kc, float[] scratch);

  /** Where those rows begin in the array that {@link #panel} gave. */
  default int at(int p, int k0) {
    return 0;
  }

  /** B as a strided array: element (p, j) at {@code off + p * rs + j * cs}. */
  static Panels strided(float[] b, int off, int rs, int cs, int k, int n) {
    return new Panels() {
      @Override
      public int k() {
        return k;
      }

      @Override
      public int n() {
        return n;
      }

      @Override
      public float[] panel(int p, int k0, int kc, float[] scratch) {
        Packing.packPanel(b, off + k0 * rs, rs, cs, kc, p * Tile.WIDTH, n, scratch, 0);
        return scratch;
      }
    };
  }
}
