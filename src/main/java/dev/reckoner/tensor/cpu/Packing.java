package dev.reckoner.tensor.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorSpecies;

/** The operand layouts {@link Tile} reads. */
final class Packing {
  private static final int W = Tile.WIDTH;

  // Vectors of one width throughout: C2 trusts what it has seen of the Vector API's methods, and
  // where some were of another width it boxes those of the kernels, which made attention three
  // times slower in one process of five.
  private static final VectorSpecies<Float> S = VectorMath.S;
  private static final int L = VectorMath.L;

  private Packing() {}

  /**
   * Packs A {@code [m, k]}, element (i, p) at {@code off + i * rs + p * cs}, as tiles of {@link
   * Tile#height} rows from the top, each {@code [k][rows]}; row i's tile begins at {@code to + i *
   * k}.
   */
  static void packA(float[] a, int off, int rs, int cs, int m, int k, float[] to, int toOff) {
    for (int i = 0; i < m; ) {
      int h = Tile.height(m - i);
      packTile(a, off + i * rs, rs, cs, h, k, to, toOff + i * k);
      i += h;
    }
  }

  private static void packTile(
      float[] a, int off, int rs, int cs, int h, int k, float[] to, int toOff) {
    if (rs == 1 && h >= 8 && h <= L) {
      VectorMask<Float> rows = S.indexInRange(0, h);
      for (int p = 0; p < k; p++) {
        FloatVector.fromArray(S, a, off + p * cs, rows).intoArray(to, toOff + p * h, rows);
      }
    } else if (rs == 1) {
      for (int p = 0; p < k; p++) {
        int from = off + p * cs;
        int at = toOff + p * h;
        // a loop: so few elements are copied before arraycopy has begun
        for (int i = 0; i < h; i++) {
          to[at + i] = a[from + i];
        }
      }
    } else if (cs == 1 && h == 8) {
      packTile8(a, off, rs, k, to, toOff);
    } else if (cs == 1 && h == 12) {
      PackTile512.pack(a, off, rs, k, to, toOff);
    } else if (cs == 1 && h == 1) {
      System.arraycopy(a, off, to, toOff, k);
    } else {
      for (int i = 0; i < h; i++) {
        int from = off + i * rs;
        int at = toOff + i;
        for (int p = 0; p < k; p++) {
          to[at] = a[from];
          from += cs;
          at += h;
        }
      }
    }
  }

  /** Eight rows at once: eight streams are read, whole lines are written. */
  private static void packTile8(float[] a, int off, int rs, int k, float[] to, int toOff) {
    int r1 = off + rs;
    int r2 = off + 2 * rs;
    int r3 = off + 3 * rs;
    int r4 = off + 4 * rs;
    int r5 = off + 5 * rs;
    int r6 = off + 6 * rs;
    int r7 = off + 7 * rs;
    for (int p = 0; p < k; p++) {
      int at = toOff + 8 * p;
      to[at] = a[off + p];
      to[at + 1] = a[r1 + p];
      to[at + 2] = a[r2 + p];
      to[at + 3] = a[r3 + p];
      to[at + 4] = a[r4 + p];
      to[at + 5] = a[r5 + p];
      to[at + 6] = a[r6 + p];
      to[at + 7] = a[r7 + p];
    }
  }

  /**
   * Packs A {@code [m, k]}, whose row i begins at {@code off + i * stride}, as panels {@code
   * [m][32]}, one after the other; columns from k on are zero.
   */
  static void packRows(float[] a, int off, int stride, int m, int k, float[] to) {
    for (int p = 0; p < k; p += W) {
      packPanel(a, off, stride, 1, m, p, k, to, p * m);
    }
  }

  /**
   * Packs columns {@code [n0, n0 + 32)} of B {@code [k, n]}, element (p, j) at {@code off + p * rs
   * + j * cs}, as {@code [k][32]}; columns from {@code n} on are zero.
   */
  static void packPanel(
      float[] b, int off, int rs, int cs, int k, int n0, int n, float[] to, int toOff) {
    int width = Math.min(W, n - n0);
    if (cs == 1 && width == W) {
      for (int p = 0; p < k; p++) {
        int from = off + p * rs + n0;
        int at = toOff + p * W;
        // by vectors: so few elements are copied before arraycopy has begun
        for (int j = 0; j < W; j += L) {
          FloatVector.fromArray(S, b, from + j).intoArray(to, at + j);
        }
      }
    } else if (cs == 1) {
      for (int p = 0; p < k; p++) {
        System.arraycopy(b, off + p * rs + n0, to, toOff + p * W, width);
      }
    } else {
      // 8 columns at a time read 8 streams and write whole cache lines
      for (int j = 0; j < width; j++) {
        int from = off + (n0 + j) * cs;
        int at = toOff + j;
        for (int p = 0; p < k; p++) {
          to[at] = b[from];
          from += rs;
          at += W;
        }
      }
    }
    if (width < W) {
      for (int p = 0; p < k; p++) {
        java.util.Arrays.fill(to, toOff + p * W + width, toOff + p * W + W, 0f);
      }
    }
  }
}
