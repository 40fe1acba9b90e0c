package dev.reckoner.tensor;

/** Adapters of consecutive rows of a batch, made ready by {@link Backend#lowRankRows}. */
public interface LowRankRows extends AutoCloseable {
  @Override
  void close();
}
