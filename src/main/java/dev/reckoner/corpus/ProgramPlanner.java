package dev.reckoner.corpus;

import dev.reckoner.corpus.Expression.Binary;
import dev.reckoner.corpus.Expression.Call;
import dev.reckoner.corpus.Expression.Name;
import dev.reckoner.corpus.Expression.Number;
import dev.reckoner.corpus.Expression.OverRow;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Figures;
import dev.reckoner.reasoning.Place;
import dev.reckoner.reasoning.Unit;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Turns a gold program into plans: every number is looked up on the page, first where the
 * annotators say it is, and cited; what is not on the page stays a constant.
 */
final class ProgramPlanner {

  private static final BigDecimal HUNDRED = BigDecimal.valueOf(100);

  private final Problem problem;
  private final Figures figures;
  private final Set<String> questionWords;
  private final List<Plan.Reference> cites = new ArrayList<>();
  private final Map<String, String> letters = new HashMap<>();

  private ProgramPlanner(Problem problem, Figures figures) {
    this.problem = problem;
    this.figures = figures;
    this.questionWords = words(problem.evidence().question());
  }

  /**
   * Plans for the problem's program, the preferred first: as one expression, then step by step.
   *
   * @throws IllegalArgumentException if the program cannot be read or a number is nowhere
   */
  static List<Plan> plans(Problem problem, Figures figures) {
    Expression gold = ProgramReader.read(problem.program());
    ProgramPlanner planner = new ProgramPlanner(problem, figures);
    boolean percent = planner.asksForPercent(gold);
    Expression bare = percent ? withoutHundred(gold) : gold;
    Expression named = planner.named(bare, ' ');
    List<Plan> plans = new ArrayList<>();
    if (named instanceof Name) {
      plans.add(Plan.of(planner.cites, List.of()));
      return plans;
    }
    String whole = Expression.text(named);
    if (percent) {
      plans.add(Plan.of(planner.cites, List.of(whole + " as %")));
    }
    plans.add(Plan.of(planner.cites, List.of(whole)));
    List<String> steps = new ArrayList<>();
    planner.split(named, steps);
    if (steps.size() > 1) {
      if (percent) {
        List<String> stated = new ArrayList<>(steps);
        stated.set(stated.size() - 1, stated.getLast() + " as %");
        plans.add(Plan.of(planner.cites, stated));
      }
      plans.add(Plan.of(planner.cites, steps));
    }
    return plans;
  }

  private boolean asksForPercent(Expression gold) {
    if (withoutHundred(gold) != gold) {
      return true;
    }
    boolean division = gold instanceof Binary binary && "/-".indexOf(binary.operator()) >= 0;
    boolean stated = problem.gold() instanceof Gold.Number number && number.unit().equals("%");
    String question = problem.evidence().question().toLowerCase(Locale.ROOT);
    boolean asked = question.matches(".*(percent|portion|growth rate|% change|what share).*");
    return division && (stated || asked);
  }

  /** Without a final multiplication by 100 that makes a percentage of a ratio. */
  private static Expression withoutHundred(Expression gold) {
    return gold instanceof Binary(char operator, Expression left, Expression right)
            && operator == '*'
            && right instanceof Number hundred
            && hundred.value().compareTo(HUNDRED) == 0
            && left instanceof Binary(char inner, Expression a, Expression b)
            && inner == '/'
        ? left
        : gold;
  }

  private Expression named(Expression expression, char before) {
    return switch (expression) {
      case Number number -> operand(number, before);
      case Binary(char operator, Expression left, Expression right) -> {
        Expression l = named(left, ' ');
        yield signed(operator, l, named(right, operator));
      }
      case OverRow row -> overRow(row);
      case Call call -> call;
      case Name name -> name;
    };
  }

  /** {@code a + -b} is {@code a - b}. */
  private static Expression signed(char operator, Expression left, Expression right) {
    boolean negated =
        right instanceof Binary(char inner, Expression zero, Expression value)
            && inner == '-'
            && zero instanceof Number n
            && n.value().signum() == 0;
    if (negated && (operator == '+' || operator == '-')) {
      return new Binary(operator == '+' ? '-' : '+', left, ((Binary) right).right());
    }
    return new Binary(operator, left, right);
  }

  private Expression operand(Number number, char before) {
    boolean divisor =
        before == '/' && number.value().scale() <= 0 && number.value().abs().intValue() <= 12;
    if (number.constant() || divisor && find(number, true) == null) {
      return number;
    }
    Figures.Found found = find(number, false);
    if (found != null) {
      return cite(found);
    }
    Number opposite = new Number(number.value().negate(), number.percent(), false);
    Figures.Found negative = find(opposite, false);
    if (negative != null) {
      return new Binary('-', new Number(BigDecimal.ZERO, false, true), cite(negative));
    }
    if (number.value().scale() <= 0 && number.value().abs().compareTo(HUNDRED) <= 0) {
      return new Number(number.value(), number.percent(), true);
    }
    throw new IllegalArgumentException("a number of the program is not on the page");
  }

  private Expression cite(Figures.Found found) {
    String key = found.place().address() + " " + found.figure().value().toPlainString();
    String letter =
        letters.computeIfAbsent(
            key,
            k -> {
              cites.add(new Plan.Reference(found.place(), found.figure().value()));
              return Plan.letter(cites.size() - 1);
            });
    return new Name(letter);
  }

  /** The best place of a number, or {@code null}. */
  private Figures.Found find(Number number, boolean supportOnly) {
    Figures.Found best = null;
    int bestScore = -1;
    for (Figures.Found found : figures.all()) {
      boolean same =
          found.figure().value().compareTo(number.value()) == 0
              && (!number.percent() || found.figure().unit() == Unit.PERCENT);
      if (same && !(supportOnly && support(found.place()) == 0)) {
        int score = 100 * support(found.place()) + overlap(found.place());
        if (score > bestScore) {
          best = found;
          bestScore = score;
        }
      }
    }
    return best;
  }

  /** 2 for a cell that the annotators name, 1 for their rows and sentences, else 0. */
  private int support(Place place) {
    return switch (place) {
      case Place.Cell cell ->
          problem.support().cells().contains(cell)
              ? 2
              : cell.table() == 0
                      && cell.column() > 0
                      && problem.support().rows().contains(cell.row())
                  ? 1
                  : 0;
      case Place.Sentence sentence ->
          problem.support().sentences().contains(sentence.index()) ? 1 : 0;
      case Place.Question question -> 0;
    };
  }

  /** How many words of the question label the cell's row and column. */
  private int overlap(Place place) {
    if (!(place instanceof Place.Cell cell) || cell.column() == 0) {
      return 0;
    }
    Evidence.Table table = problem.evidence().tables().get(cell.table());
    int score = 0;
    List<String> row = table.rows().get(cell.row());
    for (String word : words(row.getFirst())) {
      score += questionWords.contains(word) ? 1 : 0;
    }
    for (int r = 0; r < Math.min(3, cell.row()); r++) {
      List<String> header = table.rows().get(r);
      if (cell.column() < header.size()) {
        for (String word : words(header.get(cell.column()))) {
          score += questionWords.contains(word) ? 2 : 0;
        }
      }
    }
    return score;
  }

  private static Set<String> words(String text) {
    return new HashSet<>(List.of(text.toLowerCase(Locale.ROOT).split("[^a-z0-9]+")));
  }

  private Expression overRow(OverRow wanted) {
    List<Evidence.Table> tables = problem.evidence().tables();
    String label = plain(wanted.label());
    for (int t = 0; t < tables.size(); t++) {
      for (int r = 0; r < tables.get(t).rows().size(); r++) {
        List<String> row = tables.get(t).rows().get(r);
        if (row.isEmpty() || !plain(row.getFirst()).equals(label)) {
          continue;
        }
        List<Expression> arguments = new ArrayList<>();
        for (int c = 1; c < row.size(); c++) {
          figures.at(new Place.Cell(t, r, c)).stream()
              .findFirst()
              .map(this::cite)
              .ifPresent(arguments::add);
        }
        if (arguments.size() > 1) {
          return new Call(wanted.function(), arguments);
        }
      }
    }
    throw new IllegalArgumentException("the row of a table operation is not on the page");
  }

  private static String plain(String label) {
    return label.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]+", " ").strip();
  }

  /**
   * The expression as one step an operation, equal operations once; returns the last one's name.
   */
  private Expression split(Expression expression, List<String> steps) {
    if (expression instanceof Binary(char operator, Expression left, Expression right)) {
      Expression l = split(left, steps);
      String text = Expression.text(new Binary(operator, l, split(right, steps)));
      int known = steps.indexOf(text);
      if (known < 0) {
        steps.add(text);
        known = steps.size() - 1;
      }
      return new Name(Plan.letter(cites.size() + known));
    }
    if (expression instanceof Call) {
      steps.add(Expression.text(expression));
      return new Name(Plan.letter(cites.size() + steps.size() - 1));
    }
    return expression;
  }
}
