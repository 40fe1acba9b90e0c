package dev.reckoner.tensor;

/** bfloat16: the upper half of a float. */
public final class Bf16 {
  private Bf16() {}

  /** Rounds to nearest, ties to even; NaN stays NaN. */
  public static short fromFloat(float v) {
    int bits = Float.floatToRawIntBits(v);
    if (Float.isNaN(v)) {
      return (short) (bits >>> 16 | 0x40);
    }
    return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
  }

  public static float toFloat(short bits) {
    return Float.intBitsToFloat((bits & 0xffff) << 16);
  }

  /** The nearest bfloat16 as a float. */
  public static float round(float v) {
    return toFloat(fromFloat(v));
  }
}
