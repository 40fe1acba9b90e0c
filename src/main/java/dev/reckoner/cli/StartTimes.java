package dev.reckoner.cli;

import dev.reckoner.inference.GenerationListener;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * When the stages of a command's start were reached, from the start of the launcher, or of the
 * virtual machine where there was none.
 */
final class StartTimes {

  private record Stage(String name, double seconds) {}

  private final List<Stage> stages = new ArrayList<>();
  private final long origin;

  static final String FIRST_TOKEN = "first token";

  /** Seconds since the epoch at which the launcher began. */
  static final String BEGAN = "reckoner.began";

  StartTimes() {
    String began = System.getProperty(BEGAN, "");
    double since =
        began.matches("[0-9]{1,12}[.][0-9]{1,9}")
            ? System.currentTimeMillis() / 1e3 - Double.parseDouble(began)
            : ManagementFactory.getRuntimeMXBean().getUptime() / 1e3;
    origin = System.nanoTime() - (long) (since * 1e9);
  }

  synchronized void reached(String stage) {
    stages.add(new Stage(stage, (System.nanoTime() - origin) / 1e9));
  }

  /** Notes the first text of a generation. */
  GenerationListener firstToken() {
    return new GenerationListener() {
      private boolean seen;

      @Override
      public void onText(String more) {
        if (!seen) {
          seen = true;
          reached(FIRST_TOKEN);
        }
      }
    };
  }

  /** A line a stage, seconds since the process began. */
  synchronized void print(PrintStream out) {
    stages.forEach(
        stage -> out.printf(Locale.ROOT, "%-12s %6.3f s%n", stage.name(), stage.seconds()));
  }
}
