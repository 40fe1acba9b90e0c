package dev.reckoner.cli;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The timed repetitions of one measurement, each with what the machine could do right before and
 * after it. Shared machines lend a core out at times; what was timed meanwhile does not count.
 */
final class BenchSeries {

  /** A repetition counts where the probe beside it reached this share of the best one. */
  static final double CORES_THERE = 0.85;

  private record Repetition(double seconds, double probe) {}

  private final List<Repetition> repetitions = new ArrayList<>();

  /**
   * @param probe multiply-adds reached before or after, the lower; NaN where there is no probe
   */
  void add(double seconds, double probe) {
    repetitions.add(new Repetition(seconds, probe));
  }

  int size() {
    return repetitions.size();
  }

  /** How many repetitions ran with all cores, given the best probe of the whole run. */
  int kept(double bestProbe) {
    return (int) repetitions.stream().filter(r -> counts(r, bestProbe)).count();
  }

  /** Median seconds of those that count; of all where none does. */
  double median(double bestProbe) {
    boolean any = kept(bestProbe) > 0;
    double[] times =
        repetitions.stream()
            .filter(r -> !any || counts(r, bestProbe))
            .mapToDouble(Repetition::seconds)
            .sorted()
            .toArray();
    return median(times);
  }

  private static boolean counts(Repetition r, double bestProbe) {
    return Double.isNaN(r.probe) || r.probe >= CORES_THERE * bestProbe;
  }

  static double median(double... values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    int half = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  }
}
