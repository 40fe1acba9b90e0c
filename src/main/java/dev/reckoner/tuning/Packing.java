package dev.reckoner.tuning;

import dev.reckoner.gemma.PackedBatch;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Samples to micro-batches: best fit, longest first, so that a micro-batch of a fixed number of
 * tokens is nearly full; sequences stay whole and attend only to themselves.
 */
final class Packing {
  private Packing() {}

  /**
   * Groups examples so that each group has at most {@code budget} tokens. The order of groups and
   * of equally long examples is drawn from {@code seed}.
   *
   * @throws IllegalArgumentException where a sample alone is longer than the budget
   */
  static <E extends Example> List<List<E>> bestFit(List<E> samples, int budget, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    List<E> order = new ArrayList<>(samples);
    shuffle(order, random);
    order.sort(Comparator.comparingInt(Example::length).reversed());
    List<List<E>> bins = new ArrayList<>();
    // open.get(f) holds the numbers of bins with exactly f tokens free
    List<List<Integer>> open = new ArrayList<>();
    for (int f = 0; f <= budget; f++) {
      open.add(new ArrayList<>());
    }
    for (E s : order) {
      if (s.length() > budget) {
        throw new IllegalArgumentException(
            "a sample of %d tokens exceeds the %d of a micro-batch".formatted(s.length(), budget));
      }
      int free = s.length();
      while (free <= budget && open.get(free).isEmpty()) {
        free++;
      }
      int bin;
      if (free > budget) {
        free = budget;
        bin = bins.size();
        bins.add(new ArrayList<>());
      } else {
        bin = open.get(free).removeLast();
      }
      bins.get(bin).add(s);
      open.get(free - s.length()).add(bin);
    }
    shuffle(bins, random);
    return bins;
  }

  private static <T> void shuffle(List<T> list, SplittableRandom random) {
    for (int i = list.size() - 1; i > 0; i--) {
      int j = random.nextInt(i + 1);
      T t = list.get(i);
      list.set(i, list.get(j));
      list.set(j, t);
    }
  }

  /** The packed form of a group, every target weighing {@code weight}. */
  static PackedBatch pack(List<Sample> group, float weight) {
    int total = group.stream().mapToInt(Sample::length).sum();
    int count = group.stream().mapToInt(Sample::targets).sum();
    int[] tokens = new int[total];
    int[] starts = new int[group.size() + 1];
    int[] rows = new int[count];
    int[] targets = new int[count];
    float[] weights = new float[count];
    int at = 0;
    int n = 0;
    for (int s = 0; s < group.size(); s++) {
      Sample sample = group.get(s);
      System.arraycopy(sample.tokens(), 0, tokens, at, sample.length());
      for (int i = 1; i < sample.length(); i++) {
        if (sample.supervised()[i]) {
          rows[n] = at + i - 1;
          targets[n] = sample.tokens()[i];
          weights[n++] = weight;
        }
      }
      at += sample.length();
      starts[s + 1] = at;
    }
    return new PackedBatch(tokens, starts, rows, targets, weights);
  }
}
