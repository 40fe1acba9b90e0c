package dev.reckoner.corpus;

import com.fasterxml.jackson.databind.JsonNode;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Place;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * TAT-QA: a table and paragraphs with several questions, as distributed; or one question a record
 * with {@code paragraphs} as strings.
 */
final class TatQaFormat implements FilingFormat {

  @Override
  public boolean accepts(JsonNode record) {
    return record.has("table")
        && record.has("paragraphs")
        && (record.has("questions") || record.has("question"));
  }

  @Override
  public List<Problem> problems(JsonNode record, int number) {
    JsonNode table = record.get("table");
    List<List<String>> rows = FilingFormat.table(table.isArray() ? table : table.get("table"));
    List<String> sentences = new ArrayList<>();
    Map<String, Paragraph> paragraphs = paragraphs(record.get("paragraphs"), sentences);
    List<Evidence.Table> tables = PageText.tables(rows, sentences);
    String group =
        table.has("uid")
            ? table.get("uid").asText()
            : "table-" + Integer.toHexString(rows.hashCode());
    List<Problem> problems = new ArrayList<>();
    if (record.has("questions")) {
      for (JsonNode question : record.get("questions")) {
        problems.add(problem(question, "uid", group, tables, sentences, paragraphs));
      }
    } else {
      problems.add(problem(record, "id", group, tables, sentences, paragraphs));
    }
    return problems;
  }

  /**
   * @param text as distributed; character offsets of the mapping refer to it
   * @param first the number of its first sentence
   * @param split its sentences
   */
  private record Paragraph(String text, int first, List<String> split) {

    /** The number of the sentence that holds a character. */
    int sentence(int offset) {
      int done = 0;
      String flat = PageText.line(text.substring(0, Math.min(offset, text.length())));
      for (int s = 0; s < split.size(); s++) {
        done += split.get(s).length() + 1;
        if (flat.length() < done - 1) {
          return first + s;
        }
      }
      return first + Math.max(0, split.size() - 1);
    }
  }

  private static Map<String, Paragraph> paragraphs(JsonNode nodes, List<String> sentences) {
    Map<String, Paragraph> paragraphs = new HashMap<>();
    for (JsonNode node : nodes) {
      String text = node.isTextual() ? node.asText() : FilingFormat.text(node, "text", "");
      List<String> split = PageText.sentences(text);
      paragraphs.put(
          FilingFormat.text(node, "order", ""), new Paragraph(text, sentences.size(), split));
      sentences.addAll(split);
    }
    return paragraphs;
  }

  private static Problem problem(
      JsonNode question,
      String idField,
      String group,
      List<Evidence.Table> tables,
      List<String> sentences,
      Map<String, Paragraph> paragraphs) {
    String derivation = FilingFormat.text(question, "derivation", "");
    boolean arithmetic = "arithmetic".equals(FilingFormat.text(question, "answer_type", ""));
    return new Problem(
        FilingFormat.text(question, idField, group),
        group,
        "tatqa",
        new Evidence(
            "Annual report, table and notes",
            PageText.line(FilingFormat.text(question, "question", "")),
            tables,
            sentences),
        gold(question),
        arithmetic && !derivation.isBlank()
            ? new Program(Program.Language.TATQA, PageText.line(derivation))
            : null,
        support(question.get("mapping"), paragraphs));
  }

  private static Gold gold(JsonNode question) {
    JsonNode answer = question.get("answer");
    if (answer == null || answer.isNull()) {
      return null;
    }
    String scale = FilingFormat.text(question, "scale", "");
    if (answer.isNumber()) {
      return number(answer.asText(), scale);
    }
    List<String> spans = FilingFormat.strings(answer).stream().map(PageText::line).toList();
    if (spans.size() == 1 && question.has("answer_type")) {
      String figure = spans.getFirst().replaceAll("[$€£¥%,()]| (million|thousand|billion)s?$", "");
      if (figure.strip().matches("-?\\d+(\\.\\d+)?")
          && !spans.getFirst().matches("(19|20)\\d\\d")) {
        boolean negative = spans.getFirst().matches("\\W*\\(.*\\)\\W*");
        return number((negative ? "-" : "") + figure.strip(), scale);
      }
    }
    if (spans.size() == 1 && !question.has("answer_type")) {
      String figure = spans.getFirst();
      if (figure.matches("-?\\d+(\\.\\d+)?")) {
        return new Gold.Number(new BigDecimal(figure), "", "");
      }
    }
    return spans.isEmpty() ? null : new Gold.Text(spans);
  }

  private static Gold number(String figure, String scale) {
    boolean percent = scale.equals("percent");
    return new Gold.Number(new BigDecimal(figure), percent ? "%" : "", percent ? "" : scale);
  }

  private static Support support(JsonNode mapping, Map<String, Paragraph> paragraphs) {
    if (mapping == null || !mapping.isObject()) {
      return Support.UNKNOWN;
    }
    Set<Place.Cell> cells = new HashSet<>();
    Set<Integer> sentences = new HashSet<>();
    for (JsonNode cell : mapping.path("table")) {
      cells.add(new Place.Cell(0, cell.path(0).asInt(), cell.path(1).asInt()));
    }
    mapping
        .path("paragraph")
        .properties()
        .forEach(
            entry -> {
              Paragraph paragraph = paragraphs.get(entry.getKey());
              if (paragraph != null && !paragraph.split.isEmpty()) {
                entry
                    .getValue()
                    .forEach(span -> sentences.add(paragraph.sentence(span.path(0).asInt())));
              }
            });
    return new Support(Set.of(), cells, sentences);
  }
}
