package dev.reckoner.reasoning;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a table's caption, headings and row labels say of the figures in its cells.
 *
 * <p>The nearest statement wins: the cell's own, its row's label, its column's heading, then the
 * table's. A currency sign is printed in the first row of a column only, so it holds for the cells
 * below it, except in rows that count something ("number of stores", "days", "ratio").
 */
final class TableContext {

  /** What a heading says; any part may be missing. */
  private record Hint(
      Unit currency, Scale scale, boolean percent, boolean shares, boolean perShare) {

    static final Hint NOTHING = new Hint(null, null, false, false, false);

    static Hint of(String text) {
      if (text.isBlank()) {
        return NOTHING;
      }
      Matcher currency = FigureScanner.ANY_CURRENCY.matcher(text);
      Unit unit = currency.find() ? FigureScanner.currency(currency.group()) : null;
      Matcher dollars = DOLLARS.matcher(text);
      if (unit == null && dollars.find()) {
        unit = dollars(dollars.group("whose"));
      }
      boolean perShare = PER_SHARE.matcher(text).find();
      boolean shares = SHARES.matcher(PER_SHARE.matcher(text).replaceAll(" ")).find();
      return new Hint(unit, scaleIn(text), PERCENT.matcher(text).find(), shares, perShare);
    }

    private static Unit dollars(String whose) {
      return switch (whose == null ? "" : whose.toLowerCase(Locale.ROOT)) {
        case "nt" -> Unit.TWD;
        case "canadian" -> Unit.CAD;
        case "australian" -> Unit.AUD;
        case "hong kong" -> Unit.HKD;
        case "singapore" -> Unit.SGD;
        default -> Unit.USD;
      };
    }

    /** This hint, with what it does not say taken from a wider one. */
    Hint within(Hint wider) {
      return new Hint(
          currency != null ? currency : wider.currency,
          scale != null ? scale : wider.scale,
          percent || wider.percent,
          shares || wider.shares,
          perShare || wider.perShare);
    }
  }

  private static final Pattern SCALE_WORD =
      Pattern.compile(
          "(?:\\b(?:in|of)\\s+|[($€£'’‘`]\\s*|\\b(?:usd|eur|gbp|rmb|dollars|euros)\\s+(?:in\\s+)?|^\\s*)"
              + "(?:(?:u\\.?s\\.?\\s*)?(?:dollars|\\$|€|£)\\s+)?(?:in\\s+)?"
              + "(?<word>thousand|million|billion)s?\\b"
              + "|(?:[$€£]|\\b(?:usd|eur|gbp|rmb|chf))\\s*(?<letter>mm?|bn|k)\\b"
              + "|(?<zeros>['’‘`]000|\\(000s?\\)|\\(1,000s?\\)|\\$000s?\\b|\\b000s\\b)",
          Pattern.CASE_INSENSITIVE);

  private static final Pattern PERCENT =
      Pattern.compile(
          "(?<![0-9])(?<![0-9] )%|(?<![0-9] )\\b(?:percent|percentage|per cent)\\b(?! points)",
          Pattern.CASE_INSENSITIVE);
  private static final Pattern SHARES =
      Pattern.compile("\\bshares\\b|\\bnumber of shares\\b", Pattern.CASE_INSENSITIVE);
  private static final Pattern PER_SHARE =
      Pattern.compile(
          "\\bper\\s+(?:\\w+\\s+){0,2}(?:shares?|units?|option)\\b|\\bshare price\\b|\\beps\\b",
          Pattern.CASE_INSENSITIVE);
  private static final Pattern DOLLARS =
      Pattern.compile(
          "\\b(?:(?<whose>nt|canadian|australian|hong kong|singapore)\\s+)?dollars\\b",
          Pattern.CASE_INSENSITIVE);

  private static final Pattern EXCEPT_SHARES =
      Pattern.compile("except (?:for )?(?:number of )?share", Pattern.CASE_INSENSITIVE);

  /** Labels of rows that hold no money although the column does. */
  private static final Pattern COUNTS =
      Pattern.compile(
          "\\b(?:number|employees|staff|headcount|customers|stores|restaurants|ratio|rate|margin"
              + "|yield|volatility|li(?:fe|ves)|expected term|index|square feet|barrels|tons"
              + "|subscribers|households|in (?:days|years|months)"
              + "|(?:calendar|off-hire|trading) days|days outstanding)\\b",
          Pattern.CASE_INSENSITIVE);

  private static final Pattern YEARS = Pattern.compile("\\byears?\\b", Pattern.CASE_INSENSITIVE);

  /** Digits of a percentage; a longer figure in a percent column is a stray amount. */
  private static final int LONGEST_PERCENT = 8;

  private final List<List<String>> rows;

  /** The marks of every cell; read once, asked for often. */
  private final List<List<List<FigureScanner.Mark>>> marks = new ArrayList<>();

  private final List<Hint> rowHints = new ArrayList<>();
  private final int headerRows;

  /** Header rows with one heading for all columns. */
  private final BitSet spanning = new BitSet();

  private final Hint table;
  private final boolean sharesUnscaled;
  private final List<Hint> columns = new ArrayList<>();
  private final List<StringBuilder> headings = new ArrayList<>();

  /**
   * @param running a scale that the running text states for its tables; {@code null} for none
   */
  TableContext(Evidence.Table source, String title, Scale running) {
    this.rows = source.rows();
    for (List<String> row : rows) {
      marks.add(row.stream().map(cell -> FigureScanner.scan(cell, true)).toList());
      rowHints.add(row.isEmpty() ? Hint.NOTHING : Hint.of(row.getFirst()));
    }
    this.headerRows = countHeaderRows();
    Hint all = Hint.of(source.caption());
    StringBuilder statements = new StringBuilder(source.caption());
    int width = rows.stream().mapToInt(List::size).max().orElse(0);
    for (int c = 0; c < width; c++) {
      columns.add(Hint.NOTHING);
      headings.add(new StringBuilder());
    }
    for (int r = 0; r < headerRows; r++) {
      List<String> row = rows.get(r);
      long filled = row.stream().filter(cell -> !cell.isBlank()).count();
      spanning.set(r, filled == 1 && width > 2);
      String heading = "";
      for (int c = 0; c < row.size(); c++) {
        // A heading spans the blank cells to its right.
        heading = c < 2 || !row.get(c).isBlank() ? row.get(c) : heading;
        statements.append(' ').append(row.get(c));
        Hint hint = Hint.of(heading);
        if (c == 0 || spanning.get(r)) {
          all = all.within(new Hint(hint.currency, hint.scale, false, false, false));
        } else {
          columns.set(c, columns.get(c).within(hint));
          headings.get(c).append(' ').append(heading);
        }
      }
    }
    Hint titled = Hint.of(title);
    all = all.within(new Hint(titled.currency, titled.scale, false, false, false));
    this.table =
        all.scale == null && running != null
            ? new Hint(all.currency, running, all.percent, false, false)
            : new Hint(all.currency, all.scale, all.percent, false, false);
    this.sharesUnscaled =
        Pattern.compile(
                "except (?:for )?(?:number of )?shares?\\b(?!\\s+price)|except share",
                Pattern.CASE_INSENSITIVE)
            .matcher(statements)
            .find();
  }

  int headerRows() {
    return headerRows;
  }

  /**
   * The heading of a column, its lines joined; empty where there is none. A blank cell takes the
   * heading to its left where it has a heading of its own below, as those that share one have; a
   * line that spans the whole table is left out.
   */
  String heading(int c) {
    String heading = "";
    for (int r = headerRows - 1; r >= 0; r--) {
      if (spanning.get(r)) {
        continue;
      }
      List<String> row = rows.get(r);
      String cell = c < row.size() ? row.get(c).strip() : "";
      for (int left = c - 1; left > 0 && cell.isEmpty() && !heading.isEmpty(); left--) {
        cell = left < row.size() ? row.get(left).strip() : "";
      }
      heading = cell.isEmpty() || heading.isEmpty() ? cell + heading : cell + " " + heading;
    }
    return heading;
  }

  /** A figure of a data cell, with what its context adds to its mark. */
  Figure resolve(FigureScanner.Mark mark, int r, int c) {
    String label = rows.get(r).isEmpty() || c == 0 ? "" : rows.get(r).getFirst();
    String about = label + " " + headings.get(c);
    Hint row = c == 0 ? Hint.NOTHING : rowHints.get(r);
    Hint column = columns.get(c);
    if (mark.isYear() && YEARS.matcher(about).find()) {
      return new Figure(mark.digits(), Unit.NONE, Scale.UNITS);
    }
    Unit unit = mark.unit();
    if (unit == null) {
      unit = unit(mark, row, column, about, r, c);
    }
    return new Figure(mark.digits(), unit, scale(mark, unit, row, column, about));
  }

  private Unit unit(FigureScanner.Mark mark, Hint row, Hint column, String about, int r, int c) {
    boolean perShare = row.perShare || column.perShare;
    boolean counted = !perShare && COUNTS.matcher(about).find();
    boolean percent = row.percent || (column.percent && row.currency == null);
    if (percent || (firstInColumn(c) == Unit.PERCENT && currencyInRow(r) == null && !counted)) {
      return mark.digits().length() < LONGEST_PERCENT ? Unit.PERCENT : Unit.NONE;
    }
    if (!perShare && (row.shares || (column.shares && row.currency == null))) {
      return Unit.SHARES;
    }
    if (row.currency != null) {
      return row.currency;
    }
    if (column.currency != null) {
      return column.currency;
    }
    Unit beside = currencyInRow(r);
    if (beside != null && !(counted && COUNTS.matcher(headings.get(c)).find())) {
      return beside;
    }
    if (counted) {
      return Unit.NONE;
    }
    if (table.currency != null) {
      return table.currency;
    }
    Unit above = currencyAbove(r, c);
    return above == null ? Unit.NONE : above;
  }

  private Scale scale(FigureScanner.Mark mark, Unit unit, Hint row, Hint column, String about) {
    if (unit.kind() == Unit.Kind.RATIO) {
      return Scale.UNITS;
    }
    if (mark.scale() != null) {
      return mark.scale();
    }
    if (row.perShare || column.perShare) {
      return Scale.UNITS;
    }
    if (row.scale != null) {
      return row.scale;
    }
    if (column.scale != null) {
      return column.scale;
    }
    if (unit == Unit.SHARES && sharesUnscaled) {
      return Scale.UNITS;
    }
    if (unit == Unit.NONE && COUNTS.matcher(about).find()) {
      return Scale.UNITS;
    }
    return table.scale == null ? Scale.UNITS : table.scale;
  }

  /** The scale that a statement such as "in millions" names; {@code null} for none. */
  static Scale scaleIn(String text) {
    Matcher m = SCALE_WORD.matcher(text);
    if (!m.find()) {
      return null;
    }
    if (m.group("zeros") != null) {
      return Scale.THOUSAND;
    }
    String word = (m.group("word") != null ? m.group("word") : m.group("letter"));
    return switch (word.toLowerCase(Locale.ROOT).charAt(0)) {
      case 't', 'k' -> Scale.THOUSAND;
      case 'm' -> Scale.MILLION;
      default -> Scale.BILLION;
    };
  }

  /** Rows before the first that has a number other than a year beyond its label. */
  private int countHeaderRows() {
    for (int r = 1; r < rows.size(); r++) {
      List<String> row = rows.get(r);
      for (int c = 1; c < row.size(); c++) {
        boolean data = isNil(row.get(c)) || marks.get(r).get(c).stream().anyMatch(m -> !m.isYear());
        if (data) {
          return r;
        }
      }
      if (row.size() == 1 && !marks.get(r).getFirst().isEmpty()) {
        return r;
      }
    }
    return Math.min(1, rows.size());
  }

  /** What the first figure of a column is marked with; it holds for the bare ones below it. */
  private Unit firstInColumn(int c) {
    for (int r = headerRows; r < rows.size(); r++) {
      if (c < rows.get(r).size() && !marks.get(r).get(c).isEmpty()) {
        return marks.get(r).get(c).getFirst().unit();
      }
    }
    return null;
  }

  private Unit currencyInRow(int r) {
    return cellsOf(r).stream()
        .map(FigureScanner.Mark::unit)
        .filter(u -> u != null && u.kind() == Unit.Kind.CURRENCY)
        .findFirst()
        .orElse(null);
  }

  private Unit currencyAbove(int r, int c) {
    for (int above = r - 1; above >= headerRows; above--) {
      if (c < rows.get(above).size()) {
        for (FigureScanner.Mark m : marks.get(above).get(c)) {
          if (m.unit() != null && m.unit().kind() == Unit.Kind.CURRENCY) {
            return m.unit();
          }
        }
      }
    }
    return null;
  }

  private List<FigureScanner.Mark> cellsOf(int r) {
    return marks.get(r).stream().skip(1).flatMap(List::stream).toList();
  }

  /** The marks of a cell. */
  List<FigureScanner.Mark> marks(int r, int c) {
    return marks.get(r).get(c);
  }

  /** A dash or two: the publisher's zero. */
  static boolean isNil(String cell) {
    return NIL.matcher(cell.strip()).matches();
  }

  private static final Pattern NIL = Pattern.compile("[$€£]?\\s*[-–—−](?:\\s*[-–—−])?\\s*%?");
}
