package dev.reckoner.tensor.cpu;

import dev.reckoner.tensor.Nf4;
import dev.reckoner.tensor.Nf4Tensor;
import dev.reckoner.tensor.Precision;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * NF4 weights in blocks of 32 outputs by 64 inputs, 288 ints each: 32 fp32 scales, then 8 chunks of
 * 32 ints; nibble n of int r of chunk c is the code of output r, input 8c + n. Lane = output, so a
 * kernel walks the inputs in order and every weight of a vector shares one activation.
 */
final class Nf4Matrix implements BlockMatrix {
  static final int BLOCK_INTS = 288;

  /** Heap arrays begin 16 bytes in; the first block begins on a cache line. */
  static final int FIRST = 12;

  private static final int W = Tile.WIDTH;
  private static final float[] CODE = Nf4.codeValues();

  private final int rows;
  private final int columns;
  private final int blocksPerPanel;
  private final int[] data;

  Nf4Matrix(List<Nf4Tensor> stacked, Workers workers) {
    columns = stacked.getFirst().columns();
    rows = stacked.stream().mapToInt(Nf4Tensor::rows).sum();
    blocksPerPanel = columns / Nf4.BLOCK;
    int panels = (rows + W - 1) / W;
    data = new int[length(Math.multiplyExact(panels * blocksPerPanel, BLOCK_INTS))];
    workers.run(
        panels,
        p -> {
          int[] words = new int[columns / 8];
          for (int j = 0; j < W && p * W + j < rows; j++) {
            int row = p * W + j;
            Nf4Tensor source = stacked.getFirst();
            for (int s = 0; row >= source.rows(); ) {
              row -= source.rows();
              source = stacked.get(++s);
            }
            fillRow(p, j, source, row, words);
          }
        });
  }

  /** Of an array with {@code ints} of blocks. */
  static int length(int ints) {
    return Math.addExact(FIRST + SmallBatchKernel.AHEAD, ints);
  }

  /**
   * @param words for a row's codes, eight in each; taken out in one copy, because single elements
   *     of a view are slow to get before they are compiled
   */
  private void fillRow(int p, int j, Nf4Tensor source, int row, int[] words) {
    int at = Math.toIntExact((long) row * columns / 2);
    ByteBuffer.wrap(source.codes(), at, columns / 2)
        .order(ByteOrder.LITTLE_ENDIAN)
        .asIntBuffer()
        .get(words);
    for (int b = 0; b < blocksPerPanel; b++) {
      int base = base(p, b);
      data[base + j] = Float.floatToRawIntBits(source.scale(row * blocksPerPanel + b));
      for (int c = 0; c < Nf4.BLOCK / 8; c++) {
        // eight codes, the even one of each byte in its high half; here the first is the lowest
        int word = words[b * (Nf4.BLOCK / 8) + c];
        data[base + W + c * W + j] = (word & 0x0f0f0f0f) << 4 | word >>> 4 & 0x0f0f0f0f;
      }
    }
  }

  int base(int panel, int block) {
    return FIRST + (panel * blocksPerPanel + block) * BLOCK_INTS;
  }

  int[] data() {
    return data;
  }

  int blocksPerPanel() {
    return blocksPerPanel;
  }

  @Override
  public void codes(int p, int block, float[] codes, float[] scales) {
    int base = base(p, block);
    if (DecodeKernel256.supported()) {
      Unpack.nf4(data, base, codes, scales);
      return;
    }
    for (int j = 0; j < W; j++) {
      scales[j] = Float.intBitsToFloat(data[base + j]);
    }
    if (DecodeKernel.supported()) {
      DecodeKernel.unpack(data, base, codes);
      return;
    }
    for (int c = 0; c < 8; c++) {
      int from = base + W + c * W;
      for (int n = 0; n < 8; n++) {
        int at = (c * 8 + n) * W;
        for (int j = 0; j < W; j++) {
          codes[at + j] = CODE[data[from + j] >>> 4 * n & 15];
        }
      }
    }
  }

  private float value(int row, int column) {
    int j = row % W;
    int base = base(row / W, column / Nf4.BLOCK);
    int i = column % Nf4.BLOCK;
    int code = data[base + W + i / 8 * W + j] >>> 4 * (i % 8) & 15;
    return CODE[code] * Float.intBitsToFloat(data[base + j]);
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
        int chunk = W + p * W % Nf4.BLOCK / 8 * W;
        if (Unpack.supported()) {
          for (int k = 0; k < kc; ) {
            int j = (k0 + k) % W;
            int count = Math.min(W - j, kc - k);
            int base = base((k0 + k) / W, p * W / Nf4.BLOCK);
            Unpack.nf4Rows(data, base + j, base + chunk + j, count, scratch, k * W);
            k += count;
          }
          return scratch;
        }
        for (int k = 0; k < kc; k++) {
          int j = (k0 + k) % W;
          int base = base((k0 + k) / W, p * W / Nf4.BLOCK);
          float scale = Float.intBitsToFloat(data[base + j]);
          int from = base + chunk + j;
          int to = k * W;
          for (int c = 0; c < 4; c++) {
            int word = data[from + c * W];
            for (int i = 0; i < 8; i++) {
              scratch[to + i] = CODE[word & 15] * scale;
              word >>>= 4;
            }
            to += 8;
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
    return Precision.NF4;
  }

  @Override
  public long bytes() {
    return 4L * data.length;
  }

  @Override
  public void close() {}
}
