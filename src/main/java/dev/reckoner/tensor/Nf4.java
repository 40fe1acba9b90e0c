package dev.reckoner.tensor;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * 4-bit NormalFloat quantisation with double quantisation, as bitsandbytes defines it (Dettmers et
 * al., QLoRA, 2023): blocks of 64 over the row-major weight, {@code code = nearest(v * (1 /
 * absmax))}; the scales, less their mean, in blocks of 256 by a signed dynamic 8-bit map.
 */
public final class Nf4 {
  /** Weights that share a scale. */
  public static final int BLOCK = 64;

  /** Scales that share an fp32 scale of their own. */
  public static final int SCALE_BLOCK = 256;

  static final float[] CODE = {
    -1f,
    -0.6961928009986877f,
    -0.5250730514526367f,
    -0.39491748809814453f,
    -0.28444138169288635f,
    -0.18477343022823334f,
    -0.09105003625154495f,
    0f,
    0.07958029955625534f,
    0.16093020141124725f,
    0.24611230194568634f,
    0.33791524171829224f,
    0.44070982933044434f,
    0.5626170039176941f,
    0.7229568362236023f,
    1f
  };

  private static final float[] THRESHOLDS = {
    -0.8480964004993439f,
    -0.6106329262256622f,
    -0.4599952697753906f,
    -0.33967943489551544f,
    -0.23460740596055984f,
    -0.13791173323988914f,
    -0.045525018125772476f,
    0.03979014977812767f,
    0.1202552504837513f,
    0.2035212516784668f,
    0.2920137718319893f,
    0.3893125355243683f,
    0.5016634166240692f,
    0.6427869200706482f,
    0.8614784181118011f
  };

  static final float[] SCALE_MAP = dynamicMap();

  private Nf4() {}

  /** The 16 values a code stands for. */
  public static float[] codeValues() {
    return CODE.clone();
  }

  /** The 256 values an 8-bit scale code stands for, ascending. */
  public static float[] scaleMap() {
    return SCALE_MAP.clone();
  }

  /**
   * Quantises a weight.
   *
   * @throws IllegalArgumentException where a row does not divide into blocks of 64
   */
  public static Nf4Tensor quantise(WeightSource source) {
    int rows = source.rows();
    int columns = source.columns();
    if (columns % BLOCK != 0) {
      throw new IllegalArgumentException(
          "NF4 needs a multiple of %d input features, not %d".formatted(BLOCK, columns));
    }
    int blocksPerRow = columns / BLOCK;
    float[] scales = new float[Math.multiplyExact(rows, blocksPerRow)];
    byte[] codes = new byte[Math.toIntExact((long) rows * columns / 2)];
    IntStream.range(0, rows)
        .parallel()
        .forEach(
            row -> {
              float[] values = new float[columns];
              source.read(row, values, 0);
              for (int b = 0; b < blocksPerRow; b++) {
                int from = b * BLOCK;
                float absmax = 0;
                for (int c = from; c < from + BLOCK; c++) {
                  absmax = Math.max(absmax, Math.abs(values[c]));
                }
                scales[row * blocksPerRow + b] = absmax;
                float inverse = absmax > 0 ? 1f / absmax : 0f;
                int at = (int) (((long) row * columns + from) / 2);
                for (int c = from; c < from + BLOCK; c += 2) {
                  int high = code(values[c] * inverse);
                  int low = code(values[c + 1] * inverse);
                  codes[at++] = (byte) (high << 4 | low);
                }
              }
            });
    return withQuantisedScales(rows, columns, codes, scales);
  }

  private static Nf4Tensor withQuantisedScales(
      int rows, int columns, byte[] codes, float[] scales) {
    double sum = 0;
    for (float s : scales) {
      sum += s;
    }
    float offset = (float) (sum / scales.length);
    byte[] quantised = new byte[scales.length];
    float[] absmax2 = new float[(scales.length + SCALE_BLOCK - 1) / SCALE_BLOCK];
    for (int b = 0; b < absmax2.length; b++) {
      int from = b * SCALE_BLOCK;
      int to = Math.min(from + SCALE_BLOCK, scales.length);
      float max = 0;
      for (int i = from; i < to; i++) {
        max = Math.max(max, Math.abs(scales[i] - offset));
      }
      absmax2[b] = max;
      float inverse = max > 0 ? 1f / max : 0f;
      for (int i = from; i < to; i++) {
        quantised[i] = (byte) scaleCode((scales[i] - offset) * inverse);
      }
    }
    return new Nf4Tensor(rows, columns, codes, quantised, absmax2, offset);
  }

  /** Row {@code row} of the dequantised weight: code value times scale, in fp32. */
  public static void dequantise(Nf4Tensor w, int row, float[] into, int offset) {
    long start = (long) row * w.columns();
    int block = (int) (start / BLOCK);
    for (int c = 0; c < w.columns(); c += BLOCK, block++) {
      float scale = w.scale(block);
      int at = (int) ((start + c) / 2);
      for (int i = 0; i < BLOCK; i += 2, at++) {
        int pair = w.codes()[at];
        into[offset + c + i] = CODE[pair >> 4 & 15] * scale;
        into[offset + c + i + 1] = CODE[pair & 15] * scale;
      }
    }
  }

  /** How many thresholds are below v. */
  private static int code(float v) {
    int code = v > THRESHOLDS[7] ? 8 : 0;
    code += v > THRESHOLDS[code + 3] ? 4 : 0;
    code += v > THRESHOLDS[code + 1] ? 2 : 0;
    return code + (v > THRESHOLDS[code] ? 1 : 0);
  }

  private static int scaleCode(float v) {
    int at = Arrays.binarySearch(SCALE_MAP, v);
    if (at >= 0) {
      return at;
    }
    int above = -at - 1;
    if (above == 0) {
      return 0;
    }
    if (above == SCALE_MAP.length) {
      return SCALE_MAP.length - 1;
    }
    float middle = (SCALE_MAP[above - 1] + SCALE_MAP[above]) * 0.5f;
    return v > middle ? above : above - 1;
  }

  /** bitsandbytes' {@code create_dynamic_map(True, 7, 8)}, computed in fp32 as it does. */
  private static float[] dynamicMap() {
    float[] map = new float[256];
    int n = 0;
    for (int i = 0; i < 7; i++) {
      int intervals = 1 << i;
      float power = (float) Math.pow(10, i - 6);
      float step = (1f - 0.1f) / intervals;
      for (int j = 0; j < intervals; j++) {
        float mean = (boundary(j, intervals, step) + boundary(j + 1, intervals, step)) / 2f;
        map[n++] = power * mean;
        map[n++] = -(power * mean);
      }
    }
    map[n++] = 0f;
    map[n] = 1f;
    Arrays.sort(map);
    return map;
  }

  /** Point {@code j} of torch.linspace(0.1, 1, intervals + 1), which counts from both ends. */
  private static float boundary(int j, int intervals, float step) {
    return j < (intervals + 1) / 2 ? 0.1f + step * j : 1f - step * (intervals - j);
  }
}
