package dev.reckoner.evaluation;

import dev.reckoner.inference.ConfidenceMap;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;

/**
 * One model on one suite.
 *
 * @param suite name of the suite
 * @param suiteVersion hash of its problems
 * @param model what was measured, for people
 * @param metrics each with its interval; undefined where the suite has nothing for it
 * @param slices execution accuracy by data set or question family
 * @param calibration of the confidences
 * @param uncalibrated the same of the certainties that they were made of
 * @param grades one a problem, in the order of the suite
 */
public record Measurement(
    String suite,
    String suiteVersion,
    String model,
    Map<Metric, Interval> metrics,
    Map<String, Interval> slices,
    Calibration calibration,
    Calibration uncalibrated,
    List<Grade> grades) {

  /** Sums grades up. */
  public static Measurement of(Suite suite, String model, List<Grade> grades) {
    return of(suite.name(), suite.version(), model, grades);
  }

  /** The same of a suite that is not at hand. */
  static Measurement of(String suite, String version, String model, List<Grade> grades) {
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
    return new Measurement(
        suite,
        version,
        model,
        metrics,
        slices,
        calibration(grades, Grade::confidence),
        calibration(grades, Grade::certainty),
        List.copyOf(grades));
  }

  private static Calibration calibration(List<Grade> grades, ToDoubleFunction<Grade> confidence) {
    return Calibration.of(
        grades.stream()
            .filter(g -> g.failure() == null)
            .map(g -> new Calibration.Item(g.group(), confidence.applyAsDouble(g), g.correct()))
            .toList());
  }

  /**
   * What makes a confidence of the certainties of these answers, so that it is the share that is
   * right; each measurement counts the same.
   *
   * @param measurements of one model
   * @param weights hash of the model that answered
   * @param seed of the problems that were made, for the record
   * @throws SuiteException if there are too few answers
   */
  public static ConfidenceMap confidenceMap(
      List<Measurement> measurements, String weights, long seed) {
    return Platt.fit(
        measurements.stream().map(Measurement::grades).toList(),
        weights,
        measurements.stream()
            .map(m -> m.suite() + " " + m.suiteVersion())
            .collect(Collectors.joining(", ")),
        seed);
  }

  /** The same answers with the confidences that another map makes of their certainties. */
  public Measurement with(ConfidenceMap map) {
    return of(
        suite,
        suiteVersion,
        model,
        grades.stream().map(g -> g.confident(map.apply(g.certainty()))).toList());
  }

  public Interval metric(Metric metric) {
    return metrics.get(metric);
  }
}
