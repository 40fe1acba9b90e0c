package dev.reckoner.reasoning;

import java.text.Normalizer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * The figures of an evidence, read as published, with the unit and scale that their context states.
 *
 * <p>Read are {@code $ 9,896}, {@code (1,234)} as a negative, {@code 9.2%}, {@code 2.5 million},
 * {@code €3.4bn}, {@code 12 bps}, {@code 1.5x}, years, a dash as nil, and FinQA's tokenised forms
 * ({@code $ ( 1.4 )}, {@code -92 ( 92 )}, {@code 11.6 % ( 11.6 % )}). Passed over are footnote
 * marks, days of dates, names such as {@code 10-K} or {@code FY2019}. A figure whose source states
 * no unit has {@link Unit#NONE}: nothing is guessed from what the number might mean.
 */
public final class Figures {

  /**
   * A figure and where it stands.
   *
   * @param place the cell, sentence or question
   * @param start of its text in there, counted from 0
   * @param end after its text
   */
  public record Found(Figure figure, Place place, int start, int end) {}

  private static final Pattern ASCII = Pattern.compile("[ -~]*");

  private static final Pattern STATED_SCALE =
      Pattern.compile("\\bin (?:thousand|million|billion)s\\b", Pattern.CASE_INSENSITIVE);

  /** The longest row label or heading that a citation repeats; more is cut at a space. */
  private static final int LONGEST_LABEL = 72;

  private final Map<Place, List<Found>> byPlace;
  private final Map<Place, String> labels;
  private final List<Found> all;

  private Figures(Map<Place, List<Found>> byPlace, Map<Place, String> labels) {
    this.byPlace = byPlace;
    this.labels = labels;
    this.all = byPlace.values().stream().flatMap(List::stream).toList();
  }

  /** Reads evidence: tables row by row, then sentences, then the question. */
  public static Figures of(Evidence evidence) {
    Page last = LAST.get();
    if (last == null || !last.isOf(evidence)) {
      last = page(evidence);
      LAST.set(last);
    }
    Map<Place, List<Found>> byPlace = new LinkedHashMap<>(last.byPlace);
    readText(evidence.question(), new Place.Question(), byPlace);
    return new Figures(byPlace, last.labels);
  }

  private static Page page(Evidence evidence) {
    Map<Place, List<Found>> byPlace = new LinkedHashMap<>();
    Map<Place, String> labels = new HashMap<>();
    Scale running = runningScale(evidence.sentences());
    for (int t = 0; t < evidence.tables().size(); t++) {
      readTable(evidence.tables().get(t), t, evidence.title(), running, byPlace, labels);
    }
    for (int s = 0; s < evidence.sentences().size(); s++) {
      readText(evidence.sentences().get(s), new Place.Sentence(s), byPlace);
    }
    return new Page(evidence.tables(), evidence.sentences(), evidence.title(), byPlace, labels);
  }

  /** A page that was read, whatever is asked about it. */
  private record Page(
      List<Evidence.Table> tables,
      List<String> sentences,
      String title,
      Map<Place, List<Found>> byPlace,
      Map<Place, String> labels) {

    boolean isOf(Evidence evidence) {
      return tables == evidence.tables()
          && sentences == evidence.sentences()
          && title.equals(evidence.title());
    }
  }

  /**
   * The page that this thread read last: the grammar, the verifier and a chain's builder each read
   * the evidence at hand, and reading takes most of their time.
   */
  private static final ThreadLocal<Page> LAST = new ThreadLocal<>();

  /** The figures in a piece of running text, in order; {@code place} is where it stands. */
  public static List<Found> inText(String text, Place place) {
    List<Found> found = new ArrayList<>();
    for (FigureScanner.Mark m : FigureScanner.scan(text, false)) {
      found.add(new Found(figure(m), place, m.start(), m.end()));
    }
    return found;
  }

  /** Every figure, in reading order. */
  public List<Found> all() {
    return all;
  }

  /** The figures at a place, in reading order; empty where there is none. */
  public List<Found> at(Place place) {
    return byPlace.getOrDefault(place, List.of());
  }

  /**
   * What the table says of a cell's figures, as the prompt writes it: the label of its row and the
   * heading of its column, {@code Net sales|2018}; one of them alone where the other is blank.
   * Empty for headings and row labels themselves and for running text. Two cells may have the same.
   *
   * <p>Long ones are cut. Characters beyond ASCII are folded or left out, and a label in another
   * script is left out as a whole, because a model must be able to choose any label character by
   * character, whatever its vocabulary lacks.
   */
  public String label(Place place) {
    return labels.getOrDefault(place, "");
  }

  /**
   * Chain text with the labels that its citations leave out, as a model writes them. Lines that are
   * no citation, or have a label already, stay as they are.
   */
  public String labelled(String text) {
    return text.lines().map(this::labelledLine).collect(Collectors.joining("\n"));
  }

  private String labelledLine(String line) {
    try {
      return line.startsWith("cite ")
              && Chain.parseLine(line, 1)
                  instanceof Step.Cite(var name, var label, var figure, var place)
              && label.isEmpty()
          ? new Step.Cite(name, label(place), figure, place).text()
          : line;
    } catch (ChainSyntaxException e) {
      return line;
    }
  }

  private static void readText(String text, Place place, Map<Place, List<Found>> byPlace) {
    List<Found> found = inText(text, place);
    if (!found.isEmpty()) {
      byPlace.put(place, found);
    }
  }

  private static void readTable(
      Evidence.Table table,
      int t,
      String title,
      Scale running,
      Map<Place, List<Found>> byPlace,
      Map<Place, String> labels) {
    TableContext context = new TableContext(table, title, running);
    Map<Integer, String> headings = new HashMap<>();
    for (int r = 0; r < table.rows().size(); r++) {
      List<String> row = table.rows().get(r);
      for (int c = 0; c < row.size(); c++) {
        Place place = new Place.Cell(t, r, c);
        String cell = row.get(c);
        if (r < context.headerRows() || (c == 0 && row.size() > 1)) {
          readText(cell, place, byPlace);
          continue;
        }
        List<Found> found = new ArrayList<>();
        if (TableContext.isNil(cell)) {
          Unit own = cell.contains("%") ? Unit.PERCENT : null;
          FigureScanner.Mark nil = new FigureScanner.Mark("0", own, null, 0, cell.length());
          found.add(new Found(context.resolve(nil, r, c), place, 0, cell.length()));
        }
        for (FigureScanner.Mark m : context.marks(r, c)) {
          found.add(new Found(context.resolve(m, r, c), place, m.start(), m.end()));
        }
        if (!found.isEmpty()) {
          byPlace.put(place, List.copyOf(found));
          String heading = headings.computeIfAbsent(c, at -> end(plain(context.heading(at))));
          labels.put(place, label(c == 0 ? "" : start(plain(row.getFirst())), heading));
        }
      }
    }
  }

  private static String label(String row, String column) {
    StringBuilder label = new StringBuilder();
    PromptFormat.cell(row.isEmpty() ? column : row, false, label);
    if (!row.isEmpty() && !column.isEmpty()) {
      label.append('|');
      PromptFormat.cell(column, true, label);
    }
    return label.toString();
  }

  private static String start(String label) {
    if (label.length() <= LONGEST_LABEL) {
      return label;
    }
    int space = label.lastIndexOf(' ', LONGEST_LABEL);
    return label.substring(0, space > LONGEST_LABEL / 2 ? space : LONGEST_LABEL).strip();
  }

  /** The end of a heading, where its date stands. */
  private static String end(String heading) {
    int from = heading.length() - LONGEST_LABEL;
    if (from <= 0) {
      return heading;
    }
    int space = heading.indexOf(' ', from);
    return heading.substring(space >= 0 && space < from + LONGEST_LABEL / 2 ? space : from).strip();
  }

  private static String plain(String cell) {
    return (ASCII.matcher(cell).matches() ? cell : folded(cell)).strip();
  }

  private static String folded(String text) {
    StringBuilder folded = new StringBuilder();
    for (char c : Normalizer.normalize(text, Normalizer.Form.NFKD).toCharArray()) {
      switch (c) {
        case '\u20ac' -> folded.append("EUR");
        case '\u00a3' -> folded.append("GBP");
        case '\u00a5' -> folded.append("JPY");
        case '\u2018', '\u2019' -> folded.append('\'');
        case '\u201c', '\u201d' -> folded.append('"');
        case '\u2010', '\u2011', '\u2012', '\u2013', '\u2014', '\u2015', '\u2212' ->
            folded.append('-');
        default -> {
          if (c < 0x7f) {
            folded.append(Character.isWhitespace(c) ? ' ' : c);
          } else if (Character.isLetter(c)) {
            return "";
          }
        }
      }
    }
    return folded.toString();
  }

  private static Figure figure(FigureScanner.Mark mark) {
    Unit unit = mark.unit() == null ? Unit.NONE : mark.unit();
    Scale scale =
        mark.scale() == null || unit.kind() == Unit.Kind.RATIO ? Scale.UNITS : mark.scale();
    return new Figure(mark.digits(), unit, scale);
  }

  /** The scale that sentences state for the tables beside them, where they agree on one. */
  private static Scale runningScale(List<String> sentences) {
    List<Scale> stated =
        sentences.stream()
            .filter(s -> STATED_SCALE.matcher(s).find())
            .map(TableContext::scaleIn)
            .filter(Objects::nonNull)
            .distinct()
            .toList();
    return stated.size() == 1 ? stated.getFirst() : null;
  }
}
