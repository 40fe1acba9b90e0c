package dev.reckoner.tensor.cpu;

import dev.reckoner.tensor.Tensor;

/** An fp32 array on the heap: element (r, c) is {@code data[offset + r * stride + c]}. */
final class CpuTensor implements Tensor {
  final float[] data;
  final int offset;
  final int rows;
  final int columns;
  final int stride;
  private FloatPool pool;

  /** Over an array of the pool, which gets it back. */
  CpuTensor(FloatPool pool, float[] data, int rows, int columns) {
    this(data, 0, rows, columns, columns);
    this.pool = pool;
  }

  private CpuTensor(float[] data, int offset, int rows, int columns, int stride) {
    this.data = data;
    this.offset = offset;
    this.rows = rows;
    this.columns = columns;
    this.stride = stride;
  }

  int row(int r) {
    return offset + r * stride;
  }

  boolean contiguous() {
    return stride == columns || rows <= 1;
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
  public int stride() {
    return stride;
  }

  @Override
  public Tensor rows(int from, int to) {
    check(from, to, rows);
    return new CpuTensor(data, row(from), to - from, columns, stride);
  }

  @Override
  public Tensor columns(int from, int to) {
    check(from, to, columns);
    return new CpuTensor(data, offset + from, rows, to - from, stride);
  }

  @Override
  public Tensor slice(long from, int sliceRows, int sliceColumns) {
    if (!contiguous()) {
      throw new IllegalArgumentException("only a contiguous tensor can be sliced");
    }
    check(from, from + (long) sliceRows * sliceColumns, size());
    return new CpuTensor(
        data, Math.toIntExact(offset + from), sliceRows, sliceColumns, sliceColumns);
  }

  private static void check(long from, long to, long size) {
    if (from < 0 || to < from || to > size) {
      throw new IndexOutOfBoundsException("[%d, %d) of %d".formatted(from, to, size));
    }
  }

  @Override
  public void close() {
    if (pool != null) {
      pool.give(data);
      pool = null;
    }
  }
}
