package dev.reckoner.tensor;

/**
 * Which sequence each packed row of an inference step belongs to: segment {@code s} owns rows
 * {@code [starts[s], starts[s+1])}, and its first row is token number {@code past[s]} of the
 * sequence in cache {@code s}. Made by {@link Backend#batch}; one serves all layers of a step.
 */
public interface CacheBatch extends AutoCloseable {
  int segments();

  @Override
  void close();
}
