package dev.reckoner.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How long {@code reckoner analyze} takes from the launcher's start to the first token that the
 * bundled model writes, by its own account: a process of its own each time.
 */
final class BenchStart {

  /** The launcher's path, which it tells. */
  static final String LAUNCHER = "launcher";

  private static final String EVENTS = "packs/finance/samples.jsonl";

  private BenchStart() {}

  /**
   * Measures some starts after one that does not count.
   *
   * @param launcher the launcher's path
   * @param work where a file may be written
   */
  static BenchRate run(Path launcher, Path work, BenchProbe probe, int starts) {
    Path event = work.resolve("event.json");
    try {
      Files.writeString(event, firstEvent());
    } catch (IOException e) {
      throw new UncheckedIOException(event + " can not be written", e);
    }
    seconds(launcher, event);
    BenchSeries series = new BenchSeries();
    probe.settle();
    for (int i = 0; i < starts; i++) {
      probe.book(series, seconds(launcher, event));
    }
    double seconds = series.median(probe.best());
    return new BenchRate(
        "start to first token, bundled",
        BenchReport.OURS,
        seconds,
        1 / seconds,
        Double.NaN,
        Double.NaN,
        series.kept(probe.best()),
        series.size());
  }

  private static String firstEvent() throws IOException {
    InputStream in = BenchStart.class.getClassLoader().getResourceAsStream(EVENTS);
    if (in == null) {
      throw new UserException("this build has no " + EVENTS);
    }
    try (BufferedReader lines =
        new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
      return lines.readLine();
    }
  }

  private static double seconds(Path launcher, Path event) {
    try {
      Process process =
          new ProcessBuilder(launcher.toString(), "analyze", "--timings", event.toString())
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start();
      process.getOutputStream().close();
      String said = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
      if (process.waitFor() != 0) {
        throw new UserException("reckoner analyze failed: " + lastLine(said));
      }
      return firstToken(said);
    } catch (IOException e) {
      throw new UserException("%s could not be started".formatted(launcher), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new UserException("interrupted", e);
    }
  }

  /** The seconds in what {@link StartTimes} printed. */
  static double firstToken(String timings) {
    Matcher line =
        Pattern.compile("^" + StartTimes.FIRST_TOKEN + " +([0-9.]+) s$", Pattern.MULTILINE)
            .matcher(timings);
    if (!line.find()) {
      throw new UserException("reckoner analyze did not say when its first token came");
    }
    return Double.parseDouble(line.group(1));
  }

  private static String lastLine(String text) {
    return Arrays.stream(text.split("\n")).reduce("", (_, line) -> line.strip());
  }
}
