package dev.reckoner.corpus;

import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.PromptFormat;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Tells pages that are nearly the same by the runs of four words that both show (Jaccard similarity
 * of 4-shingles, figures being words). Questions, titles and addresses do not count: another
 * question on a page gives the page away just as well. The runs of all pages are indexed, so a
 * search is exact and its cost grows with the overlaps there are.
 */
public final class PageRuns {

  /**
   * The page that is most alike.
   *
   * @param number in the order in which pages were added, from 0
   * @param similarity runs of both among the runs of either; 1 for the same
   */
  public record Match(int number, double similarity) {}

  private static final int RUN = 4;

  private static final Pattern QUESTION_OR_TITLE = Pattern.compile("(?m)^(?:# |q!? ).*$");
  private static final Pattern ADDRESS = Pattern.compile("(?m)^(?:t\\d+\\.)?[rst]\\d+ ");
  private static final Pattern SPLIT = Pattern.compile("[^\\p{L}\\p{N}.,%$]+");

  private final Map<Long, List<Integer>> index = new HashMap<>();
  private final List<Integer> sizes = new ArrayList<>();

  /** Adds a page to those that are searched. */
  public void add(Evidence page) {
    add(text(page));
  }

  /** The page most alike to this one, where one is at least so much alike. */
  public Optional<Match> find(Evidence page, double threshold) {
    return find(text(page), threshold);
  }

  /**
   * @param page as the model reads it
   */
  void add(String page) {
    Set<Long> own = runs(page);
    int number = sizes.size();
    sizes.add(own.size());
    own.forEach(run -> index.computeIfAbsent(run, r -> new ArrayList<>()).add(number));
  }

  Optional<Match> find(String page, double threshold) {
    Set<Long> own = runs(page);
    Map<Integer, Integer> common = new HashMap<>();
    for (long run : own) {
      index.getOrDefault(run, List.of()).forEach(number -> common.merge(number, 1, Integer::sum));
    }
    Match best = null;
    for (Map.Entry<Integer, Integer> overlap : common.entrySet()) {
      int number = overlap.getKey();
      int both = overlap.getValue();
      double similarity = (double) both / (own.size() + sizes.get(number) - both);
      if (similarity >= threshold && (best == null || similarity > best.similarity())) {
        best = new Match(number, similarity);
      }
    }
    return Optional.ofNullable(best);
  }

  private static String text(Evidence page) {
    return new PromptFormat().render(page);
  }

  /** Hashes of the runs of words that a page shows; a page of fewer words is one run. */
  private static Set<Long> runs(String page) {
    String shown = ADDRESS.matcher(QUESTION_OR_TITLE.matcher(page).replaceAll("")).replaceAll("");
    List<String> words =
        SPLIT
            .splitAsStream(shown.toLowerCase(Locale.ROOT))
            .filter(word -> !word.isEmpty())
            .toList();
    Set<Long> runs = new HashSet<>();
    for (int i = 0; i == 0 && !words.isEmpty() || i + RUN <= words.size(); i++) {
      long hash = 1125899906842597L;
      for (String word : words.subList(i, Math.min(words.size(), i + RUN))) {
        hash = 31 * hash + word.hashCode();
      }
      runs.add(hash);
    }
    return runs;
  }
}
