package dev.reckoner.tensor.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * {@link DecodeKernel} for 256-bit vectors: the same chains in the same order, hence the same bits.
 * There are sixteen registers, so a pass keeps two or four chains; other passes, which do not wait
 * for them, hide their latency. Panels take turns block by block, so that memory delivers to
 * several streams of reads. Written flat, as there.
 *
 * <p>A vector has room for half of the sixteen NF4 values: both halves are looked up by the low
 * bits of a code, and its highest bit says which one counts.
 */
final class DecodeKernel256 {
  private static final VectorSpecies<Float> SF = FloatVector.SPECIES_256;
  private static final VectorSpecies<Integer> SI = IntVector.SPECIES_256;
  private static final int[] CODE_BITS = DecodeKernel.codeBits();

  private DecodeKernel256() {}

  /** Whether this machine's vectors are wide enough, and no wider: then the others are faster. */
  static boolean supported() {
    return VectorMath.L == 8;
  }

  /**
   * {@code out[to .. to + 32 * panels) += W x} for NF4 panels of {@code blocks} times 64 inputs
   * whose beginnings are {@code next} elements apart.
   */
  static void nf4(
      int[] w, int at, int next, int panels, int blocks, float[] x, int xo, float[] out, int to) {
    IntVector low = IntVector.fromArray(SI, CODE_BITS, 0);
    IntVector high = IntVector.fromArray(SI, CODE_BITS, 8);
    for (int b = 0; b < blocks; b++) {
      for (int p = 0; p < panels; p++) {
        for (int h = 0; h < 32; h += 16) {
          FloatVector a0 = FloatVector.zero(SF);
          FloatVector a1 = FloatVector.zero(SF);
          int s = at + p * next + b * Nf4Matrix.BLOCK_INTS + h;
          int from = s + 32;
          int xi = xo + b * 64;
          for (int c = 0; c < 8; c++) {
            IntVector w0 = IntVector.fromArray(SI, w, from);
            IntVector w1 = IntVector.fromArray(SI, w, from + 8);
            for (int n = 0; n < 8; n++) {
              FloatVector x0 = FloatVector.broadcast(SF, x[xi]);
              a0 =
                  w0.selectFrom(low)
                      .blend(
                          w0.selectFrom(high),
                          w0.lanewise(VectorOperators.LSHL, 28).compare(VectorOperators.LT, 0))
                      .reinterpretAsFloats()
                      .fma(x0, a0);
              w0 = w0.lanewise(VectorOperators.LSHR, 4);
              a1 =
                  w1.selectFrom(low)
                      .blend(
                          w1.selectFrom(high),
                          w1.lanewise(VectorOperators.LSHL, 28).compare(VectorOperators.LT, 0))
                      .reinterpretAsFloats()
                      .fma(x0, a1);
              w1 = w1.lanewise(VectorOperators.LSHR, 4);
              xi += 1;
            }
            from += 32;
          }
          int o = to + p * 32 + h;
          a0.fma(
                  IntVector.fromArray(SI, w, s).reinterpretAsFloats(),
                  FloatVector.fromArray(SF, out, o))
              .intoArray(out, o);
          a1.fma(
                  IntVector.fromArray(SI, w, s + 8).reinterpretAsFloats(),
                  FloatVector.fromArray(SF, out, o + 8))
              .intoArray(out, o + 8);
        }
      }
    }
  }

  /** The same for 8-bit panels. */
  static void int8(
      int[] w, int at, int next, int panels, int blocks, float[] x, int xo, float[] out, int to) {
    for (int b = 0; b < blocks; b++) {
      for (int p = 0; p < panels; p++) {
        FloatVector a0 = FloatVector.zero(SF);
        FloatVector a1 = FloatVector.zero(SF);
        FloatVector a2 = FloatVector.zero(SF);
        FloatVector a3 = FloatVector.zero(SF);
        int s = at + p * next + b * Int8Matrix.BLOCK_INTS;
        int from = s + Int8Matrix.SCALES;
        int xi = xo + b * 64;
        for (int c = 0; c < 16; c++) {
          IntVector w0 = IntVector.fromArray(SI, w, from);
          IntVector w1 = IntVector.fromArray(SI, w, from + 8);
          IntVector w2 = IntVector.fromArray(SI, w, from + 16);
          IntVector w3 = IntVector.fromArray(SI, w, from + 24);
          for (int n = 0; n < 4; n++) {
            FloatVector x0 = FloatVector.broadcast(SF, x[xi]);
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
          from += 32;
        }
        int o = to + p * 32;
        a0.fma(
                IntVector.fromArray(SI, w, s)
                    .lanewise(VectorOperators.LSHL, 16)
                    .reinterpretAsFloats(),
                FloatVector.fromArray(SF, out, o))
            .intoArray(out, o);
        a1.fma(
                IntVector.fromArray(SI, w, s + 8)
                    .lanewise(VectorOperators.LSHL, 16)
                    .reinterpretAsFloats(),
                FloatVector.fromArray(SF, out, o + 8))
            .intoArray(out, o + 8);
        a2.fma(
                IntVector.fromArray(SI, w, s).and(0xffff0000).reinterpretAsFloats(),
                FloatVector.fromArray(SF, out, o + 16))
            .intoArray(out, o + 16);
        a3.fma(
                IntVector.fromArray(SI, w, s + 8).and(0xffff0000).reinterpretAsFloats(),
                FloatVector.fromArray(SF, out, o + 24))
            .intoArray(out, o + 24);
      }
    }
  }

  /** {@code out[0..64) = W x} for two bfloat16 panels over {@code k} inputs. */
  static void bf16(int[] w, int at0, int at1, int k, float[] x, int xo, float[] out) {
    FloatVector a0 = FloatVector.zero(SF);
    FloatVector a1 = FloatVector.zero(SF);
    FloatVector a2 = FloatVector.zero(SF);
    FloatVector a3 = FloatVector.zero(SF);
    FloatVector a4 = FloatVector.zero(SF);
    FloatVector a5 = FloatVector.zero(SF);
    FloatVector a6 = FloatVector.zero(SF);
    FloatVector a7 = FloatVector.zero(SF);
    int p0 = at0;
    int p1 = at1;
    for (int i = xo; i < xo + k; i++) {
      FloatVector x0 = FloatVector.broadcast(SF, x[i]);
      IntVector w0 = IntVector.fromArray(SI, w, p0);
      IntVector w1 = IntVector.fromArray(SI, w, p0 + 8);
      IntVector w2 = IntVector.fromArray(SI, w, p1);
      IntVector w3 = IntVector.fromArray(SI, w, p1 + 8);
      a0 = w0.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().fma(x0, a0);
      a1 = w1.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().fma(x0, a1);
      a2 = w0.and(0xffff0000).reinterpretAsFloats().fma(x0, a2);
      a3 = w1.and(0xffff0000).reinterpretAsFloats().fma(x0, a3);
      a4 = w2.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().fma(x0, a4);
      a5 = w3.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().fma(x0, a5);
      a6 = w2.and(0xffff0000).reinterpretAsFloats().fma(x0, a6);
      a7 = w3.and(0xffff0000).reinterpretAsFloats().fma(x0, a7);
      p0 += 16;
      p1 += 16;
    }
    a0.intoArray(out, 0);
    a1.intoArray(out, 8);
    a2.intoArray(out, 16);
    a3.intoArray(out, 24);
    a4.intoArray(out, 32);
    a5.intoArray(out, 40);
    a6.intoArray(out, 48);
    a7.intoArray(out, 56);
  }
}
