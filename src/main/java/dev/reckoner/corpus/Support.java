package dev.reckoner.corpus;

import dev.reckoner.reasoning.Place;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * Where the annotators found what an answer needs, in the first table and the sentences of the
 * evidence. All indices count from 0; all sets are empty where the data set does not say.
 *
 * @param rows table rows
 * @param cells single cells, where the data set is that precise
 * @param sentences sentences
 */
public record Support(Set<Integer> rows, Set<Place.Cell> cells, Set<Integer> sentences) {

  /** Nothing is known. */
  public static final Support UNKNOWN = new Support(Set.of(), Set.of(), Set.of());

  public Support {
    rows = Set.copyOf(rows);
    cells = Set.copyOf(cells);
    sentences = Set.copyOf(sentences);
  }

  /** Whether the data set says anything. */
  public boolean known() {
    return !rows.isEmpty() || !cells.isEmpty() || !sentences.isEmpty();
  }

  /** The rows, those of single cells included, in order. */
  public TreeSet<Integer> allRows() {
    TreeSet<Integer> all = new TreeSet<>(rows);
    cells.forEach(cell -> all.add(cell.row()));
    return all;
  }

  /**
   * The same places after all but some rows and sentences were left out.
   *
   * @param keptRows old row numbers in their new order
   * @param keptSentences old sentence numbers in their new order
   */
  Support renumbered(List<Integer> keptRows, List<Integer> keptSentences) {
    Set<Integer> newRows = new HashSet<>();
    Set<Place.Cell> newCells = new HashSet<>();
    Set<Integer> newSentences = new HashSet<>();
    rows.stream().map(keptRows::indexOf).filter(r -> r >= 0).forEach(newRows::add);
    for (Place.Cell cell : cells) {
      int row = keptRows.indexOf(cell.row());
      if (row >= 0) {
        newCells.add(new Place.Cell(cell.table(), row, cell.column()));
      }
    }
    sentences.stream().map(keptSentences::indexOf).filter(s -> s >= 0).forEach(newSentences::add);
    return new Support(newRows, newCells, newSentences);
  }
}
