package dev.reckoner.evaluation;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Whether low confidence really is wrong more often.
 *
 * @param expectedError mean distance between confidence and accuracy over bins of equal size,
 *     weighted by bin (expected calibration error), 0..1; NaN without items
 * @param auroc probability that a right answer has a higher confidence than a wrong one (ties count
 *     half); 0.5 is worthless, 1 perfect; NaN where all are right or all wrong
 * @param bins from low confidence to high
 */
public record Calibration(double expectedError, double auroc, List<Bin> bins) {

  /** A tenth of the items, by confidence. */
  public record Bin(int items, double confidence, double accuracy) {}

  /** One answer. */
  record Item(double confidence, boolean right) {}

  private static final int BINS = 10;

  static Calibration of(List<Item> items) {
    if (items.isEmpty()) {
      return new Calibration(Double.NaN, Double.NaN, List.of());
    }
    List<Item> sorted =
        items.stream().sorted(Comparator.comparingDouble(Item::confidence)).toList();
    int n = sorted.size();
    List<Bin> bins = new ArrayList<>();
    double error = 0;
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
      error += Math.abs(confidence - accuracy) * members.size() / n;
    }
    return new Calibration(error, auroc(sorted), List.copyOf(bins));
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
