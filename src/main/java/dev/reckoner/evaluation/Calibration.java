package dev.reckoner.evaluation;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * Whether low confidence really is wrong more often.
 *
 * @param expectedError mean distance between confidence and accuracy over bins of equal size,
 *     weighted by bin (expected calibration error), 0..1; NaN without items
 * @param auroc probability that a right answer has a higher confidence than a wrong one (ties count
 *     half); 0.5 is worthless, 1 perfect; NaN where all are right or all wrong. Low confidence is
 *     really wrong more often if the whole interval is above 0.5
 * @param bins from low confidence to high
 */
public record Calibration(Interval expectedError, Interval auroc, List<Bin> bins) {

  /** A tenth of the items, by confidence. */
  public record Bin(int items, double confidence, double accuracy) {}

  /**
   * One answer.
   *
   * @param group what is drawn together by the bootstrap
   */
  record Item(String group, double confidence, boolean right) {}

  private static final int BINS = 10;

  /** Fewer draws than for sums: each one sorts. */
  private static final Bootstrap RESAMPLING = new Bootstrap(1_000, Bootstrap.DEFAULT.seed());

  static Calibration of(List<Item> items) {
    if (items.isEmpty()) {
      return new Calibration(Interval.NOTHING, Interval.NOTHING, List.of());
    }
    List<Bin> bins = bins(sorted(items));
    return new Calibration(
        interval(items, drawn -> expectedError(bins(drawn))),
        interval(items, Calibration::auroc),
        bins);
  }

  private static Interval interval(List<Item> items, ToDoubleFunction<List<Item>> statistic) {
    return RESAMPLING.of(items, Item::group, drawn -> statistic.applyAsDouble(sorted(drawn)));
  }

  private static List<Item> sorted(List<Item> items) {
    return items.stream().sorted(Comparator.comparingDouble(Item::confidence)).toList();
  }

  private static List<Bin> bins(List<Item> sorted) {
    int n = sorted.size();
    List<Bin> bins = new ArrayList<>();
    for (int b = 0; b < BINS; b++) {
      List<Item> members =
          sorted.subList((int) ((long) b * n / BINS), (int) ((long) (b + 1) * n / BINS));
      if (members.isEmpty()) {
        continue;
      }
      double confidence = members.stream().mapToDouble(Item::confidence).average().orElseThrow();
      double accuracy =
          members.stream().mapToDouble(i -> i.right() ? 1 : 0).average().orElseThrow();
      bins.add(new Bin(members.size(), confidence, accuracy));
    }
    return List.copyOf(bins);
  }

  private static double expectedError(List<Bin> bins) {
    double items = bins.stream().mapToInt(Bin::items).sum();
    return bins.stream()
        .mapToDouble(b -> Math.abs(b.confidence() - b.accuracy()) * b.items() / items)
        .sum();
  }

  /** By the rank sum, with the mean rank for ties (Hanley and McNeil 1982). */
  private static double auroc(List<Item> sorted) {
    long right = sorted.stream().filter(Item::right).count();
    long wrong = sorted.size() - right;
    if (right == 0 || wrong == 0) {
      return Double.NaN;
    }
    double rankSum = 0;
    for (int from = 0; from < sorted.size(); ) {
      int to = from;
      while (to < sorted.size() && sorted.get(to).confidence() == sorted.get(from).confidence()) {
        to++;
      }
      double meanRank = (from + 1 + to) / 2.0;
      for (Item tied : sorted.subList(from, to)) {
        rankSum += tied.right() ? meanRank : 0;
      }
      from = to;
    }
    return (rankSum - right * (right + 1) / 2.0) / (right * (double) wrong);
  }
}
