package dev.reckoner.corpus;

import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Figure;
import dev.reckoner.reasoning.Figures;
import dev.reckoner.reasoning.Place;
import dev.reckoner.reasoning.Unit;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Finds how an answer was derived where annotators give the answer alone.
 *
 * <p>Short programs over the figures of the evidence are tried: a figure itself, a difference, a
 * sum, a mean, a ratio, a share, a rate of change. A program counts only if the question has a word
 * for it ("percent", "average", "difference", …), if its figures stand in rows and sentences that
 * share a word with the question (or in the gold evidence, where that is known), and if their years
 * are those that the question names. The answer must have at least three significant digits. A
 * program is found if it is the only one that gives the answer, or the only one whose figures stand
 * in one row or one column; programs with the same numbers are one program. Everything else is
 * dropped, since another program may give the same number by chance.
 */
final class ProgramSearch {

  private static final int MOST_FIGURES = 120;
  private static final int SIGNIFICANT = 3;
  private static final Pattern YEAR = Pattern.compile("(?<!\\d)(?:19|20)\\d\\d(?!\\d)");
  private static final Set<String> COMMON =
      Set.of(
          "the",
          "of",
          "and",
          "in",
          "for",
          "to",
          "on",
          "a",
          "an",
          "is",
          "was",
          "were",
          "what",
          "how",
          "much",
          "many",
          "did",
          "from",
          "by",
          "between",
          "at",
          "as",
          "with",
          "that",
          "this",
          "its",
          "year",
          "years",
          "ended",
          "december",
          "june",
          "march",
          "september",
          "percent",
          "percentage",
          "change",
          "total",
          "average",
          "ratio",
          "company",
          "million",
          "thousand",
          "billion",
          "increase",
          "decrease",
          "difference",
          "growth",
          "rate",
          "respectively",
          "per");

  /** An expression over figures, and the words that ask for it. */
  private enum Form {
    GROWTH(
        "(a - b) / b as %",
        2,
        "percent|%|growth|rate|return|roi",
        "chang|increas|decreas|grow|declin|return|roi|rate of|drop|fell|rise|rose|fluctuat"),
    SHARE(
        "a / b as %",
        2, "percent|%|portion|proportion|share|fraction|margin|how much of|part of", ""),
    DIFFERENCE(
        "a - b",
        2,
        "chang|increas|decreas|differen|declin|less|more|higher|lower|variation|net"
            + " |exceed|grow|how much did|gap|drop",
        ""),
    MEAN("(a + b) / 2", 2, "average|mean", ""),
    SUM("a + b", 2, "total|sum|combined|aggregate|together|altogether|both| and ", ""),
    RATIO("a / b", 2, "ratio|times|proportion", ""),
    SUM_OF_THREE("a + b + c", 3, "total|sum|combined|aggregate|together", ""),
    MEAN_OF_THREE("(a + b + c) / 3", 3, "average|mean", "");

    final String expression;
    final int figures;
    private final Pattern first;
    private final Pattern second;

    Form(String expression, int figures, String first, String second) {
      this.expression = expression;
      this.figures = figures;
      this.first = Pattern.compile(first);
      this.second = Pattern.compile(second);
    }

    boolean askedBy(String question) {
      return first.matcher(question).find() && second.matcher(question).find();
    }

    boolean symmetric() {
      return this == MEAN || this == SUM || figures == 3;
    }

    double value(double a, double b, double c) {
      return switch (this) {
        case GROWTH -> (a - b) / b;
        case SHARE, RATIO -> a / b;
        case DIFFERENCE -> a - b;
        case MEAN -> (a + b) / 2;
        case SUM -> a + b;
        case SUM_OF_THREE -> a + b + c;
        case MEAN_OF_THREE -> (a + b + c) / 3;
      };
    }

    boolean percent() {
      return this == GROWTH || this == SHARE;
    }
  }

  private record Candidate(Figures.Found found, double value) {}

  private final Problem problem;
  private final String question;
  private final Gold.Number gold;
  private final List<Candidate> candidates = new ArrayList<>();

  private ProgramSearch(Problem problem, Gold.Number gold, Figures figures) {
    this.problem = problem;
    this.gold = gold;
    question = problem.evidence().question().toLowerCase(Locale.ROOT);
    for (Figures.Found found : figures.all()) {
      if (relevant(found)) {
        candidates.add(new Candidate(found, found.figure().value().doubleValue()));
      }
    }
  }

  /**
   * The plans that a search finds, usually none or one.
   *
   * @throws IllegalArgumentException with the reason to count, where none is sure
   */
  static Plan plan(Problem problem, Figures figures) {
    if (!(problem.gold() instanceof Gold.Number gold)) {
      throw new IllegalArgumentException("no program, and the answer is no number");
    }
    if (gold.value().stripTrailingZeros().precision() < SIGNIFICANT) {
      throw new IllegalArgumentException("no program, and the answer has too few digits to search");
    }
    List<Plan> found = new ProgramSearch(problem, gold, figures).search();
    if (found.size() != 1) {
      throw new IllegalArgumentException(
          found.isEmpty()
              ? "no program, and no search finds one"
              : "no program, and the search finds several");
    }
    return found.getFirst();
  }

  private List<Plan> search() {
    if (candidates.size() > MOST_FIGURES) {
      return List.of();
    }
    Map<String, Plan> all = new LinkedHashMap<>();
    Map<String, Plan> aligned = new HashMap<>();
    boolean asked = false;
    for (Form form : Form.values()) {
      if (form.askedBy(question)) {
        asked = true;
        pairs(form, all, aligned);
      }
    }
    if (!asked) {
      for (Candidate one : candidates) {
        if (near(one.value, 1)) {
          note("", List.of(one), all, aligned);
        }
      }
    }
    return List.copyOf((aligned.size() == 1 ? aligned : all).values());
  }

  private void pairs(Form form, Map<String, Plan> all, Map<String, Plan> aligned) {
    int n = candidates.size();
    for (int i = 0; i < n; i++) {
      for (int j = form.symmetric() ? i + 1 : 0; j < n; j++) {
        if (i == j) {
          continue;
        }
        Candidate a = candidates.get(i);
        Candidate b = candidates.get(j);
        if (form.figures == 2) {
          if (gives(form.value(a.value, b.value, 0), form)) {
            note(form.expression, List.of(a, b), all, aligned);
          }
          continue;
        }
        for (int k = j + 1; k < n; k++) {
          Candidate c = candidates.get(k);
          if (sameLine(List.of(a, b, c)) && gives(form.value(a.value, b.value, c.value), form)) {
            note(form.expression, List.of(a, b, c), all, aligned);
          }
        }
      }
    }
  }

  private boolean gives(double value, Form form) {
    if (!Double.isFinite(value)) {
      return false;
    }
    return gold.unit().equals("%")
        ? form.percent() && near(value * 100, 1)
        : form.percent() ? near(value, 1) || near(value * 100, 1) : near(value, 1);
  }

  private boolean near(double value, double factor) {
    BigDecimal stated = gold.value();
    double half = stated.scale() > 0 ? 0.51 * Math.pow(10, -stated.scale()) : 0;
    double allowed = Math.max(half, Math.abs(stated.doubleValue()) * 1e-4);
    return Math.abs(value * factor - stated.doubleValue()) <= allowed;
  }

  private void note(
      String expression, List<Candidate> used, Map<String, Plan> all, Map<String, Plan> aligned) {
    Plan plan =
        Plan.of(
            used.stream()
                .map(c -> new Plan.Reference(c.found.place(), c.found.figure().value()))
                .toList(),
            expression.isEmpty() ? List.of() : List.of(expression));
    String numbers =
        expression
            + used.stream()
                .map(c -> c.found.figure().value().stripTrailingZeros().toPlainString())
                .collect(Collectors.joining(" "));
    all.putIfAbsent(numbers, plan);
    if (sameLine(used)) {
      aligned.putIfAbsent(numbers, plan);
    }
  }

  /** Whether figures stand in one row, one column or one sentence. */
  private static boolean sameLine(List<Candidate> used) {
    Set<Object> rows = new HashSet<>();
    Set<Object> columns = new HashSet<>();
    for (Candidate c : used) {
      if (c.found.place() instanceof Place.Cell cell) {
        rows.add(cell.row());
        columns.add(cell.column());
      } else {
        rows.add(c.found.place());
        columns.add(c.found.place());
      }
    }
    return rows.size() == 1 || columns.size() == 1;
  }

  private boolean relevant(Figures.Found found) {
    Figure figure = found.figure();
    boolean year =
        figure.unit() == Unit.NONE && figure.value().toPlainString().matches("(19|20)\\d\\d");
    return !year
        && figure.value().signum() != 0
        && switch (found.place()) {
          case Place.Cell cell -> relevant(cell);
          case Place.Sentence sentence -> relevant(sentence);
          default -> false;
        };
  }

  private boolean relevant(Place.Cell cell) {
    Evidence.Table table = problem.evidence().tables().get(cell.table());
    List<String> row = table.rows().get(cell.row());
    if (cell.column() == 0 || cell.row() == 0) {
      return false;
    }
    boolean chosen =
        problem.support().known()
            ? problem.support().allRows().contains(cell.row())
            : shares(row.getFirst()) || shares(header(table, cell.column()));
    return chosen && rightYear(row.getFirst() + " " + header(table, cell.column()));
  }

  private boolean relevant(Place.Sentence sentence) {
    String text = problem.evidence().sentences().get(sentence.index());
    return problem.support().known()
        ? problem.support().sentences().contains(sentence.index())
        : shares(text) && rightYear(text);
  }

  private static String header(Evidence.Table table, int column) {
    StringBuilder header = new StringBuilder();
    for (List<String> row : table.rows()) {
      header.append(' ').append(column < row.size() ? row.get(column) : "");
      if (!row.isEmpty() && !row.getFirst().isBlank() && header.length() > 1) {
        break;
      }
    }
    return header.toString();
  }

  private boolean shares(String text) {
    Set<String> words = words(text);
    words.retainAll(words(question));
    return !words.isEmpty();
  }

  /** A text that names years must name one of the question's, where that names any. */
  private boolean rightYear(String text) {
    Set<String> asked = years(question);
    Set<String> named = years(text);
    if (asked.isEmpty() || named.isEmpty()) {
      return true;
    }
    if (question.contains("average") || question.contains("between") || asked.size() > 1) {
      int low = asked.stream().mapToInt(Integer::parseInt).min().orElseThrow();
      int high = asked.stream().mapToInt(Integer::parseInt).max().orElseThrow();
      int from = asked.size() > 1 ? low : low - 1;
      return named.stream().mapToInt(Integer::parseInt).anyMatch(y -> y >= from && y <= high);
    }
    // "the change in 2009" is one from 2008.
    return named.stream()
        .anyMatch(
            y -> asked.contains(y) || asked.contains(String.valueOf(Integer.parseInt(y) + 1)));
  }

  private static Set<String> years(String text) {
    Matcher matcher = YEAR.matcher(text);
    Set<String> years = new HashSet<>();
    while (matcher.find()) {
      years.add(matcher.group());
    }
    return years;
  }

  private static Set<String> words(String text) {
    return Arrays.stream(text.toLowerCase(Locale.ROOT).split("[^a-z]+"))
        .filter(word -> word.length() > 2 && !COMMON.contains(word))
        .map(word -> word.endsWith("s") ? word.substring(0, word.length() - 1) : word)
        .collect(Collectors.toCollection(HashSet::new));
  }
}
