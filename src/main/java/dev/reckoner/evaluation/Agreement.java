package dev.reckoner.evaluation;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;

/**
 * How far people who judged the same items independently agree, beyond what chance would give.
 * Categories are nominal: any two different ones are equally far apart.
 */
public final class Agreement {

  private static final int RESAMPLES = 2_000;
  private static final long SEED = 20_261_124L;

  private Agreement() {}

  /**
   * Cohen's κ of two raters over the items that both judged (Cohen, Educational and Psychological
   * Measurement 20, 1960): {@code (p_o - p_e) / (1 - p_e)}.
   *
   * @param first the first rater's category of each item
   * @param second the second rater's, in the same order
   * @return in [-1, 1]; NaN without items, or where both only ever used one and the same category
   */
  public static double cohenKappa(List<String> first, List<String> second) {
    if (first.size() != second.size()) {
      throw new IllegalArgumentException("both raters judge the same items");
    }
    double n = first.size();
    int agreed = 0;
    Map<String, int[]> used = new HashMap<>();
    for (int i = 0; i < first.size(); i++) {
      agreed += first.get(i).equals(second.get(i)) ? 1 : 0;
      used.computeIfAbsent(first.get(i), c -> new int[2])[0]++;
      used.computeIfAbsent(second.get(i), c -> new int[2])[1]++;
    }
    double expected = used.values().stream().mapToDouble(u -> u[0] / n * (u[1] / n)).sum();
    return (agreed / n - expected) / (1 - expected);
  }

  /**
   * Krippendorff's α for nominal data (Krippendorff, Computing Krippendorff's Alpha-Reliability,
   * 2011): {@code 1 - D_o / D_e} over the coincidences within units. Any number of raters; what
   * some did not judge is simply not there.
   *
   * @param units the categories that each item got; items with fewer than two count for nothing
   * @return at most 1; NaN where nothing can be compared, or only one category was ever used
   */
  public static double krippendorffAlpha(List<List<String>> units) {
    Map<String, Double> totals = new TreeMap<>();
    double values = 0;
    double disagreed = 0;
    for (List<String> unit : units) {
      int m = unit.size();
      if (m < 2) {
        continue;
      }
      Map<String, Integer> counts = new HashMap<>();
      unit.forEach(category -> counts.merge(category, 1, Integer::sum));
      values += m;
      for (Map.Entry<String, Integer> count : counts.entrySet()) {
        totals.merge(count.getKey(), (double) count.getValue(), Double::sum);
        disagreed += count.getValue() * (m - count.getValue()) / (m - 1.0);
      }
    }
    double expected = 0;
    for (double total : totals.values()) {
      expected += total * (values - total);
    }
    return 1 - (values - 1) * disagreed / expected;
  }

  /**
   * α with its 95% interval: the percentile bootstrap over units, seeded.
   *
   * @return without ends where there are fewer than ten units to draw from
   */
  public static Interval alpha(List<List<String>> units) {
    double estimate = krippendorffAlpha(units);
    if (units.size() < 10 || Double.isNaN(estimate)) {
      return new Interval(estimate, Double.NaN, Double.NaN);
    }
    SplittableRandom random = new SplittableRandom(SEED);
    List<Double> drawn = new ArrayList<>();
    for (int r = 0; r < RESAMPLES; r++) {
      List<List<String>> sample = new ArrayList<>(units.size());
      for (int i = 0; i < units.size(); i++) {
        sample.add(units.get(random.nextInt(units.size())));
      }
      double alpha = krippendorffAlpha(sample);
      // A draw of one category alone is perfect agreement of which chance explains all.
      drawn.add(Double.isNaN(alpha) ? 1 : alpha);
    }
    drawn.sort(null);
    return new Interval(
        estimate, drawn.get((int) (0.025 * RESAMPLES)), drawn.get((int) (0.975 * RESAMPLES) - 1));
  }

  /**
   * A share with its 95% Wilson score interval (Wilson, JASA 22, 1927), which stays in [0, 1] and
   * is sound for few trials.
   *
   * @return all NaN without trials
   */
  public static Interval share(long successes, long trials) {
    if (trials == 0) {
      return Interval.NOTHING;
    }
    double z = 1.959963984540054;
    double n = trials;
    double p = successes / n;
    double centre = (p + z * z / (2 * n)) / (1 + z * z / n);
    double half = z / (1 + z * z / n) * Math.sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    return new Interval(p, Math.max(0, centre - half), Math.min(1, centre + half));
  }
}
