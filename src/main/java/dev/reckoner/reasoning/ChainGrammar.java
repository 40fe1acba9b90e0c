package dev.reckoner.reasoning;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a model may write about one evidence, character by character.
 *
 * <p>Names, places, units, scales and results are never the model's choice: they are {@link
 * TextConstraint.State#forced forced} as soon as they follow from what is written. What is left to
 * choose is the kind of a step, the figure to cite (in a table by the label of its row and the
 * heading of its column, which leave no choice of digits unless two cells have the same), the
 * expression, the words of a sentence, and the step to conclude with. Every text that the automaton
 * accepts is a {@link Chain} without a wrong result or an unsupported figure, and every walk
 * through it ends.
 */
public final class ChainGrammar implements TextConstraint {

  /** The named steps that a chain may have. */
  public static final int MAX_NAMED_STEPS = Names.MAX;

  /** The inferences that a chain may have. */
  public static final int MAX_INFERENCES = 4;

  /**
   * The numbers that an expression may use without citing them: counts of periods, days of a year,
   * powers of ten, halves and quarters, round percentages. Everything else must stand in the
   * evidence.
   */
  public static final List<String> CONSTANTS =
      List.of(
          ("1 2 3 4 5 6 7 8 9 10 11 12 24 30 52 60 90 100 360 365 1000 10000 100000 1000000"
                  + " 1000000000 0.25 0.5 0.75 1.5 5% 10% 20% 50% 100%")
              .split(" "));

  /** Identifies the rules, apart from the evidence, which the prompt carries. */
  public static final String VERSION =
      PromptFormat.hash(
          String.join(
              "\n",
              "chain 2",
              String.join(" ", CONSTANTS),
              Arrays.toString(Unit.values()),
              Arrays.toString(Flag.values()),
              MAX_NAMED_STEPS + " " + MAX_INFERENCES,
              ExpressionGrammar.LIMITS,
              SentenceGrammar.LIMITS));

  private final Figures figures;
  private final boolean stance;
  private final String[] citations;
  private final Figure[] cited;
  private final String[] years;

  public ChainGrammar(Evidence evidence) {
    this.figures = Figures.of(evidence);
    this.stance = evidence.stance();
    Map<String, Figure> all = new TreeMap<>();
    for (Figures.Found found : figures.all()) {
      String label = figures.label(found.place());
      all.put(Step.Cite.citation(label, found.figure(), found.place()) + "\n", found.figure());
    }
    this.citations = all.keySet().toArray(String[]::new);
    this.cited = all.values().toArray(Figure[]::new);
    this.years = Years.of(evidence).toArray(String[]::new);
  }

  /** What may stand behind the name of a cite: a label, a figure and its place; ascending. */
  public List<String> citations() {
    return Arrays.stream(citations).map(String::strip).toList();
  }

  /** The figures that may be cited. */
  public Figures figures() {
    return figures;
  }

  @Override
  public State start() {
    return line(new Progress(Workings.NONE, new int[0], 0));
  }

  @Override
  public String version() {
    return VERSION;
  }

  /**
   * What the lines so far have used up.
   *
   * @param cited indices into {@link #citations}
   */
  private record Progress(Workings workings, int[] cited, int inferences) {

    Progress withCite(int index, Figure figure) {
      int[] more = Arrays.copyOf(cited, cited.length + 1);
      more[cited.length] = index;
      return new Progress(
          workings.with(Names.of(workings.size()), figure, false), more, inferences);
    }

    Progress withResult(Calculator.Evaluation evaluation) {
      String name = Names.of(workings.size());
      return new Progress(
          workings.with(name, evaluation.result(), evaluation.plain()), cited, inferences);
    }

    Progress withInference() {
      return new Progress(workings, cited, inferences + 1);
    }
  }

  /** The start of a line. */
  private Automaton.Node line(Progress so) {
    Workings workings = so.workings();
    Automaton.Choice choice = new Automaton.Choice();
    choice.or("conclude ", () -> conclusion(so));
    if (workings.size() < MAX_NAMED_STEPS) {
      String name = Names.of(workings.size());
      if (so.cited().length < citations.length) {
        choice.or("cite " + name + " = ", () -> citation(so));
      }
      if (workings.figures().length > 0) {
        choice.or(
            "compute " + name + " = ",
            () -> ExpressionGrammar.start(workings, done -> line(so.withResult(done))));
      }
    }
    if (workings.size() > 0 && so.inferences() < MAX_INFERENCES) {
      choice.or("infer ", () -> premise(so, 0));
    }
    return choice.node();
  }

  /** A label, a figure with its unit, and its place: the rest of a cite line. */
  private Automaton.Node citation(Progress so) {
    String[] left = Automaton.without(citations, so.cited());
    return Automaton.options(
        left,
        i -> {
          int index = Arrays.binarySearch(citations, left[i]);
          return line(so.withCite(index, cited[index]));
        });
  }

  /** One of the names from {@code from} on. */
  private Automaton.Node premise(Progress so, int from) {
    String[] names = so.workings().names();
    Automaton.Choice choice = new Automaton.Choice();
    for (int i = from; i < names.length; i++) {
      int after = i + 1;
      choice.or(names[i], () -> afterPremise(so, after));
    }
    return choice.node();
  }

  private Automaton.Node afterPremise(Progress so, int from) {
    Automaton.Choice choice = new Automaton.Choice();
    if (from < so.workings().names().length) {
      choice.or(",", () -> premise(so, from));
    }
    return choice
        .or(
            " : ",
            () -> SentenceGrammar.start(so.workings(), years, () -> line(so.withInference())))
        .node();
  }

  private Automaton.Node conclusion(Progress so) {
    Automaton.Choice choice = new Automaton.Choice();
    for (String name : so.workings().names()) {
      Outcome outcome = so.workings().outcome(name);
      if (outcome != Outcome.Word.UNDEFINED) {
        choice.or(name + " = " + outcome.text(), this::afterAnswer);
      }
    }
    choice.or(Outcome.Word.NOT_STATED.text(), this::afterAnswer);
    if (so.inferences() > 0) {
      choice.or(Outcome.Word.YES.text(), this::afterAnswer);
      choice.or(Outcome.Word.NO.text(), this::afterAnswer);
    }
    return choice.node();
  }

  private Automaton.Node afterAnswer() {
    if (!stance) {
      return Automaton.end(null);
    }
    Automaton.Choice choice = new Automaton.Choice();
    for (Stance option : Stance.values()) {
      choice.or(option.text(), () -> Automaton.word(" ; flags ", () -> flags(0)));
    }
    return Automaton.word(" ; stance ", choice::node);
  }

  /** The flags from {@code from} on, in the order of the vocabulary; none only at the first. */
  private Automaton.Node flags(int from) {
    Automaton.Choice choice = new Automaton.Choice();
    if (from == 0) {
      choice.or("none", () -> Automaton.end(null));
    }
    Flag[] all = Flag.values();
    for (int i = from; i < all.length; i++) {
      int after = i + 1;
      choice.or(
          all[i].text(),
          () ->
              Automaton.end(after == all.length ? null : Automaton.word(",", () -> flags(after))));
    }
    return choice.node();
  }
}
