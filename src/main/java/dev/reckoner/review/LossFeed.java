package dev.reckoner.review;

import dev.reckoner.improve.TrainingRun;
import dev.reckoner.improve.TrainingRun.LossPoint;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Supplier;

/**
 * The loss curve of the active run as it grows, read once for all who watch it: each look asks for
 * the steps since the last one, and each page is told those that it was not told.
 */
final class LossFeed {

  /** Where the points of a run come from: those after a step, in order. */
  @FunctionalInterface
  interface Losses {
    List<LossPoint> after(UUID run, int step);
  }

  /**
   * The run at one moment.
   *
   * @param run {@code null} if none is active
   * @param points all of it so far
   * @param reading changes where points were read again that had been read before
   */
  record Moment(TrainingRun run, List<LossPoint> points, int reading) {}

  /**
   * The active run, or nothing.
   *
   * @param id {@code null} if none is active
   * @param points {@code [step, loss]} of the steps that were not told yet; a step that was told
   *     before, and all behind it, are no longer what they were
   */
  record Progress(
      UUID id, String status, String message, int step, int steps, List<List<Number>> points) {

    static final Progress NONE = new Progress(null, "", "", 0, 0, List.of());
  }

  private final Supplier<Optional<TrainingRun>> active;
  private final Losses losses;
  private Moment last = new Moment(null, List.of(), 0);

  LossFeed(Supplier<Optional<TrainingRun>> active, Losses losses) {
    this.active = active;
    this.losses = losses;
  }

  /** Reads what is new. */
  synchronized Moment look() {
    TrainingRun run = active.get().orElse(null);
    if (run == null) {
      last = new Moment(null, List.of(), last.reading() + (last.run() == null ? 0 : 1));
      return last;
    }
    int known = last.points().isEmpty() ? 0 : last.points().getLast().step();
    boolean same = last.run() != null && last.run().id().equals(run.id());
    // A run that was taken up from a checkpoint writes some steps a second time.
    boolean goesOn = same && run.step() >= last.run().step();
    List<LossPoint> added = losses.after(run.id(), goesOn ? known : 0);
    if (!goesOn) {
      last = new Moment(run, List.copyOf(added), last.reading() + 1);
    } else if (added.isEmpty()) {
      last = new Moment(run, last.points(), last.reading());
    } else {
      List<LossPoint> all = new ArrayList<>(last.points());
      all.addAll(added);
      last = new Moment(run, List.copyOf(all), last.reading());
    }
    return last;
  }

  /** What one page has been told. */
  static final class Page {
    private int reading = -1;
    private int step;

    /**
     * @param after the last step that the page shows already
     */
    Page(int after) {
      this.step = after;
    }

    Progress tell(Moment moment) {
      if (moment.run() == null) {
        step = 0;
        return Progress.NONE;
      }
      if (reading >= 0 && reading != moment.reading()) {
        step = 0;
      }
      reading = moment.reading();
      int told = step;
      List<List<Number>> points =
          moment.points().stream()
              .dropWhile(p -> p.step() <= told)
              .map(p -> List.<Number>of(p.step(), p.loss()))
              .toList();
      if (!points.isEmpty()) {
        step = points.getLast().getFirst().intValue();
      }
      TrainingRun run = moment.run();
      return new Progress(
          run.id(),
          run.status().name().toLowerCase(Locale.ROOT),
          run.message(),
          run.step(),
          run.steps(),
          points);
    }
  }
}
