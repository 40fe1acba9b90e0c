package dev.reckoner.tensor.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The exponential function by vectors, beside one number at a time and {@link Math#exp}. */
class VectorMathTest {

  private static float[] exp(float[] x) {
    float[] y = new float[x.length];
    for (int i = 0; i < x.length; i += VectorMath.L) {
      VectorMath.exp(FloatVector.fromArray(VectorMath.S, x, i)).intoArray(y, i);
    }
    return y;
  }

  @Test
  void exponentialsAreTheSameBitsByVectorAndByNumber() {
    float[] x = new float[VectorMath.L * 20_000];
    for (int i = 0; i < x.length; i++) {
      x[i] = -92 + i * (184f / x.length);
    }
    float[] odd = {
      0f, -0f, -87f, -87.00001f, 88f, 89f, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY
    };
    System.arraycopy(odd, 0, x, 0, odd.length);
    float[] y = exp(x);
    for (int i = 0; i < x.length; i++) {
      assertThat(Float.floatToRawIntBits(y[i]))
          .as("exp(%s)", x[i])
          .isEqualTo(Float.floatToRawIntBits(VectorMath.exp(x[i])));
      double expected = x[i] < -87 ? 0 : Math.exp(Math.min(x[i], 88));
      assertThat(Math.abs(y[i] - expected))
          .as("exp(%s)", x[i])
          .isLessThanOrEqualTo(expected * 3e-7);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0x7fc00000, 0xffc00000, 0x7fc00001, 0x7fc001ff, 0x7fffffff, 0xffffffff})
  void theExponentialOfNoNumberIsNone(int bits) {
    float[] x = new float[VectorMath.L];
    Arrays.fill(x, Float.intBitsToFloat(bits));
    assertThat(exp(x)).containsOnly(Float.NaN);
    assertThat(VectorMath.exp(x[0])).isNaN();
  }
}
