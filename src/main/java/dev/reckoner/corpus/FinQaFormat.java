package dev.reckoner.corpus;

import com.fasterxml.jackson.databind.JsonNode;
import dev.reckoner.reasoning.Evidence;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * FinQA: a page of a filing ({@code pre_text}, {@code table}, {@code post_text}) and one question
 * with its program, under {@code qa} as distributed or at the top level. A record without the page
 * has its gold evidence for a page.
 */
final class FinQaFormat implements FilingFormat {

  @Override
  public boolean accepts(JsonNode record) {
    boolean page = (record.has("pre_text") || record.has("post_text")) && record.has("table");
    return page && (record.has("question") || record.has("qa"))
        || record.has("question") && record.has("exe_ans") && record.has("gold_inds");
  }

  @Override
  public List<Problem> problems(JsonNode record, int number) {
    return List.of(problem(record, record.has("qa") ? record.get("qa") : record, number));
  }

  static Problem problem(JsonNode record, JsonNode qa, int number) {
    String id = FilingFormat.text(record, "id", "record-" + number);
    List<String> sentences = new ArrayList<>();
    List<String> raw = new ArrayList<>();
    List<Integer> numbers = new ArrayList<>();
    JsonNode text = record.has("pre_text") ? record.get("pre_text") : qa.get("gold_inds");
    List<String> before = page(text, sentences, raw, numbers);
    page(record.get("post_text"), sentences, raw, numbers);
    List<List<String>> rows = FilingFormat.table(record.get("table"));
    Evidence evidence =
        new Evidence(
            title(id),
            PageText.line(FilingFormat.text(qa, "question", "")),
            PageText.tables(rows, before),
            sentences);
    String source = FilingFormat.text(qa, "program", "");
    Program program = source.isBlank() ? null : new Program(Program.Language.FINQA, source);
    return new Problem(
        id,
        page(id, record),
        "finqa",
        evidence,
        gold(qa, source),
        program,
        support(qa.get("gold_inds"), rows.size(), raw, numbers, sentences));
  }

  /** {@code V/2008/page_17.pdf-1} is question 1 of page {@code V/2008/page_17.pdf}. */
  private static String page(String id, JsonNode record) {
    int dash = id.lastIndexOf(".pdf-");
    return dash > 0
        ? id.substring(0, dash + 4)
        : "page-" + Integer.toHexString(record.path("table").hashCode());
  }

  static String title(String id) {
    String[] parts = id.split("/");
    if (parts.length != 3) {
      return "Filing page";
    }
    String page = parts[2].replaceFirst("^page_(\\d+)\\.pdf.*$", "$1");
    return parts[0] + " " + parts[1] + " annual report, page " + page;
  }

  /**
   * Adds a text field's sentences. A field of one long string is split; a list is taken as it is.
   *
   * @param raw every entry of the field, so that {@code text_k} can be looked up
   * @param numbers for each raw entry its number in {@code sentences}, or -1 if it says nothing
   * @return the sentences added
   */
  private static List<String> page(
      JsonNode field, List<String> sentences, List<String> raw, List<Integer> numbers) {
    int first = sentences.size();
    List<String> entries = FilingFormat.strings(field);
    if (field != null && field.isObject()) {
      field.forEach(sentence -> entries.add(sentence.asText()));
    } else if (entries.size() == 1 && entries.getFirst().length() > 400) {
      List<String> split = PageText.sentences(entries.getFirst());
      entries.clear();
      entries.addAll(split);
    }
    for (String entry : entries) {
      String sentence = PageText.line(entry);
      raw.add(sentence);
      numbers.add(PageText.says(sentence) ? sentences.size() : -1);
      if (PageText.says(sentence)) {
        sentences.add(sentence);
      }
    }
    return List.copyOf(sentences.subList(first, sentences.size()));
  }

  private static Support support(
      JsonNode inds, int rows, List<String> raw, List<Integer> numbers, List<String> sentences) {
    if (inds == null || !inds.isObject()) {
      return Support.UNKNOWN;
    }
    Set<Integer> goldRows = new HashSet<>();
    Set<Integer> goldSentences = new HashSet<>();
    inds.properties()
        .forEach(
            entry -> {
              int k = index(entry.getKey());
              String text = PageText.line(entry.getValue().asText());
              if (entry.getKey().startsWith("table_")) {
                if (k >= 0 && k < rows) {
                  goldRows.add(k);
                }
              } else if (sentences.contains(text)) {
                goldSentences.add(sentences.indexOf(text));
              } else if (k >= 0 && k < raw.size() && numbers.get(k) >= 0) {
                goldSentences.add(numbers.get(k));
              }
            });
    return new Support(goldRows, Set.of(), goldSentences);
  }

  private static int index(String key) {
    String digits = key.substring(key.indexOf('_') + 1);
    return digits.matches("\\d{1,4}") ? Integer.parseInt(digits) : -1;
  }

  /**
   * {@code exe_ans}, in percent where the annotated answer is a percentage of the same size or the
   * program ends by multiplying a ratio by 100.
   */
  static Gold gold(JsonNode qa, String program) {
    String executed = FilingFormat.text(qa, "exe_ans", "");
    String answer = FilingFormat.text(qa, "answer", "");
    if (executed.isBlank()) {
      return answer.isBlank() ? null : new Gold.Text(List.of(PageText.line(answer)));
    }
    if (executed.equalsIgnoreCase("yes") || executed.equalsIgnoreCase("no")) {
      return new Gold.Text(List.of(executed.toLowerCase(Locale.ROOT)));
    }
    BigDecimal value;
    try {
      value = new BigDecimal(executed);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("exe_ans is neither a number nor yes or no: " + executed);
    }
    if (program.matches(".*divide\\(.*multiply\\(#\\d+, const_100\\)\\s*")) {
      return new Gold.Number(value, "%", "");
    }
    if (answer.contains("%")) {
      String digits = answer.replaceAll("[^0-9.]", "");
      if (digits.matches("\\d+(\\.\\d+)?|\\.\\d+")) {
        double stated = Double.parseDouble(digits);
        double ratio = Math.abs(value.doubleValue());
        boolean fraction = Math.abs(ratio * 100 - stated) <= Math.abs(ratio - stated);
        return new Gold.Number(fraction ? value.movePointRight(2) : value, "%", "");
      }
    }
    return new Gold.Number(value, "", "");
  }
}
