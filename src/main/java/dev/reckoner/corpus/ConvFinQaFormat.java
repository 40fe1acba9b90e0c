package dev.reckoner.corpus;

import com.fasterxml.jackson.databind.JsonNode;
import dev.reckoner.reasoning.Evidence;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * ConvFinQA: a conversation about a FinQA page. Each turn is a problem whose question repeats the
 * turns before it.
 *
 * <p>Two forms are read: as distributed ({@code annotation} with {@code dialogue_break}, {@code
 * turn_program} and {@code exe_ans_list}), and with {@code turns}, whose page is {@code text} and
 * {@code table} or one {@code document_md}.
 */
final class ConvFinQaFormat implements FilingFormat {

  @Override
  public boolean accepts(JsonNode record) {
    return record.has("turns") || record.path("annotation").has("dialogue_break");
  }

  @Override
  public List<Problem> problems(JsonNode record, int number) {
    String id = FilingFormat.text(record, "id", "record-" + number);
    String page = id.replaceFirst("^(Single|Double)_", "").replaceFirst("(\\.pdf)-.*$", "$1");
    Page content = page(record);
    List<Problem> problems = new ArrayList<>();
    List<String> asked = new ArrayList<>();
    List<Turn> turns = turns(record);
    for (int t = 0; t < turns.size(); t++) {
      Turn turn = turns.get(t);
      Evidence evidence =
          new Evidence(
              FinQaFormat.title(page),
              question(asked, turn.question),
              content.tables,
              content.sentences);
      problems.add(
          new Problem(
              id + "#" + (t + 1),
              page,
              "convfinqa",
              evidence,
              turn.gold,
              turn.program,
              content.support));
      asked.add(turn.question);
    }
    return problems;
  }

  private record Page(List<Evidence.Table> tables, List<String> sentences, Support support) {}

  private record Turn(String question, Gold gold, Program program) {}

  /** Earlier questions in order, then the one to answer. */
  private static String question(List<String> asked, String now) {
    return asked.isEmpty() ? now : String.join(" ", asked) + " " + now;
  }

  private static List<Turn> turns(JsonNode record) {
    List<Turn> turns = new ArrayList<>();
    if (record.has("turns")) {
      for (JsonNode turn : record.get("turns")) {
        String program = FilingFormat.text(turn, "program_py", "");
        turns.add(
            new Turn(
                PageText.line(FilingFormat.text(turn, "question", "")),
                gold(turn.get("gold")),
                program.isBlank() ? null : new Program(Program.Language.CONVFINQA, program)));
      }
      return turns;
    }
    JsonNode annotation = record.get("annotation");
    JsonNode questions = annotation.get("dialogue_break");
    JsonNode programs = annotation.path("turn_program");
    JsonNode answers = annotation.path("exe_ans_list");
    for (int t = 0; t < questions.size(); t++) {
      String program = programs.path(t).asText("");
      turns.add(
          new Turn(
              PageText.line(questions.get(t).asText()),
              gold(answers.get(t)),
              program.isBlank() ? null : new Program(Program.Language.FINQA, program)));
    }
    return turns;
  }

  private static Gold gold(JsonNode value) {
    if (value == null || value.isNull()) {
      return null;
    }
    if (value.isNumber()) {
      return new Gold.Number(new BigDecimal(value.asText()), "", "");
    }
    return new Gold.Text(List.of(PageText.line(value.asText())));
  }

  private static Page page(JsonNode record) {
    if (record.has("document_md")) {
      return markdown(record.get("document_md").asText());
    }
    List<String> sentences = new ArrayList<>();
    List<String> before = List.of();
    if (record.has("text")) {
      sentences.addAll(PageText.sentences(record.get("text").asText()));
    } else {
      FilingFormat.strings(record.get("pre_text"))
          .forEach(text -> sentences.addAll(PageText.sentences(text)));
      before = List.copyOf(sentences);
      FilingFormat.strings(record.get("post_text"))
          .forEach(text -> sentences.addAll(PageText.sentences(text)));
    }
    List<List<String>> rows = FilingFormat.table(record.get("table"));
    return new Page(PageText.tables(rows, before), sentences, support(record, rows, sentences));
  }

  private static Support support(JsonNode record, List<List<String>> rows, List<String> sentences) {
    Set<Integer> goldRows = new HashSet<>();
    for (String line : FilingFormat.text(record, "gold_table", "").split("\n")) {
      String label = PageText.line(line.split("\\|", -1)[0]);
      for (int r = 1; r < rows.size() && !label.isEmpty(); r++) {
        if (!rows.get(r).isEmpty() && rows.get(r).getFirst().equals(label)) {
          goldRows.add(r);
        }
      }
    }
    Set<Integer> goldSentences = new HashSet<>();
    for (String gold : PageText.sentences(FilingFormat.text(record, "gold_text", ""))) {
      if (sentences.contains(gold)) {
        goldSentences.add(sentences.indexOf(gold));
      }
    }
    return new Support(goldRows, Set.of(), goldSentences);
  }

  /** A document of text and one Markdown table under {@code ##} headings. */
  private static Page markdown(String document) {
    List<List<String>> rows = new ArrayList<>();
    List<String> sentences = new ArrayList<>();
    List<String> before = List.of();
    for (String line : document.split("\n")) {
      if (line.startsWith("|")) {
        before = rows.isEmpty() ? List.copyOf(sentences) : before;
        String inner = line.strip().replaceFirst("^\\|", "").replaceFirst("\\|$", "");
        List<String> cells = List.of(inner.split("\\|", -1)).stream().map(PageText::cell).toList();
        if (!cells.stream().allMatch(cell -> cell.matches("[-: ]+"))) {
          rows.add(cells);
        }
      } else if (!line.startsWith("#")) {
        sentences.addAll(PageText.sentences(line));
      }
    }
    return new Page(PageText.tables(rows, before), sentences, Support.UNKNOWN);
  }
}
