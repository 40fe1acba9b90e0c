package dev.reckoner.tensor.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Quantised weights written to memory as floats, for products of many rows, by 256-bit vectors: a
 * block's codes with lane = output for {@code y = x W^T}, and its values with lane = input for
 * {@code dx = dy W}, the latter by 512-bit vectors where there are. Written flat, as {@link Tile}.
 * NF4 values are looked up as in {@link DecodeKernel256}.
 */
final class Unpack {
  private static final VectorSpecies<Float> SF = FloatVector.SPECIES_256;
  private static final VectorSpecies<Integer> SI = IntVector.SPECIES_256;

  private static final VectorSpecies<Integer> SI512 = IntVector.SPECIES_512;

  private static final int[] CODE_BITS = DecodeKernel.codeBits();

  /** Shifts that bring each code of a word to the lowest, or to the highest bits. */
  private static final int[] NIBBLES_DOWN = {0, 4, 8, 12, 16, 20, 24, 28};

  private static final int[] NIBBLES_TWICE = {
    0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28
  };
  private static final int[] NIBBLES_UP = {28, 24, 20, 16, 12, 8, 4, 0};
  private static final int[] BYTES_DOWN = {0, 8, 16, 24, 0, 8, 16, 24, 0, 8, 16, 24, 0, 8, 16, 24};

  private Unpack() {}

  /** Whether this machine's vectors are wide enough. */
  static boolean supported() {
    return VectorMath.L >= 8;
  }

  /** An NF4 block's codes as their values {@code [64][32]}, not scaled, and its scales. */
  static void nf4(int[] w, int at, float[] codes, float[] scales) {
    IntVector low = IntVector.fromArray(SI, CODE_BITS, 0);
    IntVector high = IntVector.fromArray(SI, CODE_BITS, 8);
    for (int h = 0; h < 32; h += 8) {
      IntVector.fromArray(SI, w, at + h).reinterpretAsFloats().intoArray(scales, h);
      int to = h;
      for (int from = at + 32 + h; from < at + Nf4Matrix.BLOCK_INTS; from += 32) {
        IntVector w0 = IntVector.fromArray(SI, w, from);
        for (int n = 0; n < 8; n++) {
          w0.selectFrom(low)
              .blend(
                  w0.selectFrom(high),
                  w0.lanewise(VectorOperators.LSHL, 28).compare(VectorOperators.LT, 0))
              .reinterpretAsFloats()
              .intoArray(codes, to);
          w0 = w0.lanewise(VectorOperators.LSHR, 4);
          to += 32;
        }
      }
    }
  }

  /** The same of an 8-bit block. */
  static void int8(int[] w, int at, float[] codes, float[] scales) {
    for (int h = 0; h < 16; h += 8) {
      IntVector both = IntVector.fromArray(SI, w, at + h);
      both.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(scales, h);
      both.and(0xffff0000).reinterpretAsFloats().intoArray(scales, h + 16);
    }
    int to = 0;
    for (int from = at + Int8Matrix.SCALES; from < at + Int8Matrix.BLOCK_INTS; from += 32) {
      for (int h = 0; h < 32; h += 8) {
        IntVector w0 = IntVector.fromArray(SI, w, from + h);
        for (int n = 0; n < 128; n += 32) {
          w0.and(0xff)
              .lanewise(VectorOperators.XOR, Int8Matrix.BIASED)
              .reinterpretAsFloats()
              .sub(Int8Matrix.BIAS)
              .intoArray(codes, to + h + n);
          w0 = w0.lanewise(VectorOperators.LSHR, 8);
        }
      }
      to += 128;
    }
  }

  /**
   * Values {@code [rows][32]} of 32 inputs of an NF4 block, for some of its outputs.
   *
   * @param scale where the scale of the first output is
   * @param words where its first eight codes are
   */
  static void nf4Rows(int[] w, int scale, int words, int rows, float[] values, int to) {
    if (VectorMath.L == 16) {
      nf4Rows512(w, scale, words, rows, values, to);
      return;
    }
    FloatVector low = IntVector.fromArray(SI, CODE_BITS, 0).reinterpretAsFloats();
    FloatVector high = IntVector.fromArray(SI, CODE_BITS, 8).reinterpretAsFloats();
    IntVector down = IntVector.fromArray(SI, NIBBLES_DOWN, 0);
    IntVector up = IntVector.fromArray(SI, NIBBLES_UP, 0);
    for (int j = 0; j < rows; j++) {
      float factor = Float.intBitsToFloat(w[scale + j]);
      IntVector scaledLow = low.mul(factor).reinterpretAsInts();
      IntVector scaledHigh = high.mul(factor).reinterpretAsInts();
      for (int c = 0; c < 4; c++) {
        IntVector word = IntVector.broadcast(SI, w[words + j + 32 * c]);
        IntVector code = word.lanewise(VectorOperators.LSHR, down);
        code.selectFrom(scaledLow)
            .blend(
                code.selectFrom(scaledHigh),
                word.lanewise(VectorOperators.LSHL, up).compare(VectorOperators.LT, 0))
            .reinterpretAsFloats()
            .intoArray(values, to + 32 * j + 8 * c);
      }
    }
  }

  /** Two words a vector, and all 16 values in one. */
  private static void nf4Rows512(int[] w, int scale, int words, int rows, float[] values, int to) {
    FloatVector code = IntVector.fromArray(SI512, CODE_BITS, 0).reinterpretAsFloats();
    IntVector down = IntVector.fromArray(SI512, NIBBLES_TWICE, 0);
    VectorMask<Integer> second = VectorMask.fromLong(SI512, 0xff00);
    for (int j = 0; j < rows; j++) {
      IntVector scaled = code.mul(Float.intBitsToFloat(w[scale + j])).reinterpretAsInts();
      for (int c = 0; c < 2; c++) {
        int from = words + j + 64 * c;
        IntVector.broadcast(SI512, w[from])
            .blend(w[from + 32], second)
            .lanewise(VectorOperators.LSHR, down)
            .selectFrom(scaled)
            .reinterpretAsFloats()
            .intoArray(values, to + 32 * j + 16 * c);
      }
    }
  }

  /**
   * The same of an 8-bit block, whose codes come four in a word.
   *
   * @param output the first
   */
  static void int8Rows(
      int[] w, int block, int output, int words, int rows, float[] values, int to) {
    if (VectorMath.L == 16) {
      int8Rows512(w, block, output, words, rows, values, to);
      return;
    }
    IntVector down = IntVector.fromArray(SI, BYTES_DOWN, 0);
    VectorMask<Integer> second = VectorMask.fromLong(SI, 0xf0);
    for (int j = 0; j < rows; j++) {
      FloatVector factor = FloatVector.broadcast(SF, Int8Matrix.scale(w, block, output + j));
      for (int c = 0; c < 4; c++) {
        int from = words + j + 64 * c;
        IntVector.broadcast(SI, w[from])
            .blend(w[from + 32], second)
            .lanewise(VectorOperators.LSHR, down)
            .and(0xff)
            .lanewise(VectorOperators.XOR, Int8Matrix.BIASED)
            .reinterpretAsFloats()
            .sub(Int8Matrix.BIAS)
            .mul(factor)
            .intoArray(values, to + 32 * j + 8 * c);
      }
    }
  }

  /** Four words a vector. */
  private static void int8Rows512(
      int[] w, int block, int output, int words, int rows, float[] values, int to) {
    IntVector down = IntVector.fromArray(SI512, BYTES_DOWN, 0);
    VectorMask<Integer> second = VectorMask.fromLong(SI512, 0xf0);
    VectorMask<Integer> third = VectorMask.fromLong(SI512, 0xf00);
    VectorMask<Integer> fourth = VectorMask.fromLong(SI512, 0xf000);
    for (int j = 0; j < rows; j++) {
      float factor = Int8Matrix.scale(w, block, output + j);
      for (int c = 0; c < 2; c++) {
        int from = words + j + 128 * c;
        IntVector.broadcast(SI512, w[from])
            .blend(w[from + 32], second)
            .blend(w[from + 64], third)
            .blend(w[from + 96], fourth)
            .lanewise(VectorOperators.LSHR, down)
            .and(0xff)
            .lanewise(VectorOperators.XOR, Int8Matrix.BIASED)
            .reinterpretAsFloats()
            .sub(Int8Matrix.BIAS)
            .mul(factor)
            .intoArray(values, to + 32 * j + 16 * c);
      }
    }
  }
}
