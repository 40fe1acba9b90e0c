package dev.reckoner.corpus;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;

/** The record format of one published data set. */
sealed interface FilingFormat permits FinQaFormat, TatQaFormat, ConvFinQaFormat {

  /** Whether the record has this data set's fields. */
  boolean accepts(JsonNode record);

  /**
   * The record's questions.
   *
   * @param number the record's number in its file, from 1, to name what has no id
   * @throws IllegalArgumentException if a needed field is missing or of the wrong type
   */
  List<Problem> problems(JsonNode record, int number);

  /** A list of strings, or one string, or nothing. */
  static List<String> strings(JsonNode node) {
    List<String> all = new ArrayList<>();
    if (node != null && node.isTextual()) {
      all.add(node.asText());
    } else if (node != null && node.isArray()) {
      node.forEach(item -> all.add(item.asText()));
    }
    return all;
  }

  /** Rows of cells. */
  static List<List<String>> table(JsonNode node) {
    List<List<String>> rows = new ArrayList<>();
    if (node != null && node.isArray()) {
      for (JsonNode row : node) {
        if (!row.isArray()) {
          throw new IllegalArgumentException("table is not a list of rows");
        }
        rows.add(strings(row).stream().map(PageText::cell).toList());
      }
    } else if (node != null && !node.isNull()) {
      throw new IllegalArgumentException("table is not a list of rows");
    }
    return rows;
  }

  /** A text field, or {@code otherwise} where it is missing, null or blank. */
  static String text(JsonNode record, String field, String otherwise) {
    JsonNode node = record.get(field);
    return node == null || node.isNull() || node.asText().isBlank() ? otherwise : node.asText();
  }
}
