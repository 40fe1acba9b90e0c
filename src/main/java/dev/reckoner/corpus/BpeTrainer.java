package dev.reckoner.corpus;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Trains a byte-pair encoding in the manner of Gemma's own tokenizer: a space is the piece {@code
 * ▁}, what has no piece of its own falls back to bytes, digits stay single, and the special tokens
 * have Gemma's ids (pad 0, eos 1, bos 2, unk 3, start of turn 105, end of turn 106, newline 107).
 *
 * <p>Merges are counted inside units (a word with its space, a run of punctuation) and so never
 * join a word to the next, though the finished tokenizer splits nothing beforehand.
 */
public final class BpeTrainer {

  /** What a space becomes. */
  static final String SPACE = "\u2581";

  private static final int START_OF_TURN = 105;
  private static final Pattern UNIT =
      Pattern.compile(
          "\u2581?\\p{L}+|[0-9]|\u2581?[^\\p{L}0-9\u2581\\n]+(?:\u2581(?=[0-9]))?|\u2581+|\\n");

  private final int vocabularySize;
  private final Map<String, Long> units = new HashMap<>();

  /**
   * @param vocabularySize pieces in all, the 364 of special tokens, ASCII and bytes among them
   */
  public BpeTrainer(int vocabularySize) {
    if (vocabularySize < 512) {
      throw new IllegalArgumentException("a vocabulary needs at least 512 pieces");
    }
    this.vocabularySize = vocabularySize;
  }

  /** Counts a text. */
  public void add(String text) {
    Matcher unit = UNIT.matcher(text.replace(" ", SPACE));
    while (unit.find()) {
      units.merge(unit.group(), 1L, Long::sum);
    }
  }

  /** The vocabulary of what was counted; equal texts in any order give an equal vocabulary. */
  public BpeVocabulary train() {
    List<String> pieces = basePieces();
    Set<String> known = new HashSet<>(pieces);
    for (String letter : frequentLetters()) {
      if (known.add(letter)) {
        pieces.add(letter);
      }
    }
    List<Word> words = words(known);
    Map<Pair, Long> counts = new HashMap<>();
    Map<Pair, Set<Integer>> where = new HashMap<>();
    for (int w = 0; w < words.size(); w++) {
      count(words.get(w), w, +1, counts, where);
    }
    PriorityQueue<Candidate> queue =
        new PriorityQueue<>(
            Comparator.comparingLong(Candidate::count)
                .reversed()
                .thenComparing(c -> c.pair.left)
                .thenComparing(c -> c.pair.right));
    counts.forEach((pair, count) -> queue.add(new Candidate(pair, count)));
    List<Pair> merges = new ArrayList<>();
    while (pieces.size() < vocabularySize && !queue.isEmpty()) {
      Candidate best = queue.poll();
      long now = counts.getOrDefault(best.pair, 0L);
      if (now != best.count) {
        if (now > 1) {
          queue.add(new Candidate(best.pair, now));
        }
        continue;
      }
      if (now < 2) {
        break;
      }
      merges.add(best.pair);
      String merged = best.pair.left + best.pair.right;
      if (known.add(merged)) {
        pieces.add(merged);
      }
      Set<Pair> touched = new HashSet<>();
      for (int w : List.copyOf(where.get(best.pair))) {
        Word word = words.get(w);
        count(word, w, -1, counts, where);
        word.merge(best.pair, merged);
        count(word, w, +1, counts, where);
        for (int i = 0; i + 1 < word.symbols.size(); i++) {
          touched.add(new Pair(word.symbols.get(i), word.symbols.get(i + 1)));
        }
      }
      touched.forEach(pair -> queue.add(new Candidate(pair, counts.getOrDefault(pair, 0L))));
    }
    for (int unused = 0; pieces.size() < vocabularySize; unused++) {
      pieces.add("<unused" + (100 + unused) + ">");
    }
    return new BpeVocabulary(pieces, merges);
  }

  /** Two neighbouring pieces that become one. */
  public record Pair(String left, String right) {}

  private record Candidate(Pair pair, long count) {}

  private static final class Word {
    private List<String> symbols;
    private final long frequency;

    Word(List<String> symbols, long frequency) {
      this.symbols = symbols;
      this.frequency = frequency;
    }

    void merge(Pair pair, String merged) {
      List<String> joined = new ArrayList<>(symbols.size());
      for (int i = 0; i < symbols.size(); i++) {
        if (i + 1 < symbols.size()
            && symbols.get(i).equals(pair.left)
            && symbols.get(i + 1).equals(pair.right)) {
          joined.add(merged);
          i++;
        } else {
          joined.add(symbols.get(i));
        }
      }
      symbols = joined;
    }
  }

  /** Special tokens, ASCII and bytes, at their fixed ids 0 to 363. */
  private static List<String> basePieces() {
    List<String> pieces = new ArrayList<>(List.of("<pad>", "<eos>", "<bos>", "<unk>", SPACE));
    for (char c = '!'; c <= '~'; c++) {
      pieces.add(String.valueOf(c));
    }
    for (int unused = 0; pieces.size() < START_OF_TURN; unused++) {
      pieces.add("<unused" + unused + ">");
    }
    pieces.addAll(List.of("<start_of_turn>", "<end_of_turn>", "\n"));
    for (int b = 0; b < 256; b++) {
      pieces.add(String.format("<0x%02X>", b));
    }
    return pieces;
  }

  /** Letters beyond ASCII that occur at least 20 times, the most frequent first, at most 128. */
  private List<String> frequentLetters() {
    Map<String, Long> letters = new TreeMap<>();
    units.forEach(
        (unit, count) ->
            unit.codePoints()
                .filter(c -> c > '~' && c != SPACE.charAt(0))
                .forEach(c -> letters.merge(Character.toString(c), count, Long::sum)));
    return letters.entrySet().stream()
        .filter(letter -> letter.getValue() >= 20)
        .sorted(
            Map.Entry.<String, Long>comparingByValue()
                .reversed()
                .thenComparing(Map.Entry.comparingByKey()))
        .limit(128)
        .map(Map.Entry::getKey)
        .toList();
  }

  /** The units whose characters all have pieces, in a fixed order. */
  private List<Word> words(Set<String> known) {
    List<Word> words = new ArrayList<>();
    new TreeMap<>(units)
        .forEach(
            (unit, count) -> {
              List<String> symbols = unit.codePoints().mapToObj(Character::toString).toList();
              if (symbols.size() > 1 && known.containsAll(symbols)) {
                words.add(new Word(symbols, count));
              }
            });
    return words;
  }

  private static void count(
      Word word, int number, int sign, Map<Pair, Long> counts, Map<Pair, Set<Integer>> where) {
    Map<Pair, Long> pairs = new LinkedHashMap<>();
    for (int i = 0; i + 1 < word.symbols.size(); i++) {
      pairs.merge(
          new Pair(word.symbols.get(i), word.symbols.get(i + 1)), word.frequency, Long::sum);
    }
    pairs.forEach(
        (pair, count) -> {
          counts.merge(pair, sign * count, Long::sum);
          Set<Integer> places = where.computeIfAbsent(pair, p -> new HashSet<>());
          if (sign > 0) {
            places.add(number);
          } else {
            places.remove(number);
          }
        });
  }
}
