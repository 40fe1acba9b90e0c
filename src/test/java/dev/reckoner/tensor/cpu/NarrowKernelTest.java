package dev.reckoner.tensor.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.reckoner.tensor.Nf4;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The kernels for 256-bit vectors, which wider machines can run too, beside plain loops: the same
 * bits for any codes, scales and inputs, infinities and NaN among them.
 */
class NarrowKernelTest {
  private static final float[] CODE = Nf4.codeValues();
  private static final int FIRST = 12;

  /** Bits of a quantised matrix of {@code panels} times 32 outputs. */
  private record Blocks(boolean nf4, int panels, int blocks, int[] data) {
    static Blocks random(boolean nf4, int panels, int blocks, long seed) {
      int ints = nf4 ? Nf4Matrix.BLOCK_INTS : Int8Matrix.BLOCK_INTS;
      SplittableRandom random = new SplittableRandom(seed);
      int[] data = random.ints(FIRST + (long) panels * blocks * ints).toArray();
      Blocks w = new Blocks(nf4, panels, blocks, data);
      for (int block = 0; block < panels * blocks; block++) {
        for (int j = 0; j < 32; j++) {
          w.scale(block / blocks, block % blocks, j, (float) random.nextDouble(-1, 1));
        }
      }
      return w;
    }

    int at(int panel, int block) {
      return FIRST
          + (panel * blocks + block) * (nf4 ? Nf4Matrix.BLOCK_INTS : Int8Matrix.BLOCK_INTS);
    }

    /** Of 8-bit weights a bfloat16, of the first sixteen outputs in the low half of a word. */
    void scale(int panel, int block, int output, float value) {
      int bits = Float.floatToRawIntBits(value);
      if (nf4) {
        data[at(panel, block) + output] = bits;
        return;
      }
      int at = at(panel, block) + output % 16;
      data[at] =
          output < 16 ? data[at] & 0xffff0000 | bits >>> 16 : data[at] & 0xffff | bits >>> 16 << 16;
    }

    float scale(int panel, int block, int output) {
      if (nf4) {
        return Float.intBitsToFloat(data[at(panel, block) + output]);
      }
      int both = data[at(panel, block) + output % 16];
      return Float.intBitsToFloat(output < 16 ? both << 16 : both & 0xffff0000);
    }

    /** Where a block's codes begin. */
    int words(int panel, int block) {
      return at(panel, block) + (nf4 ? 32 : 16);
    }

    float code(int panel, int block, int input, int output) {
      int words = words(panel, block);
      return nf4
          ? CODE[data[words + input / 8 * 32 + output] >>> 4 * (input % 8) & 15]
          : (byte) (data[words + input / 4 * 32 + output] >> 8 * (input % 4));
    }

    /** {@code out [panels][32] += W x}, as every kernel sums. */
    void multiply(float[] x, int xo, float[] out) {
      for (int p = 0; p < panels; p++) {
        for (int j = 0; j < 32; j++) {
          for (int b = 0; b < blocks; b++) {
            float sum = 0;
            for (int i = 0; i < 64; i++) {
              sum = Math.fma(code(p, b, i, j), x[xo + b * 64 + i], sum);
            }
            out[p * 32 + j] = Math.fma(sum, scale(p, b, j), out[p * 32 + j]);
          }
        }
      }
    }

    void decode(float[] x, int xo, float[] out) {
      if (nf4) {
        DecodeKernel256.nf4(data, FIRST, at(1, 0) - FIRST, panels, blocks, x, xo, out, 0);
      } else {
        DecodeKernel256.int8(data, FIRST, at(1, 0) - FIRST, panels, blocks, x, xo, out, 0);
      }
    }
  }

  private static float[] floats(int n, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  /** NaN equals NaN, whatever its bits; zeros of different signs differ. */
  private static void assertSame(float[] actual, float[] expected) {
    assertThat(actual).hasSameSizeAs(expected);
    for (int i = 0; i < actual.length; i++) {
      assertThat(Float.floatToIntBits(actual[i]))
          .as("element %d: %s for %s", i, actual[i], expected[i])
          .isEqualTo(Float.floatToIntBits(expected[i]));
    }
  }

  @BeforeEach
  void vectorsMustBeWideEnough() {
    assumeTrue(Unpack.supported(), "256-bit vectors");
  }

  @ParameterizedTest
  @CsvSource({
    "true, 1, 1",
    "true, 2, 3",
    "true, 4, 18",
    "false, 1, 1",
    "false, 2, 3",
    "false, 4, 9"
  })
  void decodingSumsAsPlainLoopsDo(boolean nf4, int panels, int blocks) {
    Blocks w = Blocks.random(nf4, panels, blocks, 1);
    float[] x = floats(5 + 64 * blocks, 2);
    float[] expected = floats(32 * panels, 3);
    float[] actual = expected.clone();
    w.multiply(x, 5, expected);
    w.decode(x, 5, actual);
    assertSame(actual, expected);
  }

  @Test
  void everyByteIsItsValueInEveryKernel() {
    int block = Int8Matrix.BLOCK_INTS;
    int[] w = new int[4 * block];
    for (int p = 0; p < 4; p++) {
      Arrays.fill(w, p * block, p * block + 16, 0x3f803f80); // two bfloat16 of 1
    }
    float[] expected = new float[64 * 32];
    for (int i = 0; i < 64; i++) {
      for (int j = 0; j < 32; j++) {
        int code = (i * 32 + j + i / 8) % 256 - 128;
        expected[i * 32 + j] = code;
        for (int p = 0; p < 4; p++) {
          w[p * block + 16 + i / 4 * 32 + j] |= (code & 0xff) << 8 * (i % 4);
        }
      }
    }
    float[] codes = new float[64 * 32];
    Unpack.int8(w, 0, codes, new float[32]);
    assertSame(codes, expected);
    if (DecodeKernel.supported()) {
      DecodeKernel.unpackInt8(w, 0, codes);
      assertSame(codes, expected);
    }
    for (int i = 0; i < 64; i++) {
      float[] row = Arrays.copyOfRange(expected, i * 32, i * 32 + 32);
      float[] x = new float[64];
      x[i] = 1;
      float[] out = new float[4 * 32];
      DecodeKernel256.int8(w, 0, block, 4, 1, x, 0, out, 0);
      assertEveryRow(out, row);
      if (DecodeKernel.supported()) {
        Arrays.fill(out, 0);
        DecodeKernel.int8Panels4(w, 0, block, 1, x, 0, out, 0);
        assertEveryRow(out, row);
        float[] two = new float[2 * 32];
        DecodeKernel.int8Panels2(w, 0, block, 1, x, 0, two, 0);
        assertEveryRow(two, row);
      }
      for (int height : new int[] {2, 4, 8}) {
        float[] a = new float[64 * height];
        Arrays.fill(a, i * height, (i + 1) * height, 1);
        float[] few = new float[height * 32];
        SmallBatchKernel256.int8(height, w, 0, 1, a, few);
        assertEveryRow(few, row);
        if (DecodeKernel.supported()) {
          Arrays.fill(few, 0);
          SmallBatchKernel.int8(height, w, 0, 1, a, few);
          assertEveryRow(few, row);
        }
      }
    }
  }

  /** {@code 0 == -0} here: codes beside the one asked for are multiplied by zero. */
  private static void assertEveryRow(float[] rows, float[] row) {
    for (int i = 0; i < rows.length; i++) {
      assertThat(rows[i] == row[i % 32]).as("element %d: %s", i, rows[i]).isTrue();
    }
  }

  @ParameterizedTest
  @CsvSource({"true", "false"})
  void decodingHidesNoInfinityAndNoNaN(boolean nf4) {
    for (float odd : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
      for (boolean inScale : new boolean[] {true, false}) {
        Blocks w = Blocks.random(nf4, 2, 2, 4);
        float[] x = floats(128, 5);
        if (inScale) {
          w.scale(1, 1, 19, odd);
        } else {
          x[71] = odd;
        }
        float[] expected = new float[64];
        float[] actual = new float[64];
        w.multiply(x, 0, expected);
        w.decode(x, 0, actual);
        assertThat(Float.isFinite(expected[32 + 19])).isFalse();
        assertSame(actual, expected);
      }
    }
  }

  @Test
  void decodingBf16SumsAsPlainLoopsDo() {
    int k = 77;
    int[] w = new SplittableRandom(6).ints(3 + 2L * k * 16).toArray(); // NaN among them
    float[] x = floats(k + 2, 7);
    float[] expected = new float[64];
    for (int j = 0; j < 64; j++) {
      for (int i = 0; i < k; i++) {
        int pair = w[3 + (j / 32 * k + i) * 16 + j % 16];
        float value = Float.intBitsToFloat(j % 32 < 16 ? pair << 16 : pair & 0xffff0000);
        expected[j] = Math.fma(value, x[2 + i], expected[j]);
      }
    }
    float[] actual = new float[64];
    DecodeKernel256.bf16(w, 3, 3 + k * 16, k, x, 2, actual);
    assertSame(actual, expected);
  }

  @ParameterizedTest
  @CsvSource({"true", "false"})
  void aBlockIsUnpackedToCodesAndScales(boolean nf4) {
    Blocks w = Blocks.random(nf4, 2, 2, 8);
    w.scale(1, 1, 30, Float.NaN);
    float[] expectedCodes = new float[64 * 32];
    float[] expectedScales = new float[32];
    for (int j = 0; j < 32; j++) {
      expectedScales[j] = w.scale(1, 1, j);
      for (int i = 0; i < 64; i++) {
        expectedCodes[i * 32 + j] = w.code(1, 1, i, j);
      }
    }
    float[] codes = new float[64 * 32];
    float[] scales = new float[32];
    if (nf4) {
      Unpack.nf4(w.data, w.at(1, 1), codes, scales);
    } else {
      Unpack.int8(w.data, w.at(1, 1), codes, scales);
    }
    assertSame(codes, expectedCodes);
    assertSame(scales, expectedScales);
  }

  @ParameterizedTest
  @CsvSource({
    "true, 0, 32",
    "true, 0, 1",
    "true, 7, 9",
    "false, 0, 32",
    "false, 0, 1",
    "false, 7, 9"
  })
  void someOutputsOfABlockAreUnpackedAsRows(boolean nf4, int first, int rows) {
    Blocks w = Blocks.random(nf4, 1, 2, 9);
    w.scale(0, 1, first, Float.POSITIVE_INFINITY);
    for (int half = 0; half < 2; half++) {
      float[] expected = new float[3 + rows * 32];
      for (int j = 0; j < rows; j++) {
        for (int i = 0; i < 32; i++) {
          expected[3 + j * 32 + i] =
              w.code(0, 1, half * 32 + i, first + j) * w.scale(0, 1, first + j);
        }
      }
      float[] values = new float[3 + rows * 32];
      int block = w.at(0, 1);
      int words = w.words(0, 1) + first + half * (nf4 ? 4 : 8) * 32;
      if (nf4) {
        Unpack.nf4Rows(w.data, block + first, words, rows, values, 3);
      } else {
        Unpack.int8Rows(w.data, block, first, words, rows, values, 3);
      }
      assertSame(values, expected);
    }
  }

  @ParameterizedTest
  @CsvSource({"true, 2", "true, 4", "true, 8", "false, 2", "false, 4", "false, 8"})
  void aRowOfASmallBatchSumsAsPlainLoopsDo(boolean nf4, int rows) {
    Blocks w = Blocks.random(nf4, 1, 3, 10);
    w.scale(0, 2, 9, Float.NaN);
    float[] packed = floats(rows * 192, 11);
    packed[70 * rows + 1] = Float.POSITIVE_INFINITY;
    float[] actual = floats(rows * 32, 12);
    float[] expected = new float[rows * 32];
    for (int r = 0; r < rows; r++) {
      float[] x = new float[192];
      for (int i = 0; i < x.length; i++) {
        x[i] = packed[i * rows + r];
      }
      float[] out = Arrays.copyOfRange(actual, r * 32, r * 32 + 32);
      w.multiply(x, 0, out);
      System.arraycopy(out, 0, expected, r * 32, 32);
    }
    if (nf4) {
      SmallBatchKernel256.nf4(rows, w.data, w.at(0, 0), 3, packed, actual);
    } else {
      SmallBatchKernel256.int8(rows, w.data, w.at(0, 0), 3, packed, actual);
    }
    assertSame(actual, expected);
  }
}
