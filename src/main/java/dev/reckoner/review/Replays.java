package dev.reckoner.review;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.reckoner.agent.Lineage;
import dev.reckoner.agent.Replay;
import dev.reckoner.improve.AdapterRollout;
import dev.reckoner.improve.Ledger;
import dev.reckoner.review.ReviewException.Problem;
import jakarta.enterprise.context.ApplicationScoped;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeoutException;
import org.jboss.logging.Logger;
import org.jdbi.v3.core.Jdbi;

/**
 * Has an analysis written again from its lineage, one at a time, and records what came of it. Where
 * an error was planted, the chain that it was planted in is written again: the model never wrote
 * the error, and to say so would give it away.
 */
@ApplicationScoped
public class Replays {

  private static final Logger LOG = Logger.getLogger(Replays.class);

  /** The longest that somebody waits for a replay. */
  static final Duration LIMIT = Duration.ofSeconds(60);

  private final Analyses analyses;
  private final Planting planting;
  private final Replay replay;
  private final AdapterRollout adapters;
  private final Jdbi jdbi;
  private final Ledger ledger;
  // Events go first: replays take one place of the engine's batch, never more.
  private final Semaphore one = new Semaphore(1);

  Replays(
      Analyses analyses,
      Planting planting,
      Replay replay,
      AdapterRollout adapters,
      Jdbi jdbi,
      Ledger ledger) {
    this.analyses = analyses;
    this.planting = planting;
    this.replay = replay;
    this.adapters = adapters;
    this.jdbi = jdbi;
    this.ledger = ledger;
  }

  /**
   * What came of a replay.
   *
   * @param result {@code identical} or {@code diverged}
   * @param summary the same in one sentence
   * @param divergedAt the first token that differs, counted from 1; absent if identical
   * @param step the step in which it stands, from 0; absent if identical
   * @param recorded the recorded line from there on; absent if identical
   * @param replayed the line of the replay from there on; absent if identical
   * @param tokens how many tokens were written now
   * @param notes what is not as it was then: engine build, backend
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  public record Replayed(
      String result,
      String summary,
      Integer divergedAt,
      Integer step,
      String recorded,
      String replayed,
      int tokens,
      long millis,
      List<String> notes) {

    /** The same with the recorded line of another chain, where the two chains differ in it. */
    Replayed asOf(String chain, String other) {
      List<String> lines = chain.lines().toList();
      List<String> others = other.lines().toList();
      if (recorded == null
          || step >= Math.min(lines.size(), others.size())
          || lines.get(step).equals(others.get(step))) {
        return this;
      }
      int from = Math.max(0, lines.get(step).length() - recorded.length());
      String line = others.get(step);
      return new Replayed(
          result,
          summary,
          divergedAt,
          step,
          line.substring(Math.min(from, line.length())),
          replayed,
          tokens,
          millis,
          notes);
    }
  }

  /**
   * Writes an analysis again, for at most {@link #LIMIT}.
   *
   * @param actor who asks
   * @throws ReviewException if it cannot be reproduced here, or the model has no time for it
   */
  public Replayed of(UUID analysisId, String actor) throws InterruptedException {
    ReviewItem item = analyses.get(analysisId);
    Optional<UUID> source = planting.source(analysisId);
    ReviewItem written = source.map(analyses::get).orElse(item);
    if (!one.tryAcquire()) {
      throw new ReviewException(
          Problem.UNAVAILABLE, "Another replay is under way: try again when it is done");
    }
    try {
      Replayed replayed = replayed(replay.of(recorded(written), LIMIT));
      jdbi.useTransaction(
          h -> ledger.append(h, Ledger.Kind.REPLAY, actor, written.id().toString(), replayed));
      return source.isEmpty() ? replayed : replayed.asOf(written.chain(), item.chain());
    } catch (Replay.NotReplayable e) {
      throw new ReviewException(Problem.NOT_REPLAYABLE, e.getMessage());
    } catch (TimeoutException e) {
      throw new ReviewException(
          Problem.UNAVAILABLE,
          "The model did not write it within " + LIMIT.toSeconds() + " s: try again later");
    } catch (IOException | RuntimeException e) {
      LOG.warnf("No replay of %s: %s", analysisId, e.getMessage());
      throw new ReviewException(
          Problem.UNAVAILABLE, "The model cannot replay it now: " + e.getMessage());
    } finally {
      one.release();
    }
  }

  private Replay.Recorded recorded(ReviewItem item) throws IOException {
    ReviewItem.Lineage l = item.lineage();
    boolean base = l.adapterHash().isEmpty();
    Path directory = base ? null : adapters.directory(l.adapterId()).orElse(null);
    return new Replay.Recorded(
        item.evidence(),
        item.chain(),
        new Lineage(
            l.baseModelHash(),
            base ? null : l.adapterId(),
            base ? null : l.adapterHash(),
            l.promptVersion(),
            l.grammarVersion(),
            l.sampler(),
            l.seed(),
            l.engineBuild(),
            l.backend(),
            l.promptTokens(),
            l.generatedTokens()),
        directory);
  }

  private static Replayed replayed(Replay.Comparison c) {
    String took = String.format(Locale.ROOT, "%.1f s", c.took().toMillis() / 1000.0);
    return new Replayed(
        c.identical() ? "identical" : "diverged",
        c.identical()
            ? "Identical: all %d tokens again, in %s.".formatted(c.tokens(), took)
            : "Diverged at token %d, in step %d.".formatted(c.divergedAt(), c.step() + 1),
        c.divergedAt(),
        c.step(),
        c.recorded(),
        c.replayed(),
        c.tokens(),
        c.took().toMillis(),
        c.notes());
  }
}
