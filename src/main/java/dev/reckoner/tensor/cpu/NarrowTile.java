package dev.reckoner.tensor.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The products of {@link Tile} for processors with 16 vector registers of 8 lanes, as x86 has them
 * without AVX-512: eight sums at a time, because with more, and what they are summed from, some go
 * through memory at each step, which halves the speed. The sums are the same, in the same order.
 * Nor is there a loop about the loop: that, too, costs the compiler registers.
 */
final class NarrowTile {
  private static final VectorSpecies<Float> S = FloatVector.SPECIES_256;

  private NarrowTile() {}

  /** {@link Tile#multiply}, of the first {@code width} columns or of more. */
  static void multiply(
      int height, int width, int k, float[] a, int ao, float[] b, int bo, float[] c, int co) {
    switch (height) {
      case 8 -> {
        rows4Of8(k, a, ao, b, bo, c, co);
        rows4Of8(k, a, ao + 4, b, bo, c, co + 128);
        if (width > 16) {
          rows4Of8(k, a, ao, b, bo + 16, c, co + 16);
          rows4Of8(k, a, ao + 4, b, bo + 16, c, co + 144);
        }
      }
      case 4 -> {
        rows4(k, a, ao, b, bo, c, co);
        if (width > 16) {
          rows4(k, a, ao, b, bo + 16, c, co + 16);
        }
      }
      case 2 -> rows2(k, a, ao, b, bo, c, co);
      default -> row(k, a, ao, b, bo, c, co);
    }
  }

  /** {@link Tile#multiplyScaled}. */
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
    switch (height) {
      case 8 -> {
        scaledRows4Of8(k, a, ao, b, bo, scale, so, c, co);
        scaledRows4Of8(k, a, ao, b, bo + 16, scale, so + 16, c, co + 16);
        scaledRows4Of8(k, a, ao + 4, b, bo, scale, so, c, co + 128);
        scaledRows4Of8(k, a, ao + 4, b, bo + 16, scale, so + 16, c, co + 144);
      }
      case 4 -> {
        scaledRows4(k, a, ao, b, bo, scale, so, c, co);
        scaledRows4(k, a, ao, b, bo + 16, scale, so + 16, c, co + 16);
      }
      case 2 -> scaledRows2(k, a, ao, b, bo, scale, so, c, co);
      default -> scaledRow(k, a, ao, b, bo, scale, so, c, co);
    }
  }

  /** Four rows of a tile of eight by 16 columns. */
  private static void rows4Of8(int k, float[] a, int ao, float[] b, int bo, float[] c, int co) {
    FloatVector c00 = FloatVector.fromArray(S, c, co);
    FloatVector c01 = FloatVector.fromArray(S, c, co + 8);
    FloatVector c10 = FloatVector.fromArray(S, c, co + 32);
    FloatVector c11 = FloatVector.fromArray(S, c, co + 40);
    FloatVector c20 = FloatVector.fromArray(S, c, co + 64);
    FloatVector c21 = FloatVector.fromArray(S, c, co + 72);
    FloatVector c30 = FloatVector.fromArray(S, c, co + 96);
    FloatVector c31 = FloatVector.fromArray(S, c, co + 104);
    int at = ao;
    int bt = bo;
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
      at += 8;
      bt += 32;
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

  /** A tile of four rows by 16 columns. */
  private static void rows4(int k, float[] a, int ao, float[] b, int bo, float[] c, int co) {
    FloatVector c00 = FloatVector.fromArray(S, c, co);
    FloatVector c01 = FloatVector.fromArray(S, c, co + 8);
    FloatVector c10 = FloatVector.fromArray(S, c, co + 32);
    FloatVector c11 = FloatVector.fromArray(S, c, co + 40);
    FloatVector c20 = FloatVector.fromArray(S, c, co + 64);
    FloatVector c21 = FloatVector.fromArray(S, c, co + 72);
    FloatVector c30 = FloatVector.fromArray(S, c, co + 96);
    FloatVector c31 = FloatVector.fromArray(S, c, co + 104);
    int at = ao;
    int bt = bo;
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
      at += 4;
      bt += 32;
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

  private static void rows2(int k, float[] a, int ao, float[] b, int bo, float[] c, int co) {
    FloatVector c00 = FloatVector.fromArray(S, c, co);
    FloatVector c01 = FloatVector.fromArray(S, c, co + 8);
    FloatVector c02 = FloatVector.fromArray(S, c, co + 16);
    FloatVector c03 = FloatVector.fromArray(S, c, co + 24);
    FloatVector c10 = FloatVector.fromArray(S, c, co + 32);
    FloatVector c11 = FloatVector.fromArray(S, c, co + 40);
    FloatVector c12 = FloatVector.fromArray(S, c, co + 48);
    FloatVector c13 = FloatVector.fromArray(S, c, co + 56);
    int at = ao;
    int bt = bo;
    for (int p = 0; p < k; p++) {
      FloatVector a0 = FloatVector.broadcast(S, a[at]);
      FloatVector a1 = FloatVector.broadcast(S, a[at + 1]);
      FloatVector b0 = FloatVector.fromArray(S, b, bt);
      c00 = a0.fma(b0, c00);
      c10 = a1.fma(b0, c10);
      FloatVector b1 = FloatVector.fromArray(S, b, bt + 8);
      c01 = a0.fma(b1, c01);
      c11 = a1.fma(b1, c11);
      FloatVector b2 = FloatVector.fromArray(S, b, bt + 16);
      c02 = a0.fma(b2, c02);
      c12 = a1.fma(b2, c12);
      FloatVector b3 = FloatVector.fromArray(S, b, bt + 24);
      c03 = a0.fma(b3, c03);
      c13 = a1.fma(b3, c13);
      at += 2;
      bt += 32;
    }
    c00.intoArray(c, co);
    c01.intoArray(c, co + 8);
    c02.intoArray(c, co + 16);
    c03.intoArray(c, co + 24);
    c10.intoArray(c, co + 32);
    c11.intoArray(c, co + 40);
    c12.intoArray(c, co + 48);
    c13.intoArray(c, co + 56);
  }

  private static void row(int k, float[] a, int ao, float[] b, int bo, float[] c, int co) {
    FloatVector c00 = FloatVector.fromArray(S, c, co);
    FloatVector c01 = FloatVector.fromArray(S, c, co + 8);
    FloatVector c02 = FloatVector.fromArray(S, c, co + 16);
    FloatVector c03 = FloatVector.fromArray(S, c, co + 24);
    int at = ao;
    int bt = bo;
    for (int p = 0; p < k; p++) {
      FloatVector a0 = FloatVector.broadcast(S, a[at]);
      FloatVector b0 = FloatVector.fromArray(S, b, bt);
      c00 = a0.fma(b0, c00);
      FloatVector b1 = FloatVector.fromArray(S, b, bt + 8);
      c01 = a0.fma(b1, c01);
      FloatVector b2 = FloatVector.fromArray(S, b, bt + 16);
      c02 = a0.fma(b2, c02);
      FloatVector b3 = FloatVector.fromArray(S, b, bt + 24);
      c03 = a0.fma(b3, c03);
      at += 1;
      bt += 32;
    }
    c00.intoArray(c, co);
    c01.intoArray(c, co + 8);
    c02.intoArray(c, co + 16);
    c03.intoArray(c, co + 24);
  }

  /** Four rows of a tile of eight by 16 columns. */
  private static void scaledRows4Of8(
      int k, float[] a, int ao, float[] b, int bo, float[] scale, int so, float[] c, int co) {
    FloatVector c00 = FloatVector.zero(S);
    FloatVector c01 = FloatVector.zero(S);
    FloatVector c10 = FloatVector.zero(S);
    FloatVector c11 = FloatVector.zero(S);
    FloatVector c20 = FloatVector.zero(S);
    FloatVector c21 = FloatVector.zero(S);
    FloatVector c30 = FloatVector.zero(S);
    FloatVector c31 = FloatVector.zero(S);
    int at = ao;
    int bt = bo;
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
      at += 8;
      bt += 32;
    }
    FloatVector s0 = FloatVector.fromArray(S, scale, so);
    FloatVector s1 = FloatVector.fromArray(S, scale, so + 8);
    c00.fma(s0, FloatVector.fromArray(S, c, co)).intoArray(c, co);
    c01.fma(s1, FloatVector.fromArray(S, c, co + 8)).intoArray(c, co + 8);
    c10.fma(s0, FloatVector.fromArray(S, c, co + 32)).intoArray(c, co + 32);
    c11.fma(s1, FloatVector.fromArray(S, c, co + 40)).intoArray(c, co + 40);
    c20.fma(s0, FloatVector.fromArray(S, c, co + 64)).intoArray(c, co + 64);
    c21.fma(s1, FloatVector.fromArray(S, c, co + 72)).intoArray(c, co + 72);
    c30.fma(s0, FloatVector.fromArray(S, c, co + 96)).intoArray(c, co + 96);
    c31.fma(s1, FloatVector.fromArray(S, c, co + 104)).intoArray(c, co + 104);
  }

  /** A tile of four rows by 16 columns. */
  private static void scaledRows4(
      int k, float[] a, int ao, float[] b, int bo, float[] scale, int so, float[] c, int co) {
    FloatVector c00 = FloatVector.zero(S);
    FloatVector c01 = FloatVector.zero(S);
    FloatVector c10 = FloatVector.zero(S);
    FloatVector c11 = FloatVector.zero(S);
    FloatVector c20 = FloatVector.zero(S);
    FloatVector c21 = FloatVector.zero(S);
    FloatVector c30 = FloatVector.zero(S);
    FloatVector c31 = FloatVector.zero(S);
    int at = ao;
    int bt = bo;
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
      at += 4;
      bt += 32;
    }
    FloatVector s0 = FloatVector.fromArray(S, scale, so);
    FloatVector s1 = FloatVector.fromArray(S, scale, so + 8);
    c00.fma(s0, FloatVector.fromArray(S, c, co)).intoArray(c, co);
    c01.fma(s1, FloatVector.fromArray(S, c, co + 8)).intoArray(c, co + 8);
    c10.fma(s0, FloatVector.fromArray(S, c, co + 32)).intoArray(c, co + 32);
    c11.fma(s1, FloatVector.fromArray(S, c, co + 40)).intoArray(c, co + 40);
    c20.fma(s0, FloatVector.fromArray(S, c, co + 64)).intoArray(c, co + 64);
    c21.fma(s1, FloatVector.fromArray(S, c, co + 72)).intoArray(c, co + 72);
    c30.fma(s0, FloatVector.fromArray(S, c, co + 96)).intoArray(c, co + 96);
    c31.fma(s1, FloatVector.fromArray(S, c, co + 104)).intoArray(c, co + 104);
  }

  private static void scaledRows2(
      int k, float[] a, int ao, float[] b, int bo, float[] scale, int so, float[] c, int co) {
    FloatVector c00 = FloatVector.zero(S);
    FloatVector c01 = FloatVector.zero(S);
    FloatVector c02 = FloatVector.zero(S);
    FloatVector c03 = FloatVector.zero(S);
    FloatVector c10 = FloatVector.zero(S);
    FloatVector c11 = FloatVector.zero(S);
    FloatVector c12 = FloatVector.zero(S);
    FloatVector c13 = FloatVector.zero(S);
    int at = ao;
    int bt = bo;
    for (int p = 0; p < k; p++) {
      FloatVector a0 = FloatVector.broadcast(S, a[at]);
      FloatVector a1 = FloatVector.broadcast(S, a[at + 1]);
      FloatVector b0 = FloatVector.fromArray(S, b, bt);
      c00 = a0.fma(b0, c00);
      c10 = a1.fma(b0, c10);
      FloatVector b1 = FloatVector.fromArray(S, b, bt + 8);
      c01 = a0.fma(b1, c01);
      c11 = a1.fma(b1, c11);
      FloatVector b2 = FloatVector.fromArray(S, b, bt + 16);
      c02 = a0.fma(b2, c02);
      c12 = a1.fma(b2, c12);
      FloatVector b3 = FloatVector.fromArray(S, b, bt + 24);
      c03 = a0.fma(b3, c03);
      c13 = a1.fma(b3, c13);
      at += 2;
      bt += 32;
    }
    FloatVector s0 = FloatVector.fromArray(S, scale, so);
    FloatVector s1 = FloatVector.fromArray(S, scale, so + 8);
    FloatVector s2 = FloatVector.fromArray(S, scale, so + 16);
    FloatVector s3 = FloatVector.fromArray(S, scale, so + 24);
    c00.fma(s0, FloatVector.fromArray(S, c, co)).intoArray(c, co);
    c01.fma(s1, FloatVector.fromArray(S, c, co + 8)).intoArray(c, co + 8);
    c02.fma(s2, FloatVector.fromArray(S, c, co + 16)).intoArray(c, co + 16);
    c03.fma(s3, FloatVector.fromArray(S, c, co + 24)).intoArray(c, co + 24);
    c10.fma(s0, FloatVector.fromArray(S, c, co + 32)).intoArray(c, co + 32);
    c11.fma(s1, FloatVector.fromArray(S, c, co + 40)).intoArray(c, co + 40);
    c12.fma(s2, FloatVector.fromArray(S, c, co + 48)).intoArray(c, co + 48);
    c13.fma(s3, FloatVector.fromArray(S, c, co + 56)).intoArray(c, co + 56);
  }

  private static void scaledRow(
      int k, float[] a, int ao, float[] b, int bo, float[] scale, int so, float[] c, int co) {
    FloatVector c00 = FloatVector.zero(S);
    FloatVector c01 = FloatVector.zero(S);
    FloatVector c02 = FloatVector.zero(S);
    FloatVector c03 = FloatVector.zero(S);
    int at = ao;
    int bt = bo;
    for (int p = 0; p < k; p++) {
      FloatVector a0 = FloatVector.broadcast(S, a[at]);
      FloatVector b0 = FloatVector.fromArray(S, b, bt);
      c00 = a0.fma(b0, c00);
      FloatVector b1 = FloatVector.fromArray(S, b, bt + 8);
      c01 = a0.fma(b1, c01);
      FloatVector b2 = FloatVector.fromArray(S, b, bt + 16);
      c02 = a0.fma(b2, c02);
      FloatVector b3 = FloatVector.fromArray(S, b, bt + 24);
      c03 = a0.fma(b3, c03);
      at += 1;
      bt += 32;
    }
    FloatVector s0 = FloatVector.fromArray(S, scale, so);
    FloatVector s1 = FloatVector.fromArray(S, scale, so + 8);
    FloatVector s2 = FloatVector.fromArray(S, scale, so + 16);
    FloatVector s3 = FloatVector.fromArray(S, scale, so + 24);
    c00.fma(s0, FloatVector.fromArray(S, c, co)).intoArray(c, co);
    c01.fma(s1, FloatVector.fromArray(S, c, co + 8)).intoArray(c, co + 8);
    c02.fma(s2, FloatVector.fromArray(S, c, co + 16)).intoArray(c, co + 16);
    c03.fma(s3, FloatVector.fromArray(S, c, co + 24)).intoArray(c, co + 24);
  }
}
