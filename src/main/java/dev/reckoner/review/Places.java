package dev.reckoner.review;

import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Figures;
import dev.reckoner.reasoning.Place;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/** Evidence as the page shows it, every cell and sentence under its address. */
final class Places {

  private static final Pattern NUMERIC =
      Pattern.compile("[\\s$€£¥(\\-–—+]*[0-9][0-9,.]*\\s*[)%xX]*\\s*(bps|million|billion)?\\s*");

  /** How many characters of a sentence stand for it. */
  private static final int QUOTE = 64;

  private Places() {}

  /** A cell with its address. */
  record CellView(String text, String address, boolean header, boolean numeric) {}

  /** A table with its heading. */
  record TableView(String caption, List<List<CellView>> rows) {}

  /** A sentence with its address, cut where its figures begin and end. */
  record SentenceView(List<Span> spans, String address) {}

  /** A run of text, and whether it is a figure. */
  record Span(String text, boolean figure) {}

  static List<TableView> tables(Evidence evidence) {
    List<TableView> views = new ArrayList<>();
    for (int t = 0; t < evidence.tables().size(); t++) {
      Evidence.Table table = evidence.tables().get(t);
      List<List<CellView>> rows = new ArrayList<>();
      for (int r = 0; r < table.rows().size(); r++) {
        List<CellView> cells = new ArrayList<>();
        for (int c = 0; c < table.rows().get(r).size(); c++) {
          String text = table.rows().get(r).get(c);
          boolean numeric = c > 0 && (r == 0 || NUMERIC.matcher(text).matches());
          cells.add(
              new CellView(text, new Place.Cell(t, r, c).address(), r == 0 || c == 0, numeric));
        }
        rows.add(cells);
      }
      views.add(new TableView(table.caption(), rows));
    }
    return views;
  }

  static List<SentenceView> sentences(Evidence evidence) {
    Figures figures = Figures.of(evidence);
    List<SentenceView> views = new ArrayList<>();
    for (int i = 0; i < evidence.sentences().size(); i++) {
      Place place = new Place.Sentence(i);
      views.add(
          new SentenceView(spans(evidence.sentences().get(i), figures.at(place)), place.address()));
    }
    return views;
  }

  private static List<Span> spans(String sentence, List<Figures.Found> figures) {
    List<Span> spans = new ArrayList<>();
    int at = 0;
    for (Figures.Found found : figures) {
      if (found.start() < at) {
        continue; // another reading of the same digits
      }
      if (found.start() > at) {
        spans.add(new Span(sentence.substring(at, found.start()), false));
      }
      spans.add(new Span(sentence.substring(found.start(), found.end()), true));
      at = found.end();
    }
    if (at < sentence.length()) {
      spans.add(new Span(sentence.substring(at), false));
    }
    return spans;
  }

  /** What stands at a place, in the words of the source: {@code Net sales, 2023}. */
  static String label(Evidence evidence, Place place) {
    return switch (place) {
      case Place.Cell cell -> cellLabel(evidence, cell);
      case Place.Sentence sentence -> quote(evidence, sentence.index());
      case Place.Question question -> "The question";
    };
  }

  private static String quote(Evidence evidence, int index) {
    if (index >= evidence.sentences().size()) {
      return "No such sentence";
    }
    String sentence = evidence.sentences().get(index).strip();
    if (sentence.length() <= QUOTE) {
      return "“" + sentence + "”";
    }
    int end = sentence.lastIndexOf(' ', QUOTE);
    return "“" + sentence.substring(0, end < QUOTE / 2 ? QUOTE : end) + " …”";
  }

  private static String cellLabel(Evidence evidence, Place.Cell cell) {
    if (cell.table() >= evidence.tables().size()) {
      return "No such table";
    }
    List<List<String>> rows = evidence.tables().get(cell.table()).rows();
    if (cell.row() >= rows.size() || cell.column() >= rows.get(cell.row()).size()) {
      return "No such cell";
    }
    String row = rows.get(cell.row()).getFirst().strip();
    List<String> header = rows.getFirst();
    String column = cell.column() < header.size() ? header.get(cell.column()).strip() : "";
    if (cell.row() == 0 || column.isEmpty()) {
      return row.isEmpty() ? "Table " + (cell.table() + 1) : row;
    }
    return row.isEmpty() || cell.column() == 0 ? column : row + ", " + column;
  }
}
