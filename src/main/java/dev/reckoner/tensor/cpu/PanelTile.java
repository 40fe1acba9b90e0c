package dev.reckoner.tensor.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * {@link Tile}'s products where A, too, is panels of 32 columns, {@code [k/32][rows][32]}, as one
 * product's C is: attention multiplies scores as they are, by rows and by columns, without packing
 * them again. Where the next of A's columns is takes a few instructions more than in Tile, which is
 * why other products pack. The same sums in the same order. Written flat, as Tile is.
 */
final class PanelTile {
  private static final int W = Tile.WIDTH;
  private static final VectorSpecies<Float> S = FloatVector.SPECIES_PREFERRED;
  private static final int L = S.length();
  private static final boolean NARROW = L == 8;

  /** Rows of {@link #multiplyTransposed}. */
  static final int TRANSPOSED = 8;

  private PanelTile() {}

  /**
   * {@code C += A B}: A has {@code rows} rows by k columns, B is {@code [k][32]}, C {@code
   * [rows][32]}.
   *
   * @param as from one panel of A to the next
   */
  static void multiply(
      int rows, int k, float[] a, int ao, int as, float[] b, int bo, float[] c, int co) {
    int gap = as - W;
    int i = 0;
    for (; !NARROW && i + 8 <= rows; i += 8) {
      multiply8(k, a, ao + i * W, gap, b, bo, c, co + i * W);
    }
    for (; i + 4 <= rows; i += 4) {
      if (NARROW) {
        narrow4(k, a, ao + i * W, gap, b, bo, c, co + i * W);
        narrow4(k, a, ao + i * W, gap, b, bo + 16, c, co + i * W + 16);
      } else {
        multiply4(k, a, ao + i * W, gap, b, bo, c, co + i * W);
      }
    }
    if (i + 2 <= rows) {
      multiply2(k, a, ao + i * W, gap, b, bo, c, co + i * W);
      i += 2;
    }
    if (i < rows) {
      multiply1(k, a, ao + i * W, gap, b, bo, c, co + i * W);
    }
  }

  /**
   * {@code C += A^T B} for 8 columns of a panel of A, {@code [k][32]}, the first of which begins at
   * {@code ao}; B is {@code [k][32]}, C {@code [8][32]}.
   */
  static void multiplyTransposed(int k, float[] a, int ao, float[] b, int bo, float[] c, int co) {
    if (!NARROW) {
      transposed8(k, a, ao, b, bo, c, co);
      return;
    }
    for (int j = 0; j < W; j += 16) {
      transposed4(k, a, ao, b, bo + j, c, co + j);
      transposed4(k, a, ao + 4, b, bo + j, c, co + 4 * W + j);
    }
  }

  private static void multiply8(
      int k, float[] a, int ao, int gap, float[] b, int bo, float[] c, int co) {
    for (int h = 0; h < W; h += 2 * L) {
      FloatVector c00 = FloatVector.fromArray(S, c, co + h);
      FloatVector c01 = FloatVector.fromArray(S, c, co + h + L);
      FloatVector c10 = FloatVector.fromArray(S, c, co + 32 + h);
      FloatVector c11 = FloatVector.fromArray(S, c, co + 32 + h + L);
      FloatVector c20 = FloatVector.fromArray(S, c, co + 64 + h);
      FloatVector c21 = FloatVector.fromArray(S, c, co + 64 + h + L);
      FloatVector c30 = FloatVector.fromArray(S, c, co + 96 + h);
      FloatVector c31 = FloatVector.fromArray(S, c, co + 96 + h + L);
      FloatVector c40 = FloatVector.fromArray(S, c, co + 128 + h);
      FloatVector c41 = FloatVector.fromArray(S, c, co + 128 + h + L);
      FloatVector c50 = FloatVector.fromArray(S, c, co + 160 + h);
      FloatVector c51 = FloatVector.fromArray(S, c, co + 160 + h + L);
      FloatVector c60 = FloatVector.fromArray(S, c, co + 192 + h);
      FloatVector c61 = FloatVector.fromArray(S, c, co + 192 + h + L);
      FloatVector c70 = FloatVector.fromArray(S, c, co + 224 + h);
      FloatVector c71 = FloatVector.fromArray(S, c, co + 224 + h + L);
      int bt = bo + h;
      for (int p = 0; p < k; p++) {
        int at = ao + p + p / W * gap;
        FloatVector b0 = FloatVector.fromArray(S, b, bt);
        FloatVector b1 = FloatVector.fromArray(S, b, bt + L);
        FloatVector a0 = FloatVector.broadcast(S, a[at]);
        c00 = a0.fma(b0, c00);
        c01 = a0.fma(b1, c01);
        FloatVector a1 = FloatVector.broadcast(S, a[at + 32]);
        c10 = a1.fma(b0, c10);
        c11 = a1.fma(b1, c11);
        FloatVector a2 = FloatVector.broadcast(S, a[at + 64]);
        c20 = a2.fma(b0, c20);
        c21 = a2.fma(b1, c21);
        FloatVector a3 = FloatVector.broadcast(S, a[at + 96]);
        c30 = a3.fma(b0, c30);
        c31 = a3.fma(b1, c31);
        FloatVector a4 = FloatVector.broadcast(S, a[at + 128]);
        c40 = a4.fma(b0, c40);
        c41 = a4.fma(b1, c41);
        FloatVector a5 = FloatVector.broadcast(S, a[at + 160]);
        c50 = a5.fma(b0, c50);
        c51 = a5.fma(b1, c51);
        FloatVector a6 = FloatVector.broadcast(S, a[at + 192]);
        c60 = a6.fma(b0, c60);
        c61 = a6.fma(b1, c61);
        FloatVector a7 = FloatVector.broadcast(S, a[at + 224]);
        c70 = a7.fma(b0, c70);
        c71 = a7.fma(b1, c71);
        bt += W;
      }
      c00.intoArray(c, co + h);
      c01.intoArray(c, co + h + L);
      c10.intoArray(c, co + 32 + h);
      c11.intoArray(c, co + 32 + h + L);
      c20.intoArray(c, co + 64 + h);
      c21.intoArray(c, co + 64 + h + L);
      c30.intoArray(c, co + 96 + h);
      c31.intoArray(c, co + 96 + h + L);
      c40.intoArray(c, co + 128 + h);
      c41.intoArray(c, co + 128 + h + L);
      c50.intoArray(c, co + 160 + h);
      c51.intoArray(c, co + 160 + h + L);
      c60.intoArray(c, co + 192 + h);
      c61.intoArray(c, co + 192 + h + L);
      c70.intoArray(c, co + 224 + h);
      c71.intoArray(c, co + 224 + h + L);
    }
  }

  private static void multiply4(
      int k, float[] a, int ao, int gap, float[] b, int bo, float[] c, int co) {
    for (int h = 0; h < W; h += 2 * L) {
      FloatVector c00 = FloatVector.fromArray(S, c, co + h);
      FloatVector c01 = FloatVector.fromArray(S, c, co + h + L);
      FloatVector c10 = FloatVector.fromArray(S, c, co + 32 + h);
      FloatVector c11 = FloatVector.fromArray(S, c, co + 32 + h + L);
      FloatVector c20 = FloatVector.fromArray(S, c, co + 64 + h);
      FloatVector c21 = FloatVector.fromArray(S, c, co + 64 + h + L);
      FloatVector c30 = FloatVector.fromArray(S, c, co + 96 + h);
      FloatVector c31 = FloatVector.fromArray(S, c, co + 96 + h + L);
      int bt = bo + h;
      for (int p = 0; p < k; p++) {
        int at = ao + p + p / W * gap;
        FloatVector b0 = FloatVector.fromArray(S, b, bt);
        FloatVector b1 = FloatVector.fromArray(S, b, bt + L);
        FloatVector a0 = FloatVector.broadcast(S, a[at]);
        c00 = a0.fma(b0, c00);
        c01 = a0.fma(b1, c01);
        FloatVector a1 = FloatVector.broadcast(S, a[at + 32]);
        c10 = a1.fma(b0, c10);
        c11 = a1.fma(b1, c11);
        FloatVector a2 = FloatVector.broadcast(S, a[at + 64]);
        c20 = a2.fma(b0, c20);
        c21 = a2.fma(b1, c21);
        FloatVector a3 = FloatVector.broadcast(S, a[at + 96]);
        c30 = a3.fma(b0, c30);
        c31 = a3.fma(b1, c31);
        bt += W;
      }
      c00.intoArray(c, co + h);
      c01.intoArray(c, co + h + L);
      c10.intoArray(c, co + 32 + h);
      c11.intoArray(c, co + 32 + h + L);
      c20.intoArray(c, co + 64 + h);
      c21.intoArray(c, co + 64 + h + L);
      c30.intoArray(c, co + 96 + h);
      c31.intoArray(c, co + 96 + h + L);
    }
  }

  /** Two heads of a token that is decoded: half the waiting of one after the other. */
  private static void multiply2(
      int k, float[] a, int ao, int gap, float[] b, int bo, float[] c, int co) {
    for (int h = 0; h < W; h += 2 * L) {
      FloatVector c00 = FloatVector.fromArray(S, c, co + h);
      FloatVector c01 = FloatVector.fromArray(S, c, co + h + L);
      FloatVector c10 = FloatVector.fromArray(S, c, co + 32 + h);
      FloatVector c11 = FloatVector.fromArray(S, c, co + 32 + h + L);
      int bt = bo + h;
      for (int p = 0; p < k; p++) {
        int at = ao + p + p / W * gap;
        FloatVector b0 = FloatVector.fromArray(S, b, bt);
        FloatVector b1 = FloatVector.fromArray(S, b, bt + L);
        FloatVector a0 = FloatVector.broadcast(S, a[at]);
        c00 = a0.fma(b0, c00);
        c01 = a0.fma(b1, c01);
        FloatVector a1 = FloatVector.broadcast(S, a[at + 32]);
        c10 = a1.fma(b0, c10);
        c11 = a1.fma(b1, c11);
        bt += W;
      }
      c00.intoArray(c, co + h);
      c01.intoArray(c, co + h + L);
      c10.intoArray(c, co + 32 + h);
      c11.intoArray(c, co + 32 + h + L);
    }
  }

  private static void multiply1(
      int k, float[] a, int ao, int gap, float[] b, int bo, float[] c, int co) {
    for (int h = 0; h < W; h += 2 * L) {
      FloatVector c00 = FloatVector.fromArray(S, c, co + h);
      FloatVector c01 = FloatVector.fromArray(S, c, co + h + L);
      int bt = bo + h;
      for (int p = 0; p < k; p++) {
        int at = ao + p + p / W * gap;
        FloatVector b0 = FloatVector.fromArray(S, b, bt);
        FloatVector b1 = FloatVector.fromArray(S, b, bt + L);
        FloatVector a0 = FloatVector.broadcast(S, a[at]);
        c00 = a0.fma(b0, c00);
        c01 = a0.fma(b1, c01);
        bt += W;
      }
      c00.intoArray(c, co + h);
      c01.intoArray(c, co + h + L);
    }
  }

  private static void transposed8(int k, float[] a, int ao, float[] b, int bo, float[] c, int co) {
    for (int h = 0; h < W; h += 2 * L) {
      FloatVector c00 = FloatVector.fromArray(S, c, co + h);
      FloatVector c01 = FloatVector.fromArray(S, c, co + h + L);
      FloatVector c10 = FloatVector.fromArray(S, c, co + 32 + h);
      FloatVector c11 = FloatVector.fromArray(S, c, co + 32 + h + L);
      FloatVector c20 = FloatVector.fromArray(S, c, co + 64 + h);
      FloatVector c21 = FloatVector.fromArray(S, c, co + 64 + h + L);
      FloatVector c30 = FloatVector.fromArray(S, c, co + 96 + h);
      FloatVector c31 = FloatVector.fromArray(S, c, co + 96 + h + L);
      FloatVector c40 = FloatVector.fromArray(S, c, co + 128 + h);
      FloatVector c41 = FloatVector.fromArray(S, c, co + 128 + h + L);
      FloatVector c50 = FloatVector.fromArray(S, c, co + 160 + h);
      FloatVector c51 = FloatVector.fromArray(S, c, co + 160 + h + L);
      FloatVector c60 = FloatVector.fromArray(S, c, co + 192 + h);
      FloatVector c61 = FloatVector.fromArray(S, c, co + 192 + h + L);
      FloatVector c70 = FloatVector.fromArray(S, c, co + 224 + h);
      FloatVector c71 = FloatVector.fromArray(S, c, co + 224 + h + L);
      int bt = bo + h;
      int at = ao;
      for (int p = 0; p < k; p++) {
        FloatVector b0 = FloatVector.fromArray(S, b, bt);
        FloatVector b1 = FloatVector.fromArray(S, b, bt + L);
        FloatVector a0 = FloatVector.broadcast(S, a[at]);
        c00 = a0.fma(b0, c00);
        c01 = a0.fma(b1, c01);
        FloatVector a1 = FloatVector.broadcast(S, a[at + 1]);
        c10 = a1.fma(b0, c10);
        c11 = a1.fma(b1, c11);
        FloatVector a2 = FloatVector.broadcast(S, a[at + 2]);
        c20 = a2.fma(b0, c20);
        c21 = a2.fma(b1, c21);
        FloatVector a3 = FloatVector.broadcast(S, a[at + 3]);
        c30 = a3.fma(b0, c30);
        c31 = a3.fma(b1, c31);
        FloatVector a4 = FloatVector.broadcast(S, a[at + 4]);
        c40 = a4.fma(b0, c40);
        c41 = a4.fma(b1, c41);
        FloatVector a5 = FloatVector.broadcast(S, a[at + 5]);
        c50 = a5.fma(b0, c50);
        c51 = a5.fma(b1, c51);
        FloatVector a6 = FloatVector.broadcast(S, a[at + 6]);
        c60 = a6.fma(b0, c60);
        c61 = a6.fma(b1, c61);
        FloatVector a7 = FloatVector.broadcast(S, a[at + 7]);
        c70 = a7.fma(b0, c70);
        c71 = a7.fma(b1, c71);
        at += W;
        bt += W;
      }
      c00.intoArray(c, co + h);
      c01.intoArray(c, co + h + L);
      c10.intoArray(c, co + 32 + h);
      c11.intoArray(c, co + 32 + h + L);
      c20.intoArray(c, co + 64 + h);
      c21.intoArray(c, co + 64 + h + L);
      c30.intoArray(c, co + 96 + h);
      c31.intoArray(c, co + 96 + h + L);
      c40.intoArray(c, co + 128 + h);
      c41.intoArray(c, co + 128 + h + L);
      c50.intoArray(c, co + 160 + h);
      c51.intoArray(c, co + 160 + h + L);
      c60.intoArray(c, co + 192 + h);
      c61.intoArray(c, co + 192 + h + L);
      c70.intoArray(c, co + 224 + h);
      c71.intoArray(c, co + 224 + h + L);
    }
  }

  /** Four rows by 16 columns, by 16 registers. */
  private static void narrow4(
      int k, float[] a, int ao, int gap, float[] b, int bo, float[] c, int co) {
    FloatVector c00 = FloatVector.fromArray(S, c, co);
    FloatVector c01 = FloatVector.fromArray(S, c, co + 8);
    FloatVector c10 = FloatVector.fromArray(S, c, co + 32);
    FloatVector c11 = FloatVector.fromArray(S, c, co + 40);
    FloatVector c20 = FloatVector.fromArray(S, c, co + 64);
    FloatVector c21 = FloatVector.fromArray(S, c, co + 72);
    FloatVector c30 = FloatVector.fromArray(S, c, co + 96);
    FloatVector c31 = FloatVector.fromArray(S, c, co + 104);
    int bt = bo;
    for (int p = 0; p < k; p++) {
      int at = ao + p + p / W * gap;
      FloatVector b0 = FloatVector.fromArray(S, b, bt);
      FloatVector b1 = FloatVector.fromArray(S, b, bt + 8);
      FloatVector a0 = FloatVector.broadcast(S, a[at]);
      c00 = a0.fma(b0, c00);
      c01 = a0.fma(b1, c01);
      FloatVector a1 = FloatVector.broadcast(S, a[at + 32]);
      c10 = a1.fma(b0, c10);
      c11 = a1.fma(b1, c11);
      FloatVector a2 = FloatVector.broadcast(S, a[at + 64]);
      c20 = a2.fma(b0, c20);
      c21 = a2.fma(b1, c21);
      FloatVector a3 = FloatVector.broadcast(S, a[at + 96]);
      c30 = a3.fma(b0, c30);
      c31 = a3.fma(b1, c31);
      bt += W;
    }
    c00.intoArray(c, co);
    c01.intoArray(c, co + 8);
    c10.intoArray(c, co + 32);
    c11.intoArray(c, co + 40);
    c20.intoArray(c, co + 64);
    c21.intoArray(c, co + 72);
    c30.intoArray(c, co + 96);
    c31.intoArray(c, co + 104);
  }

  /** Four rows by 16 columns, by 16 registers. */
  private static void transposed4(int k, float[] a, int ao, float[] b, int bo, float[] c, int co) {
    FloatVector c00 = FloatVector.fromArray(S, c, co);
    FloatVector c01 = FloatVector.fromArray(S, c, co + 8);
    FloatVector c10 = FloatVector.fromArray(S, c, co + 32);
    FloatVector c11 = FloatVector.fromArray(S, c, co + 40);
    FloatVector c20 = FloatVector.fromArray(S, c, co + 64);
    FloatVector c21 = FloatVector.fromArray(S, c, co + 72);
    FloatVector c30 = FloatVector.fromArray(S, c, co + 96);
    FloatVector c31 = FloatVector.fromArray(S, c, co + 104);
    int bt = bo;
    int at = ao;
    for (int p = 0; p < k; p++) {
      FloatVector b0 = FloatVector.fromArray(S, b, bt);
      FloatVector b1 = FloatVector.fromArray(S, b, bt + 8);
      FloatVector a0 = FloatVector.broadcast(S, a[at]);
      c00 = a0.fma(b0, c00);
      c01 = a0.fma(b1, c01);
      FloatVector a1 = FloatVector.broadcast(S, a[at + 1]);
      c10 = a1.fma(b0, c10);
      c11 = a1.fma(b1, c11);
      FloatVector a2 = FloatVector.broadcast(S, a[at + 2]);
      c20 = a2.fma(b0, c20);
      c21 = a2.fma(b1, c21);
      FloatVector a3 = FloatVector.broadcast(S, a[at + 3]);
      c30 = a3.fma(b0, c30);
      c31 = a3.fma(b1, c31);
      at += W;
      bt += W;
    }
    c00.intoArray(c, co);
    c01.intoArray(c, co + 8);
    c10.intoArray(c, co + 32);
    c11.intoArray(c, co + 40);
    c20.intoArray(c, co + 64);
    c21.intoArray(c, co + 72);
    c30.intoArray(c, co + 96);
    c31.intoArray(c, co + 104);
  }
}
