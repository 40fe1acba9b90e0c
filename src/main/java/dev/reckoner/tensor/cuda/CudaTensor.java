package dev.reckoner.tensor.cuda;

import dev.reckoner.tensor.Tensor;

/** bf16 (activations) or fp32 elements in device memory. */
final class CudaTensor implements Tensor {
  private final Device owner;
  private final long address;
  private final int rows;
  private final int columns;
  private final int stride;
  private final boolean isFloat;
  private boolean closed;

  /**
   * @param owner whose memory {@link #close} gives back; null for a view
   */
  CudaTensor(Device owner, long address, int rows, int columns, int stride, boolean isFloat) {
    this.owner = owner;
    this.address = address;
    this.rows = rows;
    this.columns = columns;
    this.stride = stride;
    this.isFloat = isFloat;
  }

  static CudaTensor allocate(Device device, int rows, int columns, boolean isFloat) {
    long bytes = (long) rows * columns * (isFloat ? 4 : 2);
    return new CudaTensor(device, device.allocate(bytes), rows, columns, columns, isFloat);
  }

  static CudaTensor of(Tensor t) {
    return (CudaTensor) t;
  }

  /** The fp32 tensor {@code t}, which must be contiguous. */
  static CudaTensor floats(Tensor t) {
    CudaTensor own = (CudaTensor) t;
    if (!own.isFloat || !own.isContiguous()) {
      throw new IllegalArgumentException("a contiguous fp32 tensor is needed, not " + own);
    }
    return own;
  }

  /** The bf16 tensor {@code t}. */
  static CudaTensor activation(Tensor t) {
    CudaTensor own = (CudaTensor) t;
    if (own.isFloat) {
      throw new IllegalArgumentException("an activation (bf16) is needed, not " + own);
    }
    return own;
  }

  /** Device address, 0 for null. */
  static long addressOf(Tensor t) {
    return t == null ? 0 : floats(t).address();
  }

  long address() {
    if (closed) {
      throw new IllegalStateException("tensor is closed");
    }
    return address;
  }

  boolean isFloat() {
    return isFloat;
  }

  int elementBytes() {
    return isFloat ? 4 : 2;
  }

  boolean isContiguous() {
    return stride == columns || rows <= 1;
  }

  /** Whether every row begins on 16 bytes, so that kernels may move 8 elements at a time. */
  boolean isVector() {
    return stride % 8 == 0 && (address & 15) == 0;
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
  public CudaTensor rows(int from, int to) {
    check(from >= 0 && from <= to && to <= rows, "rows", from, to);
    return new CudaTensor(null, at((long) from * stride), to - from, columns, stride, isFloat);
  }

  @Override
  public CudaTensor columns(int from, int to) {
    check(from >= 0 && from <= to && to <= columns, "columns", from, to);
    return new CudaTensor(null, at(from), rows, to - from, stride, isFloat);
  }

  @Override
  public CudaTensor slice(long offset, int sliceRows, int sliceColumns) {
    long end = offset + (long) sliceRows * sliceColumns;
    check(isContiguous() && offset >= 0 && end <= size(), "elements", offset, end);
    return new CudaTensor(null, at(offset), sliceRows, sliceColumns, sliceColumns, isFloat);
  }

  private long at(long element) {
    return address() + element * elementBytes();
  }

  private void check(boolean condition, String what, long from, long to) {
    if (!condition) {
      throw new IndexOutOfBoundsException("%s %d to %d of %s".formatted(what, from, to, this));
    }
  }

  @Override
  public void close() {
    if (owner != null && !closed) {
      owner.free(address);
    }
    closed = true;
  }

  @Override
  public String toString() {
    return "%s [%d, %d] stride %d".formatted(isFloat ? "fp32" : "bf16", rows, columns, stride);
  }
}
