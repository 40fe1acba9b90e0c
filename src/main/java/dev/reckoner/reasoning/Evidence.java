package dev.reckoner.reasoning;

import java.util.List;
import java.util.Objects;

/**
 * What a chain may cite: the tables and sentences of one event, with the question asked of them.
 *
 * <p>An event of any type is turned into evidence before the model sees it, so that every figure of
 * a chain has a {@link Place}. Tables and sentences are numbered from 0 in the order given.
 *
 * @param title one line that says what this is, for example {@code "Apple Inc. earnings, FY2023
 *     Q4"}
 * @param question what the chain must answer; never blank
 * @param tables the tables, header row first
 * @param sentences the running text, one sentence an entry
 * @param stance whether the conclusion must say a {@link Stance} and {@link Flag}s
 */
public record Evidence(
    String title, String question, List<Table> tables, List<String> sentences, boolean stance) {

  public Evidence {
    Objects.requireNonNull(title, "title");
    if (question == null || question.isBlank()) {
      throw new IllegalArgumentException("evidence has no question");
    }
    tables = List.copyOf(tables);
    sentences = List.copyOf(sentences);
  }

  /** Evidence that asks for an answer alone. */
  public Evidence(String title, String question, List<Table> tables, List<String> sentences) {
    this(title, question, tables, sentences, false);
  }

  /**
   * A table as published.
   *
   * @param caption its heading, with the unit and scale if they are stated there ("in millions");
   *     may be empty
   * @param rows rows of cells, {@code rows[0]} the header and column 0 the row labels; rows may
   *     differ in length
   */
  public record Table(String caption, List<List<String>> rows) {

    public Table {
      Objects.requireNonNull(caption, "caption");
      rows = rows.stream().map(List::copyOf).toList();
    }
  }
}
