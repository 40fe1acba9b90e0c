package dev.reckoner.cli;

import java.io.Console;
import java.io.PrintStream;
import java.time.Duration;
import java.time.Instant;
import java.util.Locale;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * Shows what a long command is doing, one phase after the other: bars on a terminal, else one plain
 * line when a phase ends and now and then during a long one.
 */
final class Progress implements AutoCloseable {

  private static final Duration QUIET = Duration.ofSeconds(10);

  private final PrintStream out;
  private final boolean bars;
  private ProgressBar bar;
  private String phase;
  private Instant since;
  private Instant said;
  private long total;
  private long done;

  /**
   * @param out where to show it
   * @param plain lines also on a terminal
   */
  Progress(PrintStream out, boolean plain) {
    Console console = System.console();
    this.out = out;
    this.bars = !plain && console != null && console.isTerminal();
  }

  /** Ends the phase before and begins one of unknown length. */
  void phase(String name) {
    phase(name, -1);
  }

  /** Ends the phase before and begins one of {@code total} parts. */
  void phase(String name, long total) {
    end();
    this.phase = name;
    this.total = total;
    this.done = 0;
    this.since = Instant.now();
    this.said = since;
    if (bars) {
      bar =
          new ProgressBarBuilder()
              .setTaskName("%-10s".formatted(name))
              .setInitialMax(total)
              .setStyle(ProgressBarStyle.UNICODE_BLOCK)
              .setUpdateIntervalMillis(200)
              .setConsumer(new ConsoleProgressBarConsumer(out))
              .build();
    }
  }

  /** Of the phase's parts, {@code done} are done. */
  void at(long done) {
    at(done, "");
  }

  /** The same, with a note that stands beside it. */
  void at(long done, String note) {
    this.done = done;
    if (bar != null) {
      bar.setExtraMessage(" " + note);
      bar.stepTo(done);
    } else if (!bars && Duration.between(said, Instant.now()).compareTo(QUIET) > 0) {
      said = Instant.now();
      out.printf("  %-10s %d of %d%s%n", phase, done, total, note.isEmpty() ? "" : ": " + note);
    }
  }

  private void end() {
    if (phase == null) {
      return;
    }
    if (bar != null) {
      bar.close();
      bar = null;
    } else {
      double seconds = Duration.between(since, Instant.now()).toMillis() / 1000.0;
      String count = total < 0 ? "" : "%d of %d, ".formatted(done, total);
      out.printf(Locale.ROOT, "  %-10s %s%.1f s%n", phase, count, seconds);
    }
    phase = null;
  }

  /** Ends the last phase. */
  @Override
  public void close() {
    end();
  }
}
