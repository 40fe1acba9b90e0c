package dev.reckoner.tensor.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Two, four or eight rows times one quantised panel, {@code out [rows][32] += A W^T}, for decoding
 * small batches: a weight is unpacked in registers and multiplied with every row there, where
 * {@link Tile} would want it written to memory first. Rows are packed {@code [k][rows]}. Needs
 * 512-bit vectors; the chains of {@link Tile}, hence the same bits. Written flat, and activations
 * broadcast as ints, as in {@link DecodeKernel}.
 */
final class SmallBatchKernel {
  private static final VectorSpecies<Float> SF = FloatVector.SPECIES_512;
  private static final VectorSpecies<Integer> SI = IntVector.SPECIES_512;
  private static final int[] CODE_BITS = DecodeKernel.codeBits();

  /** Most rows that are computed at a time. */
  static final int ROWS = 8;

  /** Most rows of a batch that is computed here, so many at a time. */
  static final int MOST = 32;

  /**
   * Ints from a weight that is multiplied to one that is fetched, and behind the last block of
   * every matrix. Eight rows, and four of NF4, take so long for a line of weights that memory reads
   * ahead too little by itself; and Java has no prefetch but a store under an empty mask: it
   * changes nothing, its line is fetched, and nobody waits for it, as for a load. 1 KB to 4 KB are
   * as fast.
   */
  static final int AHEAD = 512;

  private SmallBatchKernel() {}

  /** Rows, padding included, that {@code m} rows are computed as. */
  static int height(int m) {
    return m <= 2 ? 2 : m <= 4 ? 4 : 8;
  }

  /**
   * {@code out [height][32] += A W^T} for {@code blocks} of a panel, the first at {@code at}; A is
   * {@code [k][height]}.
   */
  static void nf4(int height, int[] w, int at, int blocks, float[] a, float[] out) {
    switch (height) {
      case 8 -> nf4Rows8(w, at, blocks, a, out);
      case 4 -> nf4Rows4(w, at, blocks, a, out);
      default -> nf4Rows2(w, at, blocks, a, out);
    }
  }

  /** The same for an 8-bit panel. */
  static void int8(int height, int[] w, int at, int blocks, float[] a, float[] out) {
    switch (height) {
      case 8 -> int8Rows8(w, at, blocks, a, out);
      case 4 -> int8Rows4(w, at, blocks, a, out);
      default -> int8Rows2(w, at, blocks, a, out);
    }
  }

  private static void nf4Rows2(int[] w, int at0, int blocks, float[] x, float[] out) {
    IntVector code = IntVector.fromArray(SI, CODE_BITS, 0);
    for (int b = 0; b < blocks; b++) {
      FloatVector a00 = FloatVector.zero(SF);
      FloatVector a01 = FloatVector.zero(SF);
      FloatVector a10 = FloatVector.zero(SF);
      FloatVector a11 = FloatVector.zero(SF);
      int p0 = at0 + b * Nf4Matrix.BLOCK_INTS + 32;
      int xi = b * 128;
      for (int c = 0; c < 8; c++) {
        IntVector w0 = IntVector.fromArray(SI, w, p0);
        IntVector w1 = IntVector.fromArray(SI, w, p0 + 16);
        for (int n = 0; n < 8; n++) {
          FloatVector v0 = w0.selectFrom(code).reinterpretAsFloats();
          FloatVector v1 = w1.selectFrom(code).reinterpretAsFloats();
          FloatVector x0 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi])).reinterpretAsFloats();
          a00 = v0.fma(x0, a00);
          a01 = v1.fma(x0, a01);
          FloatVector x1 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi + 1])).reinterpretAsFloats();
          a10 = v0.fma(x1, a10);
          a11 = v1.fma(x1, a11);
          w0 = w0.lanewise(VectorOperators.LSHR, 4);
          w1 = w1.lanewise(VectorOperators.LSHR, 4);
          xi += 2;
        }
        p0 += 32;
      }
      int s0 = at0 + b * Nf4Matrix.BLOCK_INTS;
      FloatVector f0 = IntVector.fromArray(SI, w, s0).reinterpretAsFloats();
      FloatVector f1 = IntVector.fromArray(SI, w, s0 + 16).reinterpretAsFloats();
      a00.fma(f0, FloatVector.fromArray(SF, out, 0)).intoArray(out, 0);
      a01.fma(f1, FloatVector.fromArray(SF, out, 16)).intoArray(out, 16);
      a10.fma(f0, FloatVector.fromArray(SF, out, 32)).intoArray(out, 32);
      a11.fma(f1, FloatVector.fromArray(SF, out, 48)).intoArray(out, 48);
    }
  }

  private static void nf4Rows4(int[] w, int at0, int blocks, float[] x, float[] out) {
    IntVector code = IntVector.fromArray(SI, CODE_BITS, 0);
    VectorMask<Integer> none = SI.maskAll(false);
    for (int b = 0; b < blocks; b++) {
      FloatVector a00 = FloatVector.zero(SF);
      FloatVector a01 = FloatVector.zero(SF);
      FloatVector a10 = FloatVector.zero(SF);
      FloatVector a11 = FloatVector.zero(SF);
      FloatVector a20 = FloatVector.zero(SF);
      FloatVector a21 = FloatVector.zero(SF);
      FloatVector a30 = FloatVector.zero(SF);
      FloatVector a31 = FloatVector.zero(SF);
      int p0 = at0 + b * Nf4Matrix.BLOCK_INTS + 32;
      int xi = b * 256;
      for (int c = 0; c < 8; c++) {
        IntVector w0 = IntVector.fromArray(SI, w, p0);
        IntVector w1 = IntVector.fromArray(SI, w, p0 + 16);
        w0.intoArray(w, p0 + AHEAD, none);
        w1.intoArray(w, p0 + 16 + AHEAD, none);
        for (int n = 0; n < 8; n++) {
          FloatVector v0 = w0.selectFrom(code).reinterpretAsFloats();
          FloatVector v1 = w1.selectFrom(code).reinterpretAsFloats();
          FloatVector x0 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi])).reinterpretAsFloats();
          a00 = v0.fma(x0, a00);
          a01 = v1.fma(x0, a01);
          FloatVector x1 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi + 1])).reinterpretAsFloats();
          a10 = v0.fma(x1, a10);
          a11 = v1.fma(x1, a11);
          FloatVector x2 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi + 2])).reinterpretAsFloats();
          a20 = v0.fma(x2, a20);
          a21 = v1.fma(x2, a21);
          FloatVector x3 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi + 3])).reinterpretAsFloats();
          a30 = v0.fma(x3, a30);
          a31 = v1.fma(x3, a31);
          w0 = w0.lanewise(VectorOperators.LSHR, 4);
          w1 = w1.lanewise(VectorOperators.LSHR, 4);
          xi += 4;
        }
        p0 += 32;
      }
      int s0 = at0 + b * Nf4Matrix.BLOCK_INTS;
      FloatVector f0 = IntVector.fromArray(SI, w, s0).reinterpretAsFloats();
      FloatVector f1 = IntVector.fromArray(SI, w, s0 + 16).reinterpretAsFloats();
      a00.fma(f0, FloatVector.fromArray(SF, out, 0)).intoArray(out, 0);
      a01.fma(f1, FloatVector.fromArray(SF, out, 16)).intoArray(out, 16);
      a10.fma(f0, FloatVector.fromArray(SF, out, 32)).intoArray(out, 32);
      a11.fma(f1, FloatVector.fromArray(SF, out, 48)).intoArray(out, 48);
      a20.fma(f0, FloatVector.fromArray(SF, out, 64)).intoArray(out, 64);
      a21.fma(f1, FloatVector.fromArray(SF, out, 80)).intoArray(out, 80);
      a30.fma(f0, FloatVector.fromArray(SF, out, 96)).intoArray(out, 96);
      a31.fma(f1, FloatVector.fromArray(SF, out, 112)).intoArray(out, 112);
    }
  }

  private static void nf4Rows8(int[] w, int at0, int blocks, float[] x, float[] out) {
    IntVector code = IntVector.fromArray(SI, CODE_BITS, 0);
    VectorMask<Integer> none = SI.maskAll(false);
    for (int b = 0; b < blocks; b++) {
      FloatVector a00 = FloatVector.zero(SF);
      FloatVector a01 = FloatVector.zero(SF);
      FloatVector a10 = FloatVector.zero(SF);
      FloatVector a11 = FloatVector.zero(SF);
      FloatVector a20 = FloatVector.zero(SF);
      FloatVector a21 = FloatVector.zero(SF);
      FloatVector a30 = FloatVector.zero(SF);
      FloatVector a31 = FloatVector.zero(SF);
      FloatVector a40 = FloatVector.zero(SF);
      FloatVector a41 = FloatVector.zero(SF);
      FloatVector a50 = FloatVector.zero(SF);
      FloatVector a51 = FloatVector.zero(SF);
      FloatVector a60 = FloatVector.zero(SF);
      FloatVector a61 = FloatVector.zero(SF);
      FloatVector a70 = FloatVector.zero(SF);
      FloatVector a71 = FloatVector.zero(SF);
      int p0 = at0 + b * Nf4Matrix.BLOCK_INTS + 32;
      int xi = b * 512;
      for (int c = 0; c < 8; c++) {
        IntVector w0 = IntVector.fromArray(SI, w, p0);
        IntVector w1 = IntVector.fromArray(SI, w, p0 + 16);
        w0.intoArray(w, p0 + AHEAD, none);
        w1.intoArray(w, p0 + 16 + AHEAD, none);
        for (int n = 0; n < 8; n++) {
          FloatVector v0 = w0.selectFrom(code).reinterpretAsFloats();
          FloatVector v1 = w1.selectFrom(code).reinterpretAsFloats();
          FloatVector x0 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi])).reinterpretAsFloats();
          a00 = v0.fma(x0, a00);
          a01 = v1.fma(x0, a01);
          FloatVector x1 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi + 1])).reinterpretAsFloats();
          a10 = v0.fma(x1, a10);
          a11 = v1.fma(x1, a11);
          FloatVector x2 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi + 2])).reinterpretAsFloats();
          a20 = v0.fma(x2, a20);
          a21 = v1.fma(x2, a21);
          FloatVector x3 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi + 3])).reinterpretAsFloats();
          a30 = v0.fma(x3, a30);
          a31 = v1.fma(x3, a31);
          FloatVector x4 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi + 4])).reinterpretAsFloats();
          a40 = v0.fma(x4, a40);
          a41 = v1.fma(x4, a41);
          FloatVector x5 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi + 5])).reinterpretAsFloats();
          a50 = v0.fma(x5, a50);
          a51 = v1.fma(x5, a51);
          FloatVector x6 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi + 6])).reinterpretAsFloats();
          a60 = v0.fma(x6, a60);
          a61 = v1.fma(x6, a61);
          FloatVector x7 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi + 7])).reinterpretAsFloats();
          a70 = v0.fma(x7, a70);
          a71 = v1.fma(x7, a71);
          w0 = w0.lanewise(VectorOperators.LSHR, 4);
          w1 = w1.lanewise(VectorOperators.LSHR, 4);
          xi += 8;
        }
        p0 += 32;
      }
      int s0 = at0 + b * Nf4Matrix.BLOCK_INTS;
      FloatVector f0 = IntVector.fromArray(SI, w, s0).reinterpretAsFloats();
      FloatVector f1 = IntVector.fromArray(SI, w, s0 + 16).reinterpretAsFloats();
      a00.fma(f0, FloatVector.fromArray(SF, out, 0)).intoArray(out, 0);
      a01.fma(f1, FloatVector.fromArray(SF, out, 16)).intoArray(out, 16);
      a10.fma(f0, FloatVector.fromArray(SF, out, 32)).intoArray(out, 32);
      a11.fma(f1, FloatVector.fromArray(SF, out, 48)).intoArray(out, 48);
      a20.fma(f0, FloatVector.fromArray(SF, out, 64)).intoArray(out, 64);
      a21.fma(f1, FloatVector.fromArray(SF, out, 80)).intoArray(out, 80);
      a30.fma(f0, FloatVector.fromArray(SF, out, 96)).intoArray(out, 96);
      a31.fma(f1, FloatVector.fromArray(SF, out, 112)).intoArray(out, 112);
      a40.fma(f0, FloatVector.fromArray(SF, out, 128)).intoArray(out, 128);
      a41.fma(f1, FloatVector.fromArray(SF, out, 144)).intoArray(out, 144);
      a50.fma(f0, FloatVector.fromArray(SF, out, 160)).intoArray(out, 160);
      a51.fma(f1, FloatVector.fromArray(SF, out, 176)).intoArray(out, 176);
      a60.fma(f0, FloatVector.fromArray(SF, out, 192)).intoArray(out, 192);
      a61.fma(f1, FloatVector.fromArray(SF, out, 208)).intoArray(out, 208);
      a70.fma(f0, FloatVector.fromArray(SF, out, 224)).intoArray(out, 224);
      a71.fma(f1, FloatVector.fromArray(SF, out, 240)).intoArray(out, 240);
    }
  }

  private static void int8Rows2(int[] w, int at0, int blocks, float[] x, float[] out) {
    for (int b = 0; b < blocks; b++) {
      FloatVector a00 = FloatVector.zero(SF);
      FloatVector a01 = FloatVector.zero(SF);
      FloatVector a10 = FloatVector.zero(SF);
      FloatVector a11 = FloatVector.zero(SF);
      int p0 = at0 + b * Int8Matrix.BLOCK_INTS + Int8Matrix.SCALES;
      int xi = b * 128;
      for (int c = 0; c < 16; c++) {
        IntVector w0 = IntVector.fromArray(SI, w, p0);
        IntVector w1 = IntVector.fromArray(SI, w, p0 + 16);
        for (int n = 0; n < 4; n++) {
          FloatVector v0 =
              w0.and(0xff)
                  .lanewise(VectorOperators.XOR, Int8Matrix.BIASED)
                  .reinterpretAsFloats()
                  .sub(Int8Matrix.BIAS);
          FloatVector v1 =
              w1.and(0xff)
                  .lanewise(VectorOperators.XOR, Int8Matrix.BIASED)
                  .reinterpretAsFloats()
                  .sub(Int8Matrix.BIAS);
          FloatVector x0 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi])).reinterpretAsFloats();
          a00 = v0.fma(x0, a00);
          a01 = v1.fma(x0, a01);
          FloatVector x1 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi + 1])).reinterpretAsFloats();
          a10 = v0.fma(x1, a10);
          a11 = v1.fma(x1, a11);
          w0 = w0.lanewise(VectorOperators.LSHR, 8);
          w1 = w1.lanewise(VectorOperators.LSHR, 8);
          xi += 2;
        }
        p0 += 32;
      }
      int s0 = at0 + b * Int8Matrix.BLOCK_INTS;
      FloatVector f0 =
          IntVector.fromArray(SI, w, s0).lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
      FloatVector f1 = IntVector.fromArray(SI, w, s0).and(0xffff0000).reinterpretAsFloats();
      a00.fma(f0, FloatVector.fromArray(SF, out, 0)).intoArray(out, 0);
      a01.fma(f1, FloatVector.fromArray(SF, out, 16)).intoArray(out, 16);
      a10.fma(f0, FloatVector.fromArray(SF, out, 32)).intoArray(out, 32);
      a11.fma(f1, FloatVector.fromArray(SF, out, 48)).intoArray(out, 48);
    }
  }

  private static void int8Rows4(int[] w, int at0, int blocks, float[] x, float[] out) {
    for (int b = 0; b < blocks; b++) {
      FloatVector a00 = FloatVector.zero(SF);
      FloatVector a01 = FloatVector.zero(SF);
      FloatVector a10 = FloatVector.zero(SF);
      FloatVector a11 = FloatVector.zero(SF);
      FloatVector a20 = FloatVector.zero(SF);
      FloatVector a21 = FloatVector.zero(SF);
      FloatVector a30 = FloatVector.zero(SF);
      FloatVector a31 = FloatVector.zero(SF);
      int p0 = at0 + b * Int8Matrix.BLOCK_INTS + Int8Matrix.SCALES;
      int xi = b * 256;
      for (int c = 0; c < 16; c++) {
        IntVector w0 = IntVector.fromArray(SI, w, p0);
        IntVector w1 = IntVector.fromArray(SI, w, p0 + 16);
        for (int n = 0; n < 4; n++) {
          FloatVector v0 =
              w0.and(0xff)
                  .lanewise(VectorOperators.XOR, Int8Matrix.BIASED)
                  .reinterpretAsFloats()
                  .sub(Int8Matrix.BIAS);
          FloatVector v1 =
              w1.and(0xff)
                  .lanewise(VectorOperators.XOR, Int8Matrix.BIASED)
                  .reinterpretAsFloats()
                  .sub(Int8Matrix.BIAS);
          FloatVector x0 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi])).reinterpretAsFloats();
          a00 = v0.fma(x0, a00);
          a01 = v1.fma(x0, a01);
          FloatVector x1 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi + 1])).reinterpretAsFloats();
          a10 = v0.fma(x1, a10);
          a11 = v1.fma(x1, a11);
          FloatVector x2 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi + 2])).reinterpretAsFloats();
          a20 = v0.fma(x2, a20);
          a21 = v1.fma(x2, a21);
          FloatVector x3 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi + 3])).reinterpretAsFloats();
          a30 = v0.fma(x3, a30);
          a31 = v1.fma(x3, a31);
          w0 = w0.lanewise(VectorOperators.LSHR, 8);
          w1 = w1.lanewise(VectorOperators.LSHR, 8);
          xi += 4;
        }
        p0 += 32;
      }
      int s0 = at0 + b * Int8Matrix.BLOCK_INTS;
      FloatVector f0 =
          IntVector.fromArray(SI, w, s0).lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
      FloatVector f1 = IntVector.fromArray(SI, w, s0).and(0xffff0000).reinterpretAsFloats();
      a00.fma(f0, FloatVector.fromArray(SF, out, 0)).intoArray(out, 0);
      a01.fma(f1, FloatVector.fromArray(SF, out, 16)).intoArray(out, 16);
      a10.fma(f0, FloatVector.fromArray(SF, out, 32)).intoArray(out, 32);
      a11.fma(f1, FloatVector.fromArray(SF, out, 48)).intoArray(out, 48);
      a20.fma(f0, FloatVector.fromArray(SF, out, 64)).intoArray(out, 64);
      a21.fma(f1, FloatVector.fromArray(SF, out, 80)).intoArray(out, 80);
      a30.fma(f0, FloatVector.fromArray(SF, out, 96)).intoArray(out, 96);
      a31.fma(f1, FloatVector.fromArray(SF, out, 112)).intoArray(out, 112);
    }
  }

  private static void int8Rows8(int[] w, int at0, int blocks, float[] x, float[] out) {
    VectorMask<Integer> none = SI.maskAll(false);
    for (int b = 0; b < blocks; b++) {
      FloatVector a00 = FloatVector.zero(SF);
      FloatVector a01 = FloatVector.zero(SF);
      FloatVector a10 = FloatVector.zero(SF);
      FloatVector a11 = FloatVector.zero(SF);
      FloatVector a20 = FloatVector.zero(SF);
      FloatVector a21 = FloatVector.zero(SF);
      FloatVector a30 = FloatVector.zero(SF);
      FloatVector a31 = FloatVector.zero(SF);
      FloatVector a40 = FloatVector.zero(SF);
      FloatVector a41 = FloatVector.zero(SF);
      FloatVector a50 = FloatVector.zero(SF);
      FloatVector a51 = FloatVector.zero(SF);
      FloatVector a60 = FloatVector.zero(SF);
      FloatVector a61 = FloatVector.zero(SF);
      FloatVector a70 = FloatVector.zero(SF);
      FloatVector a71 = FloatVector.zero(SF);
      int p0 = at0 + b * Int8Matrix.BLOCK_INTS + Int8Matrix.SCALES;
      int xi = b * 512;
      for (int c = 0; c < 16; c++) {
        IntVector w0 = IntVector.fromArray(SI, w, p0);
        IntVector w1 = IntVector.fromArray(SI, w, p0 + 16);
        w0.intoArray(w, p0 + AHEAD, none);
        w1.intoArray(w, p0 + 16 + AHEAD, none);
        for (int n = 0; n < 4; n++) {
          FloatVector v0 =
              w0.and(0xff)
                  .lanewise(VectorOperators.XOR, Int8Matrix.BIASED)
                  .reinterpretAsFloats()
                  .sub(Int8Matrix.BIAS);
          FloatVector v1 =
              w1.and(0xff)
                  .lanewise(VectorOperators.XOR, Int8Matrix.BIASED)
                  .reinterpretAsFloats()
                  .sub(Int8Matrix.BIAS);
          FloatVector x0 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi])).reinterpretAsFloats();
          a00 = v0.fma(x0, a00);
          a01 = v1.fma(x0, a01);
          FloatVector x1 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi + 1])).reinterpretAsFloats();
          a10 = v0.fma(x1, a10);
          a11 = v1.fma(x1, a11);
          FloatVector x2 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi + 2])).reinterpretAsFloats();
          a20 = v0.fma(x2, a20);
          a21 = v1.fma(x2, a21);
          FloatVector x3 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi + 3])).reinterpretAsFloats();
          a30 = v0.fma(x3, a30);
          a31 = v1.fma(x3, a31);
          FloatVector x4 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi + 4])).reinterpretAsFloats();
          a40 = v0.fma(x4, a40);
          a41 = v1.fma(x4, a41);
          FloatVector x5 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi + 5])).reinterpretAsFloats();
          a50 = v0.fma(x5, a50);
          a51 = v1.fma(x5, a51);
          FloatVector x6 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi + 6])).reinterpretAsFloats();
          a60 = v0.fma(x6, a60);
          a61 = v1.fma(x6, a61);
          FloatVector x7 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi + 7])).reinterpretAsFloats();
          a70 = v0.fma(x7, a70);
          a71 = v1.fma(x7, a71);
          w0 = w0.lanewise(VectorOperators.LSHR, 8);
          w1 = w1.lanewise(VectorOperators.LSHR, 8);
          xi += 8;
        }
        p0 += 32;
      }
      int s0 = at0 + b * Int8Matrix.BLOCK_INTS;
      FloatVector f0 =
          IntVector.fromArray(SI, w, s0).lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
      FloatVector f1 = IntVector.fromArray(SI, w, s0).and(0xffff0000).reinterpretAsFloats();
      a00.fma(f0, FloatVector.fromArray(SF, out, 0)).intoArray(out, 0);
      a01.fma(f1, FloatVector.fromArray(SF, out, 16)).intoArray(out, 16);
      a10.fma(f0, FloatVector.fromArray(SF, out, 32)).intoArray(out, 32);
      a11.fma(f1, FloatVector.fromArray(SF, out, 48)).intoArray(out, 48);
      a20.fma(f0, FloatVector.fromArray(SF, out, 64)).intoArray(out, 64);
      a21.fma(f1, FloatVector.fromArray(SF, out, 80)).intoArray(out, 80);
      a30.fma(f0, FloatVector.fromArray(SF, out, 96)).intoArray(out, 96);
      a31.fma(f1, FloatVector.fromArray(SF, out, 112)).intoArray(out, 112);
      a40.fma(f0, FloatVector.fromArray(SF, out, 128)).intoArray(out, 128);
      a41.fma(f1, FloatVector.fromArray(SF, out, 144)).intoArray(out, 144);
      a50.fma(f0, FloatVector.fromArray(SF, out, 160)).intoArray(out, 160);
      a51.fma(f1, FloatVector.fromArray(SF, out, 176)).intoArray(out, 176);
      a60.fma(f0, FloatVector.fromArray(SF, out, 192)).intoArray(out, 192);
      a61.fma(f1, FloatVector.fromArray(SF, out, 208)).intoArray(out, 208);
      a70.fma(f0, FloatVector.fromArray(SF, out, 224)).intoArray(out, 224);
      a71.fma(f1, FloatVector.fromArray(SF, out, 240)).intoArray(out, 240);
    }
  }
}
