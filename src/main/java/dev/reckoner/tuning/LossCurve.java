package dev.reckoner.tuning;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** The picture of a run's {@code metrics.jsonl}. */
public final class LossCurve {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final System.Logger LOG = System.getLogger(LossCurve.class.getName());

  private LossCurve() {}

  /**
   * Draws training and held-out loss over the steps of the run in {@code out} to a PNG file.
   *
   * @return false where this Java cannot draw, as in a container without fonts; a picture is no
   *     reason to lose a run
   */
  public static boolean write(Path out, Path png) {
    if (ModuleLayer.boot().findModule("java.desktop").isEmpty()) {
      return without("this Java has no module java.desktop");
    }
    try {
      XYChart chart =
          new XYChartBuilder().width(900).height(500).xAxisTitle("step").yAxisTitle("loss").build();
      List<String> lines = Files.readAllLines(out.resolve("metrics.jsonl"));
      add(chart, lines, "train", "training");
      add(chart, lines, "evaluation", "held out");
      BitmapEncoder.saveBitmap(chart, png.toString(), BitmapEncoder.BitmapFormat.PNG);
      return true;
    } catch (IOException e) {
      throw new UncheckedIOException(png + " could not be written", e);
    } catch (RuntimeException | LinkageError | InternalError e) {
      return without(e.getMessage());
    }
  }

  private static boolean without(String reason) {
    LOG.log(System.Logger.Level.INFO, "no picture of the loss: " + reason);
    return false;
  }

  private static void add(XYChart chart, List<String> lines, String kind, String title)
      throws IOException {
    List<Double> steps = new ArrayList<>();
    List<Double> losses = new ArrayList<>();
    for (String line : lines) {
      JsonNode node = JSON.readTree(line);
      if (node.path("kind").asText().equals(kind)) {
        steps.add(node.path("step").asDouble());
        losses.add(node.path("loss").asDouble());
      }
    }
    if (!steps.isEmpty()) {
      chart.addSeries(title, steps, losses).setMarker(SeriesMarkers.NONE);
    }
  }
}
