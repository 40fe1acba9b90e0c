package dev.reckoner.tensor;

/** Host integers with a copy in a backend's memory: token ids, positions, row numbers. */
public interface Indices extends AutoCloseable {
  /** The host copy; not to be changed. */
  int[] values();

  default int size() {
    return values().length;
  }

  @Override
  void close();
}
