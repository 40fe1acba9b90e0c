package dev.reckoner.tensor.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * {@link SmallBatchKernel} for 256-bit vectors: the same chains, hence the same bits. A pass covers
 * as many outputs as sixteen registers have room for beside the rows: 32, 16 or 8. NF4 values are
 * looked up as in {@link DecodeKernel256}. Written flat, as {@link Tile}.
 */
final class SmallBatchKernel256 {
  private static final VectorSpecies<Float> SF = FloatVector.SPECIES_256;
  private static final VectorSpecies<Integer> SI = IntVector.SPECIES_256;
  private static final int[] CODE_BITS = DecodeKernel.codeBits();

  private SmallBatchKernel256() {}

  /** As {@link SmallBatchKernel#nf4}. */
  static void nf4(int height, int[] w, int at, int blocks, float[] a, float[] out) {
    switch (height) {
      case 8 -> nf4Rows8(w, at, blocks, a, out);
      case 4 -> nf4Rows4(w, at, blocks, a, out);
      default -> nf4Rows2(w, at, blocks, a, out);
    }
  }

  /**
   * As {@link SmallBatchKernel#int8}; unpacking is cheap enough to be done twice for eight rows.
   */
  static void int8(int height, int[] w, int at, int blocks, float[] a, float[] out) {
    switch (height) {
      case 8 -> {
        int8Rows4(w, at, blocks, a, 0, 8, out, 0);
        int8Rows4(w, at, blocks, a, 4, 8, out, 128);
      }
      case 4 -> int8Rows4(w, at, blocks, a, 0, 4, out, 0);
      default -> int8Rows2(w, at, blocks, a, out);
    }
  }

  private static void nf4Rows2(int[] w, int at, int blocks, float[] x, float[] out) {
    IntVector low = IntVector.fromArray(SI, CODE_BITS, 0);
    IntVector high = IntVector.fromArray(SI, CODE_BITS, 8);
    for (int b = 0; b < blocks; b++) {
      FloatVector a00 = FloatVector.zero(SF);
      FloatVector a01 = FloatVector.zero(SF);
      FloatVector a02 = FloatVector.zero(SF);
      FloatVector a03 = FloatVector.zero(SF);
      FloatVector a10 = FloatVector.zero(SF);
      FloatVector a11 = FloatVector.zero(SF);
      FloatVector a12 = FloatVector.zero(SF);
      FloatVector a13 = FloatVector.zero(SF);
      int s = at + b * Nf4Matrix.BLOCK_INTS;
      int from = s + 32;
      int xi = b * 128;
      for (int c = 0; c < 8; c++) {
        IntVector w0 = IntVector.fromArray(SI, w, from);
        IntVector w1 = IntVector.fromArray(SI, w, from + 8);
        IntVector w2 = IntVector.fromArray(SI, w, from + 16);
        IntVector w3 = IntVector.fromArray(SI, w, from + 24);
        for (int n = 0; n < 8; n++) {
          FloatVector v0 =
              w0.selectFrom(low)
                  .blend(
                      w0.selectFrom(high),
                      w0.lanewise(VectorOperators.LSHL, 28).compare(VectorOperators.LT, 0))
                  .reinterpretAsFloats();
          w0 = w0.lanewise(VectorOperators.LSHR, 4);
          FloatVector v1 =
              w1.selectFrom(low)
                  .blend(
                      w1.selectFrom(high),
                      w1.lanewise(VectorOperators.LSHL, 28).compare(VectorOperators.LT, 0))
                  .reinterpretAsFloats();
          w1 = w1.lanewise(VectorOperators.LSHR, 4);
          FloatVector v2 =
              w2.selectFrom(low)
                  .blend(
                      w2.selectFrom(high),
                      w2.lanewise(VectorOperators.LSHL, 28).compare(VectorOperators.LT, 0))
                  .reinterpretAsFloats();
          w2 = w2.lanewise(VectorOperators.LSHR, 4);
          FloatVector v3 =
              w3.selectFrom(low)
                  .blend(
                      w3.selectFrom(high),
                      w3.lanewise(VectorOperators.LSHL, 28).compare(VectorOperators.LT, 0))
                  .reinterpretAsFloats();
          w3 = w3.lanewise(VectorOperators.LSHR, 4);
          FloatVector x0 = FloatVector.broadcast(SF, x[xi]);
          a00 = v0.fma(x0, a00);
          a01 = v1.fma(x0, a01);
          a02 = v2.fma(x0, a02);
          a03 = v3.fma(x0, a03);
          FloatVector x1 = FloatVector.broadcast(SF, x[xi + 1]);
          a10 = v0.fma(x1, a10);
          a11 = v1.fma(x1, a11);
          a12 = v2.fma(x1, a12);
          a13 = v3.fma(x1, a13);
          xi += 2;
        }
        from += 32;
      }
      FloatVector f0 = IntVector.fromArray(SI, w, s).reinterpretAsFloats();
      FloatVector f1 = IntVector.fromArray(SI, w, s + 8).reinterpretAsFloats();
      FloatVector f2 = IntVector.fromArray(SI, w, s + 16).reinterpretAsFloats();
      FloatVector f3 = IntVector.fromArray(SI, w, s + 24).reinterpretAsFloats();
      a00.fma(f0, FloatVector.fromArray(SF, out, 0)).intoArray(out, 0);
      a01.fma(f1, FloatVector.fromArray(SF, out, 8)).intoArray(out, 8);
      a02.fma(f2, FloatVector.fromArray(SF, out, 16)).intoArray(out, 16);
      a03.fma(f3, FloatVector.fromArray(SF, out, 24)).intoArray(out, 24);
      a10.fma(f0, FloatVector.fromArray(SF, out, 32)).intoArray(out, 32);
      a11.fma(f1, FloatVector.fromArray(SF, out, 40)).intoArray(out, 40);
      a12.fma(f2, FloatVector.fromArray(SF, out, 48)).intoArray(out, 48);
      a13.fma(f3, FloatVector.fromArray(SF, out, 56)).intoArray(out, 56);
    }
  }

  private static void nf4Rows4(int[] w, int at, int blocks, float[] x, float[] out) {
    IntVector low = IntVector.fromArray(SI, CODE_BITS, 0);
    IntVector high = IntVector.fromArray(SI, CODE_BITS, 8);
    for (int b = 0; b < blocks; b++) {
      for (int h = 0; h < 32; h += 16) {
        FloatVector a00 = FloatVector.zero(SF);
        FloatVector a01 = FloatVector.zero(SF);
        FloatVector a10 = FloatVector.zero(SF);
        FloatVector a11 = FloatVector.zero(SF);
        FloatVector a20 = FloatVector.zero(SF);
        FloatVector a21 = FloatVector.zero(SF);
        FloatVector a30 = FloatVector.zero(SF);
        FloatVector a31 = FloatVector.zero(SF);
        int s = at + b * Nf4Matrix.BLOCK_INTS + h;
        int from = s + 32;
        int xi = b * 256;
        for (int c = 0; c < 8; c++) {
          IntVector w0 = IntVector.fromArray(SI, w, from);
          IntVector w1 = IntVector.fromArray(SI, w, from + 8);
          for (int n = 0; n < 8; n++) {
            FloatVector v0 =
                w0.selectFrom(low)
                    .blend(
                        w0.selectFrom(high),
                        w0.lanewise(VectorOperators.LSHL, 28).compare(VectorOperators.LT, 0))
                    .reinterpretAsFloats();
            w0 = w0.lanewise(VectorOperators.LSHR, 4);
            FloatVector v1 =
                w1.selectFrom(low)
                    .blend(
                        w1.selectFrom(high),
                        w1.lanewise(VectorOperators.LSHL, 28).compare(VectorOperators.LT, 0))
                    .reinterpretAsFloats();
            w1 = w1.lanewise(VectorOperators.LSHR, 4);
            FloatVector x0 = FloatVector.broadcast(SF, x[xi]);
            a00 = v0.fma(x0, a00);
            a01 = v1.fma(x0, a01);
            FloatVector x1 = FloatVector.broadcast(SF, x[xi + 1]);
            a10 = v0.fma(x1, a10);
            a11 = v1.fma(x1, a11);
            FloatVector x2 = FloatVector.broadcast(SF, x[xi + 2]);
            a20 = v0.fma(x2, a20);
            a21 = v1.fma(x2, a21);
            FloatVector x3 = FloatVector.broadcast(SF, x[xi + 3]);
            a30 = v0.fma(x3, a30);
            a31 = v1.fma(x3, a31);
            xi += 4;
          }
          from += 32;
        }
        FloatVector f0 = IntVector.fromArray(SI, w, s).reinterpretAsFloats();
        FloatVector f1 = IntVector.fromArray(SI, w, s + 8).reinterpretAsFloats();
        a00.fma(f0, FloatVector.fromArray(SF, out, h)).intoArray(out, h);
        a01.fma(f1, FloatVector.fromArray(SF, out, h + 8)).intoArray(out, h + 8);
        a10.fma(f0, FloatVector.fromArray(SF, out, h + 32)).intoArray(out, h + 32);
        a11.fma(f1, FloatVector.fromArray(SF, out, h + 40)).intoArray(out, h + 40);
        a20.fma(f0, FloatVector.fromArray(SF, out, h + 64)).intoArray(out, h + 64);
        a21.fma(f1, FloatVector.fromArray(SF, out, h + 72)).intoArray(out, h + 72);
        a30.fma(f0, FloatVector.fromArray(SF, out, h + 96)).intoArray(out, h + 96);
        a31.fma(f1, FloatVector.fromArray(SF, out, h + 104)).intoArray(out, h + 104);
      }
    }
  }

  private static void nf4Rows8(int[] w, int at, int blocks, float[] x, float[] out) {
    IntVector low = IntVector.fromArray(SI, CODE_BITS, 0);
    IntVector high = IntVector.fromArray(SI, CODE_BITS, 8);
    for (int b = 0; b < blocks; b++) {
      for (int h = 0; h < 32; h += 8) {
        FloatVector a00 = FloatVector.zero(SF);
        FloatVector a10 = FloatVector.zero(SF);
        FloatVector a20 = FloatVector.zero(SF);
        FloatVector a30 = FloatVector.zero(SF);
        FloatVector a40 = FloatVector.zero(SF);
        FloatVector a50 = FloatVector.zero(SF);
        FloatVector a60 = FloatVector.zero(SF);
        FloatVector a70 = FloatVector.zero(SF);
        int s = at + b * Nf4Matrix.BLOCK_INTS + h;
        int from = s + 32;
        int xi = b * 512;
        for (int c = 0; c < 8; c++) {
          IntVector w0 = IntVector.fromArray(SI, w, from);
          for (int n = 0; n < 8; n++) {
            FloatVector v0 =
                w0.selectFrom(low)
                    .blend(
                        w0.selectFrom(high),
                        w0.lanewise(VectorOperators.LSHL, 28).compare(VectorOperators.LT, 0))
                    .reinterpretAsFloats();
            w0 = w0.lanewise(VectorOperators.LSHR, 4);
            FloatVector x0 = FloatVector.broadcast(SF, x[xi]);
            a00 = v0.fma(x0, a00);
            FloatVector x1 = FloatVector.broadcast(SF, x[xi + 1]);
            a10 = v0.fma(x1, a10);
            FloatVector x2 = FloatVector.broadcast(SF, x[xi + 2]);
            a20 = v0.fma(x2, a20);
            FloatVector x3 = FloatVector.broadcast(SF, x[xi + 3]);
            a30 = v0.fma(x3, a30);
            FloatVector x4 = FloatVector.broadcast(SF, x[xi + 4]);
            a40 = v0.fma(x4, a40);
            FloatVector x5 = FloatVector.broadcast(SF, x[xi + 5]);
            a50 = v0.fma(x5, a50);
            FloatVector x6 = FloatVector.broadcast(SF, x[xi + 6]);
            a60 = v0.fma(x6, a60);
            FloatVector x7 = FloatVector.broadcast(SF, x[xi + 7]);
            a70 = v0.fma(x7, a70);
            xi += 8;
          }
          from += 32;
        }
        FloatVector f0 = IntVector.fromArray(SI, w, s).reinterpretAsFloats();
        a00.fma(f0, FloatVector.fromArray(SF, out, h)).intoArray(out, h);
        a10.fma(f0, FloatVector.fromArray(SF, out, h + 32)).intoArray(out, h + 32);
        a20.fma(f0, FloatVector.fromArray(SF, out, h + 64)).intoArray(out, h + 64);
        a30.fma(f0, FloatVector.fromArray(SF, out, h + 96)).intoArray(out, h + 96);
        a40.fma(f0, FloatVector.fromArray(SF, out, h + 128)).intoArray(out, h + 128);
        a50.fma(f0, FloatVector.fromArray(SF, out, h + 160)).intoArray(out, h + 160);
        a60.fma(f0, FloatVector.fromArray(SF, out, h + 192)).intoArray(out, h + 192);
        a70.fma(f0, FloatVector.fromArray(SF, out, h + 224)).intoArray(out, h + 224);
      }
    }
  }

  private static void int8Rows2(int[] w, int at, int blocks, float[] x, float[] out) {
    for (int b = 0; b < blocks; b++) {
      for (int h = 0; h < 32; h += 16) {
        FloatVector a00 = FloatVector.zero(SF);
        FloatVector a01 = FloatVector.zero(SF);
        FloatVector a10 = FloatVector.zero(SF);
        FloatVector a11 = FloatVector.zero(SF);
        int s = at + b * Int8Matrix.BLOCK_INTS;
        int from = s + Int8Matrix.SCALES + h;
        int xi = b * 128;
        for (int c = 0; c < 16; c++) {
          IntVector w0 = IntVector.fromArray(SI, w, from);
          IntVector w1 = IntVector.fromArray(SI, w, from + 8);
          for (int n = 0; n < 4; n++) {
            FloatVector v0 =
                w0.and(0xff)
                    .lanewise(VectorOperators.XOR, Int8Matrix.BIASED)
                    .reinterpretAsFloats()
                    .sub(Int8Matrix.BIAS);
            w0 = w0.lanewise(VectorOperators.LSHR, 8);
            FloatVector v1 =
                w1.and(0xff)
                    .lanewise(VectorOperators.XOR, Int8Matrix.BIASED)
                    .reinterpretAsFloats()
                    .sub(Int8Matrix.BIAS);
            w1 = w1.lanewise(VectorOperators.LSHR, 8);
            FloatVector x0 = FloatVector.broadcast(SF, x[xi]);
            a00 = v0.fma(x0, a00);
            a01 = v1.fma(x0, a01);
            FloatVector x1 = FloatVector.broadcast(SF, x[xi + 1]);
            a10 = v0.fma(x1, a10);
            a11 = v1.fma(x1, a11);
            xi += 2;
          }
          from += 32;
        }
        FloatVector f0 =
            IntVector.fromArray(SI, w, s)
                .lanewise(VectorOperators.LSHL, 16 - h)
                .and(0xffff0000)
                .reinterpretAsFloats();
        FloatVector f1 =
            IntVector.fromArray(SI, w, s + 8)
                .lanewise(VectorOperators.LSHL, 16 - h)
                .and(0xffff0000)
                .reinterpretAsFloats();
        a00.fma(f0, FloatVector.fromArray(SF, out, h)).intoArray(out, h);
        a01.fma(f1, FloatVector.fromArray(SF, out, h + 8)).intoArray(out, h + 8);
        a10.fma(f0, FloatVector.fromArray(SF, out, h + 32)).intoArray(out, h + 32);
        a11.fma(f1, FloatVector.fromArray(SF, out, h + 40)).intoArray(out, h + 40);
      }
    }
  }

  /** Four rows, the first of each {@code stride} of A from {@code xo} on. */
  private static void int8Rows4(
      int[] w, int at, int blocks, float[] x, int xo, int stride, float[] out, int to) {
    for (int b = 0; b < blocks; b++) {
      for (int h = 0; h < 32; h += 16) {
        FloatVector a00 = FloatVector.zero(SF);
        FloatVector a01 = FloatVector.zero(SF);
        FloatVector a10 = FloatVector.zero(SF);
        FloatVector a11 = FloatVector.zero(SF);
        FloatVector a20 = FloatVector.zero(SF);
        FloatVector a21 = FloatVector.zero(SF);
        FloatVector a30 = FloatVector.zero(SF);
        FloatVector a31 = FloatVector.zero(SF);
        int s = at + b * Int8Matrix.BLOCK_INTS;
        int from = s + Int8Matrix.SCALES + h;
        int xi = xo + b * 64 * stride;
        for (int c = 0; c < 16; c++) {
          IntVector w0 = IntVector.fromArray(SI, w, from);
          IntVector w1 = IntVector.fromArray(SI, w, from + 8);
          for (int n = 0; n < 4; n++) {
            FloatVector v0 =
                w0.and(0xff)
                    .lanewise(VectorOperators.XOR, Int8Matrix.BIASED)
                    .reinterpretAsFloats()
                    .sub(Int8Matrix.BIAS);
            w0 = w0.lanewise(VectorOperators.LSHR, 8);
            FloatVector v1 =
                w1.and(0xff)
                    .lanewise(VectorOperators.XOR, Int8Matrix.BIASED)
                    .reinterpretAsFloats()
                    .sub(Int8Matrix.BIAS);
            w1 = w1.lanewise(VectorOperators.LSHR, 8);
            FloatVector x0 = FloatVector.broadcast(SF, x[xi]);
            a00 = v0.fma(x0, a00);
            a01 = v1.fma(x0, a01);
            FloatVector x1 = FloatVector.broadcast(SF, x[xi + 1]);
            a10 = v0.fma(x1, a10);
            a11 = v1.fma(x1, a11);
            FloatVector x2 = FloatVector.broadcast(SF, x[xi + 2]);
            a20 = v0.fma(x2, a20);
            a21 = v1.fma(x2, a21);
            FloatVector x3 = FloatVector.broadcast(SF, x[xi + 3]);
            a30 = v0.fma(x3, a30);
            a31 = v1.fma(x3, a31);
            xi += stride;
          }
          from += 32;
        }
        FloatVector f0 =
            IntVector.fromArray(SI, w, s)
                .lanewise(VectorOperators.LSHL, 16 - h)
                .and(0xffff0000)
                .reinterpretAsFloats();
        FloatVector f1 =
            IntVector.fromArray(SI, w, s + 8)
                .lanewise(VectorOperators.LSHL, 16 - h)
                .and(0xffff0000)
                .reinterpretAsFloats();
        a00.fma(f0, FloatVector.fromArray(SF, out, to + h)).intoArray(out, to + h);
        a01.fma(f1, FloatVector.fromArray(SF, out, to + h + 8)).intoArray(out, to + h + 8);
        a10.fma(f0, FloatVector.fromArray(SF, out, to + h + 32)).intoArray(out, to + h + 32);
        a11.fma(f1, FloatVector.fromArray(SF, out, to + h + 40)).intoArray(out, to + h + 40);
        a20.fma(f0, FloatVector.fromArray(SF, out, to + h + 64)).intoArray(out, to + h + 64);
        a21.fma(f1, FloatVector.fromArray(SF, out, to + h + 72)).intoArray(out, to + h + 72);
        a30.fma(f0, FloatVector.fromArray(SF, out, to + h + 96)).intoArray(out, to + h + 96);
        a31.fma(f1, FloatVector.fromArray(SF, out, to + h + 104)).intoArray(out, to + h + 104);
      }
    }
  }
}
