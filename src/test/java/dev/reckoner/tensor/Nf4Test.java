package dev.reckoner.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/**
 * NF4 against a second implementation of bitsandbytes' definition that searches for the nearest
 * code by distance instead of by thresholds and builds the 8-bit map in exact decimals.
 */
class Nf4Test {
  private static float[] random(int n, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) (random.nextGaussian() * (1 + i % 7) * 0.03);
    }
    return values;
  }

  private static int nearest(float[] values, double v) {
    int best = 0;
    for (int i = 1; i < values.length; i++) {
      if (Math.abs(values[i] - v) < Math.abs(values[best] - v)) {
        best = i;
      }
    }
    return best;
  }

  @Test
  void codesAreTheNearestOfTheSixteenValues() {
    float[] values = random(40 * 192, 1);
    Nf4Tensor q = Nf4.quantise(WeightSource.of(values, 40, 192));
    float[] code = Nf4.codeValues();
    for (int b = 0; b < values.length / 64; b++) {
      double absmax = 0;
      for (int i = b * 64; i < b * 64 + 64; i++) {
        absmax = Math.max(absmax, Math.abs(values[i]));
      }
      for (int i = b * 64; i < b * 64 + 64; i++) {
        assertThat(q.code(i)).isEqualTo(nearest(code, values[i] / absmax));
      }
    }
  }

  @Test
  void theEvenElementIsInTheHighNibble() {
    float[] values = new float[64];
    values[0] = 1;
    values[1] = -1;
    assertThat(Nf4.quantise(WeightSource.of(values, 1, 64)).codes()[0]).isEqualTo((byte) 0xf0);
  }

  @Test
  void scalesAreDoubleQuantisedAroundTheirMeanInBlocksOf256() {
    int rows = 300;
    float[] values = random(rows * 128, 2);
    Nf4Tensor q = Nf4.quantise(WeightSource.of(values, rows, 128));
    double[] absmax = new double[rows * 2];
    double mean = 0;
    for (int b = 0; b < absmax.length; b++) {
      for (int i = 0; i < 64; i++) {
        absmax[b] = Math.max(absmax[b], Math.abs(values[b * 64 + i]));
      }
      mean += absmax[b] / absmax.length;
    }
    assertThat(q.offset()).isCloseTo((float) mean, within(1e-7f));
    assertThat(q.absmax2()).hasSize(3);
    float[] map = Nf4.scaleMap();
    for (int b = 0; b < absmax.length; b++) {
      double max = 0;
      for (int i = b / 256 * 256; i < Math.min(absmax.length, b / 256 * 256 + 256); i++) {
        max = Math.max(max, Math.abs(absmax[i] - q.offset()));
      }
      assertThat(q.absmax2()[b / 256]).isCloseTo((float) max, within(1e-7f));
      double normed = (absmax[b] - q.offset()) / max;
      double error = Math.abs(map[q.absmax()[b] & 0xff] - normed);
      assertThat(error).isLessThanOrEqualTo(Math.abs(map[nearest(map, normed)] - normed) + 1e-6);
      assertThat(q.scale(b))
          .isEqualTo(map[q.absmax()[b] & 0xff] * q.absmax2()[b / 256] + q.offset());
    }
  }

  @Test
  void theScaleMapIsTheSignedDynamicMap() {
    List<Double> expected = new ArrayList<>();
    for (int i = 0; i < 7; i++) {
      int n = 1 << i;
      for (int j = 0; j < n; j++) {
        double middle = 0.1 + 0.9 * (2 * j + 1) / (2.0 * n);
        double value = BigDecimal.valueOf(middle).scaleByPowerOfTen(i - 6).doubleValue();
        expected.add(value);
        expected.add(-value);
      }
    }
    expected.add(0.0);
    expected.add(1.0);
    Collections.sort(expected);
    float[] map = Nf4.scaleMap();
    assertThat(map).hasSize(256);
    for (int i = 0; i < 256; i++) {
      assertThat((double) map[i])
          .isCloseTo(expected.get(i), within(Math.abs(expected.get(i)) * 3e-7));
    }
  }

  @Test
  void dequantisingGivesCodeTimesScale() {
    float[] values = random(3 * 64, 5);
    Nf4Tensor q = Nf4.quantise(WeightSource.of(values, 3, 64));
    float[] row = new float[64];
    Nf4.dequantise(q, 2, row, 0);
    for (int i = 0; i < 64; i++) {
      assertThat(row[i]).isEqualTo(Nf4.codeValues()[q.code(128 + i)] * q.scale(2));
      assertThat(row[i]).isCloseTo(values[128 + i], within(0.16f * q.scale(2) + 1e-6f));
    }
  }

  @Test
  void rowsThatDoNotDivideIntoBlocksAreRefused() {
    assertThatThrownBy(() -> Nf4.quantise(WeightSource.of(new float[65], 1, 65)))
        .hasMessageContaining("multiple of 64");
  }
}
