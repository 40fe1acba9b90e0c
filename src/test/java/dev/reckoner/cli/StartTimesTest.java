package dev.reckoner.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.inference.GenerationListener;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class StartTimesTest {
  @AfterEach
  void forget() {
    System.clearProperty(StartTimes.BEGAN);
  }

  private static List<String> lines(StartTimes times) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    times.print(new PrintStream(out, true, StandardCharsets.UTF_8));
    return out.toString(StandardCharsets.UTF_8).lines().toList();
  }

  private static double seconds(String line) {
    return Double.parseDouble(line.replaceAll(".* ([0-9.]+) s", "$1"));
  }

  @Test
  void countsFromWhenTheLauncherBegan() {
    double began = System.currentTimeMillis() / 1e3 - 5;
    System.setProperty(StartTimes.BEGAN, String.format(Locale.ROOT, "%.6f", began));
    StartTimes times = new StartTimes();
    times.reached("program");
    GenerationListener listener = times.firstToken();
    listener.onText("a");
    listener.onText("b");
    times.reached("last token");
    List<String> lines = lines(times);
    assertThat(lines).hasSize(3);
    assertThat(lines.get(0)).startsWith("program ");
    assertThat(lines.get(1)).startsWith("first token ");
    assertThat(lines.get(2)).startsWith("last token ");
    assertThat(seconds(lines.get(0))).isBetween(4.9, 15.0);
    assertThat(BenchStart.firstToken(String.join("\n", lines))).isEqualTo(seconds(lines.get(1)));
    assertThat(seconds(lines.get(2))).isGreaterThanOrEqualTo(seconds(lines.get(0)));
  }

  @Test
  void countsFromTheVirtualMachineWhereNothingElseIsKnown() {
    System.setProperty(StartTimes.BEGAN, "yesterday");
    StartTimes times = new StartTimes();
    times.reached("program");
    assertThat(seconds(lines(times).getFirst())).isPositive();
  }
}
