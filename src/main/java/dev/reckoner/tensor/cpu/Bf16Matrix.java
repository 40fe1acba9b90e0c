package dev.reckoner.tensor.cpu;

import dev.reckoner.tensor.Bf16;
import dev.reckoner.tensor.Precision;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Frozen bfloat16 weights as panels {@code [out/32][in][16 ints]}: int j of a row holds output j in
 * its low half and output j + 16 in its high half, so that a shift and a mask unpack a vector.
 */
final class Bf16Matrix implements CpuMatrix {
  private static final int W = Tile.WIDTH;
  private static final int H = W / 2;
  private static final VectorSpecies<Integer> SI =
      VectorSpecies.of(int.class, jdk.incubator.vector.FloatVector.SPECIES_PREFERRED.vectorShape());

  private final int rows;
  private final int columns;
  private final int[] panels;

  Bf16Matrix(int rows, int columns) {
    this.rows = rows;
    this.columns = columns;
    panels = new int[Math.multiplyExact((rows + W - 1) / W * H, columns)];
  }

  /** Fills panel {@code p} from {@code count} row-major rows. */
  void fillPanel(int p, float[] rowMajor, int count) {
    int base = p * columns * H;
    for (int j = 0; j < count; j++) {
      int shift = j < H ? 0 : 16;
      int at = base + j % H;
      for (int c = 0; c < columns; c++) {
        int bits = Bf16.fromFloat(rowMajor[j * columns + c]) & 0xffff;
        panels[at + c * H] |= bits << shift;
      }
    }
  }

  int[] data() {
    return panels;
  }

  int base(int panel) {
    return panel * columns * H;
  }

  private float value(int row, int column) {
    int j = row % W;
    int pair = panels[(row / W * columns + column) * H + j % H];
    return Float.intBitsToFloat(j < H ? pair << 16 : pair & 0xffff0000);
  }

  @Override
  public Panels forward() {
    return new Panels() {
      @Override
      public int k() {
        return columns;
      }

      @Override
      public int n() {
        return rows;
      }

      @Override
      public float[] panel(int p, int k0, int kc, float[] scratch) {
        int from = (p * columns + k0) * H;
        int step = SI.length();
        for (int k = 0; k < kc; k++) {
          for (int j = 0; j < H; j += step) {
            IntVector pair = IntVector.fromArray(SI, panels, from + k * H + j);
            pair.lanewise(VectorOperators.LSHL, 16)
                .reinterpretAsFloats()
                .intoArray(scratch, k * W + j);
            pair.and(0xffff0000).reinterpretAsFloats().intoArray(scratch, k * W + H + j);
          }
        }
        return scratch;
      }
    };
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
        int width = Math.min(W, columns - p * W);
        for (int k = 0; k < kc; k++) {
          int row = (k0 + k) % W;
          int from = ((k0 + k) / W * columns + p * W) * H + row % H;
          int left = row < H ? 16 : 0;
          int to = k * W;
          for (int j = 0; j < width; j++) {
            scratch[to + j] = Float.intBitsToFloat(panels[from + j * H] << left & 0xffff0000);
          }
          java.util.Arrays.fill(scratch, to + width, to + W, 0f);
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
    return Precision.BF16;
  }

  @Override
  public long bytes() {
    return 4L * panels.length;
  }

  @Override
  public void close() {}
}
