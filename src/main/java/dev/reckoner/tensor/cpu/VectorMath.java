package dev.reckoner.tensor.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Elementary functions made of exactly defined operations, so that interpreter and compilers,
 * vector and scalar code give the same bits; {@code lanewise(EXP)} and {@code reduceLanes(ADD)} do
 * not promise that.
 */
final class VectorMath {
  static final VectorSpecies<Float> S = FloatVector.SPECIES_PREFERRED;
  static final int L = S.length();

  private static final float LOG2E = 1.44269504f;
  private static final float ROUND = 12582912f;
  private static final float LN2_HIGH = 0.693145752f;
  private static final float LN2_LOW = 1.42860677e-6f;
  private static final float C6 = 1f / 720;
  private static final float C5 = 1f / 120;
  private static final float C4 = 1f / 24;
  private static final float C3 = 1f / 6;
  private static final float MIN = -87f;
  private static final float MAX = 88f;

  private VectorMath() {}

  /**
   * e^x to about 2 ulp for x in [-87, 88]; clamped outside, except that x below -87 gives 0: x = n
   * ln 2 + r, a Taylor polynomial in r, then 2^n by the exponent bits.
   */
  static FloatVector exp(FloatVector x) {
    FloatVector clamped = x.max(MIN).min(MAX);
    FloatVector rounded = clamped.fma(LOG2E, ROUND); // its lowest bits are n
    FloatVector n = rounded.sub(ROUND);
    FloatVector r =
        n.fma(
            FloatVector.broadcast(S, -LN2_LOW),
            n.fma(FloatVector.broadcast(S, -LN2_HIGH), clamped));
    FloatVector p = r.fma(C6, C5);
    p = p.fma(r, FloatVector.broadcast(S, C4));
    p = p.fma(r, FloatVector.broadcast(S, C3));
    p = p.fma(r, FloatVector.broadcast(S, 0.5f));
    p = p.fma(r, FloatVector.broadcast(S, 1f));
    p = p.fma(r, FloatVector.broadcast(S, 1f));
    FloatVector power =
        rounded
            .reinterpretAsInts()
            .lanewise(VectorOperators.LSHL, 23)
            .add(Float.floatToRawIntBits(1f))
            .reinterpretAsFloats();
    return p.mul(power).blend(0f, x.compare(VectorOperators.LT, MIN));
  }

  /** The same for one number, bit for bit. */
  static float exp(float x) {
    if (x < MIN) {
      return 0f;
    }
    float clamped = Math.min(Math.max(x, MIN), MAX);
    float n = Math.fma(clamped, LOG2E, ROUND) - ROUND;
    float r = Math.fma(n, -LN2_LOW, Math.fma(n, -LN2_HIGH, clamped));
    float p = Math.fma(r, C6, C5);
    p = Math.fma(p, r, C4);
    p = Math.fma(p, r, C3);
    p = Math.fma(p, r, 0.5f);
    p = Math.fma(p, r, 1f);
    p = Math.fma(p, r, 1f);
    return Float.intBitsToFloat(Float.floatToRawIntBits(p) + ((int) n << 23));
  }

  /**
   * Sum of the lanes in a fixed tree: each lane of a half is added to its like in the other.
   *
   * @param scratch as many elements as there are lanes; the first has the sum afterwards
   */
  static float sum(FloatVector v, float[] scratch) {
    v.intoArray(scratch, 0);
    if (L == 16) {
      // written out: through memory each addition would wait for the one before
      float a0 = scratch[0] + scratch[8];
      float a1 = scratch[1] + scratch[9];
      float a2 = scratch[2] + scratch[10];
      float a3 = scratch[3] + scratch[11];
      float a4 = scratch[4] + scratch[12];
      float a5 = scratch[5] + scratch[13];
      float a6 = scratch[6] + scratch[14];
      float a7 = scratch[7] + scratch[15];
      scratch[0] = ((a0 + a4) + (a2 + a6)) + ((a1 + a5) + (a3 + a7));
    } else if (L == 8) {
      float a0 = scratch[0] + scratch[4];
      float a1 = scratch[1] + scratch[5];
      float a2 = scratch[2] + scratch[6];
      float a3 = scratch[3] + scratch[7];
      scratch[0] = (a0 + a2) + (a1 + a3);
    } else {
      for (int half = L / 2; half > 0; half /= 2) {
        for (int i = 0; i < half; i++) {
          scratch[i] += scratch[i + half];
        }
      }
    }
    return scratch[0];
  }

  /** Largest lane. */
  static float max(FloatVector v) {
    return v.reduceLanes(VectorOperators.MAX);
  }
}
