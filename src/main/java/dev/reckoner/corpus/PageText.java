package dev.reckoner.corpus;

import dev.reckoner.reasoning.Evidence;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Cleans the text of filing pages: white space, doubled figures, sentences, scale notes. */
final class PageText {

  private static final Pattern SPACE = Pattern.compile("[\\s\\u00a0\\u2007\\u202f\\u200b]+");

  /**
   * FinQA writes a negative or percent cell twice: {@code -1 ( 1 )}, {@code $ -12 ( 12 )}, {@code
   * 27.3% ( 27.3 % )}.
   */
  private static final Pattern DOUBLED =
      Pattern.compile("^(\\$ ?)?(-?)([0-9.,]+)( ?%?) \\( ?\\$? ?([0-9.,]+) ?%? ?\\)( ?%)?$");

  private static final Pattern DOUBLED_PERCENT =
      Pattern.compile("((?:-?[0-9][0-9.,]*)?)% \\( (?:[0-9][0-9.,]* )?% \\)");

  private static final Pattern SENTENCE_END =
      Pattern.compile("(?<=[.!?][\"”')\\]]{0,2}) +(?=[A-Z0-9\"“(\\[$])|(?<= [.!?]) +(?=\\S)");
  private static final Set<String> ABBREVIATIONS =
      Set.of(
          "inc.", "corp.", "co.", "ltd.", "no.", "mr.", "mrs.", "ms.", "dr.", "st.", "u.s.", "vs.",
          "approx.", "e.g.", "i.e.", "jan.", "feb.", "mar.", "apr.", "jun.", "jul.", "aug.", "sep.",
          "sept.", "oct.", "nov.", "dec.", "note.", "fig.", "cos.", "llc.", "n.a.", "plc.");
  private static final Pattern SCALE =
      Pattern.compile("\\b(thousands?|millions?|billions?)\\b|000s?\\b", Pattern.CASE_INSENSITIVE);
  private static final Pattern NOTE =
      Pattern.compile(
          "\\( ?([^()]{0,60}?\\b(?:thousands|millions|billions)\\b[^()]{0,60}?) ?\\)"
              + "|\\b((?:amounts? |dollars? |stated )?in (?:thousands|millions|billions)"
              + "(?: of (?:u\\.s\\. )?dollars)?)\\b",
          Pattern.CASE_INSENSITIVE);

  private PageText() {}

  /** One line with single spaces. */
  static String line(String text) {
    return SPACE.matcher(text).replaceAll(" ").strip();
  }

  /** A cell on one line, its figure written once. */
  static String cell(String text) {
    String cell = DOUBLED_PERCENT.matcher(line(text)).replaceAll("$1%");
    Matcher doubled = DOUBLED.matcher(cell);
    if (doubled.matches() && doubled.group(3).equals(doubled.group(5))) {
      String currency = doubled.group(1) == null ? "" : "$ ";
      return currency + doubled.group(2) + doubled.group(3) + doubled.group(4).strip();
    }
    return cell;
  }

  /** Splits running text into sentences, abbreviations kept whole. */
  static List<String> sentences(String text) {
    List<String> sentences = new ArrayList<>();
    StringBuilder open = new StringBuilder();
    for (String piece : SENTENCE_END.split(line(text))) {
      open.append(open.isEmpty() ? "" : " ").append(piece);
      String last = piece.substring(piece.lastIndexOf(' ') + 1).toLowerCase(Locale.ROOT);
      if (!ABBREVIATIONS.contains(last)) {
        sentences.add(open.toString());
        open.setLength(0);
      }
    }
    if (!open.isEmpty()) {
      sentences.add(open.toString());
    }
    return sentences.stream().filter(PageText::says).toList();
  }

  /** Whether a sentence holds more than punctuation. */
  static boolean says(String sentence) {
    return sentence.chars().anyMatch(Character::isLetterOrDigit);
  }

  /**
   * The table, captioned with the scale that its header rows, or else the text around it, state.
   *
   * @param rows cleaned rows; no table if empty
   * @param before the text that leads to the table, nearest last
   */
  static List<Evidence.Table> tables(List<List<String>> rows, List<String> before) {
    if (rows.isEmpty() || rows.stream().allMatch(List::isEmpty)) {
      return List.of();
    }
    boolean stated =
        rows.stream().limit(3).flatMap(List::stream).anyMatch(cell -> SCALE.matcher(cell).find());
    String caption = "";
    if (!stated) {
      for (int i = before.size() - 1; i >= Math.max(0, before.size() - 3); i--) {
        Optional<String> note = scaleNote(before.get(i));
        if (note.isPresent()) {
          caption = note.get();
          break;
        }
      }
    }
    return List.of(new Evidence.Table(caption, rows));
  }

  private static Optional<String> scaleNote(String sentence) {
    Matcher note = NOTE.matcher(sentence);
    String last = null;
    while (note.find()) {
      last = note.group(1) == null ? note.group(2) : note.group(1);
    }
    return Optional.ofNullable(last).map(PageText::line);
  }
}
