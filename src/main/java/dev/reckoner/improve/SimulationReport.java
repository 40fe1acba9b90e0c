package dev.reckoner.improve;

import java.awt.Color;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.markers.SeriesMarkers;

/**
 * What a simulation of the loop showed.
 *
 * @param seed of everything that is drawn
 * @param rounds in order; the first is the base model before any decision
 * @param expectations what had to be seen, and whether it was
 * @param seconds wall time
 */
public record SimulationReport(
    long seed,
    String model,
    String backend,
    List<Round> rounds,
    List<Expectation> expectations,
    double seconds) {

  /**
   * A training run of the simulation.
   *
   * @param kind {@code base}, {@code house rule}, {@code poisoned}, {@code leaked}
   * @param chains validated chains that trained, of all rounds so far
   * @param corrections decisions of this round that changed the chain; the others approved it
   * @param slips decisions of this round that were wrong by accident
   * @param status how the run ended, {@code base} for the first entry
   * @param message why, in the words of the run
   * @param suites execution accuracy of the model that this round made, by suite
   */
  public record Round(
      String kind,
      int chains,
      int corrections,
      int slips,
      String adapter,
      String status,
      String message,
      Map<String, Accuracy> suites,
      double seconds) {}

  /** A share with its 95% interval. */
  public record Accuracy(double estimate, double low, double high) {}

  /**
   * @param detail the numbers behind it
   */
  public record Expectation(String text, boolean held, String detail) {}

  /** Whether everything that had to be seen was seen. */
  public boolean asExpected() {
    return !expectations.isEmpty() && expectations.stream().allMatch(Expectation::held);
  }

  /** Writes {@code improve-simulate.json} and, where this Java can draw, its picture. */
  public void write(Path directory) throws IOException {
    Files.createDirectories(directory);
    Files.writeString(
        directory.resolve("improve-simulate.json"),
        CanonicalJson.MAPPER.writerWithDefaultPrettyPrinter().writeValueAsString(this) + "\n");
    try {
      BitmapEncoder.saveBitmap(
          chart(),
          directory.resolve("improve-simulate.png").toString(),
          BitmapEncoder.BitmapFormat.PNG);
    } catch (LinkageError | InternalError e) {
      System.getLogger(SimulationReport.class.getName())
          .log(System.Logger.Level.INFO, "no picture: " + e.getMessage());
    }
  }

  /** Accuracy over validated chains: what served as lines, what the gate refused as crosses. */
  private XYChart chart() {
    XYChart chart =
        new XYChartBuilder()
            .width(900)
            .height(480)
            .title("The improvement loop, simulated: a house rule taught by corrections")
            .xAxisTitle("validated chains")
            .yAxisTitle("execution accuracy, %")
            .build();
    chart.getStyler().setLegendPosition(Styler.LegendPosition.OutsideE);
    chart.getStyler().setYAxisMin(0.0).setYAxisMax(100.0);
    chart.getStyler().setChartBackgroundColor(Color.WHITE);
    List<String> suites = rounds.getFirst().suites().keySet().stream().sorted().toList();
    for (String suite : suites) {
      add(chart, suite, suite, "base", "promoted", false);
    }
    for (String suite : suites) {
      add(chart, suite + ", refused", suite, "refused", "refused", true);
    }
    return chart;
  }

  private void add(
      XYChart chart, String title, String suite, String status, String or, boolean crosses) {
    List<Double> x = new ArrayList<>();
    List<Double> y = new ArrayList<>();
    List<Double> error = new ArrayList<>();
    for (Round round : rounds) {
      Accuracy accuracy = round.suites().get(suite);
      if (accuracy != null && (round.status().equals(status) || round.status().equals(or))) {
        x.add((double) round.chains());
        y.add(100 * accuracy.estimate());
        error.add(50 * (accuracy.high() - accuracy.low()));
      }
    }
    if (x.isEmpty()) {
      return;
    }
    var series = chart.addSeries(title, x, y, error);
    if (crosses) {
      series.setMarker(SeriesMarkers.CROSS);
      series.setXYSeriesRenderStyle(org.knowm.xchart.XYSeries.XYSeriesRenderStyle.Scatter);
    } else {
      series.setMarker(SeriesMarkers.CIRCLE);
    }
  }

  /** For people: one line a round and one an expectation. */
  public String text() {
    StringBuilder out = new StringBuilder();
    for (Round round : rounds) {
      out.append("%-10s %4d chains  %-9s".formatted(round.kind(), round.chains(), round.status()));
      round
          .suites()
          .forEach(
              (suite, a) ->
                  out.append(
                      String.format(
                          Locale.ROOT,
                          "  %s %.1f%% [%.1f, %.1f]",
                          suite,
                          100 * a.estimate(),
                          100 * a.low(),
                          100 * a.high())));
      out.append("  ").append(round.message()).append('\n');
    }
    for (Expectation e : expectations) {
      out.append(e.held() ? "held    " : "FAILED  ").append(e.text());
      out.append(e.detail().isEmpty() ? "" : ": " + e.detail()).append('\n');
    }
    return out.toString();
  }
}
