package dev.reckoner.corpus;

import dev.reckoner.corpus.Grid.Series;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.SplittableRandom;

/**
 * How a question names a row or a period: as the table does, or with a word less, another word for
 * it, another number or order of words. A mention that could as well mean another row is not made.
 */
final class Mention {

  private static final Set<String> PLAIN = Set.of("the", "of", "and", "in", "for", "to", "on", "a");
  private static final List<String> OPENINGS =
      List.of(
          "the ",
          "the ",
          "the company's ",
          "the amount of ",
          "the reported ",
          "its ",
          "the total of ");

  private final Grid grid;
  private final SyntheticPack.Vocabulary vocabulary;
  private final SplittableRandom random;

  Mention(Grid grid, SyntheticPack.Vocabulary vocabulary, SplittableRandom random) {
    this.grid = grid;
    this.vocabulary = vocabulary;
    this.random = random;
  }

  private boolean chance(int percent) {
    return random.nextInt(100) < percent;
  }

  /** One way to name the series. */
  String of(Series series) {
    String call = series.call();
    if (series.kind() == SyntheticPack.Kind.INDEX) {
      return call;
    }
    String named =
        switch (random.nextInt(20)) {
          case 0, 1, 2 -> unambiguous(series, shortened(call));
          case 3, 4 -> unambiguous(series, span(call));
          case 5 -> unambiguous(series, otherNumber(call));
          case 6 -> unambiguous(series, turned(call));
          case 7, 8, 9 -> synonym(series);
          case 10, 11 -> series.role().equals("part") ? call : series.label();
          case 12 -> "\"" + (series.role().equals("part") ? call : series.label()) + "\"";
          default -> call;
        };
    return chance(12) && !named.startsWith("\"") && !named.startsWith("the ")
        ? Wording.pick(OPENINGS, random) + named
        : named;
  }

  /** What the page's question calls the series, unless that may mean another; then its label. */
  String plain(Series series) {
    return series.kind() == SyntheticPack.Kind.INDEX || series.role().equals("part")
        ? series.call()
        : otherThan(series, series.call()) ? series.label() : series.call();
  }

  /** Whether a name could be understood as a row of the page. */
  boolean mayMean(String name) {
    Set<String> wanted = words(name);
    return grid.series().stream()
        .map(series -> words(series.label()))
        .anyMatch(
            label -> label.containsAll(wanted) || !label.isEmpty() && wanted.containsAll(label));
  }

  /** One way to name a period that the page calls so. */
  String period(String call) {
    if (!call.matches("(?:19|20)\\d\\d") || chance(80)) {
      return call;
    }
    return Wording.pick(
            List.of("the year ", "fiscal ", "fiscal year ", "FY ", "year ", "FY", "year-end "),
            random)
        + call;
  }

  private String synonym(Series series) {
    SyntheticPack.Item item = vocabulary.items().get(series.role());
    return item == null
        ? series.call()
        : unambiguous(series, Grid.inSentence(Wording.pick(item.labels(), random)));
  }

  /** Without what stands before or behind the name proper. */
  private String shortened(String call) {
    String without = call.replaceAll("\\s*\\([^)]*\\)", "").replaceAll(",[^,]*$", "");
    return chance(60)
        ? without.replaceFirst("(?i)^(total|net|consolidated|reported|adjusted|other|gross) ", "")
        : without;
  }

  /** Some words of it in a row. */
  private String span(String call) {
    List<String> words = List.of(call.split(" "));
    if (words.size() < 3) {
      return call;
    }
    int length = 2 + random.nextInt(words.size() - 2);
    int from = random.nextInt(words.size() - length + 1);
    List<String> some = new ArrayList<>(words.subList(from, from + length));
    while (some.size() > 1 && PLAIN.contains(some.getFirst().toLowerCase(Locale.ROOT))) {
      some.removeFirst();
    }
    while (some.size() > 1 && PLAIN.contains(some.getLast().toLowerCase(Locale.ROOT))) {
      some.removeLast();
    }
    return String.join(" ", some).replaceAll("[,(:]+$", "");
  }

  private static String otherNumber(String call) {
    if (call.endsWith("s") && !call.endsWith("ss")) {
      return call.substring(0, call.length() - 1);
    }
    return Character.isLetter(call.charAt(call.length() - 1)) ? call + "s" : call;
  }

  /**
   * {@code receivables, net} as {@code net receivables}, {@code cost of sales} as {@code sales
   * cost}.
   */
  private static String turned(String call) {
    int comma = call.lastIndexOf(", ");
    if (comma > 0) {
      return call.substring(comma + 2) + " " + call.substring(0, comma);
    }
    int of = call.indexOf(" of ");
    return of > 0 ? call.substring(of + 4) + " " + call.substring(0, of) : call;
  }

  /** The mention, unless it may mean another row too; then what the page calls it. */
  private String unambiguous(Series series, String mention) {
    return words(mention).isEmpty() || otherThan(series, mention) ? series.call() : mention;
  }

  /** Whether the words of a mention all stand in another row. */
  private boolean otherThan(Series series, String mention) {
    Set<String> wanted = words(mention);
    return grid.series().stream()
        .anyMatch(
            other ->
                other != series
                    && (words(other.label()).containsAll(wanted)
                        || words(other.call()).containsAll(wanted)));
  }

  private static Set<String> words(String text) {
    Set<String> words = new HashSet<>();
    Arrays.stream(text.toLowerCase(Locale.ROOT).split("[^\\p{L}\\p{N}]+"))
        .map(
            word ->
                word.length() > 3 && word.endsWith("s")
                    ? word.substring(0, word.length() - 1)
                    : word)
        .filter(word -> word.length() > 1 && !PLAIN.contains(word))
        .forEach(words::add);
    return words;
  }
}
