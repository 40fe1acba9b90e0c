package dev.reckoner.review;

import java.util.Arrays;
import java.util.List;

/**
 * Which line of a chain an edited line was made from. Lines belong together if they begin alike:
 * the same kind of step under the same name.
 */
final class LineAlignment {

  private LineAlignment() {}

  /**
   * @return for each line of {@code after} the position of its origin in {@code before}, or -1 if
   *     it was inserted; origins grow
   */
  static int[] origins(List<String> before, List<String> after) {
    int n = before.size();
    int m = after.size();
    int[][] common = new int[n + 1][m + 1];
    for (int i = n - 1; i >= 0; i--) {
      for (int j = m - 1; j >= 0; j--) {
        common[i][j] = Math.max(common[i + 1][j], common[i][j + 1]);
        int likeness = likeness(before.get(i), after.get(j));
        if (likeness > 0) {
          common[i][j] = Math.max(common[i][j], common[i + 1][j + 1] + likeness);
        }
      }
    }
    int[] origins = new int[m];
    Arrays.fill(origins, -1);
    int i = 0;
    int j = 0;
    while (i < n && j < m) {
      int likeness = likeness(before.get(i), after.get(j));
      if (likeness > 0 && common[i][j] == common[i + 1][j + 1] + likeness) {
        origins[j++] = i++;
      } else if (common[i][j] == common[i + 1][j]) {
        i++;
      } else {
        j++;
      }
    }
    return origins;
  }

  /** 3 for the same line, 2 for the same kind and name, 0 for lines that have nothing in common. */
  private static int likeness(String before, String after) {
    if (before.equals(after)) {
      return 3;
    }
    return head(before).equals(head(after)) ? 2 : 0;
  }

  /** {@code cite a}, {@code compute c}, {@code infer}, {@code conclude}. */
  private static String head(String line) {
    String[] words = line.split(" ", 3);
    boolean named = words[0].equals("cite") || words[0].equals("compute");
    return named && words.length > 1 ? words[0] + " " + words[1] : words[0];
  }
}
