package dev.reckoner.corpus;

import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Figure;
import dev.reckoner.reasoning.Figures;
import dev.reckoner.reasoning.Place;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Finds programs for the turns of a conversation of which only the answers are known. Since every
 * turn has its answer, a turn is searched for among few candidates: a figure of the page, or one
 * operation over the answers of earlier turns and at most one figure of the page, or, in the first
 * turn, over two figures. Operations need a word that asks for them. A turn stays without a program
 * where none or several are found.
 */
final class ConversationSearch {

  private static final Pattern MINUS =
      Pattern.compile(
          "chang|differen|less|net |minus|increas|decreas|declin|variation|reduc|remain|then became"
              + "|unsecured|growth in");
  private static final Pattern OVER =
      Pattern.compile(
          "ratio|percent|portion|proportion|fraction|represent|over the|over"
              + " total|divided|rate|growth|average|price|relation|related|what about in|and in|due"
              + " to");
  private static final Pattern PLUS = Pattern.compile("sum|total|combined|includ|both|together");
  private static final Pattern TIMES =
      Pattern.compile("product|value|times|convert|amount to|what would");

  /** An operation over two figures of the page may give an answer of fewer digits by chance. */
  private static final int SIGNIFICANT = 3;

  /** A turn's program and answer. */
  private record Known(String program, double value) {}

  private final List<Known> known = new ArrayList<>();

  private ConversationSearch() {}

  /**
   * Programs by the number of the turn, counted from 0; turns without one are absent.
   *
   * @param turns the problems of one conversation in order, with their answers
   * @param asked what each turn asks, without those before it
   */
  static Map<Integer, Program> programs(List<Problem> turns, List<String> asked) {
    ConversationSearch search = new ConversationSearch();
    Map<Integer, Program> found = new LinkedHashMap<>();
    for (int t = 0; t < turns.size(); t++) {
      if (turns.get(t).gold() instanceof Gold.Number gold) {
        String question = asked.get(t).toLowerCase(Locale.ROOT);
        Optional<String> program = search.turn(gold, question, turns.get(t).evidence());
        if (program.isPresent()) {
          found.put(t, new Program(Program.Language.TATQA, program.get()));
          search.known.add(new Known("(" + program.get() + ")", gold.value().doubleValue()));
        }
      }
    }
    return found;
  }

  private Optional<String> turn(Gold.Number gold, String question, Evidence evidence) {
    List<Known> page = figures(evidence);
    Set<String> earlier = new LinkedHashSet<>();
    for (Known u : known) {
      alone(u, question, gold, earlier);
      for (Known v : known) {
        two(u, v, question, gold, earlier);
      }
    }
    if (!earlier.isEmpty()) {
      return only(earlier);
    }
    for (Known figure : page) {
      if (close(figure.value, gold)) {
        return Optional.of(figure.program);
      }
    }
    Set<String> mixed = new LinkedHashSet<>();
    for (Known u : known) {
      for (Known w : page) {
        two(u, w, question, gold, mixed);
        two(w, u, question, gold, mixed);
      }
    }
    if (!mixed.isEmpty()) {
      return only(mixed);
    }
    Set<String> fresh = new LinkedHashSet<>();
    if (known.isEmpty() && gold.value().stripTrailingZeros().precision() >= SIGNIFICANT) {
      for (Known u : page) {
        for (Known w : page) {
          two(u, w, question, gold, fresh);
        }
      }
    }
    return only(fresh);
  }

  private static Optional<String> only(Set<String> programs) {
    return programs.size() == 1 ? Optional.of(programs.iterator().next()) : Optional.empty();
  }

  private static void alone(Known u, String question, Gold.Number gold, Set<String> into) {
    for (int n = 2; n <= 3; n++) {
      if (OVER.matcher(question).find() && close(u.value / n, gold)) {
        into.add(u.program + " / " + n);
      }
    }
    if (question.contains("1000") && close(u.value / 1000, gold)) {
      into.add(u.program + " / 1000");
    }
    if (question.matches(".*\\b(less|minus) (1|one)\\b.*") && close(u.value - 1, gold)) {
      into.add(u.program + " - 1");
    }
  }

  private static void two(Known u, Known v, String question, Gold.Number gold, Set<String> into) {
    if (u == v || u.program.equals(v.program)) {
      return;
    }
    boolean later = u.program.compareTo(v.program) > 0;
    if (PLUS.matcher(question).find() && later && close(u.value + v.value, gold)) {
      into.add(v.program + " + " + u.program);
    }
    if (TIMES.matcher(question).find() && later && close(u.value * v.value, gold)) {
      into.add(v.program + " * " + u.program);
    }
    if (MINUS.matcher(question).find() && close(u.value - v.value, gold)) {
      into.add(u.program + " - " + v.program);
    }
    if (v.value == 0 || !OVER.matcher(question).find()) {
      return;
    }
    if (close(u.value / v.value, gold)) {
      into.add(u.program + " / " + v.program);
    }
    if (MINUS.matcher(question).find() && close((u.value - v.value) / v.value, gold)) {
      into.add("(" + u.program + " - " + v.program + ") / " + v.program);
    }
  }

  /** Published answers are rounded to five decimals. */
  private static boolean close(double value, Gold.Number gold) {
    double wanted = gold.value().doubleValue();
    double half = gold.value().scale() > 0 ? 0.51 * Math.pow(10, -gold.value().scale()) : 0;
    return Double.isFinite(value)
        && Math.abs(value - wanted) <= Math.max(Math.min(half, 1e-5), Math.abs(wanted) * 1e-5);
  }

  /** The page's figures but years; with their signs as the calculator reads them. */
  private static List<Known> figures(Evidence evidence) {
    Map<String, Known> figures = new LinkedHashMap<>();
    for (Figures.Found found : Figures.of(evidence).all()) {
      Figure figure = found.figure();
      BigDecimal value = figure.value();
      boolean year = value.toPlainString().matches("(19|20)\\d\\d");
      boolean label =
          found.place() instanceof Place.Cell cell && (cell.column() == 0 || cell.row() == 0);
      if (!year && !label && !(found.place() instanceof Place.Question) && value.signum() != 0) {
        String text = value.toPlainString();
        figures.putIfAbsent(
            text, new Known(value.signum() < 0 ? "(" + text + ")" : text, value.doubleValue()));
      }
    }
    return List.copyOf(figures.values());
  }
}
