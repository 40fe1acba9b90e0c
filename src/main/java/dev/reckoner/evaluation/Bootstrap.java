package dev.reckoner.evaluation;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;

/**
 * Percentile bootstrap of a ratio of sums, seeded, so that the same outcomes give the same
 * interval.
 *
 * <p>What is drawn again is the <em>group</em> (the page or issuer a problem comes from) and not
 * the problem: questions of one page succeed or fail together, and treating them as independent
 * would make every interval too narrow (the cluster bootstrap: Davison and Hinkley 1997, section
 * 3.8).
 *
 * @param resamples how often the groups are drawn again; 10,000 puts the error of an end point well
 *     below the width of an interval
 * @param seed of the generator
 */
record Bootstrap(int resamples, long seed) {

  static final Bootstrap DEFAULT = new Bootstrap(10_000, 20_261_124L);

  /**
   * A ratio of sums over items: {@code Σ numerator / Σ denominator}. A mean has denominator 1; an
   * item that the metric does not apply to has denominator 0.
   */
  record Ratio<T>(ToDoubleFunction<T> numerator, ToDoubleFunction<T> denominator) {}

  /** The ratio over {@code items} with its interval. */
  <T> Interval of(List<T> items, Function<T, String> group, Ratio<T> ratio) {
    return interval(
        sums(items, group, List.of(ratio.numerator(), ratio.denominator())), s -> s[0] / s[1]);
  }

  /**
   * The difference of the ratio between two measurements of the same items, drawn together: the
   * paired bootstrap. What is positive is {@code second} being larger.
   *
   * @param <P> a pair of measurements of one item
   */
  <P, T> Interval difference(
      List<P> pairs,
      Function<P, String> group,
      Function<P, T> first,
      Function<P, T> second,
      Ratio<T> ratio) {
    return interval(
        sums(
            pairs,
            group,
            List.of(
                p -> ratio.numerator().applyAsDouble(first.apply(p)),
                p -> ratio.denominator().applyAsDouble(first.apply(p)),
                p -> ratio.numerator().applyAsDouble(second.apply(p)),
                p -> ratio.denominator().applyAsDouble(second.apply(p)))),
        s -> s[2] / s[3] - s[0] / s[1]);
  }

  /**
   * A statistic of items that is no ratio of sums, with its interval.
   *
   * @param statistic of items, which may occur several times; NaN where they say nothing
   */
  <T> Interval of(List<T> items, Function<T, String> group, ToDoubleFunction<List<T>> statistic) {
    List<List<T>> groups =
        List.copyOf(
            items.stream()
                .collect(Collectors.groupingBy(group, LinkedHashMap::new, Collectors.toList()))
                .values());
    double estimate = items.isEmpty() ? Double.NaN : statistic.applyAsDouble(items);
    if (Double.isNaN(estimate)) {
      return Interval.NOTHING;
    }
    SplittableRandom random = new SplittableRandom(seed);
    double[] drawn = new double[resamples];
    int kept = 0;
    for (int r = 0; r < resamples; r++) {
      List<T> draw = new ArrayList<>(items.size());
      for (int i = 0; i < groups.size(); i++) {
        draw.addAll(groups.get(random.nextInt(groups.size())));
      }
      double value = statistic.applyAsDouble(draw);
      if (!Double.isNaN(value)) {
        drawn[kept++] = value;
      }
    }
    return percentiles(estimate, drawn, kept);
  }

  /** Between the 2.5th and the 97.5th percentile of the first {@code kept} values. */
  private static Interval percentiles(double estimate, double[] drawn, int kept) {
    double[] sorted = Arrays.copyOf(drawn, kept);
    Arrays.sort(sorted);
    return new Interval(estimate, quantile(sorted, 0.025), quantile(sorted, 0.975));
  }

  /** One row of sums for each group, in the order in which the groups first occur. */
  private static <T> double[][] sums(
      List<T> items, Function<T, String> group, List<ToDoubleFunction<T>> columns) {
    Map<String, Integer> index = new HashMap<>();
    for (T item : items) {
      index.putIfAbsent(group.apply(item), index.size());
    }
    double[][] sums = new double[index.size()][columns.size()];
    for (T item : items) {
      double[] row = sums[index.get(group.apply(item))];
      for (int c = 0; c < row.length; c++) {
        row[c] += columns.get(c).applyAsDouble(item);
      }
    }
    return sums;
  }

  private Interval interval(double[][] groups, ToDoubleFunction<double[]> statistic) {
    double[] all = new double[groups.length == 0 ? 0 : groups[0].length];
    for (double[] group : groups) {
      add(all, group);
    }
    if (groups.length == 0 || Double.isNaN(statistic.applyAsDouble(all))) {
      return Interval.NOTHING;
    }
    SplittableRandom random = new SplittableRandom(seed);
    double[] drawn = new double[resamples];
    int kept = 0;
    double[] sum = new double[all.length];
    for (int r = 0; r < resamples; r++) {
      Arrays.fill(sum, 0);
      for (int i = 0; i < groups.length; i++) {
        add(sum, groups[random.nextInt(groups.length)]);
      }
      double value = statistic.applyAsDouble(sum);
      // A draw without any item that the metric applies to says nothing.
      if (!Double.isNaN(value)) {
        drawn[kept++] = value;
      }
    }
    return percentiles(statistic.applyAsDouble(all), drawn, kept);
  }

  private static void add(double[] sum, double[] row) {
    for (int c = 0; c < sum.length; c++) {
      sum[c] += row[c];
    }
  }

  /** Linear interpolation between order statistics (R's type 7). */
  static double quantile(double[] sorted, double p) {
    double h = (sorted.length - 1) * p;
    int i = (int) Math.floor(h);
    return i + 1 < sorted.length ? sorted[i] + (h - i) * (sorted[i + 1] - sorted[i]) : sorted[i];
  }
}
