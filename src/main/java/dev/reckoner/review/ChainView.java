package dev.reckoner.review;

import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Figure;
import dev.reckoner.reasoning.Outcome;
import dev.reckoner.reasoning.Place;
import dev.reckoner.reasoning.Step;
import dev.reckoner.reasoning.Unit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A chain as the page shows it: each step in the words of its source, with what it rests on.
 *
 * @param problem why an edited chain cannot be stored yet; {@code null} if it can
 */
record ChainView(List<StepView> steps, String problem) {

  private static final Pattern TOKENS =
      Pattern.compile(
          "(?<![A-Za-z0-9])[a-z](?![A-Za-z0-9])|[0-9][0-9,.]*|[A-Za-z%]+|[^\\sA-Za-z0-9]|\\s+");

  /**
   * A part of a step.
   *
   * @param kind {@code text}, {@code ref} (a step by its name), {@code op}, {@code number}, {@code
   *     stance} or {@code flag}
   * @param ref the step's name; {@code null} unless it is a reference
   * @param value the digits that a reference stands for
   * @param title what a reference stands for, in words
   */
  record Piece(String kind, String text, String ref, String value, String title) {}

  /**
   * One step.
   *
   * @param kind cite, compute, infer or conclude; {@code unreadable} if it cannot be read
   * @param name its letter, or {@code null}
   * @param pieces what it says
   * @param result what it comes to; {@code null} if nothing
   * @param source the address of the figure it cites; {@code null} unless it cites
   * @param places all addresses it rests on, separated by spaces
   * @param verdict in words
   * @param diff the change against the original, empty if there is none
   */
  record StepView(
      int position,
      String kind,
      String name,
      String text,
      List<Piece> pieces,
      String result,
      String source,
      String places,
      String verdict,
      String reason,
      boolean passed,
      List<WordDiff.Piece> diff) {

    public int number() {
      return position + 1;
    }

    public boolean changed() {
      return !diff.isEmpty();
    }

    /** The verdict as a class name. */
    public String verdictKey() {
      return verdict.replace(' ', '-');
    }

    /** The verdict as a heading. */
    public String verdictLabel() {
      return verdict.isEmpty()
          ? ""
          : Character.toUpperCase(verdict.charAt(0)) + verdict.substring(1);
    }
  }

  /** The chain as the model wrote it, with the verdicts it got then. */
  static ChainView stored(ReviewItem item) {
    Writer writer = new Writer(item.evidence());
    for (ReviewItem.StoredStep step : item.steps()) {
      writer.add(
          step.text(),
          ChainDraft.parse(step.text()).orElse(null),
          step.verdict().toLowerCase(Locale.ROOT).replace('_', ' '),
          step.reason(),
          step.places(),
          List.of());
    }
    return new ChainView(writer.steps, null);
  }

  /** An edited chain beside the original: each line against the one it was made from. */
  static ChainView draft(ReviewItem item, ChainDraft draft) {
    Writer writer = new Writer(item.evidence());
    List<String> before = item.steps().stream().map(ReviewItem.StoredStep::text).toList();
    List<String> after = draft.lines().stream().map(ChainDraft.Line::text).toList();
    int[] origins = LineAlignment.origins(before, after);
    for (int i = 0; i < after.size(); i++) {
      ChainDraft.Line line = draft.lines().get(i);
      String origin = origins[i] < 0 ? "" : before.get(origins[i]);
      writer.add(
          line.text(),
          line.step(),
          line.verdict().kind().text(),
          line.verdict().reason(),
          line.verdict().places().stream().map(Place::address).toList(),
          origin.equals(line.text()) ? List.of() : WordDiff.between(origin, line.text()));
    }
    return new ChainView(writer.steps, draft.problem());
  }

  public long passed() {
    return steps.size() - failed();
  }

  public long failed() {
    return steps.stream().filter(s -> !s.passed()).count();
  }

  public long changed() {
    return steps.stream().filter(StepView::changed).count();
  }

  /** Puts steps into words, remembering what the names of the earlier ones stand for. */
  private static final class Writer {

    private final Evidence evidence;
    private final Map<String, String> meaning = new HashMap<>();
    private final Map<String, String> values = new HashMap<>();
    private final List<StepView> steps = new ArrayList<>();

    Writer(Evidence evidence) {
      this.evidence = evidence;
    }

    void add(
        String text,
        Step step,
        String verdict,
        String reason,
        List<String> places,
        List<WordDiff.Piece> diff) {
      List<Piece> pieces = new ArrayList<>();
      String result = null;
      String source = null;
      String kind;
      switch (step) {
        case Step.Cite cite -> {
          kind = "cite";
          source = cite.place().address();
          result = cite.figure().text();
          pieces.add(text(Places.label(evidence, cite.place())));
        }
        case Step.Compute compute -> {
          kind = "compute";
          result = compute.result().text();
          tokens(compute.expression(), pieces);
        }
        case Step.Infer infer -> {
          kind = "infer";
          pieces.add(text(infer.sentence()));
          infer.premises().forEach(p -> pieces.add(reference(p)));
        }
        case Step.Conclude conclude -> {
          kind = "conclude";
          result = conclude.answer().text();
          if (conclude.of() != null) {
            pieces.add(reference(conclude.of()));
          }
          if (conclude.stance() != null) {
            pieces.add(new Piece("stance", conclude.stance().text(), null, null, "Stance"));
            conclude
                .flags()
                .forEach(f -> pieces.add(new Piece("flag", f.text(), null, null, "Flag")));
          }
        }
        case null -> {
          kind = "unreadable";
          pieces.add(text(text));
        }
      }
      String name = step == null ? null : step.name();
      if (name != null) {
        Outcome outcome = step.outcome();
        values.put(name, outcome instanceof Figure figure ? digits(figure) : outcome.text());
        meaning.put(
            name,
            step instanceof Step.Cite cite
                ? Places.label(evidence, cite.place()) + ": " + outcome.text()
                : outcome.text());
      }
      steps.add(
          new StepView(
              steps.size(),
              kind,
              name,
              text,
              pieces,
              result,
              source,
              String.join(" ", places),
              verdict,
              reason,
              verdict.equals("recomputed") || verdict.equals("grounded"),
              diff));
    }

    private void tokens(String expression, List<Piece> pieces) {
      Matcher token = TOKENS.matcher(expression);
      while (token.find()) {
        String part = token.group();
        if (part.isBlank()) {
          continue;
        }
        if (meaning.containsKey(part)) {
          pieces.add(reference(part));
        } else {
          String shown =
              switch (part) {
                case "-" -> "\u2212";
                case "*" -> "\u00d7";
                case "/" -> "\u00f7";
                default -> part;
              };
          boolean number = Character.isDigit(part.charAt(0));
          pieces.add(new Piece(number ? "number" : "op", shown, null, null, null));
        }
      }
    }

    /** A figure without what the steps around it share: the currency and the scale. */
    private static String digits(Figure figure) {
      return figure.unit().kind() == Unit.Kind.RATIO ? figure.text() : figure.digits();
    }

    private Piece reference(String name) {
      String value = values.getOrDefault(name, "?");
      return new Piece("ref", name, name, value, meaning.getOrDefault(name, "No such step"));
    }

    private static Piece text(String text) {
      return new Piece("text", text, null, null, null);
    }
  }
}
