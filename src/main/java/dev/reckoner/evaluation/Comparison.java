package dev.reckoner.evaluation;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * Two models on the same problems.
 *
 * @param suite name of the suite
 * @param incumbent what it is compared with
 * @param candidate what is positive is this one's being larger
 * @param differences candidate minus incumbent, by the paired bootstrap
 * @param slices differences of execution accuracy by data set or question family
 * @param mcNemar on which problems exactly one is right
 */
public record Comparison(
    String suite,
    String incumbent,
    String candidate,
    Map<Metric, Interval> differences,
    Map<String, Interval> slices,
    McNemar mcNemar) {

  private record Pair(Grade incumbent, Grade candidate) {
    String group() {
      return candidate.group();
    }

    String slice() {
      return candidate.slice();
    }
  }

  /**
   * Pairs the grades of two measurements by problem.
   *
   * @throws IllegalArgumentException if they are not of the same problems
   */
  public static Comparison of(Measurement incumbent, Measurement candidate) {
    if (!incumbent.suite().equals(candidate.suite())
        || !incumbent.suiteVersion().equals(candidate.suiteVersion())) {
      throw new IllegalArgumentException(
          "not the same suite: %s (%s) and %s (%s)"
              .formatted(
                  incumbent.suite(),
                  incumbent.suiteVersion(),
                  candidate.suite(),
                  candidate.suiteVersion()));
    }
    Map<String, Grade> byProblem = new HashMap<>();
    incumbent.grades().forEach(g -> byProblem.put(g.problem(), g));
    List<Pair> pairs = new ArrayList<>();
    for (Grade grade : candidate.grades()) {
      Grade other = byProblem.remove(grade.problem());
      if (other == null) {
        throw new IllegalArgumentException("only one model was asked " + grade.problem());
      }
      pairs.add(new Pair(other, grade));
    }
    if (!byProblem.isEmpty()) {
      throw new IllegalArgumentException(
          "only one model was asked " + byProblem.keySet().iterator().next());
    }
    Map<Metric, Interval> differences = new EnumMap<>(Metric.class);
    for (Metric metric : Metric.values()) {
      differences.put(metric, difference(pairs, metric));
    }
    Map<String, Interval> slices = new TreeMap<>();
    pairs.stream()
        .collect(Collectors.groupingBy(Pair::slice))
        .forEach(
            (slice, members) -> slices.put(slice, difference(members, Metric.EXECUTION_ACCURACY)));
    int onlyIncumbent = 0;
    int onlyCandidate = 0;
    for (Pair pair : pairs) {
      boolean first = pair.incumbent().correct();
      boolean second = pair.candidate().correct();
      onlyIncumbent += first && !second ? 1 : 0;
      onlyCandidate += second && !first ? 1 : 0;
    }
    return new Comparison(
        candidate.suite(),
        incumbent.model(),
        candidate.model(),
        differences,
        slices,
        McNemar.of(onlyIncumbent, onlyCandidate));
  }

  public Interval difference(Metric metric) {
    return differences.get(metric);
  }

  private static Interval difference(List<Pair> pairs, Metric metric) {
    return Bootstrap.DEFAULT.difference(
        pairs, Pair::group, Pair::incumbent, Pair::candidate, metric.ratio());
  }
}
