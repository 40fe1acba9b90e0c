package dev.reckoner.evaluation;

import dev.reckoner.corpus.PageRuns;
import dev.reckoner.corpus.Problem;
import dev.reckoner.reasoning.Evidence;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Finds training material that a suite also asks about: evidence that is nearly the same as a
 * problem's, see {@link PageRuns}.
 */
public final class LeakScan {

  /**
   * Material that must not be trained on.
   *
   * @param item id of the training item
   * @param suite name of the suite
   * @param problem id of the suite's problem
   * @param similarity 1 for the same evidence
   */
  public record Leak(String item, String suite, String problem, double similarity) {

    /** One line that names the pair. */
    public String text() {
      return String.format(
          Locale.ROOT,
          "%s is %s problem %s of suite %s",
          item,
          similarity == 1 ? "the same page as" : "%.0f%% alike to".formatted(100 * similarity),
          problem,
          suite);
    }
  }

  private record Held(String suite, String problem) {}

  private final double threshold;
  private final List<Held> held = new ArrayList<>();
  private final PageRuns pages = new PageRuns();

  /** Indexes suites. */
  public LeakScan(List<Suite> suites, double threshold) {
    this.threshold = threshold;
    for (Suite suite : suites) {
      for (Problem problem : suite.problems()) {
        held.add(new Held(suite.name(), problem.id()));
        pages.add(problem.evidence());
      }
    }
  }

  /** The most similar problem at or above the threshold, if any. */
  public Optional<Leak> find(String item, Evidence evidence) {
    return pages
        .find(evidence, threshold)
        .map(
            match -> {
              Held other = held.get(match.number());
              return new Leak(item, other.suite(), other.problem(), match.similarity());
            });
  }
}
