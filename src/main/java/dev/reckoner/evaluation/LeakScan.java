package dev.reckoner.evaluation;

import dev.reckoner.corpus.Problem;
import dev.reckoner.reasoning.Evidence;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Finds training material that a suite also asks about.
 *
 * <p>Two pieces of evidence are compared by what they show, the question and the title apart, since
 * another question on the same page gives the page away just as well: the share of common runs of
 * four words (Jaccard similarity of 4-shingles, figures being words). The runs of all suites are
 * indexed, so the scan is exact and its cost grows with the overlaps there are.
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

  private static final int WORDS = 4;

  private record Held(String suite, String problem, int shingles) {}

  private final double threshold;
  private final List<Held> held = new ArrayList<>();
  private final Map<Long, List<Integer>> index = new HashMap<>();

  /** Indexes suites. */
  public LeakScan(List<Suite> suites, double threshold) {
    this.threshold = threshold;
    for (Suite suite : suites) {
      for (Problem problem : suite.problems()) {
        Set<Long> shingles = shingles(problem.evidence());
        int number = held.size();
        held.add(new Held(suite.name(), problem.id(), shingles.size()));
        shingles.forEach(s -> index.computeIfAbsent(s, key -> new ArrayList<>()).add(number));
      }
    }
  }

  /** The most similar problem at or above the threshold, if any. */
  public Optional<Leak> find(String item, Evidence evidence) {
    Set<Long> shingles = shingles(evidence);
    Map<Integer, Integer> common = new HashMap<>();
    for (long shingle : shingles) {
      for (int number : index.getOrDefault(shingle, List.of())) {
        common.merge(number, 1, Integer::sum);
      }
    }
    Leak worst = null;
    for (Map.Entry<Integer, Integer> overlap : common.entrySet()) {
      Held other = held.get(overlap.getKey());
      int both = overlap.getValue();
      double similarity = (double) both / (shingles.size() + other.shingles() - both);
      if (similarity >= threshold && (worst == null || similarity > worst.similarity())) {
        worst = new Leak(item, other.suite(), other.problem(), similarity);
      }
    }
    return Optional.ofNullable(worst);
  }

  private static Set<Long> shingles(Evidence evidence) {
    List<String> words = new ArrayList<>();
    for (Evidence.Table table : evidence.tables()) {
      add(words, table.caption());
      table.rows().forEach(row -> row.forEach(cell -> add(words, cell)));
    }
    evidence.sentences().forEach(sentence -> add(words, sentence));
    Set<Long> shingles = new HashSet<>();
    for (int i = 0; i + WORDS <= words.size() || (i == 0 && !words.isEmpty()); i++) {
      long hash = 1125899906842597L;
      for (String word : words.subList(i, Math.min(words.size(), i + WORDS))) {
        for (int c = 0; c < word.length(); c++) {
          hash = 31 * hash + word.charAt(c);
        }
        hash = 31 * hash + ' ';
      }
      shingles.add(hash);
    }
    return shingles;
  }

  /** Figures stay whole, so that {@code 1,200.5} is one word. */
  private static void add(List<String> words, String text) {
    for (String word : text.toLowerCase(Locale.ROOT).split("[^\\p{L}\\p{N}.,%]+")) {
      String trimmed = word.replaceAll("^[.,]+|[.,]+$", "");
      if (!trimmed.isEmpty()) {
        words.add(trimmed);
      }
    }
  }
}
