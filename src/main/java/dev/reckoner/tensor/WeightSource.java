package dev.reckoner.tensor;

/** Weights {@code [rows, columns]} that can be read a row at a time, from a file or an array. */
public interface WeightSource {
  int rows();

  int columns();

  /** Writes row {@code row} as fp32 to {@code into[offset .. offset + columns)}. Thread-safe. */
  void read(int row, float[] into, int offset);

  /** A source over a row-major array. */
  static WeightSource of(float[] values, int rows, int columns) {
    if ((long) rows * columns != values.length) {
      throw new IllegalArgumentException(
          "%d values are not [%d, %d]".formatted(values.length, rows, columns));
    }
    return of(
        rows,
        columns,
        (row, into, offset) -> System.arraycopy(values, row * columns, into, offset, columns));
  }

  /** A source whose rows {@code reader} writes, as {@link #read} does. */
  static WeightSource of(int rows, int columns, RowReader reader) {
    return new WeightSource() {
      @Override
      public int rows() {
        return rows;
      }

      @Override
      public int columns() {
        return columns;
      }

      @Override
      public void read(int row, float[] into, int offset) {
        reader.read(row, into, offset);
      }
    };
  }

  /** Writes one row as fp32 to {@code into} from {@code offset} on. Thread-safe. */
  @FunctionalInterface
  interface RowReader {
    void read(int row, float[] into, int offset);
  }
}
