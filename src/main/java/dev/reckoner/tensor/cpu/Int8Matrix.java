package dev.reckoner.tensor.cpu;

import dev.reckoner.tensor.Precision;

/**
 * 8-bit weights in blocks of 32 outputs by 64 inputs, 528 ints each: 32 scales, then 16 chunks of
 * 32 ints; byte k of int r of chunk c is output r, input 4c + k. A scale is absmax / 127, rounded
 * up to bfloat16, so that what memory has to deliver is a thirtieth less; int j of them holds the
 * scale of output j in its low half, of output j + 16 in its high one.
 */
final class Int8Matrix implements BlockMatrix {
  static final int BLOCK_INTS = 528;

  /** Ints of a block's scales. */
  static final int SCALES = 16;

  /**
   * The low byte of a word xor these bits is the float 2^23 + 128 + code; {@link #BIAS} less, it is
   * the code. Exact, an instruction less than sign extension and {@code convert}, and C2 compiles
   * it always: a {@code convert} it sometimes leaves as a call, which boxes vectors, at a twentieth
   * of the speed.
   */
  static final int BIASED = 0x4B000080;

  static final float BIAS = (1 << 23) + 128;

  private static final int W = Tile.WIDTH;
  private static final int BLOCK = 64;

  private final int rows;
  private final int columns;
  private final int blocksPerPanel;
  private final int[] data;

  Int8Matrix(int rows, int columns) {
    if (columns % BLOCK != 0) {
      throw new IllegalArgumentException(
          "INT8 needs a multiple of %d input features, not %d".formatted(BLOCK, columns));
    }
    this.rows = rows;
    this.columns = columns;
    blocksPerPanel = columns / BLOCK;
    int panels = (rows + W - 1) / W;
    data = new int[Nf4Matrix.length(Math.multiplyExact(panels * blocksPerPanel, BLOCK_INTS))];
  }

  /** Fills panel {@code p} from {@code count} row-major rows. */
  void fillPanel(int p, float[] rowMajor, int count) {
    for (int j = 0; j < count; j++) {
      for (int b = 0; b < blocksPerPanel; b++) {
        int from = j * columns + b * BLOCK;
        float absmax = 0;
        for (int i = 0; i < BLOCK; i++) {
          absmax = Math.max(absmax, Math.abs(rowMajor[from + i]));
        }
        int base = base(p, b);
        float scale = roundUp(absmax / 127);
        data[base + j % SCALES] |= Float.floatToRawIntBits(scale) >>> 16 << j / SCALES * 16;
        float inverse = scale > 0 ? 1 / scale : 0;
        for (int i = 0; i < BLOCK; i++) {
          int code = Math.round(rowMajor[from + i] * inverse) & 0xff;
          data[base + SCALES + i / 4 * W + j] |= code << 8 * (i % 4);
        }
      }
    }
  }

  /** The next bfloat16 that is no smaller. */
  private static float roundUp(float positive) {
    return Float.intBitsToFloat(Float.floatToRawIntBits(positive) + 0xffff & 0xffff0000);
  }

  /** Of output j of the block at {@code base}. */
  static float scale(int[] data, int base, int j) {
    return Float.intBitsToFloat(data[base + j % SCALES] >>> j / SCALES * 16 << 16);
  }

  int base(int panel, int block) {
    return Nf4Matrix.FIRST + (panel * blocksPerPanel + block) * BLOCK_INTS;
  }

  int[] data() {
    return data;
  }

  int blocksPerPanel() {
    return blocksPerPanel;
  }

  private int code(int base, int i, int j) {
    return data[base + SCALES + i / 4 * W + j] << 24 - 8 * (i % 4) >> 24;
  }

  @Override
  public void codes(int panel, int block, float[] codes, float[] scales) {
    int base = base(panel, block);
    if (DecodeKernel256.supported()) {
      Unpack.int8(data, base, codes, scales);
      return;
    }
    for (int j = 0; j < W; j++) {
      scales[j] = scale(data, base, j);
    }
    if (DecodeKernel.supported()) {
      DecodeKernel.unpackInt8(data, base, codes);
      return;
    }
    for (int i = 0; i < BLOCK; i++) {
      int from = base + SCALES + i / 4 * W;
      int left = 24 - 8 * (i % 4);
      for (int j = 0; j < W; j++) {
        codes[i * W + j] = data[from + j] << left >> 24;
      }
    }
  }

  private float value(int row, int column) {
    int base = base(row / W, column / BLOCK);
    return code(base, column % BLOCK, row % W) * scale(data, base, row % W);
  }

  @Override
  public Panels forward() {
    throw new IllegalStateException("blocks go through Gemm.multiplyBlocks");
  }

  @Override
  public Panels backward() {
    return new Panels() {
      @Override
      public int k() {
        return rows;
      }

      @Override
      public int n() {
        return columns;
      }

      @Override
      public float[] panel(int p, int k0, int kc, float[] scratch) {
        int chunk = SCALES + p * W % BLOCK / 4 * W;
        if (Unpack.supported()) {
          for (int k = 0; k < kc; ) {
            int j = (k0 + k) % W;
            int count = Math.min(W - j, kc - k);
            int base = base((k0 + k) / W, p * W / BLOCK);
            Unpack.int8Rows(data, base, j, base + chunk + j, count, scratch, k * W);
            k += count;
          }
          return scratch;
        }
        for (int k = 0; k < kc; k++) {
          int j = (k0 + k) % W;
          int base = base((k0 + k) / W, p * W / BLOCK);
          float scale = scale(data, base, j);
          int from = base + chunk + j;
          int to = k * W;
          for (int c = 0; c < 8; c++) {
            int word = data[from + c * W];
            scratch[to] = (byte) word * scale;
            scratch[to + 1] = (byte) (word >> 8) * scale;
            scratch[to + 2] = (byte) (word >> 16) * scale;
            scratch[to + 3] = (word >> 24) * scale;
            to += 4;
          }
        }
        return scratch;
      }
    };
  }

  @Override
  public void row(int row, float[] into, int offset) {
    for (int c = 0; c < columns; c++) {
      into[offset + c] = value(row, c);
    }
  }

  @Override
  public int rows() {
    return rows;
  }

  @Override
  public int columns() {
    return columns;
  }

  @Override
  public Precision precision() {
    return Precision.INT8;
  }

  @Override
  public long bytes() {
    return 4L * data.length;
  }

  @Override
  public void close() {}
}
