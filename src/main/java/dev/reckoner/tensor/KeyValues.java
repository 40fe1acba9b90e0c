package dev.reckoner.tensor;

/**
 * The keys and values of one sequence in every layer, in a backend's memory. It knows its capacity
 * but not its length: the caller passes how many tokens it holds ({@link CacheBatch}).
 */
public interface KeyValues extends AutoCloseable {
  /** Tokens it can hold. */
  int capacity();

  /** Bytes of backend memory held, also what others hold too. */
  long bytes();

  @Override
  void close();
}
