package dev.reckoner.evaluation;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries.XYSeriesRenderStyle;
import org.knowm.xchart.internal.chartpart.Chart;
import org.knowm.xchart.style.Styler;

/**
 * A folder that shows what a model scored: {@code results.json}, {@code README.md} with a table a
 * suite, and pictures, beside published figures. Measurements are added to those that are there, so
 * that a page can be filled suite by suite; what was measured of other weights goes.
 */
public final class ResultsPage {

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final System.Logger LOG = System.getLogger(ResultsPage.class.getName());

  /**
   * Under what circumstances was measured.
   *
   * @param weights hash of the base model; a page is of one
   * @param date of the measurement, ISO
   * @param engine backend and build
   * @param precision of the base model's weights
   */
  public record Setting(String weights, String date, String engine, String precision) {}

  /**
   * A figure of others: execution accuracy on FinQA's test split, in percent.
   *
   * @param source where it is from, and whether that was looked up
   */
  record Published(String system, double fullPage, double goldEvidence, String source) {}

  static final List<Published> PUBLISHED =
      List.of(
          new Published(
              "human expert",
              91.2,
              Double.NaN,
              "Chen et al., FinQA, EMNLP 2021,"
                  + " [arXiv:2109.00122](https://arxiv.org/abs/2109.00122): 91.16"),
          new Published(
              "GPT-4o, prompted",
              72.5,
              Double.NaN,
              "Qian et al., Fino1, 2025, [arXiv:2502.08127](https://arxiv.org/abs/2502.08127);"
                  + " quoted, the table was not read again"),
          new Published(
              "FinQANet (RoBERTa-large)",
              61.2,
              Double.NaN,
              "Chen et al., as above, corrected in"
                  + " [czyssrs/FinQA](https://github.com/czyssrs/FinQA): 61.24"),
          new Published(
              "Gemma-3-1B-IT, fully fine-tuned on 6,251 rows, program targets",
              49.1,
              66.6,
              "quoted; the publication was not found again"),
          new Published(
              "the same, taught the bare number",
              1.5,
              Double.NaN,
              "quoted; the publication was not found again"));

  private ResultsPage() {}

  /**
   * Adds measurements to a folder's results and writes all its files anew.
   *
   * @throws SuiteException if the folder's {@code results.json} cannot be read
   */
  public static void update(
      Path folder, Setting setting, List<Measurement> measurements, List<Comparison> comparisons)
      throws IOException {
    Files.createDirectories(folder);
    Path file = folder.resolve("results.json");
    ObjectNode results = EvaluationReport.json(measurements, comparisons, false);
    results.set("setting", JSON.valueToTree(setting));
    if (Files.exists(file)) {
      JsonNode before;
      try {
        before = JSON.readTree(file.toFile());
      } catch (JsonProcessingException e) {
        throw new SuiteException(file + " is no results file; name another folder", e);
      }
      if (before.at("/setting/weights").asText().equals(setting.weights())) {
        keep(results.withArray("measurements"), before.path("measurements"), "suite", "model");
        keep(
            results.withArray("comparisons"),
            before.path("comparisons"),
            "suite",
            "incumbent",
            "candidate");
      }
    }
    replace(file, results.toPrettyString() + "\n");
    boolean pictures =
        draw(accuracy(results), folder.resolve("accuracy.png"))
            & draw(calibration(results), folder.resolve("calibration.png"));
    replace(folder.resolve("README.md"), page(results, pictures));
  }

  /** Puts those entries in front that the new ones do not replace. */
  private static void keep(ArrayNode now, JsonNode before, String... key) {
    List<JsonNode> fresh = now.valueStream().toList();
    List<JsonNode> all = new ArrayList<>();
    before
        .valueStream()
        .filter(old -> fresh.stream().noneMatch(n -> key(n, key).equals(key(old, key))))
        .forEach(all::add);
    all.addAll(fresh);
    now.removeAll();
    all.stream().sorted(Comparator.comparing(n -> n.path("suite").asText())).forEach(now::add);
  }

  private static List<String> key(JsonNode node, String... fields) {
    return Stream.of(fields).map(field -> node.path(field).asText()).toList();
  }

  private static void replace(Path file, String text) throws IOException {
    Path next = file.resolveSibling(file.getFileName() + ".next");
    Files.writeString(next, text);
    Files.move(next, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
  }

  private static String page(JsonNode results, boolean pictures) {
    StringBuilder out = new StringBuilder("# Results\n\n");
    JsonNode setting = results.path("setting");
    out.append(
        """
        Written by `reckoner evaluate … --results`; the numbers are in [results.json](results.json). Greedy decoding as the
        model serves: grammar and calculator in the loop, %s weights, %s; %s. Base model `%s`.
        Intervals are 95%%, by a bootstrap that draws whole pages again; differences are paired.

        Grammar and calculator exclude some errors by construction (arithmetic, figures that are not on the page): what is
        left to the model is which figures to take and what to do with them, which execution and program accuracy measure.

        """
            .formatted(
                setting.path("precision").asText(),
                setting.path("engine").asText(),
                setting.path("date").asText(),
                setting.path("weights").asText()));
    summary(results, out);
    if (pictures) {
      out.append("![execution accuracy by suite](accuracy.png)\n\n");
      out.append("![accuracy against confidence](calibration.png)\n\n");
    }
    published(results, out);
    return out.append(EvaluationReport.markdown(results).strip()).append('\n').toString();
  }

  private static void summary(JsonNode results, StringBuilder out) {
    List<Metric> shown =
        List.of(
            Metric.EXECUTION_ACCURACY,
            Metric.PROGRAM_ACCURACY,
            Metric.VERIFIED_CHAINS,
            Metric.GROUNDED_FIGURES,
            Metric.UNIT_ERRORS);
    out.append("| suite | model | problems |");
    shown.forEach(metric -> out.append(' ').append(metric.text()).append(" |"));
    out.append("\n|---|---|---:|").append("---|".repeat(shown.size()));
    for (JsonNode m : results.path("measurements")) {
      out.append("\n| ").append(m.path("suite").asText());
      out.append(" | ").append(m.path("model").asText());
      out.append(" | ").append(m.path("problems").asInt()).append(" |");
      for (Metric metric : shown) {
        out.append(' ')
            .append(EvaluationReport.text(metric, EvaluationReport.interval(m, metric)))
            .append(" |");
      }
    }
    out.append("\n\n");
  }

  private static void published(JsonNode results, StringBuilder out) {
    out.append(
        """
        ## Beside published figures on FinQA

        Execution accuracy in percent. **Not the same test:** the published systems learned from all 6,251 questions of FinQA's
        training split and were measured on its test split; only part of the training split was at hand here (the data set
        card in [training/CARD.md](../../training/CARD.md) has the counts), and these scores are of dev pages that no training
        lesson shows.

        | system | full page | gold evidence | source |
        |---|---:|---:|---|
        """);
    for (JsonNode m : results.path("measurements")) {
      String suite = m.path("suite").asText();
      if (suite.startsWith("finqa")) {
        boolean gold = suite.contains("gold");
        String score =
            EvaluationReport.text(
                Metric.EXECUTION_ACCURACY, EvaluationReport.interval(m, Metric.EXECUTION_ACCURACY));
        out.append(
            "| this model, %s | %s | %s | %d problems of suite %s |%n"
                .formatted(
                    m.path("model").asText(),
                    gold ? "" : score,
                    gold ? score : "",
                    m.path("problems").asInt(),
                    suite));
      }
    }
    for (Published p : PUBLISHED) {
      out.append(
          "| %s | %s | %s | %s |%n"
              .formatted(p.system(), percent(p.fullPage()), percent(p.goldEvidence()), p.source()));
    }
    out.append('\n');
  }

  private static String percent(double value) {
    return Double.isNaN(value) ? "" : String.format(Locale.ROOT, "%.1f", value);
  }

  /** Execution accuracy of each model on each suite. */
  private static Chart<?, ?> accuracy(JsonNode results) {
    CategoryChart chart =
        new CategoryChartBuilder()
            .width(1000)
            .height(520)
            .title("Execution accuracy, 95% intervals")
            .yAxisTitle("percent")
            .build();
    chart.getStyler().setYAxisMin(0.0).setYAxisMax(100.0);
    chart.getStyler().setXAxisLabelRotation(30).setLegendPosition(Styler.LegendPosition.OutsideS);
    List<String> suites = EvaluationReport.suites(results);
    for (String model : models(results)) {
      List<Interval> scores =
          suites.stream()
              .map(
                  suite ->
                      results
                          .path("measurements")
                          .valueStream()
                          .filter(m -> m.path("suite").asText().equals(suite))
                          .filter(m -> m.path("model").asText().equals(model))
                          .map(m -> EvaluationReport.interval(m, Metric.EXECUTION_ACCURACY))
                          .findFirst()
                          .orElse(Interval.NOTHING))
              .toList();
      // One length is drawn to both sides; intervals are nearly even. What was not measured has no
      // bar.
      chart.addSeries(
          model,
          suites,
          scores.stream().map(i -> i.defined() ? 100 * i.estimate() : 0.0).toList(),
          scores.stream().map(i -> i.defined() ? 50 * (i.high() - i.low()) : 0.0).toList());
    }
    return chart;
  }

  private static List<String> models(JsonNode results) {
    return results
        .path("measurements")
        .valueStream()
        .map(m -> m.path("model").asText())
        .distinct()
        .toList();
  }

  /** How often answers are right, by confidence, over all suites of each model. */
  private static Chart<?, ?> calibration(JsonNode results) {
    XYChart chart =
        new XYChartBuilder()
            .width(640)
            .height(520)
            .title("Are low confidences wrong more often?")
            .xAxisTitle("confidence, tenths of the answers of a suite")
            .yAxisTitle("share that is right")
            .build();
    chart.getStyler().setYAxisMin(0.0).setYAxisMax(1.0).setXAxisMin(0.0).setXAxisMax(1.0);
    chart.getStyler().setLegendPosition(Styler.LegendPosition.OutsideS);
    chart.addSeries("as sure as right", new double[] {0, 1}, new double[] {0, 1});
    for (String model : models(results)) {
      scatter(chart, results, model, "/calibration/bins", model);
      scatter(chart, results, model, "/uncalibrated/bins", model + ", before calibration");
    }
    return chart;
  }

  private static void scatter(
      XYChart chart, JsonNode results, String model, String at, String title) {
    List<JsonNode> bins =
        results
            .path("measurements")
            .valueStream()
            .filter(m -> m.path("model").asText().equals(model))
            .flatMap(m -> m.at(at).valueStream())
            .toList();
    if (!bins.isEmpty()) {
      chart
          .addSeries(title, column(bins, "confidence"), column(bins, "accuracy"))
          .setXYSeriesRenderStyle(XYSeriesRenderStyle.Scatter);
    }
  }

  private static double[] column(List<JsonNode> bins, String field) {
    return bins.stream().mapToDouble(bin -> bin.path(field).asDouble()).toArray();
  }

  /** False where this Java cannot draw, as in a container without fonts. */
  private static boolean draw(Chart<?, ?> chart, Path png) throws IOException {
    try {
      BitmapEncoder.saveBitmap(chart, png.toString(), BitmapEncoder.BitmapFormat.PNG);
      return true;
    } catch (RuntimeException | LinkageError | InternalError e) {
      LOG.log(System.Logger.Level.INFO, "no pictures of the results: " + e.getMessage());
      return false;
    }
  }
}
