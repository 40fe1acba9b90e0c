package dev.reckoner.evaluation;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * One model on one suite.
 *
 * @param suite name of the suite
 * @param suiteVersion hash of its problems
 * @param model what was measured, for people
 * @param metrics each with its interval; undefined where the suite has nothing for it
 * @param slices execution accuracy by data set or question family
 * @param grades one a problem, in the order of the suite
 */
public record Measurement(
    String suite,
    String suiteVersion,
    String model,
    Map<Metric, Interval> metrics,
    Map<String, Interval> slices,
    Calibration calibration,
    List<Grade> grades) {

  /** Sums grades up. */
  public static Measurement of(Suite suite, String model, List<Grade> grades) {
    Map<Metric, Interval> metrics = new EnumMap<>(Metric.class);
    for (Metric metric : Metric.values()) {
      metrics.put(metric, Bootstrap.DEFAULT.of(grades, Grade::group, metric.ratio()));
    }
    Map<String, Interval> slices = new TreeMap<>();
    grades.stream()
        .collect(Collectors.groupingBy(Grade::slice))
        .forEach(
            (slice, members) ->
                slices.put(
                    slice,
                    Bootstrap.DEFAULT.of(
                        members, Grade::group, Metric.EXECUTION_ACCURACY.ratio())));
    Calibration calibration =
        Calibration.of(
            grades.stream()
                .filter(g -> g.failure() == null)
                .map(g -> new Calibration.Item(g.group(), g.confidence(), g.correct()))
                .toList());
    return new Measurement(
        suite.name(), suite.version(), model, metrics, slices, calibration, List.copyOf(grades));
  }

  public Interval metric(Metric metric) {
    return metrics.get(metric);
  }
}
