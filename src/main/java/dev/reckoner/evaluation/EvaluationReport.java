package dev.reckoner.evaluation;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Results as JSON for programs and as Markdown for people. */
public final class EvaluationReport {

  private static final ObjectMapper JSON = new ObjectMapper();

  private EvaluationReport() {}

  /**
   * A measurement with all its numbers. What is undefined is {@code null}, never 0.
   *
   * @param withGrades whether every single answer goes in as well
   */
  public static ObjectNode json(Measurement m, boolean withGrades) {
    ObjectNode node = JSON.createObjectNode();
    node.put("suite", m.suite());
    node.put("suiteVersion", m.suiteVersion());
    node.put("model", m.model());
    node.put("problems", m.grades().size());
    node.set("metrics", intervals(m.metrics()));
    ObjectNode slices = node.putObject("slices");
    m.slices().forEach((name, interval) -> slices.set(name, interval(interval)));
    node.set("calibration", json(m.calibration()));
    if (!m.uncalibrated().equals(m.calibration())) {
      node.set("uncalibrated", json(m.uncalibrated()));
    }
    if (withGrades) {
      node.set("grades", JSON.valueToTree(m.grades()));
    }
    return node;
  }

  private static ObjectNode json(Calibration calibration) {
    ObjectNode node = JSON.createObjectNode();
    node.set("expectedError", interval(calibration.expectedError()));
    node.set("auroc", interval(calibration.auroc()));
    node.set("bins", JSON.valueToTree(calibration.bins()));
    return node;
  }

  /** A comparison with all its numbers. */
  public static ObjectNode json(Comparison c) {
    ObjectNode node = JSON.createObjectNode();
    node.put("suite", c.suite());
    node.put("incumbent", c.incumbent());
    node.put("candidate", c.candidate());
    node.set("differences", intervals(c.differences()));
    ObjectNode slices = node.putObject("slices");
    c.slices().forEach((name, interval) -> slices.set(name, interval(interval)));
    node.set("mcNemar", JSON.valueToTree(c.mcNemar()));
    return node;
  }

  /** All of a run: measurements, and comparisons where there are any. */
  public static ObjectNode json(
      List<Measurement> measurements, List<Comparison> comparisons, boolean withGrades) {
    ObjectNode node = JSON.createObjectNode();
    ArrayNode all = node.putArray("measurements");
    measurements.forEach(m -> all.add(json(m, withGrades)));
    ArrayNode pairs = node.putArray("comparisons");
    comparisons.forEach(c -> pairs.add(json(c)));
    return node;
  }

  /**
   * The measurements of an earlier run, summed up anew from their grades.
   *
   * @param results as {@link #json(List, List, boolean)} writes them with grades
   * @throws SuiteException if there is a measurement without grades
   */
  public static List<Measurement> measurements(JsonNode results) {
    List<Measurement> measurements = new ArrayList<>();
    for (JsonNode m : results.path("measurements")) {
      List<Grade> grades = new ArrayList<>();
      for (JsonNode grade : m.path("grades")) {
        grades.add(JSON.convertValue(grade, Grade.class));
      }
      if (grades.isEmpty()) {
        throw new SuiteException(
            "there are no single answers on "
                + m.path("suite").asText("a suite")
                + "; only what evaluate --out wrote has them");
      }
      measurements.add(
          Measurement.of(
              m.path("suite").asText(),
              m.path("suiteVersion").asText(),
              m.path("model").asText(),
              grades));
    }
    return measurements;
  }

  /** A table a suite: a row a metric, a column a model, with 95% intervals. */
  public static String markdown(List<Measurement> measurements, List<Comparison> comparisons) {
    return markdown(json(measurements, comparisons, false));
  }

  /** The same tables of results as {@link #json(List, List, boolean)} writes them. */
  static String markdown(JsonNode results) {
    StringBuilder out = new StringBuilder();
    for (String suite : suites(results)) {
      List<JsonNode> columns = of(results.path("measurements"), suite);
      List<JsonNode> differences = of(results.path("comparisons"), suite);
      JsonNode first = columns.getFirst();
      out.append("## ").append(suite).append("\n\n");
      out.append(first.path("problems").asInt()).append(" problems, version ");
      out.append(first.path("suiteVersion").asText());
      out.append("; 95% intervals in brackets\n\n| |");
      columns.forEach(m -> out.append(' ').append(m.path("model").asText()).append(" |"));
      differences.forEach(c -> out.append(" difference |"));
      out.append("\n|---|").append("---|".repeat(columns.size() + differences.size()));
      for (Metric metric : Metric.values()) {
        if (columns.stream().noneMatch(m -> interval(m, metric).defined())) {
          continue;
        }
        out.append("\n| ").append(metric.text()).append(" |");
        columns.forEach(
            m -> out.append(' ').append(text(metric, interval(m, metric))).append(" |"));
        differences.forEach(
            c ->
                out.append(' ')
                    .append(signed(metric, interval(c.path("differences").path(name(metric)))))
                    .append(" |"));
      }
      int empty = differences.size();
      row(out, "expected calibration error", columns, "/calibration/expectedError", empty);
      if (columns.stream().anyMatch(m -> m.has("uncalibrated"))) {
        row(out, "the same, before calibration", columns, "/uncalibrated/expectedError", empty);
      }
      row(out, "AUROC of confidence", columns, "/calibration/auroc", empty);
      out.append("\n\n");
      for (JsonNode c : differences) {
        out.append(
            "%s against %s: right on %d that the other misses, wrong on %d that it solves; exact McNemar p = %s%n%n"
                .formatted(
                    c.path("candidate").asText(),
                    c.path("incumbent").asText(),
                    c.at("/mcNemar/onlySecond").asInt(),
                    c.at("/mcNemar/onlyFirst").asInt(),
                    String.format(Locale.ROOT, "%.3g", c.at("/mcNemar/pValue").asDouble())));
      }
    }
    return out.toString();
  }

  /** The suites that were measured, in order. */
  static List<String> suites(JsonNode results) {
    return results
        .path("measurements")
        .valueStream()
        .map(m -> m.path("suite").asText())
        .distinct()
        .toList();
  }

  private static List<JsonNode> of(JsonNode all, String suite) {
    return all.valueStream().filter(m -> m.path("suite").asText().equals(suite)).toList();
  }

  /** A metric of a measurement as written. */
  static Interval interval(JsonNode measurement, Metric metric) {
    return interval(measurement.path("metrics").path(name(metric)));
  }

  private static Interval interval(JsonNode node) {
    return node.path("estimate").isNumber()
        ? new Interval(
            node.path("estimate").asDouble(),
            node.path("low").asDouble(Double.NaN),
            node.path("high").asDouble(Double.NaN))
        : Interval.NOTHING;
  }

  private static String name(Metric metric) {
    return metric.name().toLowerCase(Locale.ROOT);
  }

  private static ObjectNode intervals(Map<Metric, Interval> intervals) {
    ObjectNode node = JSON.createObjectNode();
    intervals.forEach((metric, interval) -> node.set(name(metric), interval(interval)));
    return node;
  }

  private static ObjectNode interval(Interval interval) {
    ObjectNode node = JSON.createObjectNode();
    number(node, "estimate", interval.estimate());
    number(node, "low", interval.low());
    number(node, "high", interval.high());
    return node;
  }

  private static void number(ObjectNode node, String field, double value) {
    if (Double.isFinite(value)) {
      node.put(field, value);
    } else {
      node.putNull(field);
    }
  }

  static String text(Metric metric, Interval i) {
    if (!i.defined()) {
      return "–";
    }
    return metric.share()
        ? String.format(
            Locale.ROOT, "%.1f%% [%.1f, %.1f]", 100 * i.estimate(), 100 * i.low(), 100 * i.high())
        : String.format(Locale.ROOT, "%.2f [%.2f, %.2f]", i.estimate(), i.low(), i.high());
  }

  private static String signed(Metric metric, Interval i) {
    if (!i.defined()) {
      return "–";
    }
    double f = metric.share() ? 100 : 1;
    return String.format(
        Locale.ROOT, "%+.2f [%+.2f, %+.2f]", f * i.estimate(), f * i.low(), f * i.high());
  }

  private static void row(
      StringBuilder out, String title, List<JsonNode> columns, String at, int empty) {
    out.append("\n| ").append(title).append(" |");
    columns.forEach(m -> out.append(' ').append(plain(interval(m.at(at)))).append(" |"));
    out.append(" |".repeat(empty));
  }

  private static String plain(Interval i) {
    return i.defined()
        ? String.format(Locale.ROOT, "%.3f [%.3f, %.3f]", i.estimate(), i.low(), i.high())
        : "–";
  }
}
