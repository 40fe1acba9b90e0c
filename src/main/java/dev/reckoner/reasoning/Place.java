package dev.reckoner.reasoning;

/** Where a figure stands in an {@link Evidence}. All indices count from 0. */
public sealed interface Place {

  /** A cell of table {@code table}; row 0 is the header. */
  record Cell(int table, int row, int column) implements Place {}

  /** A sentence. */
  record Sentence(int index) implements Place {}
}
