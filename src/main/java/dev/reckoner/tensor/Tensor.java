package dev.reckoner.tensor;

/**
 * A dense two-dimensional array {@code [rows, columns]} in a backend's memory, row-major, with a
 * row stride. Either an activation (fp32 on CPU, bf16 on CUDA) or fp32. A view shares its owner's
 * memory and dies with it; closing a view does nothing. Contents are undefined until written,
 * except where {@link Backend#floats} made it.
 */
public interface Tensor extends AutoCloseable {
  int rows();

  int columns();

  /** Elements from one row to the next; equals {@link #columns()} when contiguous. */
  int stride();

  /** A view of rows {@code [from, to)}. */
  Tensor rows(int from, int to);

  /** A view of columns {@code [from, to)}; keeps the row stride. */
  Tensor columns(int from, int to);

  /**
   * A contiguous view {@code [rows, columns]} of the elements that begin at {@code offset} in this
   * contiguous tensor.
   */
  Tensor slice(long offset, int rows, int columns);

  default long size() {
    return (long) rows() * columns();
  }

  /** Gives the memory back to the backend; no effect on a view or when closed already. */
  @Override
  void close();
}
