package dev.reckoner.reasoning;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;
import java.util.function.IntFunction;
import java.util.function.Supplier;

/** The states that the grammars of lines, expressions and sentences are put together from. */
final class Automaton {

  private Automaton() {}

  /** A state that knows which single character must follow, if one must. */
  abstract static class Node implements TextConstraint.State {

    private String forced;

    @Override
    public abstract Node next(char c);

    @Override
    public boolean accepting() {
      return false;
    }

    /** The only character that may follow; -1 where there are several or none. */
    abstract int sole();

    @Override
    public final String forced() {
      if (forced == null) {
        StringBuilder text = new StringBuilder();
        Node node = this;
        int c;
        while (!node.accepting() && (c = node.sole()) >= 0) {
          text.append((char) c);
          node = node.next((char) c);
        }
        forced = text.toString();
      }
      return forced;
    }
  }

  /** A fixed text, then {@code then}. */
  static Node word(String text, Supplier<Node> then) {
    return text.isEmpty() ? then.get() : new Word(text, 0, then);
  }

  private static final class Word extends Node {
    private final String text;
    private final int at;
    private final Supplier<Node> then;
    private Node after; // kept, for every candidate asks for it

    Word(String text, int at, Supplier<Node> then) {
      this.text = text;
      this.at = at;
      this.then = then;
    }

    @Override
    public Node next(char c) {
      if (text.charAt(at) != c) {
        return null;
      }
      if (after == null) {
        after = at + 1 == text.length() ? then.get() : new Word(text, at + 1, then);
      }
      return after;
    }

    @Override
    int sole() {
      return text.charAt(at);
    }
  }

  /** Texts to choose from, each with the state after it. */
  static final class Choice {
    private final TreeMap<String, Supplier<Node>> options = new TreeMap<>();

    Choice or(String text, Supplier<Node> then) {
      options.put(text, then);
      return this;
    }

    Node node() {
      List<Supplier<Node>> after = new ArrayList<>(options.values());
      return options(options.keySet().toArray(String[]::new), i -> after.get(i).get());
    }
  }

  /**
   * One of some texts.
   *
   * @param sorted the texts, ascending and distinct; one may be a prefix of another, if what
   *     follows it does not begin as the other goes on
   * @param then the state after the text at an index
   */
  static Node options(String[] sorted, IntFunction<Node> then) {
    return sorted.length == 0
        ? null
        : new Options(sorted, then, new Node[sorted.length], 0, sorted.length, 0);
  }

  /** A range of sorted texts that share their first {@code depth} characters: a node of a trie. */
  private static final class Options extends Node {
    private final String[] texts;
    private final IntFunction<Node> then;
    private final Node[] after;
    private final int from;
    private final int to;
    private final int depth;

    Options(String[] texts, IntFunction<Node> then, Node[] after, int from, int to, int depth) {
      this.texts = texts;
      this.then = then;
      this.after = after;
      this.from = from;
      this.to = to;
      this.depth = depth;
    }

    /** Whether the first text of the range ends here; no other can. */
    private boolean complete() {
      return texts[from].length() == depth;
    }

    /** The state after a text; kept, for every candidate asks for it. */
    private Node after(int text) {
      if (after[text] == null) {
        after[text] = then.apply(text);
      }
      return after[text];
    }

    @Override
    public Node next(char c) {
      int low = bound(c);
      int high = c == Character.MAX_VALUE ? to : bound((char) (c + 1));
      if (low == high) {
        return complete() ? after(from).next(c) : null;
      }
      return high - low == 1 && texts[low].length() == depth + 1
          ? after(low)
          : new Options(texts, then, after, low, high, depth + 1);
    }

    /** The first text whose character at {@code depth} is not below {@code c}. */
    private int bound(char c) {
      int low = complete() ? from + 1 : from;
      int high = to;
      while (low < high) {
        int middle = (low + high) >>> 1;
        if (texts[middle].charAt(depth) < c) {
          low = middle + 1;
        } else {
          high = middle;
        }
      }
      return low;
    }

    @Override
    public boolean accepting() {
      return complete() && after(from).accepting();
    }

    @Override
    int sole() {
      if (complete()) {
        return -1;
      }
      char first = texts[from].charAt(depth);
      return first == texts[to - 1].charAt(depth) ? first : -1;
    }
  }

  /** A point where the text may end, or go on with {@code more}, which may be {@code null}. */
  static Node end(Node more) {
    return new End(more);
  }

  private static final class End extends Node {
    private final Node more;

    End(Node more) {
      this.more = more;
    }

    @Override
    public Node next(char c) {
      return more == null ? null : more.next(c);
    }

    @Override
    public boolean accepting() {
      return true;
    }

    @Override
    int sole() {
      return -1;
    }
  }

  /** {@code sorted} without the texts at some indices. */
  static String[] without(String[] sorted, int[] indices) {
    if (indices.length == 0) {
      return sorted;
    }
    boolean[] dropped = new boolean[sorted.length];
    Arrays.stream(indices).forEach(i -> dropped[i] = true);
    String[] rest = new String[sorted.length - indices.length];
    int n = 0;
    for (int i = 0; i < sorted.length; i++) {
      if (!dropped[i]) {
        rest[n++] = sorted[i];
      }
    }
    return rest;
  }
}
