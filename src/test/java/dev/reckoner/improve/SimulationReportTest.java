package dev.reckoner.improve;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.improve.SimulationReport.Accuracy;
import dev.reckoner.improve.SimulationReport.Expectation;
import dev.reckoner.improve.SimulationReport.Round;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SimulationReportTest {

  private static final Round BASE =
      new Round(
          "base", 0, 0, 0, "base", "base", "", Map.of("house-rule", new Accuracy(0, 0, 0.1)), 0);

  @TempDir Path directory;

  @Test
  void whatWasNotSeenOrNotLookedForIsNotAsExpected() {
    assertThat(report(new Expectation("a", true, "1")).asExpected()).isTrue();
    assertThat(report(new Expectation("a", true, ""), new Expectation("b", false, "")).asExpected())
        .isFalse();
    assertThat(report().asExpected()).isFalse();
  }

  @Test
  void theReportIsReadAsItWasWrittenAndItsPictureIsSmall() throws IOException {
    SimulationReport report = report(new Expectation("climbs", false, "0.0%, NaN"));
    report.write(directory);
    assertThat(
            CanonicalJson.MAPPER
                .readTree(directory.resolve("improve-simulate.json").toFile())
                .at("/expectations/0/held")
                .booleanValue())
        .isFalse();
    Path picture = directory.resolve("improve-simulate.png");
    assertThat(ImageIO.read(picture.toFile()).getWidth()).isEqualTo(900);
    assertThat(Files.size(picture)).isLessThan(150_000);
    assertThat(report.text()).contains("house-rule 0.0% [0.0, 10.0]").contains("FAILED  climbs");
  }

  private static SimulationReport report(Expectation... expectations) {
    return new SimulationReport(1, "m", "cpu", List.of(BASE), List.of(expectations), 1);
  }
}
