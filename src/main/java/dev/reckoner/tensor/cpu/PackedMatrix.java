package dev.reckoner.tensor.cpu;

import dev.reckoner.tensor.Precision;

/**
 * fp32 weights as forward panels {@code [out/32][in][32]}. A trained matrix also has its row-major
 * master, from which the panels are made again after each change, when they are next needed.
 */
final class PackedMatrix implements CpuMatrix {
  private static final int W = Tile.WIDTH;

  private final int rows;
  private final int columns;
  private final Workers workers;
  private final FloatPool pool;
  private final CpuTensor master;
  private float[] panels;
  private boolean stale = true;

  /** Over a row-major master that the caller owns. */
  PackedMatrix(CpuTensor master, Workers workers, FloatPool pool) {
    this.master = master;
    this.rows = master.rows;
    this.columns = master.columns;
    this.workers = workers;
    this.pool = pool;
  }

  /** Frozen; panel p is written by {@link #fillPanel}. */
  PackedMatrix(int rows, int columns, Workers workers, FloatPool pool) {
    this.master = null;
    this.rows = rows;
    this.columns = columns;
    this.workers = workers;
    this.pool = pool;
    this.panels = new float[Math.multiplyExact((rows + W - 1) / W * W, columns)];
    this.stale = false;
  }

  void fillPanel(int p, float[] rowMajor, int count) {
    Packing.packPanel(rowMajor, 0, 1, columns, columns, 0, count, panels, p * W * columns);
  }

  void invalidate() {
    stale = true;
  }

  @Override
  public Panels forward() {
    if (stale) {
      if (panels == null) {
        panels = pool.keep((long) (rows + W - 1) / W * W * columns);
      }
      workers.run(
          (rows + W - 1) / W,
          p ->
              Packing.packPanel(
                  master.data,
                  master.offset,
                  1,
                  columns,
                  columns,
                  p * W,
                  rows,
                  panels,
                  p * W * columns));
      stale = false;
    }
    float[] packed = panels;
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
        return packed;
      }

      @Override
      public int at(int p, int k0) {
        return (p * columns + k0) * W;
      }
    };
  }

  @Override
  public Panels backward() {
    if (master != null) {
      return Panels.strided(master.data, master.offset, columns, 1, rows, columns);
    }
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
          int row = k0 + k;
          int from = (row / W * columns + p * W) * W + row % W;
          for (int j = 0; j < width; j++) {
            scratch[k * W + j] = panels[from + j * W];
          }
          java.util.Arrays.fill(scratch, k * W + width, k * W + W, 0f);
        }
        return scratch;
      }
    };
  }

  @Override
  public void row(int row, float[] into, int offset) {
    if (master != null) {
      System.arraycopy(master.data, master.offset + row * columns, into, offset, columns);
      return;
    }
    int from = row / W * columns * W + row % W;
    for (int c = 0; c < columns; c++) {
      into[offset + c] = panels[from + c * W];
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
    return Precision.FP32;
  }

  @Override
  public long bytes() {
    return (panels == null ? 0 : 4L * panels.length) + (master == null ? 0 : 4 * master.size());
  }

  @Override
  public void close() {
    if (master != null && panels != null) {
      pool.give(panels);
    }
    panels = null;
  }
}
