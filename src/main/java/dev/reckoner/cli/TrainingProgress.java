package dev.reckoner.cli;

import dev.reckoner.tuning.PreferenceMetrics;
import dev.reckoner.tuning.StepMetrics;
import dev.reckoner.tuning.TrainingListener;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.function.BooleanSupplier;

/** A training's progress, with what one watches while it runs. */
final class TrainingProgress implements TrainingListener {

  private static final Path STATUS = Path.of("/proc/self/status");
  private static final double SMOOTHING = 0.9;

  private final Progress progress;
  private final BooleanSupplier stop;
  private boolean comparing;
  private boolean training;
  private double secondsAStep;
  private double heldOut = Double.NaN;

  /**
   * @param stop whether to end at a checkpoint
   */
  TrainingProgress(Progress progress, BooleanSupplier stop) {
    this.progress = progress;
    this.stop = stop;
  }

  @Override
  public void reference(int donePairs, int pairs) {
    if (!comparing) {
      comparing = true;
      progress.phase("reference", pairs);
    }
    progress.at(donePairs);
  }

  @Override
  public void step(StepMetrics m) {
    if (!training) {
      training = true;
      secondsAStep = m.seconds();
      progress.phase("training", m.steps());
    }
    secondsAStep = SMOOTHING * secondsAStep + (1 - SMOOTHING) * m.seconds();
    progress.at(m.step(), line(m, secondsAStep, heldOut, residentBytes()));
  }

  @Override
  public void evaluated(long step, double loss, boolean best) {
    heldOut = loss;
  }

  @Override
  public boolean stopRequested() {
    return stop.getAsBoolean();
  }

  /**
   * What stands beside the bar.
   *
   * @param heldOut last loss on held-out examples, NaN before the first
   * @param bytes memory of the process
   */
  static String line(StepMetrics m, double secondsAStep, double heldOut, long bytes) {
    StringBuilder line = new StringBuilder(text("loss %.4f", m.loss()));
    PreferenceMetrics preferences = m.preferences();
    if (preferences != null) {
      line.append(text(", margin %.2f", preferences.rewardMargin()));
      line.append(text(", preferred %.0f%%", 100 * preferences.rewardAccuracy()));
    }
    if (!Double.isNaN(heldOut)) {
      line.append(text(", held out %.4f", heldOut));
    }
    Duration left = Duration.ofSeconds(Math.round((m.steps() - m.step()) * secondsAStep));
    line.append(text(", %,.0f tokens/s", m.tokensPerSecond()));
    line.append(
        text(", %d:%02d:%02d left", left.toHours(), left.toMinutesPart(), left.toSecondsPart()));
    return line.append(text(", %.1f GB", bytes / 1e9)).toString();
  }

  private static String text(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }

  /** Memory that the process holds; heap alone where the system does not say. */
  private static long residentBytes() {
    try {
      for (String line : Files.readAllLines(STATUS)) {
        if (line.startsWith("VmRSS:")) {
          return Long.parseLong(line.replaceAll("\\D", "")) * 1024;
        }
      }
    } catch (IOException | NumberFormatException e) {
      // Not Linux.
    }
    return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
  }
}
