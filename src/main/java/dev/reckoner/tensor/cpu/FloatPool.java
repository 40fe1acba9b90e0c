package dev.reckoner.tensor.cpu;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;

/**
 * Reuses arrays between operations, so that a step makes no garbage. Sizes are rounded up to 1/8.
 */
final class FloatPool {
  private static final int SMALL = 1024;

  private final Map<Integer, Deque<float[]>> free = new HashMap<>();
  private final long limit;
  private long held;

  /**
   * @param limit bytes of unused arrays kept at most
   */
  FloatPool(long limit) {
    this.limit = limit;
  }

  /** An array of at least {@code size} elements, contents undefined. */
  float[] take(long size) {
    if (size > Integer.MAX_VALUE - 64) {
      throw new IllegalArgumentException(
          "a tensor of %d elements is larger than a Java array".formatted(size));
    }
    int rounded = rounded((int) size);
    synchronized (this) {
      Deque<float[]> arrays = free.get(rounded);
      if (arrays != null && !arrays.isEmpty()) {
        held -= 4L * rounded;
        return arrays.pop();
      }
    }
    return new float[rounded];
  }

  synchronized void give(float[] array) {
    if (array.length > SMALL && held + 4L * array.length <= limit) {
      held += 4L * array.length;
      free.computeIfAbsent(array.length, k -> new ArrayDeque<>()).push(array);
    }
  }

  private static int rounded(int size) {
    if (size <= SMALL) {
      return size;
    }
    int step = Integer.highestOneBit(size) >>> 3;
    return (int) Math.min(Integer.MAX_VALUE - 64L, ((long) size + step - 1) / step * step);
  }
}
