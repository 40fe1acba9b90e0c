package dev.reckoner.tensor.cpu;

import dev.reckoner.tensor.Nf4;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Matrix times one vector, straight from the packed weights: four panels at a time where there are
 * enough, because memory delivers more to several streams of reads than to one, and their chains of
 * multiply-adds hide each other's latency. Needs 512-bit vectors; the same chains in the same order
 * as {@link Tile}, hence the same bits. Written flat, as a method call inside makes C2 box vectors.
 *
 * <p>An activation is broadcast as an int. On Zen 4 the load alone does that, where a float's takes
 * the shuffle unit too, which the look-ups of codes need: an eighth of the time of eight rows.
 */
final class DecodeKernel {
  private static final VectorSpecies<Float> SF = FloatVector.SPECIES_512;
  private static final VectorSpecies<Integer> SI = IntVector.SPECIES_512;
  private static final int[] CODE_BITS = codeBits();

  private DecodeKernel() {}

  /** Whether this machine's vectors are wide enough. */
  static boolean supported() {
    return VectorMath.L == 16;
  }

  static int[] codeBits() {
    float[] values = Nf4.codeValues();
    int[] bits = new int[16];
    for (int i = 0; i < 16; i++) {
      bits[i] = Float.floatToRawIntBits(values[i]);
    }
    return bits;
  }

  /**
   * {@code out[to .. to + 128) += W x} for four NF4 panels of {@code blocks} times 64 inputs, each
   * {@code next} elements behind the one before.
   */
  static void nf4Panels4(
      int[] w, int at, int next, int blocks, float[] x, int xo, float[] out, int to) {
    IntVector code = IntVector.fromArray(SI, CODE_BITS, 0);
    for (int b = 0; b < blocks; b++) {
      FloatVector a0 = FloatVector.zero(SF);
      FloatVector a1 = FloatVector.zero(SF);
      FloatVector a2 = FloatVector.zero(SF);
      FloatVector a3 = FloatVector.zero(SF);
      FloatVector a4 = FloatVector.zero(SF);
      FloatVector a5 = FloatVector.zero(SF);
      FloatVector a6 = FloatVector.zero(SF);
      FloatVector a7 = FloatVector.zero(SF);
      int p0 = at + b * Nf4Matrix.BLOCK_INTS + 32;
      int p1 = p0 + next;
      int p2 = p1 + next;
      int p3 = p2 + next;
      int xi = xo + b * 64;
      for (int c = 0; c < 8; c++) {
        IntVector w0 = IntVector.fromArray(SI, w, p0);
        IntVector w1 = IntVector.fromArray(SI, w, p0 + 16);
        IntVector w2 = IntVector.fromArray(SI, w, p1);
        IntVector w3 = IntVector.fromArray(SI, w, p1 + 16);
        IntVector w4 = IntVector.fromArray(SI, w, p2);
        IntVector w5 = IntVector.fromArray(SI, w, p2 + 16);
        IntVector w6 = IntVector.fromArray(SI, w, p3);
        IntVector w7 = IntVector.fromArray(SI, w, p3 + 16);
        for (int n = 0; n < 8; n++) {
          FloatVector x0 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi])).reinterpretAsFloats();
          a0 = w0.selectFrom(code).reinterpretAsFloats().fma(x0, a0);
          w0 = w0.lanewise(VectorOperators.LSHR, 4);
          a1 = w1.selectFrom(code).reinterpretAsFloats().fma(x0, a1);
          w1 = w1.lanewise(VectorOperators.LSHR, 4);
          a2 = w2.selectFrom(code).reinterpretAsFloats().fma(x0, a2);
          w2 = w2.lanewise(VectorOperators.LSHR, 4);
          a3 = w3.selectFrom(code).reinterpretAsFloats().fma(x0, a3);
          w3 = w3.lanewise(VectorOperators.LSHR, 4);
          a4 = w4.selectFrom(code).reinterpretAsFloats().fma(x0, a4);
          w4 = w4.lanewise(VectorOperators.LSHR, 4);
          a5 = w5.selectFrom(code).reinterpretAsFloats().fma(x0, a5);
          w5 = w5.lanewise(VectorOperators.LSHR, 4);
          a6 = w6.selectFrom(code).reinterpretAsFloats().fma(x0, a6);
          w6 = w6.lanewise(VectorOperators.LSHR, 4);
          a7 = w7.selectFrom(code).reinterpretAsFloats().fma(x0, a7);
          w7 = w7.lanewise(VectorOperators.LSHR, 4);
          xi += 1;
        }
        p0 += 32;
        p1 += 32;
        p2 += 32;
        p3 += 32;
      }
      int s0 = at + b * Nf4Matrix.BLOCK_INTS;
      int s1 = s0 + next;
      int s2 = s1 + next;
      int s3 = s2 + next;
      a0.fma(
              IntVector.fromArray(SI, w, s0).reinterpretAsFloats(),
              FloatVector.fromArray(SF, out, to))
          .intoArray(out, to);
      a1.fma(
              IntVector.fromArray(SI, w, s0 + 16).reinterpretAsFloats(),
              FloatVector.fromArray(SF, out, to + 16))
          .intoArray(out, to + 16);
      a2.fma(
              IntVector.fromArray(SI, w, s1).reinterpretAsFloats(),
              FloatVector.fromArray(SF, out, to + 32))
          .intoArray(out, to + 32);
      a3.fma(
              IntVector.fromArray(SI, w, s1 + 16).reinterpretAsFloats(),
              FloatVector.fromArray(SF, out, to + 48))
          .intoArray(out, to + 48);
      a4.fma(
              IntVector.fromArray(SI, w, s2).reinterpretAsFloats(),
              FloatVector.fromArray(SF, out, to + 64))
          .intoArray(out, to + 64);
      a5.fma(
              IntVector.fromArray(SI, w, s2 + 16).reinterpretAsFloats(),
              FloatVector.fromArray(SF, out, to + 80))
          .intoArray(out, to + 80);
      a6.fma(
              IntVector.fromArray(SI, w, s3).reinterpretAsFloats(),
              FloatVector.fromArray(SF, out, to + 96))
          .intoArray(out, to + 96);
      a7.fma(
              IntVector.fromArray(SI, w, s3 + 16).reinterpretAsFloats(),
              FloatVector.fromArray(SF, out, to + 112))
          .intoArray(out, to + 112);
    }
  }

  /** The same for two panels. */
  static void nf4Panels2(
      int[] w, int at0, int at1, int blocks, float[] x, int xo, float[] out, int to) {
    IntVector code = IntVector.fromArray(SI, CODE_BITS, 0);
    for (int b = 0; b < blocks; b++) {
      FloatVector a0 = FloatVector.zero(SF);
      FloatVector a1 = FloatVector.zero(SF);
      FloatVector a2 = FloatVector.zero(SF);
      FloatVector a3 = FloatVector.zero(SF);
      int p0 = at0 + b * Nf4Matrix.BLOCK_INTS + 32;
      int p1 = at1 + b * Nf4Matrix.BLOCK_INTS + 32;
      int xi = xo + b * 64;
      for (int c = 0; c < 8; c++) {
        IntVector w0 = IntVector.fromArray(SI, w, p0);
        IntVector w1 = IntVector.fromArray(SI, w, p0 + 16);
        IntVector w2 = IntVector.fromArray(SI, w, p1);
        IntVector w3 = IntVector.fromArray(SI, w, p1 + 16);
        for (int n = 0; n < 8; n++) {
          FloatVector x0 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi])).reinterpretAsFloats();
          a0 = w0.selectFrom(code).reinterpretAsFloats().fma(x0, a0);
          w0 = w0.lanewise(VectorOperators.LSHR, 4);
          a1 = w1.selectFrom(code).reinterpretAsFloats().fma(x0, a1);
          w1 = w1.lanewise(VectorOperators.LSHR, 4);
          a2 = w2.selectFrom(code).reinterpretAsFloats().fma(x0, a2);
          w2 = w2.lanewise(VectorOperators.LSHR, 4);
          a3 = w3.selectFrom(code).reinterpretAsFloats().fma(x0, a3);
          w3 = w3.lanewise(VectorOperators.LSHR, 4);
          xi += 1;
        }
        p0 += 32;
        p1 += 32;
      }
      int s0 = at0 + b * Nf4Matrix.BLOCK_INTS;
      int s1 = at1 + b * Nf4Matrix.BLOCK_INTS;
      a0.fma(
              IntVector.fromArray(SI, w, s0).reinterpretAsFloats(),
              FloatVector.fromArray(SF, out, to))
          .intoArray(out, to);
      a1.fma(
              IntVector.fromArray(SI, w, s0 + 16).reinterpretAsFloats(),
              FloatVector.fromArray(SF, out, to + 16))
          .intoArray(out, to + 16);
      a2.fma(
              IntVector.fromArray(SI, w, s1).reinterpretAsFloats(),
              FloatVector.fromArray(SF, out, to + 32))
          .intoArray(out, to + 32);
      a3.fma(
              IntVector.fromArray(SI, w, s1 + 16).reinterpretAsFloats(),
              FloatVector.fromArray(SF, out, to + 48))
          .intoArray(out, to + 48);
    }
  }

  /** {@code out[to .. to + 128) += W x} for four 8-bit panels. */
  static void int8Panels4(
      int[] w, int at, int next, int blocks, float[] x, int xo, float[] out, int to) {
    for (int b = 0; b < blocks; b++) {
      FloatVector a0 = FloatVector.zero(SF);
      FloatVector a1 = FloatVector.zero(SF);
      FloatVector a2 = FloatVector.zero(SF);
      FloatVector a3 = FloatVector.zero(SF);
      FloatVector a4 = FloatVector.zero(SF);
      FloatVector a5 = FloatVector.zero(SF);
      FloatVector a6 = FloatVector.zero(SF);
      FloatVector a7 = FloatVector.zero(SF);
      int p0 = at + b * Int8Matrix.BLOCK_INTS + Int8Matrix.SCALES;
      int p1 = p0 + next;
      int p2 = p1 + next;
      int p3 = p2 + next;
      int xi = xo + b * 64;
      for (int c = 0; c < 16; c++) {
        IntVector w0 = IntVector.fromArray(SI, w, p0);
        IntVector w1 = IntVector.fromArray(SI, w, p0 + 16);
        IntVector w2 = IntVector.fromArray(SI, w, p1);
        IntVector w3 = IntVector.fromArray(SI, w, p1 + 16);
        IntVector w4 = IntVector.fromArray(SI, w, p2);
        IntVector w5 = IntVector.fromArray(SI, w, p2 + 16);
        IntVector w6 = IntVector.fromArray(SI, w, p3);
        IntVector w7 = IntVector.fromArray(SI, w, p3 + 16);
        for (int n = 0; n < 4; n++) {
          FloatVector x0 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi])).reinterpretAsFloats();
          a0 =
              w0.and(0xff)
                  .lanewise(VectorOperators.XOR, Int8Matrix.BIASED)
                  .reinterpretAsFloats()
                  .sub(Int8Matrix.BIAS)
                  .fma(x0, a0);
          w0 = w0.lanewise(VectorOperators.LSHR, 8);
          a1 =
              w1.and(0xff)
                  .lanewise(VectorOperators.XOR, Int8Matrix.BIASED)
                  .reinterpretAsFloats()
                  .sub(Int8Matrix.BIAS)
                  .fma(x0, a1);
          w1 = w1.lanewise(VectorOperators.LSHR, 8);
          a2 =
              w2.and(0xff)
                  .lanewise(VectorOperators.XOR, Int8Matrix.BIASED)
                  .reinterpretAsFloats()
                  .sub(Int8Matrix.BIAS)
                  .fma(x0, a2);
          w2 = w2.lanewise(VectorOperators.LSHR, 8);
          a3 =
              w3.and(0xff)
                  .lanewise(VectorOperators.XOR, Int8Matrix.BIASED)
                  .reinterpretAsFloats()
                  .sub(Int8Matrix.BIAS)
                  .fma(x0, a3);
          w3 = w3.lanewise(VectorOperators.LSHR, 8);
          a4 =
              w4.and(0xff)
                  .lanewise(VectorOperators.XOR, Int8Matrix.BIASED)
                  .reinterpretAsFloats()
                  .sub(Int8Matrix.BIAS)
                  .fma(x0, a4);
          w4 = w4.lanewise(VectorOperators.LSHR, 8);
          a5 =
              w5.and(0xff)
                  .lanewise(VectorOperators.XOR, Int8Matrix.BIASED)
                  .reinterpretAsFloats()
                  .sub(Int8Matrix.BIAS)
                  .fma(x0, a5);
          w5 = w5.lanewise(VectorOperators.LSHR, 8);
          a6 =
              w6.and(0xff)
                  .lanewise(VectorOperators.XOR, Int8Matrix.BIASED)
                  .reinterpretAsFloats()
                  .sub(Int8Matrix.BIAS)
                  .fma(x0, a6);
          w6 = w6.lanewise(VectorOperators.LSHR, 8);
          a7 =
              w7.and(0xff)
                  .lanewise(VectorOperators.XOR, Int8Matrix.BIASED)
                  .reinterpretAsFloats()
                  .sub(Int8Matrix.BIAS)
                  .fma(x0, a7);
          w7 = w7.lanewise(VectorOperators.LSHR, 8);
          xi += 1;
        }
        p0 += 32;
        p1 += 32;
        p2 += 32;
        p3 += 32;
      }
      int s0 = at + b * Int8Matrix.BLOCK_INTS;
      int s1 = s0 + next;
      int s2 = s1 + next;
      int s3 = s2 + next;
      a0.fma(
              IntVector.fromArray(SI, w, s0)
                  .lanewise(VectorOperators.LSHL, 16)
                  .reinterpretAsFloats(),
              FloatVector.fromArray(SF, out, to))
          .intoArray(out, to);
      a1.fma(
              IntVector.fromArray(SI, w, s0).and(0xffff0000).reinterpretAsFloats(),
              FloatVector.fromArray(SF, out, to + 16))
          .intoArray(out, to + 16);
      a2.fma(
              IntVector.fromArray(SI, w, s1)
                  .lanewise(VectorOperators.LSHL, 16)
                  .reinterpretAsFloats(),
              FloatVector.fromArray(SF, out, to + 32))
          .intoArray(out, to + 32);
      a3.fma(
              IntVector.fromArray(SI, w, s1).and(0xffff0000).reinterpretAsFloats(),
              FloatVector.fromArray(SF, out, to + 48))
          .intoArray(out, to + 48);
      a4.fma(
              IntVector.fromArray(SI, w, s2)
                  .lanewise(VectorOperators.LSHL, 16)
                  .reinterpretAsFloats(),
              FloatVector.fromArray(SF, out, to + 64))
          .intoArray(out, to + 64);
      a5.fma(
              IntVector.fromArray(SI, w, s2).and(0xffff0000).reinterpretAsFloats(),
              FloatVector.fromArray(SF, out, to + 80))
          .intoArray(out, to + 80);
      a6.fma(
              IntVector.fromArray(SI, w, s3)
                  .lanewise(VectorOperators.LSHL, 16)
                  .reinterpretAsFloats(),
              FloatVector.fromArray(SF, out, to + 96))
          .intoArray(out, to + 96);
      a7.fma(
              IntVector.fromArray(SI, w, s3).and(0xffff0000).reinterpretAsFloats(),
              FloatVector.fromArray(SF, out, to + 112))
          .intoArray(out, to + 112);
    }
  }

  /** The same for two panels. */
  static void int8Panels2(
      int[] w, int at0, int at1, int blocks, float[] x, int xo, float[] out, int to) {
    for (int b = 0; b < blocks; b++) {
      FloatVector a0 = FloatVector.zero(SF);
      FloatVector a1 = FloatVector.zero(SF);
      FloatVector a2 = FloatVector.zero(SF);
      FloatVector a3 = FloatVector.zero(SF);
      int p0 = at0 + b * Int8Matrix.BLOCK_INTS + Int8Matrix.SCALES;
      int p1 = at1 + b * Int8Matrix.BLOCK_INTS + Int8Matrix.SCALES;
      int xi = xo + b * 64;
      for (int c = 0; c < 16; c++) {
        IntVector w0 = IntVector.fromArray(SI, w, p0);
        IntVector w1 = IntVector.fromArray(SI, w, p0 + 16);
        IntVector w2 = IntVector.fromArray(SI, w, p1);
        IntVector w3 = IntVector.fromArray(SI, w, p1 + 16);
        for (int n = 0; n < 4; n++) {
          FloatVector x0 =
              IntVector.broadcast(SI, Float.floatToRawIntBits(x[xi])).reinterpretAsFloats();
          a0 =
              w0.and(0xff)
                  .lanewise(VectorOperators.XOR, Int8Matrix.BIASED)
                  .reinterpretAsFloats()
                  .sub(Int8Matrix.BIAS)
                  .fma(x0, a0);
          w0 = w0.lanewise(VectorOperators.LSHR, 8);
          a1 =
              w1.and(0xff)
                  .lanewise(VectorOperators.XOR, Int8Matrix.BIASED)
                  .reinterpretAsFloats()
                  .sub(Int8Matrix.BIAS)
                  .fma(x0, a1);
          w1 = w1.lanewise(VectorOperators.LSHR, 8);
          a2 =
              w2.and(0xff)
                  .lanewise(VectorOperators.XOR, Int8Matrix.BIASED)
                  .reinterpretAsFloats()
                  .sub(Int8Matrix.BIAS)
                  .fma(x0, a2);
          w2 = w2.lanewise(VectorOperators.LSHR, 8);
          a3 =
              w3.and(0xff)
                  .lanewise(VectorOperators.XOR, Int8Matrix.BIASED)
                  .reinterpretAsFloats()
                  .sub(Int8Matrix.BIAS)
                  .fma(x0, a3);
          w3 = w3.lanewise(VectorOperators.LSHR, 8);
          xi += 1;
        }
        p0 += 32;
        p1 += 32;
      }
      int s0 = at0 + b * Int8Matrix.BLOCK_INTS;
      int s1 = at1 + b * Int8Matrix.BLOCK_INTS;
      a0.fma(
              IntVector.fromArray(SI, w, s0)
                  .lanewise(VectorOperators.LSHL, 16)
                  .reinterpretAsFloats(),
              FloatVector.fromArray(SF, out, to))
          .intoArray(out, to);
      a1.fma(
              IntVector.fromArray(SI, w, s0).and(0xffff0000).reinterpretAsFloats(),
              FloatVector.fromArray(SF, out, to + 16))
          .intoArray(out, to + 16);
      a2.fma(
              IntVector.fromArray(SI, w, s1)
                  .lanewise(VectorOperators.LSHL, 16)
                  .reinterpretAsFloats(),
              FloatVector.fromArray(SF, out, to + 32))
          .intoArray(out, to + 32);
      a3.fma(
              IntVector.fromArray(SI, w, s1).and(0xffff0000).reinterpretAsFloats(),
              FloatVector.fromArray(SF, out, to + 48))
          .intoArray(out, to + 48);
    }
  }

  /** Unpacks an NF4 block's codes to their values {@code [64][32]}. */
  static void unpack(int[] w, int at, float[] values) {
    IntVector code = IntVector.fromArray(SI, CODE_BITS, 0);
    int to = 0;
    for (int p = at + 32; p < at + Nf4Matrix.BLOCK_INTS; p += 32) {
      IntVector w0 = IntVector.fromArray(SI, w, p);
      IntVector w1 = IntVector.fromArray(SI, w, p + 16);
      for (int k = 0; k < 8; k++) {
        w0.selectFrom(code).reinterpretAsFloats().intoArray(values, to);
        w1.selectFrom(code).reinterpretAsFloats().intoArray(values, to + 16);
        w0 = w0.lanewise(VectorOperators.LSHR, 4);
        w1 = w1.lanewise(VectorOperators.LSHR, 4);
        to += 32;
      }
    }
  }

  /** Unpacks an 8-bit block's codes to floats {@code [64][32]}. */
  static void unpackInt8(int[] w, int at, float[] values) {
    int to = 0;
    for (int p = at + Int8Matrix.SCALES; p < at + Int8Matrix.BLOCK_INTS; p += 32) {
      IntVector w0 = IntVector.fromArray(SI, w, p);
      IntVector w1 = IntVector.fromArray(SI, w, p + 16);
      for (int k = 0; k < 4; k++) {
        w0.and(0xff)
            .lanewise(VectorOperators.XOR, Int8Matrix.BIASED)
            .reinterpretAsFloats()
            .sub(Int8Matrix.BIAS)
            .intoArray(values, to);
        w1.and(0xff)
            .lanewise(VectorOperators.XOR, Int8Matrix.BIASED)
            .reinterpretAsFloats()
            .sub(Int8Matrix.BIAS)
            .intoArray(values, to + 16);
        w0 = w0.lanewise(VectorOperators.LSHR, 8);
        w1 = w1.lanewise(VectorOperators.LSHR, 8);
        to += 32;
      }
    }
  }

  /** {@code out[0..64) = W x} for two bfloat16 panels over {@code k} inputs. */
  static void bf16(int[] w, int at0, int at1, int k, float[] x, int xo, float[] out) {
    FloatVector a0 = FloatVector.zero(SF);
    FloatVector a1 = FloatVector.zero(SF);
    FloatVector a2 = FloatVector.zero(SF);
    FloatVector a3 = FloatVector.zero(SF);
    int p0 = at0;
    int p1 = at1;
    for (int i = xo; i < xo + k; i++) {
      FloatVector xv = IntVector.broadcast(SI, Float.floatToRawIntBits(x[i])).reinterpretAsFloats();
      IntVector w0 = IntVector.fromArray(SI, w, p0);
      IntVector w1 = IntVector.fromArray(SI, w, p1);
      a0 = w0.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().fma(xv, a0);
      a1 = w0.and(0xffff0000).reinterpretAsFloats().fma(xv, a1);
      a2 = w1.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().fma(xv, a2);
      a3 = w1.and(0xffff0000).reinterpretAsFloats().fma(xv, a3);
      p0 += 16;
      p1 += 16;
    }
    a0.intoArray(out, 0);
    a1.intoArray(out, 16);
    a2.intoArray(out, 32);
    a3.intoArray(out, 48);
  }
}
