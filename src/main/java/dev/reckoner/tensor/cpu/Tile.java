package dev.reckoner.tensor.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The inner kernels of every matrix product: a tile of 12, 8, 4, 2 or 1 rows of A by 32 columns of
 * B. Each element is one chain of fused multiply-adds over ascending k, whatever the tile, so a
 * row's result does not depend on the rows beside it.
 *
 * <p>A is packed {@code [k][rows of the tile]}, B is {@code [k][32]}, C is {@code [rows][32]}. A
 * row stride of B that is no constant would cost a third of the speed. The kernels are written
 * flat: a method call inside makes C2 box vectors.
 */
final class Tile {
  /** Columns of a panel of B. */
  static final int WIDTH = 32;

  private static final VectorSpecies<Float> S = FloatVector.SPECIES_PREFERRED;
  private static final int L = S.length();
  private static final boolean NARROW = L == 8;

  private Tile() {}

  /**
   * Rows of the largest tile. 32 vector registers hold the sums of twelve rows, and a step's two
   * vectors of B, which mostly straddle cache lines, serve half as many multiply-adds more.
   */
  static final int TALLEST = L == 16 ? 12 : 8;

  /** Whole tiles, whichever they are: where A is shared out, it is in blocks of a multiple. */
  static final int BLOCK = 24;

  /** Rows of the largest tile for {@code m} remaining rows. */
  static int height(int m) {
    return m >= TALLEST ? TALLEST : m >= 8 ? 8 : m >= 4 ? 4 : m >= 2 ? 2 : 1;
  }

  /** {@code C += A B} over {@code k} steps. */
  static void multiply(int height, int k, float[] a, int ao, float[] b, int bo, float[] c, int co) {
    multiply(height, WIDTH, k, a, ao, b, bo, c, co);
  }

  /** The same where only the first {@code width} columns count; the others may be left out. */
  static void multiply(
      int height, int width, int k, float[] a, int ao, float[] b, int bo, float[] c, int co) {
    if (NARROW) {
      NarrowTile.multiply(height, width, k, a, ao, b, bo, c, co);
      return;
    }
    switch (height) {
      case 12 -> multiply12(k, a, ao, b, bo, c, co);
      case 8 -> multiply8(k, a, ao, b, bo, c, co);
      case 4 -> multiply4(k, a, ao, b, bo, c, co);
      case 2 -> multiply2(k, a, ao, b, bo, c, co);
      default -> multiply1(k, a, ao, b, bo, c, co);
    }
  }

  /**
   * {@code C += scale * (A B)} where scale is one factor a column, {@code scale[so .. so + 32)}:
   * one block of NF4.
   */
  static void multiplyScaled(
      int height,
      int k,
      float[] a,
      int ao,
      float[] b,
      int bo,
      float[] scale,
      int so,
      float[] c,
      int co) {
    if (NARROW) {
      NarrowTile.multiplyScaled(height, k, a, ao, b, bo, scale, so, c, co);
      return;
    }
    switch (height) {
      case 12 -> multiplyScaled12(k, a, ao, b, bo, scale, so, c, co);
      case 8 -> multiplyScaled8(k, a, ao, b, bo, scale, so, c, co);
      case 4 -> multiplyScaled4(k, a, ao, b, bo, scale, so, c, co);
      case 2 -> multiplyScaled2(k, a, ao, b, bo, scale, so, c, co);
      default -> multiplyScaled1(k, a, ao, b, bo, scale, so, c, co);
    }
  }

  private static void multiply12(int k, float[] a, int ao, float[] b, int bo, float[] c, int co) {
    for (int h = 0; h < WIDTH; h += 2 * L) {
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
      FloatVector c80 = FloatVector.fromArray(S, c, co + 256 + h);
      FloatVector c81 = FloatVector.fromArray(S, c, co + 256 + h + L);
      FloatVector c90 = FloatVector.fromArray(S, c, co + 288 + h);
      FloatVector c91 = FloatVector.fromArray(S, c, co + 288 + h + L);
      FloatVector ca0 = FloatVector.fromArray(S, c, co + 320 + h);
      FloatVector ca1 = FloatVector.fromArray(S, c, co + 320 + h + L);
      FloatVector cb0 = FloatVector.fromArray(S, c, co + 352 + h);
      FloatVector cb1 = FloatVector.fromArray(S, c, co + 352 + h + L);
      int at = ao;
      int bt = bo + h;
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
        FloatVector a8 = FloatVector.broadcast(S, a[at + 8]);
        c80 = a8.fma(b0, c80);
        c81 = a8.fma(b1, c81);
        FloatVector a9 = FloatVector.broadcast(S, a[at + 9]);
        c90 = a9.fma(b0, c90);
        c91 = a9.fma(b1, c91);
        FloatVector aa = FloatVector.broadcast(S, a[at + 10]);
        ca0 = aa.fma(b0, ca0);
        ca1 = aa.fma(b1, ca1);
        FloatVector ab = FloatVector.broadcast(S, a[at + 11]);
        cb0 = ab.fma(b0, cb0);
        cb1 = ab.fma(b1, cb1);
        at += 12;
        bt += WIDTH;
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
      c80.intoArray(c, co + 256 + h);
      c81.intoArray(c, co + 256 + h + L);
      c90.intoArray(c, co + 288 + h);
      c91.intoArray(c, co + 288 + h + L);
      ca0.intoArray(c, co + 320 + h);
      ca1.intoArray(c, co + 320 + h + L);
      cb0.intoArray(c, co + 352 + h);
      cb1.intoArray(c, co + 352 + h + L);
    }
  }

  private static void multiply8(int k, float[] a, int ao, float[] b, int bo, float[] c, int co) {
    for (int h = 0; h < WIDTH; h += 2 * L) {
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
      int at = ao;
      int bt = bo + h;
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
        at += 8;
        bt += WIDTH;
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

  private static void multiply4(int k, float[] a, int ao, float[] b, int bo, float[] c, int co) {
    for (int h = 0; h < WIDTH; h += 2 * L) {
      FloatVector c00 = FloatVector.fromArray(S, c, co + h);
      FloatVector c01 = FloatVector.fromArray(S, c, co + h + L);
      FloatVector c10 = FloatVector.fromArray(S, c, co + 32 + h);
      FloatVector c11 = FloatVector.fromArray(S, c, co + 32 + h + L);
      FloatVector c20 = FloatVector.fromArray(S, c, co + 64 + h);
      FloatVector c21 = FloatVector.fromArray(S, c, co + 64 + h + L);
      FloatVector c30 = FloatVector.fromArray(S, c, co + 96 + h);
      FloatVector c31 = FloatVector.fromArray(S, c, co + 96 + h + L);
      int at = ao;
      int bt = bo + h;
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
        at += 4;
        bt += WIDTH;
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

  private static void multiply2(int k, float[] a, int ao, float[] b, int bo, float[] c, int co) {
    for (int h = 0; h < WIDTH; h += 2 * L) {
      FloatVector c00 = FloatVector.fromArray(S, c, co + h);
      FloatVector c01 = FloatVector.fromArray(S, c, co + h + L);
      FloatVector c10 = FloatVector.fromArray(S, c, co + 32 + h);
      FloatVector c11 = FloatVector.fromArray(S, c, co + 32 + h + L);
      int at = ao;
      int bt = bo + h;
      for (int p = 0; p < k; p++) {
        FloatVector b0 = FloatVector.fromArray(S, b, bt);
        FloatVector b1 = FloatVector.fromArray(S, b, bt + L);
        FloatVector a0 = FloatVector.broadcast(S, a[at]);
        c00 = a0.fma(b0, c00);
        c01 = a0.fma(b1, c01);
        FloatVector a1 = FloatVector.broadcast(S, a[at + 1]);
        c10 = a1.fma(b0, c10);
        c11 = a1.fma(b1, c11);
        at += 2;
        bt += WIDTH;
      }
      c00.intoArray(c, co + h);
      c01.intoArray(c, co + h + L);
      c10.intoArray(c, co + 32 + h);
      c11.intoArray(c, co + 32 + h + L);
    }
  }

  private static void multiply1(int k, float[] a, int ao, float[] b, int bo, float[] c, int co) {
    for (int h = 0; h < WIDTH; h += 2 * L) {
      FloatVector c00 = FloatVector.fromArray(S, c, co + h);
      FloatVector c01 = FloatVector.fromArray(S, c, co + h + L);
      int at = ao;
      int bt = bo + h;
      for (int p = 0; p < k; p++) {
        FloatVector b0 = FloatVector.fromArray(S, b, bt);
        FloatVector b1 = FloatVector.fromArray(S, b, bt + L);
        FloatVector a0 = FloatVector.broadcast(S, a[at]);
        c00 = a0.fma(b0, c00);
        c01 = a0.fma(b1, c01);
        at += 1;
        bt += WIDTH;
      }
      c00.intoArray(c, co + h);
      c01.intoArray(c, co + h + L);
    }
  }

  private static void multiplyScaled12(
      int k, float[] a, int ao, float[] b, int bo, float[] scale, int so, float[] c, int co) {
    for (int h = 0; h < WIDTH; h += 2 * L) {
      FloatVector c00 = FloatVector.zero(S);
      FloatVector c01 = FloatVector.zero(S);
      FloatVector c10 = FloatVector.zero(S);
      FloatVector c11 = FloatVector.zero(S);
      FloatVector c20 = FloatVector.zero(S);
      FloatVector c21 = FloatVector.zero(S);
      FloatVector c30 = FloatVector.zero(S);
      FloatVector c31 = FloatVector.zero(S);
      FloatVector c40 = FloatVector.zero(S);
      FloatVector c41 = FloatVector.zero(S);
      FloatVector c50 = FloatVector.zero(S);
      FloatVector c51 = FloatVector.zero(S);
      FloatVector c60 = FloatVector.zero(S);
      FloatVector c61 = FloatVector.zero(S);
      FloatVector c70 = FloatVector.zero(S);
      FloatVector c71 = FloatVector.zero(S);
      FloatVector c80 = FloatVector.zero(S);
      FloatVector c81 = FloatVector.zero(S);
      FloatVector c90 = FloatVector.zero(S);
      FloatVector c91 = FloatVector.zero(S);
      FloatVector ca0 = FloatVector.zero(S);
      FloatVector ca1 = FloatVector.zero(S);
      FloatVector cb0 = FloatVector.zero(S);
      FloatVector cb1 = FloatVector.zero(S);
      int at = ao;
      int bt = bo + h;
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
        FloatVector a8 = FloatVector.broadcast(S, a[at + 8]);
        c80 = a8.fma(b0, c80);
        c81 = a8.fma(b1, c81);
        FloatVector a9 = FloatVector.broadcast(S, a[at + 9]);
        c90 = a9.fma(b0, c90);
        c91 = a9.fma(b1, c91);
        FloatVector aa = FloatVector.broadcast(S, a[at + 10]);
        ca0 = aa.fma(b0, ca0);
        ca1 = aa.fma(b1, ca1);
        FloatVector ab = FloatVector.broadcast(S, a[at + 11]);
        cb0 = ab.fma(b0, cb0);
        cb1 = ab.fma(b1, cb1);
        at += 12;
        bt += WIDTH;
      }
      FloatVector s0 = FloatVector.fromArray(S, scale, so + h);
      FloatVector s1 = FloatVector.fromArray(S, scale, so + h + L);
      c00.fma(s0, FloatVector.fromArray(S, c, co + h)).intoArray(c, co + h);
      c01.fma(s1, FloatVector.fromArray(S, c, co + h + L)).intoArray(c, co + h + L);
      c10.fma(s0, FloatVector.fromArray(S, c, co + 32 + h)).intoArray(c, co + 32 + h);
      c11.fma(s1, FloatVector.fromArray(S, c, co + 32 + h + L)).intoArray(c, co + 32 + h + L);
      c20.fma(s0, FloatVector.fromArray(S, c, co + 64 + h)).intoArray(c, co + 64 + h);
      c21.fma(s1, FloatVector.fromArray(S, c, co + 64 + h + L)).intoArray(c, co + 64 + h + L);
      c30.fma(s0, FloatVector.fromArray(S, c, co + 96 + h)).intoArray(c, co + 96 + h);
      c31.fma(s1, FloatVector.fromArray(S, c, co + 96 + h + L)).intoArray(c, co + 96 + h + L);
      c40.fma(s0, FloatVector.fromArray(S, c, co + 128 + h)).intoArray(c, co + 128 + h);
      c41.fma(s1, FloatVector.fromArray(S, c, co + 128 + h + L)).intoArray(c, co + 128 + h + L);
      c50.fma(s0, FloatVector.fromArray(S, c, co + 160 + h)).intoArray(c, co + 160 + h);
      c51.fma(s1, FloatVector.fromArray(S, c, co + 160 + h + L)).intoArray(c, co + 160 + h + L);
      c60.fma(s0, FloatVector.fromArray(S, c, co + 192 + h)).intoArray(c, co + 192 + h);
      c61.fma(s1, FloatVector.fromArray(S, c, co + 192 + h + L)).intoArray(c, co + 192 + h + L);
      c70.fma(s0, FloatVector.fromArray(S, c, co + 224 + h)).intoArray(c, co + 224 + h);
      c71.fma(s1, FloatVector.fromArray(S, c, co + 224 + h + L)).intoArray(c, co + 224 + h + L);
      c80.fma(s0, FloatVector.fromArray(S, c, co + 256 + h)).intoArray(c, co + 256 + h);
      c81.fma(s1, FloatVector.fromArray(S, c, co + 256 + h + L)).intoArray(c, co + 256 + h + L);
      c90.fma(s0, FloatVector.fromArray(S, c, co + 288 + h)).intoArray(c, co + 288 + h);
      c91.fma(s1, FloatVector.fromArray(S, c, co + 288 + h + L)).intoArray(c, co + 288 + h + L);
      ca0.fma(s0, FloatVector.fromArray(S, c, co + 320 + h)).intoArray(c, co + 320 + h);
      ca1.fma(s1, FloatVector.fromArray(S, c, co + 320 + h + L)).intoArray(c, co + 320 + h + L);
      cb0.fma(s0, FloatVector.fromArray(S, c, co + 352 + h)).intoArray(c, co + 352 + h);
      cb1.fma(s1, FloatVector.fromArray(S, c, co + 352 + h + L)).intoArray(c, co + 352 + h + L);
    }
  }

  private static void multiplyScaled8(
      int k, float[] a, int ao, float[] b, int bo, float[] scale, int so, float[] c, int co) {
    for (int h = 0; h < WIDTH; h += 2 * L) {
      FloatVector c00 = FloatVector.zero(S);
      FloatVector c01 = FloatVector.zero(S);
      FloatVector c10 = FloatVector.zero(S);
      FloatVector c11 = FloatVector.zero(S);
      FloatVector c20 = FloatVector.zero(S);
      FloatVector c21 = FloatVector.zero(S);
      FloatVector c30 = FloatVector.zero(S);
      FloatVector c31 = FloatVector.zero(S);
      FloatVector c40 = FloatVector.zero(S);
      FloatVector c41 = FloatVector.zero(S);
      FloatVector c50 = FloatVector.zero(S);
      FloatVector c51 = FloatVector.zero(S);
      FloatVector c60 = FloatVector.zero(S);
      FloatVector c61 = FloatVector.zero(S);
      FloatVector c70 = FloatVector.zero(S);
      FloatVector c71 = FloatVector.zero(S);
      int at = ao;
      int bt = bo + h;
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
        at += 8;
        bt += WIDTH;
      }
      FloatVector s0 = FloatVector.fromArray(S, scale, so + h);
      FloatVector s1 = FloatVector.fromArray(S, scale, so + h + L);
      c00.fma(s0, FloatVector.fromArray(S, c, co + h)).intoArray(c, co + h);
      c01.fma(s1, FloatVector.fromArray(S, c, co + h + L)).intoArray(c, co + h + L);
      c10.fma(s0, FloatVector.fromArray(S, c, co + 32 + h)).intoArray(c, co + 32 + h);
      c11.fma(s1, FloatVector.fromArray(S, c, co + 32 + h + L)).intoArray(c, co + 32 + h + L);
      c20.fma(s0, FloatVector.fromArray(S, c, co + 64 + h)).intoArray(c, co + 64 + h);
      c21.fma(s1, FloatVector.fromArray(S, c, co + 64 + h + L)).intoArray(c, co + 64 + h + L);
      c30.fma(s0, FloatVector.fromArray(S, c, co + 96 + h)).intoArray(c, co + 96 + h);
      c31.fma(s1, FloatVector.fromArray(S, c, co + 96 + h + L)).intoArray(c, co + 96 + h + L);
      c40.fma(s0, FloatVector.fromArray(S, c, co + 128 + h)).intoArray(c, co + 128 + h);
      c41.fma(s1, FloatVector.fromArray(S, c, co + 128 + h + L)).intoArray(c, co + 128 + h + L);
      c50.fma(s0, FloatVector.fromArray(S, c, co + 160 + h)).intoArray(c, co + 160 + h);
      c51.fma(s1, FloatVector.fromArray(S, c, co + 160 + h + L)).intoArray(c, co + 160 + h + L);
      c60.fma(s0, FloatVector.fromArray(S, c, co + 192 + h)).intoArray(c, co + 192 + h);
      c61.fma(s1, FloatVector.fromArray(S, c, co + 192 + h + L)).intoArray(c, co + 192 + h + L);
      c70.fma(s0, FloatVector.fromArray(S, c, co + 224 + h)).intoArray(c, co + 224 + h);
      c71.fma(s1, FloatVector.fromArray(S, c, co + 224 + h + L)).intoArray(c, co + 224 + h + L);
    }
  }

  private static void multiplyScaled4(
      int k, float[] a, int ao, float[] b, int bo, float[] scale, int so, float[] c, int co) {
    for (int h = 0; h < WIDTH; h += 2 * L) {
      FloatVector c00 = FloatVector.zero(S);
      FloatVector c01 = FloatVector.zero(S);
      FloatVector c10 = FloatVector.zero(S);
      FloatVector c11 = FloatVector.zero(S);
      FloatVector c20 = FloatVector.zero(S);
      FloatVector c21 = FloatVector.zero(S);
      FloatVector c30 = FloatVector.zero(S);
      FloatVector c31 = FloatVector.zero(S);
      int at = ao;
      int bt = bo + h;
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
        at += 4;
        bt += WIDTH;
      }
      FloatVector s0 = FloatVector.fromArray(S, scale, so + h);
      FloatVector s1 = FloatVector.fromArray(S, scale, so + h + L);
      c00.fma(s0, FloatVector.fromArray(S, c, co + h)).intoArray(c, co + h);
      c01.fma(s1, FloatVector.fromArray(S, c, co + h + L)).intoArray(c, co + h + L);
      c10.fma(s0, FloatVector.fromArray(S, c, co + 32 + h)).intoArray(c, co + 32 + h);
      c11.fma(s1, FloatVector.fromArray(S, c, co + 32 + h + L)).intoArray(c, co + 32 + h + L);
      c20.fma(s0, FloatVector.fromArray(S, c, co + 64 + h)).intoArray(c, co + 64 + h);
      c21.fma(s1, FloatVector.fromArray(S, c, co + 64 + h + L)).intoArray(c, co + 64 + h + L);
      c30.fma(s0, FloatVector.fromArray(S, c, co + 96 + h)).intoArray(c, co + 96 + h);
      c31.fma(s1, FloatVector.fromArray(S, c, co + 96 + h + L)).intoArray(c, co + 96 + h + L);
    }
  }

  private static void multiplyScaled2(
      int k, float[] a, int ao, float[] b, int bo, float[] scale, int so, float[] c, int co) {
    for (int h = 0; h < WIDTH; h += 2 * L) {
      FloatVector c00 = FloatVector.zero(S);
      FloatVector c01 = FloatVector.zero(S);
      FloatVector c10 = FloatVector.zero(S);
      FloatVector c11 = FloatVector.zero(S);
      int at = ao;
      int bt = bo + h;
      for (int p = 0; p < k; p++) {
        FloatVector b0 = FloatVector.fromArray(S, b, bt);
        FloatVector b1 = FloatVector.fromArray(S, b, bt + L);
        FloatVector a0 = FloatVector.broadcast(S, a[at]);
        c00 = a0.fma(b0, c00);
        c01 = a0.fma(b1, c01);
        FloatVector a1 = FloatVector.broadcast(S, a[at + 1]);
        c10 = a1.fma(b0, c10);
        c11 = a1.fma(b1, c11);
        at += 2;
        bt += WIDTH;
      }
      FloatVector s0 = FloatVector.fromArray(S, scale, so + h);
      FloatVector s1 = FloatVector.fromArray(S, scale, so + h + L);
      c00.fma(s0, FloatVector.fromArray(S, c, co + h)).intoArray(c, co + h);
      c01.fma(s1, FloatVector.fromArray(S, c, co + h + L)).intoArray(c, co + h + L);
      c10.fma(s0, FloatVector.fromArray(S, c, co + 32 + h)).intoArray(c, co + 32 + h);
      c11.fma(s1, FloatVector.fromArray(S, c, co + 32 + h + L)).intoArray(c, co + 32 + h + L);
    }
  }

  private static void multiplyScaled1(
      int k, float[] a, int ao, float[] b, int bo, float[] scale, int so, float[] c, int co) {
    for (int h = 0; h < WIDTH; h += 2 * L) {
      FloatVector c00 = FloatVector.zero(S);
      FloatVector c01 = FloatVector.zero(S);
      int at = ao;
      int bt = bo + h;
      for (int p = 0; p < k; p++) {
        FloatVector b0 = FloatVector.fromArray(S, b, bt);
        FloatVector b1 = FloatVector.fromArray(S, b, bt + L);
        FloatVector a0 = FloatVector.broadcast(S, a[at]);
        c00 = a0.fma(b0, c00);
        c01 = a0.fma(b1, c01);
        at += 1;
        bt += WIDTH;
      }
      FloatVector s0 = FloatVector.fromArray(S, scale, so + h);
      FloatVector s1 = FloatVector.fromArray(S, scale, so + h + L);
      c00.fma(s0, FloatVector.fromArray(S, c, co + h)).intoArray(c, co + h);
      c01.fma(s1, FloatVector.fromArray(S, c, co + h + L)).intoArray(c, co + h + L);
    }
  }
}
