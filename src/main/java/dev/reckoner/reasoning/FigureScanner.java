package dev.reckoner.reasoning;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Finds the figures in one piece of text by what stands right before and after their digits. It
 * knows nothing of tables: what a heading says about a cell is {@link TableContext}'s.
 */
final class FigureScanner {

  /**
   * A figure in a text.
   *
   * @param unit {@code null} where the text does not say
   * @param scale {@code null} where the text does not say
   */
  record Mark(String digits, Unit unit, Scale scale, int start, int end) {

    /** An integer that reads as a calendar year. */
    boolean isYear() {
      return unit == null && scale == null && YEAR.matcher(digits).matches();
    }
  }

  static final Pattern YEAR = Pattern.compile("19[5-9]\\d|20\\d\\d");

  private static final Pattern CORE =
      Pattern.compile("\\d{1,3}(?:,\\d{2,3})*,\\d{3}(?!\\d)(?:\\.\\d+)?|\\d+(?:\\.\\d+)?|\\.\\d+");

  private static final String CODES =
      "USD|EUR|GBP|JPY|CNY|RMB|CHF|CAD|AUD|NZD|HKD|SGD|INR|KRW|TWD|SEK|NOK|DKK|BRL|MXN|ZAR";

  private static final String CURRENCY =
      "US ?\\$|U\\.S\\. ?\\$|us ?\\$|CA?\\$|AU?\\$|NZ\\$|HK\\$|S\\$|NT\\$|R\\$|\\$|€|£|¥|₹|₩|\\b(?:"
          + CODES
          + ")";

  /** What may stand before digits, from the outside in; any part may be missing. */
  private static final Pattern BEFORE =
      Pattern.compile(
          "(?:(?<=^|[\\s($€£¥])(?<m1>[-−–]))?(?<c1>"
              + CURRENCY
              + ")?\\s*(?<open>\\(\\s*)?(?<c2>"
              + CURRENCY
              + ")?\\s*(?:(?<=^|[\\s($€£¥])(?<m2>[-−–]))?$");

  private static final Pattern AFTER =
      Pattern.compile(
          "^(?<close1>\\s*\\))?(?:\\s*(?<ratio>%|percent\\b|per cent\\b|percentage points?\\b|pp\\b"
              + "|bps?\\b|basis points?\\b|times\\b)|(?<x>x\\b)"
              + "|(?<letter>[mMbBkK]\\b)"
              + "|\\s*(?<scale>thousand|million|billion|trillion|mn|mm|bn|tn)s?\\b)?"
              + "(?:\\s*(?<code>(?:"
              + CODES
              + ")\\b)(?:\\s+(?<coded>thousand|million|billion|trillion)\\b)?|\\s+(?<word>(?:u\\.?s\\.? )?dollars|euros?|pounds?( sterling)?|yen)\\b)?"
              + "(?<shares>\\s+(?:(?:common|ordinary|preferred|treasury|restricted|additional|class"
              + " [a-c]|of|our|its) )*shares\\b)?(?<close2>\\s*\\))?",
          Pattern.CASE_INSENSITIVE);

  private static final String MONTHS =
      "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
          + "|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)";
  private static final Pattern MONTH_BEFORE =
      Pattern.compile("\\b" + MONTHS + "\\.?\\s*$", Pattern.CASE_INSENSITIVE);
  private static final Pattern MONTH_AFTER =
      Pattern.compile("^[\\s-]" + MONTHS + "\\b", Pattern.CASE_INSENSITIVE);

  private static final Pattern FORM_NAME = Pattern.compile("^-[A-Za-z]\\b");

  private static final Map<String, Scale> SCALES =
      Map.ofEntries(
          Map.entry("thousand", Scale.THOUSAND),
          Map.entry("k", Scale.THOUSAND),
          Map.entry("million", Scale.MILLION),
          Map.entry("mn", Scale.MILLION),
          Map.entry("mm", Scale.MILLION),
          Map.entry("m", Scale.MILLION),
          Map.entry("billion", Scale.BILLION),
          Map.entry("bn", Scale.BILLION),
          Map.entry("b", Scale.BILLION),
          Map.entry("trillion", Scale.TRILLION),
          Map.entry("tn", Scale.TRILLION));

  private FigureScanner() {}

  /**
   * The figures in a text.
   *
   * @param cell whether the text is a table's cell, where parentheses mean a negative; in running
   *     text they do so only with a currency ("a loss of $ ( 1.4 ) million")
   */
  static List<Mark> scan(String text, boolean cell) {
    List<Mark> marks = new ArrayList<>();
    Matcher core = CORE.matcher(text);
    while (core.find()) {
      Mark mark = mark(text, core.start(), core.end(), cell, marks);
      if (mark != null) {
        marks.add(mark);
      }
    }
    return marks;
  }

  private static Mark mark(String text, int start, int end, boolean cell, List<Mark> earlier) {
    if (end - start > Figure.MAX_DIGITS - 2 || insideWord(text, start)) {
      return null;
    }
    Matcher before = BEFORE.matcher(text.substring(Math.max(0, start - 12), start));
    Matcher after = AFTER.matcher(text.substring(end, Math.min(text.length(), end + 60)));
    if (!before.find() || !after.find()) {
      return null;
    }
    String symbol = before.group("c2") != null ? before.group("c2") : before.group("c1");
    Unit unit = symbol == null ? null : currency(symbol);
    Scale scale = null;
    if (after.group("letter") != null) {
      if (unit == null) {
        return null; // "3M", "5k" without a currency: a name as often as a number
      }
      scale = SCALES.get(after.group("letter").toLowerCase(Locale.ROOT));
    } else if (after.group("scale") != null) {
      scale = SCALES.get(after.group("scale").toLowerCase(Locale.ROOT));
    } else if (after.group("coded") != null) {
      scale = SCALES.get(after.group("coded").toLowerCase(Locale.ROOT));
    }
    if (after.group("ratio") != null || after.group("x") != null) {
      unit = ratio(after.group("ratio"));
    } else if (after.group("code") != null) {
      unit = currency(after.group("code").toUpperCase(Locale.ROOT));
    } else if (after.group("word") != null) {
      unit = named(after.group("word").toLowerCase(Locale.ROOT));
    } else if (after.group("shares") != null && unit == null) {
      unit = Unit.SHARES;
    }
    int last = end + after.end();
    if (last < text.length() && Character.isLetter(text.charAt(last)) && after.end() == 0) {
      return null; // "2019s", "201c", "1st"
    }
    if (FORM_NAME.matcher(text.substring(end)).find()) {
      return null; // "10-K"
    }
    boolean closed = after.group("close1") != null || after.group("close2") != null;
    boolean wrapped = before.group("open") != null && closed;
    String digits = text.substring(start, end);
    if (digits.startsWith(".")) {
      digits = "0" + digits;
    }
    if (wrapped && isEcho(digits, earlier)) {
      return null; // FinQA's "-92 ( 92 )", "11.6 % ( 11.6 % )"
    }
    boolean alone = cell && !hasLetters(text.substring(0, start) + text.substring(last));
    boolean small = digits.length() <= 2;
    if (wrapped && small && unit == null && (!alone || !earlier.isEmpty())) {
      return null; // a footnote mark
    }
    if (small
        && (MONTH_BEFORE.matcher(text.substring(0, start)).find()
            || MONTH_AFTER.matcher(text.substring(end)).find())) {
      return null; // the day of a date
    }
    boolean bracketed = wrapped && (alone || symbol != null) && !YEAR.matcher(digits).matches();
    boolean minus = before.group("m1") != null || before.group("m2") != null;
    if ((bracketed || minus) && new BigDecimal(digits.replace(",", "")).signum() != 0) {
      digits = "-" + digits;
    }
    int from = Math.max(0, start - 12) + before.start();
    while (from < start && Character.isWhitespace(text.charAt(from))) {
      from++;
    }
    if (before.group("open") != null && !wrapped && symbol == null) {
      from = start;
    }
    int to = wrapped || !closed ? last : last - 1;
    while (to > end && Character.isWhitespace(text.charAt(to - 1))) {
      to--;
    }
    return new Mark(digits, unit, scale, from, to);
  }

  /** Digits that are part of a word, a date or a version: FY2019, 31-dec-2012, '000, 1.2.3. */
  private static boolean insideWord(String text, int start) {
    if (start == 0) {
      return false;
    }
    char previous = text.charAt(start - 1);
    if (Character.isLetterOrDigit(previous) || previous == '_') {
      return true;
    }
    if (previous == '\'' || previous == '’') {
      return text.startsWith("000", start);
    }
    return previous == '.' && start > 1 && Character.isDigit(text.charAt(start - 2));
  }

  private static boolean isEcho(String digits, List<Mark> earlier) {
    if (earlier.isEmpty()) {
      return false;
    }
    BigDecimal last = new BigDecimal(earlier.getLast().digits().replace(",", ""));
    return last.abs().compareTo(new BigDecimal(digits.replace(",", ""))) == 0;
  }

  private static boolean hasLetters(String text) {
    return text.chars().anyMatch(Character::isLetter);
  }

  private static Unit ratio(String text) {
    if (text == null || text.equalsIgnoreCase("times")) {
      return Unit.TIMES;
    }
    return text.toLowerCase(Locale.ROOT).startsWith("b") ? Unit.BASIS_POINTS : Unit.PERCENT;
  }

  private static Unit named(String word) {
    return switch (word.charAt(0)) {
      case 'e' -> Unit.EUR;
      case 'p' -> Unit.GBP;
      case 'y' -> Unit.JPY;
      default -> Unit.USD;
    };
  }

  /** The currency of a symbol or code. */
  static Unit currency(String symbol) {
    return switch (symbol.toUpperCase(Locale.ROOT).replace(" ", "")) {
      case "$", "US$", "U.S.$" -> Unit.USD;
      case "€" -> Unit.EUR;
      case "£" -> Unit.GBP;
      case "¥" -> Unit.JPY;
      case "₹" -> Unit.INR;
      case "₩" -> Unit.KRW;
      case "C$", "CA$" -> Unit.CAD;
      case "A$", "AU$" -> Unit.AUD;
      case "NZ$" -> Unit.NZD;
      case "HK$" -> Unit.HKD;
      case "S$" -> Unit.SGD;
      case "NT$" -> Unit.TWD;
      case "R$" -> Unit.BRL;
      case "RMB" -> Unit.CNY;
      default -> Unit.parse(symbol.toUpperCase(Locale.ROOT));
    };
  }

  /** A currency symbol or code anywhere in a text. */
  static final Pattern ANY_CURRENCY = Pattern.compile(CURRENCY + "\\b|" + CURRENCY);
}
