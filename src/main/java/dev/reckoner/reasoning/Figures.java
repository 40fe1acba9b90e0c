package dev.reckoner.reasoning;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Pattern;

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

  private static final Pattern STATED_SCALE =
      Pattern.compile("\\bin (?:thousand|million|billion)s\\b", Pattern.CASE_INSENSITIVE);

  private final Map<Place, List<Found>> byPlace;
  private final List<Found> all;

  private Figures(Map<Place, List<Found>> byPlace) {
    this.byPlace = byPlace;
    this.all = byPlace.values().stream().flatMap(List::stream).toList();
  }

  /** Reads evidence: tables row by row, then sentences, then the question. */
  public static Figures of(Evidence evidence) {
    Page last = LAST.get();
    if (last == null || !last.isOf(evidence)) {
      last = new Page(evidence.tables(), evidence.sentences(), evidence.title(), page(evidence));
      LAST.set(last);
    }
    Map<Place, List<Found>> byPlace = new LinkedHashMap<>(last.byPlace);
    readText(evidence.question(), new Place.Question(), byPlace);
    return new Figures(byPlace);
  }

  private static Map<Place, List<Found>> page(Evidence evidence) {
    Map<Place, List<Found>> byPlace = new LinkedHashMap<>();
    Scale running = runningScale(evidence.sentences());
    for (int t = 0; t < evidence.tables().size(); t++) {
      readTable(evidence.tables().get(t), t, evidence.title(), running, byPlace);
    }
    for (int s = 0; s < evidence.sentences().size(); s++) {
      readText(evidence.sentences().get(s), new Place.Sentence(s), byPlace);
    }
    return byPlace;
  }

  /** A page that was read, whatever is asked about it. */
  private record Page(
      List<Evidence.Table> tables,
      List<String> sentences,
      String title,
      Map<Place, List<Found>> byPlace) {

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

  private static void readText(String text, Place place, Map<Place, List<Found>> byPlace) {
    List<Found> found = inText(text, place);
    if (!found.isEmpty()) {
      byPlace.put(place, found);
    }
  }

  private static void readTable(
      Evidence.Table table, int t, String title, Scale running, Map<Place, List<Found>> byPlace) {
    TableContext context = new TableContext(table, title, running);
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
        }
      }
    }
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
