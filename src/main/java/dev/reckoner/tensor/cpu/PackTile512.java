package dev.reckoner.tensor.cpu;

import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Twelve or eight rows as a tile of A, by 512-bit vectors: 0.08 ns an element where a loop that
 * moves them one by one takes 0.5. Written flat, as {@link Tile} is.
 */
final class PackTile512 {
  private static final VectorSpecies<Float> SF = FloatVector.SPECIES_512;
  private static final VectorSpecies<Integer> SI = IntVector.SPECIES_512;

  // Lanes of two vectors, those of the second from 16 on.

  /** Lanes 0 to 7 of both in turns, and lanes 8 to 15. */
  private static final int[] PAIRS_LOW = lanes(i -> i % 2 * 16 + i / 2);

  private static final int[] PAIRS_HIGH = lanes(i -> i % 2 * 16 + i / 2 + 8);

  /** Pairs 0 to 3 of both in turns, and pairs 4 to 7. */
  private static final int[] FOURS_LOW = lanes(i -> i / 2 % 2 * 16 + i / 4 * 2 + i % 2);

  private static final int[] FOURS_HIGH = lanes(i -> i / 2 % 2 * 16 + i / 4 * 2 + i % 2 + 8);

  /**
   * Fours of x and y in their places, and then those of z: x0 y0 z0 x1, y1 z1 x2 y2, z2 x3 y3 z3.
   */
  private static final int[] TWO_0 = fours(0, 4, 0, 1);

  private static final int[] THIRD_0 = fours(0, 1, 4, 3);
  private static final int[] TWO_1 = fours(5, 0, 2, 6);
  private static final int[] THIRD_1 = fours(0, 5, 2, 3);
  private static final int[] TWO_2 = fours(0, 3, 7, 0);
  private static final int[] THIRD_2 = fours(6, 1, 2, 7);

  /** Fours of x and y in turns, the first two and the last two. */
  private static final int[] EIGHTS_LOW = fours(0, 4, 1, 5);

  private static final int[] EIGHTS_HIGH = fours(2, 6, 3, 7);

  private PackTile512() {}

  private static int[] lanes(IntUnaryOperator lane) {
    return IntStream.range(0, 16).map(lane).toArray();
  }

  private static int[] fours(int... four) {
    return lanes(i -> four[i / 4] * 4 + i % 4);
  }

  /**
   * Writes columns {@code [0, k)} of twelve rows, the first at {@code off} and each {@code rs}
   * after the one before, as {@code [k][12]}.
   */
  static void pack(float[] a, int off, int rs, int k, float[] to, int toOff) {
    int whole = k & -16;
    vectors(a, off, rs, whole, to, toOff);
    for (int p = whole; p < k; p++) {
      for (int r = 0; r < 12; r++) {
        to[toOff + 12 * p + r] = a[off + r * rs + p];
      }
    }
  }

  private static void vectors(float[] a, int off, int rs, int k, float[] to, int toOff) {
    IntVector pairsLow = IntVector.fromArray(SI, PAIRS_LOW, 0);
    IntVector pairsHigh = IntVector.fromArray(SI, PAIRS_HIGH, 0);
    IntVector foursLow = IntVector.fromArray(SI, FOURS_LOW, 0);
    IntVector foursHigh = IntVector.fromArray(SI, FOURS_HIGH, 0);
    IntVector two0 = IntVector.fromArray(SI, TWO_0, 0);
    IntVector two1 = IntVector.fromArray(SI, TWO_1, 0);
    IntVector two2 = IntVector.fromArray(SI, TWO_2, 0);
    IntVector third0 = IntVector.fromArray(SI, THIRD_0, 0);
    IntVector third1 = IntVector.fromArray(SI, THIRD_1, 0);
    IntVector third2 = IntVector.fromArray(SI, THIRD_2, 0);
    for (int p = 0; p < k; p += 16) {
      int from = off + p;
      int at = toOff + 12 * p;
      IntVector r0 = FloatVector.fromArray(SF, a, from).reinterpretAsInts();
      IntVector r1 = FloatVector.fromArray(SF, a, from + rs).reinterpretAsInts();
      IntVector r2 = FloatVector.fromArray(SF, a, from + 2 * rs).reinterpretAsInts();
      IntVector r3 = FloatVector.fromArray(SF, a, from + 3 * rs).reinterpretAsInts();
      IntVector r4 = FloatVector.fromArray(SF, a, from + 4 * rs).reinterpretAsInts();
      IntVector r5 = FloatVector.fromArray(SF, a, from + 5 * rs).reinterpretAsInts();
      IntVector r6 = FloatVector.fromArray(SF, a, from + 6 * rs).reinterpretAsInts();
      IntVector r7 = FloatVector.fromArray(SF, a, from + 7 * rs).reinterpretAsInts();
      IntVector r8 = FloatVector.fromArray(SF, a, from + 8 * rs).reinterpretAsInts();
      IntVector r9 = FloatVector.fromArray(SF, a, from + 9 * rs).reinterpretAsInts();
      IntVector r10 = FloatVector.fromArray(SF, a, from + 10 * rs).reinterpretAsInts();
      IntVector r11 = FloatVector.fromArray(SF, a, from + 11 * rs).reinterpretAsInts();
      IntVector low0 = pairsLow.selectFrom(r0, r1);
      IntVector low1 = pairsLow.selectFrom(r2, r3);
      IntVector low2 = pairsLow.selectFrom(r4, r5);
      IntVector low3 = pairsLow.selectFrom(r6, r7);
      IntVector low4 = pairsLow.selectFrom(r8, r9);
      IntVector low5 = pairsLow.selectFrom(r10, r11);
      IntVector high0 = pairsHigh.selectFrom(r0, r1);
      IntVector high1 = pairsHigh.selectFrom(r2, r3);
      IntVector high2 = pairsHigh.selectFrom(r4, r5);
      IntVector high3 = pairsHigh.selectFrom(r6, r7);
      IntVector high4 = pairsHigh.selectFrom(r8, r9);
      IntVector high5 = pairsHigh.selectFrom(r10, r11);
      IntVector x0 = foursLow.selectFrom(low0, low1);
      IntVector y0 = foursLow.selectFrom(low2, low3);
      IntVector z0 = foursLow.selectFrom(low4, low5);
      IntVector x1 = foursHigh.selectFrom(low0, low1);
      IntVector y1 = foursHigh.selectFrom(low2, low3);
      IntVector z1 = foursHigh.selectFrom(low4, low5);
      IntVector x2 = foursLow.selectFrom(high0, high1);
      IntVector y2 = foursLow.selectFrom(high2, high3);
      IntVector z2 = foursLow.selectFrom(high4, high5);
      IntVector x3 = foursHigh.selectFrom(high0, high1);
      IntVector y3 = foursHigh.selectFrom(high2, high3);
      IntVector z3 = foursHigh.selectFrom(high4, high5);
      third0.selectFrom(two0.selectFrom(x0, y0), z0).reinterpretAsFloats().intoArray(to, at);
      third1.selectFrom(two1.selectFrom(x0, y0), z0).reinterpretAsFloats().intoArray(to, at + 16);
      third2.selectFrom(two2.selectFrom(x0, y0), z0).reinterpretAsFloats().intoArray(to, at + 32);
      third0.selectFrom(two0.selectFrom(x1, y1), z1).reinterpretAsFloats().intoArray(to, at + 48);
      third1.selectFrom(two1.selectFrom(x1, y1), z1).reinterpretAsFloats().intoArray(to, at + 64);
      third2.selectFrom(two2.selectFrom(x1, y1), z1).reinterpretAsFloats().intoArray(to, at + 80);
      third0.selectFrom(two0.selectFrom(x2, y2), z2).reinterpretAsFloats().intoArray(to, at + 96);
      third1.selectFrom(two1.selectFrom(x2, y2), z2).reinterpretAsFloats().intoArray(to, at + 112);
      third2.selectFrom(two2.selectFrom(x2, y2), z2).reinterpretAsFloats().intoArray(to, at + 128);
      third0.selectFrom(two0.selectFrom(x3, y3), z3).reinterpretAsFloats().intoArray(to, at + 144);
      third1.selectFrom(two1.selectFrom(x3, y3), z3).reinterpretAsFloats().intoArray(to, at + 160);
      third2.selectFrom(two2.selectFrom(x3, y3), z3).reinterpretAsFloats().intoArray(to, at + 176);
    }
  }

  /**
   * The same of eight rows, as {@code [k][8]}.
   *
   * @param k a multiple of 16
   */
  static void pack8(float[] a, int off, int rs, int k, float[] to, int toOff) {
    IntVector pairsLow = IntVector.fromArray(SI, PAIRS_LOW, 0);
    IntVector pairsHigh = IntVector.fromArray(SI, PAIRS_HIGH, 0);
    IntVector foursLow = IntVector.fromArray(SI, FOURS_LOW, 0);
    IntVector foursHigh = IntVector.fromArray(SI, FOURS_HIGH, 0);
    IntVector low = IntVector.fromArray(SI, EIGHTS_LOW, 0);
    IntVector high = IntVector.fromArray(SI, EIGHTS_HIGH, 0);
    for (int p = 0; p < k; p += 16) {
      int from = off + p;
      int at = toOff + 8 * p;
      IntVector r0 = FloatVector.fromArray(SF, a, from).reinterpretAsInts();
      IntVector r1 = FloatVector.fromArray(SF, a, from + rs).reinterpretAsInts();
      IntVector r2 = FloatVector.fromArray(SF, a, from + 2 * rs).reinterpretAsInts();
      IntVector r3 = FloatVector.fromArray(SF, a, from + 3 * rs).reinterpretAsInts();
      IntVector r4 = FloatVector.fromArray(SF, a, from + 4 * rs).reinterpretAsInts();
      IntVector r5 = FloatVector.fromArray(SF, a, from + 5 * rs).reinterpretAsInts();
      IntVector r6 = FloatVector.fromArray(SF, a, from + 6 * rs).reinterpretAsInts();
      IntVector r7 = FloatVector.fromArray(SF, a, from + 7 * rs).reinterpretAsInts();
      IntVector low0 = pairsLow.selectFrom(r0, r1);
      IntVector low1 = pairsLow.selectFrom(r2, r3);
      IntVector low2 = pairsLow.selectFrom(r4, r5);
      IntVector low3 = pairsLow.selectFrom(r6, r7);
      IntVector high0 = pairsHigh.selectFrom(r0, r1);
      IntVector high1 = pairsHigh.selectFrom(r2, r3);
      IntVector high2 = pairsHigh.selectFrom(r4, r5);
      IntVector high3 = pairsHigh.selectFrom(r6, r7);
      IntVector x0 = foursLow.selectFrom(low0, low1);
      IntVector y0 = foursLow.selectFrom(low2, low3);
      IntVector x1 = foursHigh.selectFrom(low0, low1);
      IntVector y1 = foursHigh.selectFrom(low2, low3);
      IntVector x2 = foursLow.selectFrom(high0, high1);
      IntVector y2 = foursLow.selectFrom(high2, high3);
      IntVector x3 = foursHigh.selectFrom(high0, high1);
      IntVector y3 = foursHigh.selectFrom(high2, high3);
      low.selectFrom(x0, y0).reinterpretAsFloats().intoArray(to, at);
      high.selectFrom(x0, y0).reinterpretAsFloats().intoArray(to, at + 16);
      low.selectFrom(x1, y1).reinterpretAsFloats().intoArray(to, at + 32);
      high.selectFrom(x1, y1).reinterpretAsFloats().intoArray(to, at + 48);
      low.selectFrom(x2, y2).reinterpretAsFloats().intoArray(to, at + 64);
      high.selectFrom(x2, y2).reinterpretAsFloats().intoArray(to, at + 80);
      low.selectFrom(x3, y3).reinterpretAsFloats().intoArray(to, at + 96);
      high.selectFrom(x3, y3).reinterpretAsFloats().intoArray(to, at + 112);
    }
  }
}
