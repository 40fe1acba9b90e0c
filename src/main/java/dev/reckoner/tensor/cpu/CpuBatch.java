package dev.reckoner.tensor.cpu;

import dev.reckoner.tensor.CacheBatch;
import java.util.List;

/** The segments of an inference step. */
record CpuBatch(List<CpuKeyValues> caches, int[] starts, int[] past) implements CacheBatch {
  @Override
  public int segments() {
    return caches.size();
  }

  int rows(int segment) {
    return starts[segment + 1] - starts[segment];
  }

  @Override
  public void close() {}
}
