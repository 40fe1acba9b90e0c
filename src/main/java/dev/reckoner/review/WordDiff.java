package dev.reckoner.review;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/** What changed between two lines, word by word: the longest common subsequence is what stayed. */
final class WordDiff {

  private static final Pattern WORDS = Pattern.compile("(?<=\\s)|(?=\\s)");
  // The table of the subsequence is quadratic; beyond this the whole line counts as changed.
  private static final int MAX_WORDS = 400;

  private WordDiff() {}

  /** A run of text that was {@code kept}, {@code removed} or {@code added}. */
  record Piece(String change, String text) {}

  static List<Piece> between(String before, String after) {
    String[] old = words(before);
    String[] now = words(after);
    List<Piece> pieces = new ArrayList<>();
    if (old.length > MAX_WORDS || now.length > MAX_WORDS) {
      append(pieces, "removed", before);
      append(pieces, "added", after);
      return pieces;
    }
    int[][] common = new int[old.length + 1][now.length + 1];
    for (int i = old.length - 1; i >= 0; i--) {
      for (int j = now.length - 1; j >= 0; j--) {
        common[i][j] =
            old[i].equals(now[j])
                ? common[i + 1][j + 1] + 1
                : Math.max(common[i + 1][j], common[i][j + 1]);
      }
    }
    int i = 0;
    int j = 0;
    while (i < old.length || j < now.length) {
      if (i < old.length && j < now.length && old[i].equals(now[j])) {
        append(pieces, "kept", old[i++]);
        j++;
      } else if (j == now.length || i < old.length && common[i + 1][j] >= common[i][j + 1]) {
        append(pieces, "removed", old[i++]);
      } else {
        append(pieces, "added", now[j++]);
      }
    }
    return pieces;
  }

  private static String[] words(String line) {
    return line.isEmpty() ? new String[0] : WORDS.split(line);
  }

  private static void append(List<Piece> pieces, String change, String text) {
    if (text.isEmpty()) {
      return;
    }
    int last = pieces.size() - 1;
    if (last >= 0 && pieces.get(last).change().equals(change)) {
      pieces.set(last, new Piece(change, pieces.get(last).text() + text));
    } else {
      pieces.add(new Piece(change, text));
    }
  }
}
