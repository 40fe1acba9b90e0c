package dev.reckoner.review;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.improve.TrainingRun;
import dev.reckoner.improve.TrainingRun.LossPoint;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class LossFeedTest {

  private final List<LossPoint> stored = new ArrayList<>();
  private final List<Integer> askedAfter = new ArrayList<>();
  private TrainingRun run = run(UUID.randomUUID(), 0);

  private final LossFeed feed =
      new LossFeed(
          () -> Optional.ofNullable(run),
          (id, step) -> {
            askedAfter.add(step);
            return stored.stream().filter(p -> p.step() > step).toList();
          });

  @Test
  void readsEachStepOnceHoweverManyPagesAreOpen() {
    LossFeed.Page first = new LossFeed.Page(0);
    LossFeed.Page late = new LossFeed.Page(3);
    advance(1, 3);
    assertThat(steps(first.tell(feed.look()))).containsExactly(1, 2, 3);
    advance(4, 5);
    LossFeed.Moment moment = feed.look();
    assertThat(steps(first.tell(moment))).containsExactly(4, 5);
    assertThat(steps(late.tell(moment))).containsExactly(4, 5);
    assertThat(steps(first.tell(feed.look()))).isEmpty();
    assertThat(askedAfter).containsExactly(0, 3, 5);
  }

  @Test
  void tellsTheStepsAgainThatAResumedRunWritesAgain() {
    LossFeed.Page page = new LossFeed.Page(0);
    advance(1, 6);
    page.tell(feed.look());
    stored.replaceAll(p -> new LossPoint(p.step(), p.loss() / 2, 0.1));
    run = run(run.id(), 4);
    assertThat(page.tell(feed.look()).points()).first().isEqualTo(List.of(1, 0.5));
    assertThat(askedAfter).containsExactly(0, 0);
  }

  @Test
  void beginsAnewWithTheNextRun() {
    LossFeed.Page page = new LossFeed.Page(0);
    advance(1, 6);
    page.tell(feed.look());
    run = null;
    assertThat(page.tell(feed.look())).isEqualTo(LossFeed.Progress.NONE);
    stored.clear();
    run = run(UUID.randomUUID(), 0);
    advance(1, 2);
    LossFeed.Progress next = page.tell(feed.look());
    assertThat(next.id()).isEqualTo(run.id());
    assertThat(steps(next)).containsExactly(1, 2);
  }

  private void advance(int from, int to) {
    for (int step = from; step <= to; step++) {
      stored.add(new LossPoint(step, 1.0 / step, 0.1));
    }
    run = run(run.id(), to);
  }

  private static List<Integer> steps(LossFeed.Progress progress) {
    return progress.points().stream().map(p -> p.getFirst().intValue()).toList();
  }

  private static TrainingRun run(UUID id, int step) {
    return new TrainingRun(
        id,
        TrainingRun.Status.TRAINING,
        "olga",
        null,
        null,
        "cpu/nf4",
        step,
        100,
        null,
        "",
        null,
        null,
        null);
  }
}
