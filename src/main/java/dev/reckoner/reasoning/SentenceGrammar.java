package dev.reckoner.reasoning;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.TreeSet;
import java.util.function.Supplier;

/**
 * The sentence of an inference: free words, and no digits but those of the steps so far and of the
 * years that the evidence names.
 *
 * <p>A figure is written whole, with unit and scale, as its step has it, without its minus ("fell
 * by 12 %"), or rounded to two, one or no decimals. The sentence ends with a full stop and a line
 * break, at the latest after {@value #MAX_LENGTH} characters.
 */
final class SentenceGrammar {

  private static final int MIN_LENGTH = 8;
  private static final int MAX_LENGTH = 160;

  /** For the version of the grammar. */
  static final String LIMITS = MIN_LENGTH + " " + MAX_LENGTH;

  private final String[] figures;
  private final Supplier<Automaton.Node> then;

  private SentenceGrammar(String[] figures, Supplier<Automaton.Node> then) {
    this.figures = figures;
    this.then = then;
  }

  /**
   * The state where a sentence begins.
   *
   * @param years the years that may be named
   * @param then the state after the line
   */
  static Automaton.Node start(Workings workings, String[] years, Supplier<Automaton.Node> then) {
    TreeSet<String> texts = new TreeSet<>();
    for (String year : years) {
      texts.add(year);
    }
    for (String name : workings.figures()) {
      forms((Figure) workings.outcome(name), texts);
    }
    return new SentenceGrammar(texts.toArray(String[]::new), then).new Text(0, ' ', false);
  }

  private static void forms(Figure figure, TreeSet<String> texts) {
    add(figure, figure.digits(), texts);
    for (int decimals = 0; decimals <= 2 && decimals < figure.value().scale(); decimals++) {
      BigDecimal rounded = figure.value().setScale(decimals, RoundingMode.HALF_EVEN);
      if (rounded.signum() != 0) {
        add(figure, Decimals.grouped(rounded), texts);
      }
    }
  }

  private static void add(Figure figure, String digits, TreeSet<String> texts) {
    String suffix = Figure.suffix(figure.unit(), figure.scale());
    texts.add(digits + suffix);
    if (digits.startsWith("-")) {
      texts.add(digits.substring(1) + suffix);
    }
  }

  /** What decides how a sentence may go on, as long as its end is far. */
  private record Situation(
      SentenceGrammar sentence, int length, char previous, boolean afterFigure) {}

  /** A point in the sentence. */
  private final class Text extends Automaton.Node {
    private final int length;
    private final char previous;
    private final boolean afterFigure;

    Text(int length, char previous, boolean afterFigure) {
      this.length = length;
      this.previous = previous;
      this.afterFigure = afterFigure;
    }

    private Text then(char c) {
      return new Text(length + 1, c, afterFigure && c == '.');
    }

    @Override
    public Automaton.Node next(char c) {
      if (c == '\n') {
        return previous == '.' && length >= MIN_LENGTH ? then.get() : null;
      }
      int must = sole();
      if (must >= 0) {
        return c == must ? then(c) : null;
      }
      if (Character.isLetter(c)) {
        return afterFigure || previous == ')' ? null : then(c);
      }
      boolean apart = previous == ' ' || previous == '(';
      boolean word = !apart && previous != '-' && (previous != '.' || !afterFigure);
      return switch (c) {
        case ' ' -> word && length > 0 ? then(c) : null;
        case ',', ';', ':', ')' -> word && !isPunctuation(previous) ? then(c) : null;
        case '.' -> word && !isPunctuation(previous) && length + 1 >= MIN_LENGTH ? then(c) : null;
        case '\'', '&', '/' -> Character.isLetter(previous) ? then(c) : null;
        case '(' -> previous == ' ' && length > 0 ? then(c) : null;
        case '-' -> Character.isLetter(previous) ? then(c) : apart ? figure(c) : null;
        default -> {
          if (c < '0' || c > '9') {
            yield null;
          }
          if (previous == 'Q' && c >= '1' && c <= '4') {
            yield new Text(length + 1, c, true);
          }
          yield apart ? figure(c) : null;
        }
      };
    }

    private Automaton.Node figure(char c) {
      Automaton.Node all =
          Automaton.options(figures, i -> new Text(length + figures[i].length(), '0', true));
      return all == null ? null : all.next(c);
    }

    @Override
    public TextConstraint.Likeness likeness() {
      char before = Character.isLetter(previous) && previous != 'Q' ? 'a' : previous;
      return new TextConstraint.Likeness(
          new Situation(SentenceGrammar.this, Math.min(length, MIN_LENGTH), before, afterFigure),
          MAX_LENGTH - length);
    }

    @Override
    int sole() {
      if (previous == '.' && length >= MIN_LENGTH && (afterFigure || length > MAX_LENGTH)) {
        return '\n';
      }
      return length >= MAX_LENGTH && previous != '.' ? '.' : -1;
    }
  }

  private static boolean isPunctuation(char c) {
    return ",;:.".indexOf(c) >= 0;
  }
}
