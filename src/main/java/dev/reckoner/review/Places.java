package dev.reckoner.review;

import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Place;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/** Evidence as the page shows it, every cell and sentence under its address. */
final class Places {

  private static final Pattern NUMERIC =
      Pattern.compile("[\\s$€£¥(\\-–—+]*[0-9][0-9,.]*\\s*[)%xX]*\\s*(bps|million|billion)?\\s*");

  private Places() {}

  /** A cell with its address. */
  record CellView(String text, String address, boolean header, boolean numeric) {}

  /** A table with its heading. */
  record TableView(String caption, List<List<CellView>> rows) {}

  /** A sentence with its address. */
  record SentenceView(String text, String address) {}

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
              new CellView(
                  text, new Place.Cell(t, r, c).address(), r == 0 || c == 0, numeric));
        }
        rows.add(cells);
      }
      views.add(new TableView(table.caption(), rows));
    }
    return views;
  }

  static List<SentenceView> sentences(Evidence evidence) {
    List<SentenceView> views = new ArrayList<>();
    for (int i = 0; i < evidence.sentences().size(); i++) {
      views.add(
          new SentenceView(evidence.sentences().get(i), new Place.Sentence(i).address()));
    }
    return views;
  }

  /** What stands at a place, in the words of the source: {@code Net sales, 2023}. */
  static String label(Evidence evidence, Place place) {
    return switch (place) {
      case Place.Cell cell -> cellLabel(evidence, cell);
      case Place.Sentence sentence -> "Sentence " + (sentence.index() + 1);
      case Place.Question question -> "The question";
    };
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
