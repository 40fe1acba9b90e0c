package dev.reckoner.tensor.cpu;

import dev.reckoner.tensor.Nf4;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Matrix times one vector, straight from the packed weights: two panels at a time, so that four
 * chains of multiply-adds hide each other's latency and one broadcast serves 64 outputs. Needs
 * 512-bit vectors; the same chains in the same order as {@link Tile}, hence the same bits. Written
 * flat, as a method call inside makes C2 box vectors.
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

  private static int[] codeBits() {
    float[] values = Nf4.codeValues();
    int[] bits = new int[16];
    for (int i = 0; i < 16; i++) {
      bits[i] = Float.floatToRawIntBits(values[i]);
    }
    return bits;
  }

  /**
   * {@code out[0..64) = W x} for the NF4 panels that begin at {@code at0} and {@code at1}.
   *
   * @param blocks of 64 inputs
   */
  static void nf4(int[] w, int at0, int at1, int blocks, float[] x, int xo, float[] out) {
    IntVector code = IntVector.fromArray(SI, CODE_BITS, 0);
    FloatVector t0 = FloatVector.zero(SF);
    FloatVector t1 = FloatVector.zero(SF);
    FloatVector t2 = FloatVector.zero(SF);
    FloatVector t3 = FloatVector.zero(SF);
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
        FloatVector x0 = FloatVector.broadcast(SF, x[xi]);
        a0 = w0.selectFrom(code).reinterpretAsFloats().fma(x0, a0);
        a1 = w1.selectFrom(code).reinterpretAsFloats().fma(x0, a1);
        a2 = w2.selectFrom(code).reinterpretAsFloats().fma(x0, a2);
        a3 = w3.selectFrom(code).reinterpretAsFloats().fma(x0, a3);
        FloatVector x1 = FloatVector.broadcast(SF, x[xi + 1]);
        a0 =
            w0.lanewise(VectorOperators.LSHR, 4).selectFrom(code).reinterpretAsFloats().fma(x1, a0);
        a1 =
            w1.lanewise(VectorOperators.LSHR, 4).selectFrom(code).reinterpretAsFloats().fma(x1, a1);
        a2 =
            w2.lanewise(VectorOperators.LSHR, 4).selectFrom(code).reinterpretAsFloats().fma(x1, a2);
        a3 =
            w3.lanewise(VectorOperators.LSHR, 4).selectFrom(code).reinterpretAsFloats().fma(x1, a3);
        FloatVector x2 = FloatVector.broadcast(SF, x[xi + 2]);
        a0 =
            w0.lanewise(VectorOperators.LSHR, 8).selectFrom(code).reinterpretAsFloats().fma(x2, a0);
        a1 =
            w1.lanewise(VectorOperators.LSHR, 8).selectFrom(code).reinterpretAsFloats().fma(x2, a1);
        a2 =
            w2.lanewise(VectorOperators.LSHR, 8).selectFrom(code).reinterpretAsFloats().fma(x2, a2);
        a3 =
            w3.lanewise(VectorOperators.LSHR, 8).selectFrom(code).reinterpretAsFloats().fma(x2, a3);
        FloatVector x3 = FloatVector.broadcast(SF, x[xi + 3]);
        a0 =
            w0.lanewise(VectorOperators.LSHR, 12)
                .selectFrom(code)
                .reinterpretAsFloats()
                .fma(x3, a0);
        a1 =
            w1.lanewise(VectorOperators.LSHR, 12)
                .selectFrom(code)
                .reinterpretAsFloats()
                .fma(x3, a1);
        a2 =
            w2.lanewise(VectorOperators.LSHR, 12)
                .selectFrom(code)
                .reinterpretAsFloats()
                .fma(x3, a2);
        a3 =
            w3.lanewise(VectorOperators.LSHR, 12)
                .selectFrom(code)
                .reinterpretAsFloats()
                .fma(x3, a3);
        FloatVector x4 = FloatVector.broadcast(SF, x[xi + 4]);
        a0 =
            w0.lanewise(VectorOperators.LSHR, 16)
                .selectFrom(code)
                .reinterpretAsFloats()
                .fma(x4, a0);
        a1 =
            w1.lanewise(VectorOperators.LSHR, 16)
                .selectFrom(code)
                .reinterpretAsFloats()
                .fma(x4, a1);
        a2 =
            w2.lanewise(VectorOperators.LSHR, 16)
                .selectFrom(code)
                .reinterpretAsFloats()
                .fma(x4, a2);
        a3 =
            w3.lanewise(VectorOperators.LSHR, 16)
                .selectFrom(code)
                .reinterpretAsFloats()
                .fma(x4, a3);
        FloatVector x5 = FloatVector.broadcast(SF, x[xi + 5]);
        a0 =
            w0.lanewise(VectorOperators.LSHR, 20)
                .selectFrom(code)
                .reinterpretAsFloats()
                .fma(x5, a0);
        a1 =
            w1.lanewise(VectorOperators.LSHR, 20)
                .selectFrom(code)
                .reinterpretAsFloats()
                .fma(x5, a1);
        a2 =
            w2.lanewise(VectorOperators.LSHR, 20)
                .selectFrom(code)
                .reinterpretAsFloats()
                .fma(x5, a2);
        a3 =
            w3.lanewise(VectorOperators.LSHR, 20)
                .selectFrom(code)
                .reinterpretAsFloats()
                .fma(x5, a3);
        FloatVector x6 = FloatVector.broadcast(SF, x[xi + 6]);
        a0 =
            w0.lanewise(VectorOperators.LSHR, 24)
                .selectFrom(code)
                .reinterpretAsFloats()
                .fma(x6, a0);
        a1 =
            w1.lanewise(VectorOperators.LSHR, 24)
                .selectFrom(code)
                .reinterpretAsFloats()
                .fma(x6, a1);
        a2 =
            w2.lanewise(VectorOperators.LSHR, 24)
                .selectFrom(code)
                .reinterpretAsFloats()
                .fma(x6, a2);
        a3 =
            w3.lanewise(VectorOperators.LSHR, 24)
                .selectFrom(code)
                .reinterpretAsFloats()
                .fma(x6, a3);
        FloatVector x7 = FloatVector.broadcast(SF, x[xi + 7]);
        a0 =
            w0.lanewise(VectorOperators.LSHR, 28)
                .selectFrom(code)
                .reinterpretAsFloats()
                .fma(x7, a0);
        a1 =
            w1.lanewise(VectorOperators.LSHR, 28)
                .selectFrom(code)
                .reinterpretAsFloats()
                .fma(x7, a1);
        a2 =
            w2.lanewise(VectorOperators.LSHR, 28)
                .selectFrom(code)
                .reinterpretAsFloats()
                .fma(x7, a2);
        a3 =
            w3.lanewise(VectorOperators.LSHR, 28)
                .selectFrom(code)
                .reinterpretAsFloats()
                .fma(x7, a3);
        p0 += 32;
        p1 += 32;
        xi += 8;
      }
      int s0 = at0 + b * Nf4Matrix.BLOCK_INTS;
      int s1 = at1 + b * Nf4Matrix.BLOCK_INTS;
      t0 = a0.fma(IntVector.fromArray(SI, w, s0).reinterpretAsFloats(), t0);
      t1 = a1.fma(IntVector.fromArray(SI, w, s0 + 16).reinterpretAsFloats(), t1);
      t2 = a2.fma(IntVector.fromArray(SI, w, s1).reinterpretAsFloats(), t2);
      t3 = a3.fma(IntVector.fromArray(SI, w, s1 + 16).reinterpretAsFloats(), t3);
    }
    t0.intoArray(out, 0);
    t1.intoArray(out, 16);
    t2.intoArray(out, 32);
    t3.intoArray(out, 48);
  }

  /** As {@link #nf4}, for 8-bit panels. */
  static void int8(int[] w, int at0, int at1, int blocks, float[] x, int xo, float[] out) {
    FloatVector t0 = FloatVector.zero(SF);
    FloatVector t1 = FloatVector.zero(SF);
    FloatVector t2 = FloatVector.zero(SF);
    FloatVector t3 = FloatVector.zero(SF);
    for (int b = 0; b < blocks; b++) {
      FloatVector a0 = FloatVector.zero(SF);
      FloatVector a1 = FloatVector.zero(SF);
      FloatVector a2 = FloatVector.zero(SF);
      FloatVector a3 = FloatVector.zero(SF);
      int p0 = at0 + b * Int8Matrix.BLOCK_INTS + 32;
      int p1 = at1 + b * Int8Matrix.BLOCK_INTS + 32;
      int xi = xo + b * 64;
      for (int c = 0; c < 16; c++) {
        IntVector w0 = IntVector.fromArray(SI, w, p0);
        IntVector w1 = IntVector.fromArray(SI, w, p0 + 16);
        IntVector w2 = IntVector.fromArray(SI, w, p1);
        IntVector w3 = IntVector.fromArray(SI, w, p1 + 16);
        FloatVector x0 = FloatVector.broadcast(SF, x[xi]);
        a0 =
            ((FloatVector)
                    w0.lanewise(VectorOperators.LSHL, 24)
                        .lanewise(VectorOperators.ASHR, 24)
                        .convert(VectorOperators.I2F, 0))
                .fma(x0, a0);
        a1 =
            ((FloatVector)
                    w1.lanewise(VectorOperators.LSHL, 24)
                        .lanewise(VectorOperators.ASHR, 24)
                        .convert(VectorOperators.I2F, 0))
                .fma(x0, a1);
        a2 =
            ((FloatVector)
                    w2.lanewise(VectorOperators.LSHL, 24)
                        .lanewise(VectorOperators.ASHR, 24)
                        .convert(VectorOperators.I2F, 0))
                .fma(x0, a2);
        a3 =
            ((FloatVector)
                    w3.lanewise(VectorOperators.LSHL, 24)
                        .lanewise(VectorOperators.ASHR, 24)
                        .convert(VectorOperators.I2F, 0))
                .fma(x0, a3);
        FloatVector x1 = FloatVector.broadcast(SF, x[xi + 1]);
        a0 =
            ((FloatVector)
                    w0.lanewise(VectorOperators.LSHL, 16)
                        .lanewise(VectorOperators.ASHR, 24)
                        .convert(VectorOperators.I2F, 0))
                .fma(x1, a0);
        a1 =
            ((FloatVector)
                    w1.lanewise(VectorOperators.LSHL, 16)
                        .lanewise(VectorOperators.ASHR, 24)
                        .convert(VectorOperators.I2F, 0))
                .fma(x1, a1);
        a2 =
            ((FloatVector)
                    w2.lanewise(VectorOperators.LSHL, 16)
                        .lanewise(VectorOperators.ASHR, 24)
                        .convert(VectorOperators.I2F, 0))
                .fma(x1, a2);
        a3 =
            ((FloatVector)
                    w3.lanewise(VectorOperators.LSHL, 16)
                        .lanewise(VectorOperators.ASHR, 24)
                        .convert(VectorOperators.I2F, 0))
                .fma(x1, a3);
        FloatVector x2 = FloatVector.broadcast(SF, x[xi + 2]);
        a0 =
            ((FloatVector)
                    w0.lanewise(VectorOperators.LSHL, 8)
                        .lanewise(VectorOperators.ASHR, 24)
                        .convert(VectorOperators.I2F, 0))
                .fma(x2, a0);
        a1 =
            ((FloatVector)
                    w1.lanewise(VectorOperators.LSHL, 8)
                        .lanewise(VectorOperators.ASHR, 24)
                        .convert(VectorOperators.I2F, 0))
                .fma(x2, a1);
        a2 =
            ((FloatVector)
                    w2.lanewise(VectorOperators.LSHL, 8)
                        .lanewise(VectorOperators.ASHR, 24)
                        .convert(VectorOperators.I2F, 0))
                .fma(x2, a2);
        a3 =
            ((FloatVector)
                    w3.lanewise(VectorOperators.LSHL, 8)
                        .lanewise(VectorOperators.ASHR, 24)
                        .convert(VectorOperators.I2F, 0))
                .fma(x2, a3);
        FloatVector x3 = FloatVector.broadcast(SF, x[xi + 3]);
        a0 =
            ((FloatVector) w0.lanewise(VectorOperators.ASHR, 24).convert(VectorOperators.I2F, 0))
                .fma(x3, a0);
        a1 =
            ((FloatVector) w1.lanewise(VectorOperators.ASHR, 24).convert(VectorOperators.I2F, 0))
                .fma(x3, a1);
        a2 =
            ((FloatVector) w2.lanewise(VectorOperators.ASHR, 24).convert(VectorOperators.I2F, 0))
                .fma(x3, a2);
        a3 =
            ((FloatVector) w3.lanewise(VectorOperators.ASHR, 24).convert(VectorOperators.I2F, 0))
                .fma(x3, a3);
        p0 += 32;
        p1 += 32;
        xi += 4;
      }
      int s0 = at0 + b * Int8Matrix.BLOCK_INTS;
      int s1 = at1 + b * Int8Matrix.BLOCK_INTS;
      t0 = a0.fma(IntVector.fromArray(SI, w, s0).reinterpretAsFloats(), t0);
      t1 = a1.fma(IntVector.fromArray(SI, w, s0 + 16).reinterpretAsFloats(), t1);
      t2 = a2.fma(IntVector.fromArray(SI, w, s1).reinterpretAsFloats(), t2);
      t3 = a3.fma(IntVector.fromArray(SI, w, s1 + 16).reinterpretAsFloats(), t3);
    }
    t0.intoArray(out, 0);
    t1.intoArray(out, 16);
    t2.intoArray(out, 32);
    t3.intoArray(out, 48);
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
    for (int p = at + 32; p < at + Int8Matrix.BLOCK_INTS; p += 32) {
      IntVector w0 = IntVector.fromArray(SI, w, p);
      IntVector w1 = IntVector.fromArray(SI, w, p + 16);
      for (int k = 0; k < 4; k++) {
        IntVector b0 =
            w0.lanewise(VectorOperators.LSHL, 24 - 8 * k).lanewise(VectorOperators.ASHR, 24);
        IntVector b1 =
            w1.lanewise(VectorOperators.LSHL, 24 - 8 * k).lanewise(VectorOperators.ASHR, 24);
        ((FloatVector) b0.convert(VectorOperators.I2F, 0)).intoArray(values, to);
        ((FloatVector) b1.convert(VectorOperators.I2F, 0)).intoArray(values, to + 16);
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
      FloatVector xv = FloatVector.broadcast(SF, x[i]);
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
