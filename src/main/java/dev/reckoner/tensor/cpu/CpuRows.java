package dev.reckoner.tensor.cpu;

import java.util.function.IntConsumer;

/** Loops over independent rows, on one thread where the work is too little to share. */
final class CpuRows {
  private static final int ELEMENTS_A_TASK = 1 << 14;

  private CpuRows() {}

  /** Runs {@code body} for each row; {@code cost} is the elements a row touches. */
  static void parallel(Workers workers, int rows, int cost, IntConsumer body) {
    int chunk = Math.max(1, ELEMENTS_A_TASK / Math.max(1, cost));
    int tasks = (rows + chunk - 1) / chunk;
    workers.run(
        tasks,
        task -> {
          int to = Math.min(rows, (task + 1) * chunk);
          for (int r = task * chunk; r < to; r++) {
            body.accept(r);
          }
        });
  }
}
