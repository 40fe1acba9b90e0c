package dev.reckoner.tensor.cpu;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.SequencedSet;
import java.util.TreeMap;

/**
 * Reuses arrays between operations, so that a step makes no garbage. Sizes are rounded up to 1/8.
 * Arrays in use and unused ones together take little more than those in use took at most; beyond
 * that, what has lain unused longest goes.
 */
final class FloatPool {
  private static final int SMALL = 1024;

  /** An array may be that many times longer than what it is used for. */
  private static final int LOOSE = 4;

  private final TreeMap<Integer, Deque<float[]>> free = new TreeMap<>();
  private final SequencedSet<float[]> unused = new LinkedHashSet<>();
  private long inUse;
  private long most;
  private long held;

  /** An array of at least {@code size} elements, contents undefined, to be given back soon. */
  float[] take(long size) {
    return take(size, LOOSE);
  }

  /** The same to be kept for long: no larger than it must be. */
  float[] keep(long size) {
    return take(size, 1);
  }

  private float[] take(long size, int factor) {
    if (size > Integer.MAX_VALUE - 64) {
      throw new IllegalArgumentException(
          "a tensor of %d elements is larger than a Java array".formatted(size));
    }
    if (size <= SMALL) {
      return new float[(int) size];
    }
    int rounded = rounded((int) size);
    synchronized (this) {
      Map.Entry<Integer, Deque<float[]>> fitting = free.ceilingEntry(rounded);
      if (fitting != null && fitting.getKey() <= (long) factor * rounded) {
        float[] array = fitting.getValue().getFirst();
        forget(array);
        using(array.length);
        return array;
      }
      using(rounded);
      while (!unused.isEmpty() && inUse + held > most + most / 8) {
        forget(unused.getFirst());
      }
    }
    return new float[rounded];
  }

  private void using(int length) {
    inUse += 4L * length;
    most = Math.max(most, inUse);
  }

  private void forget(float[] array) {
    unused.remove(array);
    Deque<float[]> alike = free.get(array.length);
    // The one used last, or else the one unused longest.
    if (alike.getFirst() == array) {
      alike.removeFirst();
    } else {
      alike.removeLast();
    }
    if (alike.isEmpty()) {
      free.remove(array.length);
    }
    held -= 4L * array.length;
  }

  /** Takes back an array that {@link #take} or {@link #keep} gave. */
  void give(float[] array) {
    if (array.length > SMALL) {
      giveBack(array);
    }
  }

  private synchronized void giveBack(float[] array) {
    inUse -= 4L * array.length;
    held += 4L * array.length;
    free.computeIfAbsent(array.length, k -> new ArrayDeque<>()).addFirst(array);
    unused.addLast(array);
  }

  /** Bytes of all its arrays, in use or not. */
  synchronized long bytes() {
    return inUse + held;
  }

  private static int rounded(int size) {
    int step = Integer.highestOneBit(size) >>> 3;
    return (int) Math.min(Integer.MAX_VALUE - 64L, ((long) size + step - 1) / step * step);
  }
}
