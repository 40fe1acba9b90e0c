package dev.reckoner.inference;

import dev.reckoner.reasoning.TextConstraint;
import java.util.Arrays;
import java.util.Comparator;

/**
 * All writable pieces of a vocabulary as one tree of characters, so that the tokens a constraint
 * allows are found by walking both together: a branch the constraint refuses is left at its first
 * refused character, with every token below it.
 *
 * <p>Only whole characters stand in it. A byte-fallback piece has no text of its own, so it is
 * never a choice under a constraint; the bytes of a forced character outside the vocabulary are
 * written by the tokenizer.
 */
final class TokenTrie {

  private static final int NONE = -1;

  // A node: its character, the token that ends there (or NONE), its first child and next sibling.
  private char[] character = new char[1024];
  private int[] token = new int[1024];
  private int[] child = new int[1024];
  private int[] sibling = new int[1024];
  private int nodes;

  /**
   * @param pieces the exact text of each token; {@code null} or empty where a token is not writable
   *     (control tokens, byte fallback)
   */
  TokenTrie(String[] pieces) {
    int root = node((char) 0);
    Integer[] order = new Integer[pieces.length];
    int writable = 0;
    for (int id = 0; id < pieces.length; id++) {
      if (pieces[id] != null && !pieces[id].isEmpty()) {
        order[writable++] = id;
      }
    }
    Arrays.sort(order, 0, writable, Comparator.comparing((Integer id) -> pieces[id]));
    // Sorted, so a piece shares a prefix with the one before it and new nodes are appended only.
    int[] path = new int[64];
    String before = "";
    for (int i = 0; i < writable; i++) {
      String piece = pieces[order[i]];
      if (piece.length() >= path.length) {
        path = Arrays.copyOf(path, piece.length() * 2);
      }
      path[0] = root;
      int shared = 0;
      while (shared < Math.min(before.length(), piece.length())
          && before.charAt(shared) == piece.charAt(shared)) {
        shared++;
      }
      for (int depth = shared; depth < piece.length(); depth++) {
        int parent = path[depth];
        int added = node(piece.charAt(depth));
        // The latest child goes first; order among siblings has no meaning.
        sibling[added] = child[parent];
        child[parent] = added;
        path[depth + 1] = added;
      }
      int end = path[piece.length()];
      if (token[end] == NONE) {
        token[end] = order[i];
      }
      before = piece;
    }
  }

  private int node(char c) {
    if (nodes == character.length) {
      int size = nodes * 2;
      character = Arrays.copyOf(character, size);
      token = Arrays.copyOf(token, size);
      child = Arrays.copyOf(child, size);
      sibling = Arrays.copyOf(sibling, size);
    }
    character[nodes] = c;
    token[nodes] = NONE;
    child[nodes] = NONE;
    sibling[nodes] = NONE;
    return nodes++;
  }

  /**
   * The tokens whose every character {@code state} allows, ascending.
   *
   * @return token ids, empty where the constraint allows no writable piece; {@code null} where
   *     there are more than {@code most}
   */
  int[] allowed(TextConstraint.State state, int most) {
    Walk walk = new Walk(most);
    if (!walk.below(0, state)) {
      return null;
    }
    int[] ids = Arrays.copyOf(walk.found, walk.count);
    Arrays.sort(ids);
    return ids;
  }

  /** Whether {@code state} allows a token of more than {@code length} characters. */
  boolean reachesBeyond(TextConstraint.State state, int length) {
    return reachesBeyond(0, state, length);
  }

  private boolean reachesBeyond(int parent, TextConstraint.State state, int left) {
    for (int at = child[parent]; at != NONE; at = sibling[at]) {
      TextConstraint.State after = state.next(character[at]);
      if (after == null) {
        continue;
      }
      if ((left <= 0 && token[at] != NONE)
          || (child[at] != NONE && reachesBeyond(at, after, left - 1))) {
        return true;
      }
    }
    return false;
  }

  private final class Walk {
    final int most;
    int[] found = new int[64];
    int count;

    Walk(int most) {
      this.most = most;
    }

    /** False once there are too many. */
    boolean below(int parent, TextConstraint.State state) {
      for (int at = child[parent]; at != NONE; at = sibling[at]) {
        TextConstraint.State after = state.next(character[at]);
        if (after == null) {
          continue;
        }
        if (token[at] != NONE) {
          if (count == most) {
            return false;
          }
          if (count == found.length) {
            found = Arrays.copyOf(found, count * 2);
          }
          found[count++] = token[at];
        }
        if (child[at] != NONE && !below(at, after)) {
          return false;
        }
      }
      return true;
    }
  }
}
