package dev.reckoner.corpus;

import dev.reckoner.corpus.Grid.Period;
import dev.reckoner.corpus.Grid.Series;
import dev.reckoner.corpus.SyntheticPack.Kind;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Place;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Lays a {@link Grid} out as a page: the ways in which filings and events write tables, figures and
 * sentences, with rows and sentences that no question needs.
 */
final class PageWriter {

  /** The period of a consensus figure. */
  static final int CONSENSUS = -1;

  /** A figure of the grid: series number and period number. */
  record Key(int series, int period) {}

  /**
   * A page and where each figure stands on it.
   *
   * @param tokenised whether it is written as FinQA writes: small letters, spaced punctuation
   */
  record Page(
      List<Evidence.Table> tables,
      List<String> sentences,
      Map<Key, Plan.Reference> places,
      boolean tokenised) {

    Page {
      tables = List.copyOf(tables);
      sentences = List.copyOf(sentences);
    }
  }

  private final SyntheticPack.Vocabulary vocabulary;
  private final boolean heldOut;
  private final SplittableRandom random;
  private final boolean tokenised;
  private final boolean commas;
  private final boolean spacedDollar;
  private final int dollars;
  private final int negative;

  PageWriter(
      SyntheticPack.Vocabulary vocabulary,
      boolean heldOut,
      boolean event,
      SplittableRandom random) {
    this.vocabulary = vocabulary;
    this.heldOut = heldOut;
    this.random = random;
    this.tokenised = !event && chance(58);
    this.commas = event ? chance(90) : tokenised ? chance(10) : chance(85);
    this.spacedDollar = tokenised || chance(40);
    this.dollars = event ? 0 : random.nextInt(3);
    this.negative =
        event ? (chance(50) ? 0 : 1) : tokenised ? chance(70) ? 0 : 2 : random.nextInt(2);
  }

  private boolean chance(int percent) {
    return random.nextInt(100) < percent;
  }

  Page write(Grid grid) {
    Map<Key, Plan.Reference> places = new HashMap<>();
    List<Evidence.Table> tables = new ArrayList<>();
    List<String> sentences = new ArrayList<>();
    String money = moneyNote(grid);
    if (grid.shape().equals("text")) {
      say(grid, sentences, places);
    } else if (grid.shape().equals("scales")) {
      int told = grid.series().size() - 1;
      Grid shown =
          new Grid(
              "statement",
              grid.title(),
              grid.series().subList(0, told),
              grid.periods(),
              grid.scale());
      tables.add(upright(shown, money, places));
      say(grid, told, GridMaker.otherScale(grid.scale()), sentences, places);
    } else {
      boolean event = SyntheticGenerator.EVENTS.contains(grid.shape());
      boolean transposed = !event && chance(18);
      tables.add(transposed ? transposed(grid, money, places) : upright(grid, money, places));
    }
    int noise = random.nextInt(5);
    for (int i = 0; i < noise; i++) {
      int at = random.nextInt(sentences.size() + 1);
      sentences.add(at, noise(grid));
      shift(places, at);
    }
    if (tokenised) {
      sentences.replaceAll(PageWriter::tokenise);
    }
    return new Page(tables, sentences, places, tokenised);
  }

  /** A sentence was put in at {@code at}: figures in sentences behind it move on. */
  private static void shift(Map<Key, Plan.Reference> places, int at) {
    places.replaceAll(
        (key, reference) ->
            reference.place() instanceof Place.Sentence sentence && sentence.index() >= at
                ? new Plan.Reference(new Place.Sentence(sentence.index() + 1), reference.value())
                : reference);
  }

  private String moneyNote(Grid grid) {
    if (grid.shape().equals("index") || grid.shape().equals("price")) {
      return "";
    }
    String plural = grid.scale() + "s";
    if (grid.scale().isEmpty()) {
      return chance(30) ? Wording.pick(List.of("in dollars", "USD"), random) : "";
    }
    return Wording.pick(
        List.of(
            "in " + plural,
            "in " + plural,
            "$ in " + plural,
            "dollars in " + plural,
            "USD in " + plural,
            "amounts in " + plural),
        random);
  }

  /** Series down, periods across. */
  private Evidence.Table upright(Grid grid, String money, Map<Key, Plan.Reference> places) {
    List<Integer> columns = new ArrayList<>();
    boolean earnings = grid.shape().equals("earnings");
    for (int p = 0; p < grid.periods().size(); p++) {
      columns.add(p);
    }
    boolean latestFirst = earnings || grid.shape().equals("rating") || chance(60);
    if (latestFirst && !grid.shape().equals("comparison")) {
      Collections.reverse(columns);
    }
    boolean consensus = grid.series().stream().anyMatch(s -> s.consensus() != null);
    if (consensus) {
      columns.add(1, CONSENSUS);
    }
    boolean inHeader = !earnings && !money.isEmpty() && chance(50);
    String corner =
        earnings
            ? "Metric"
            : grid.shape().equals("rating")
                ? "Measure"
                : grid.shape().equals("price")
                    ? "Price"
                    : grid.shape().equals("comparison") ? "Metric" : "";
    List<List<String>> rows = new ArrayList<>();
    List<String> header = new ArrayList<>();
    header.add(corner.isEmpty() && inHeader ? "( " + money + " )" : corner);
    for (int p : columns) {
      header.add(p == CONSENSUS ? "Consensus" : grid.periods().get(p).header());
    }
    boolean changes = !earnings && columns.size() == 2 && corner.isEmpty() && chance(15);
    if (changes) {
      header.add(Wording.pick(List.of("% change", "Change (%)", "Increase (decrease)"), random));
    }
    if (corner.isEmpty() && chance(15)) {
      List<String> above = new ArrayList<>(Collections.nCopies(header.size(), ""));
      above.set(
          1,
          Wording.pick(
              List.of(
                  "Years ended December 31,",
                  "Year ended",
                  "Fiscal year",
                  "As of December 31,",
                  "Years ended June 30,"),
              random));
      rows.add(above);
    }
    rows.add(header);
    if (corner.isEmpty() && chance(10)) {
      List<String> section = new ArrayList<>(Collections.nCopies(header.size(), ""));
      section.set(
          0,
          Wording.pick(
              List.of("Amounts:", "Continuing operations:", "As reported:", "Segment data:"),
              random));
      rows.add(section);
    }
    for (int s = 0; s < grid.series().size(); s++) {
      Series series = grid.series().get(s);
      List<String> row = new ArrayList<>(List.of(labelled(series, grid, corner)));
      for (int p : columns) {
        BigDecimal value = p == CONSENSUS ? series.consensus() : series.values()[p];
        if (value != null) {
          Place cell = new Place.Cell(0, rows.size(), row.size());
          places.put(new Key(s, p), new Plan.Reference(cell, value));
        }
        row.add(
            value == null ? "" : figure(series, value, s == 0 || s == grid.series().size() - 1));
      }
      if (changes) {
        row.add(change(series.values()));
      }
      rows.add(row);
    }
    return finished(captioned(grid, inHeader ? "" : money), rows);
  }

  private static String change(BigDecimal[] values) {
    BigDecimal before = values[0];
    BigDecimal after = values[values.length - 1];
    return before.signum() <= 0
        ? ""
        : after
                .subtract(before)
                .movePointRight(2)
                .divide(before, 1, RoundingMode.HALF_UP)
                .toPlainString()
            + "%";
  }

  /** Periods down, series across. */
  private Evidence.Table transposed(Grid grid, String money, Map<Key, Plan.Reference> places) {
    boolean inHeader = !money.isEmpty() && chance(50);
    List<List<String>> rows = new ArrayList<>();
    List<String> header = new ArrayList<>();
    header.add(inHeader ? "( " + money + " )" : chance(50) ? "year" : "");
    grid.series().forEach(series -> header.add(labelled(series, grid, "")));
    rows.add(header);
    for (int p = 0; p < grid.periods().size(); p++) {
      List<String> row = new ArrayList<>(List.of(grid.periods().get(p).header()));
      for (int s = 0; s < grid.series().size(); s++) {
        Series series = grid.series().get(s);
        places.put(
            new Key(s, p),
            new Plan.Reference(new Place.Cell(0, rows.size(), row.size()), series.values()[p]));
        row.add(figure(series, series.values()[p], p == 0));
      }
      rows.add(row);
    }
    return finished(captioned(grid, inHeader ? "" : money), rows);
  }

  private String captioned(Grid grid, String money) {
    if (grid.shape().equals("price")) {
      return "USD per share";
    }
    boolean mixed = grid.series().stream().anyMatch(s -> s.kind() == Kind.PER_SHARE);
    String note = money + (mixed && !money.isEmpty() && chance(60) ? ", except per share" : "");
    boolean event = List.of("earnings", "rating", "comparison").contains(grid.shape());
    if (event && !grid.scale().isEmpty()) {
      String period =
          grid.shape().equals("earnings") ? "" : ", " + grid.periods().getLast().header();
      return "USD in "
          + grid.scale()
          + "s"
          + (mixed ? ", except per share" : "")
          + (chance(50) && !grid.shape().equals("comparison") ? period : "");
    }
    return note;
  }

  private Evidence.Table finished(String caption, List<List<String>> rows) {
    if (!tokenised) {
      return new Evidence.Table(caption, rows);
    }
    return new Evidence.Table(
        tokenise(caption),
        rows.stream().map(row -> row.stream().map(PageWriter::tokenise).toList()).toList());
  }

  private String labelled(Series series, Grid grid, String corner) {
    if (series.kind() == Kind.PER_SHARE && !corner.isEmpty() && !corner.equals("Price")) {
      return series.label() + " (USD per share)";
    }
    if (series.kind() == Kind.COUNT && series.role().equals("shares")) {
      return series.label() + (grid.scale().isEmpty() ? "" : " (millions)");
    }
    return !heldOut && corner.isEmpty() && chance(6)
        ? series.label()
            + Wording.pick(List.of(" (1)", " (a)", " (2)", ":", " *", " (b)", " - net"), random)
        : series.label();
  }

  private String figure(Series series, BigDecimal value, boolean edge) {
    String digits = number(value.abs());
    String sign =
        switch (series.kind()) {
          case MONEY, PER_SHARE ->
              dollars == 2 || dollars == 1 && edge ? spacedDollar ? "$ " : "$" : "";
          default -> "";
        };
    String end = series.kind() == Kind.PERCENT ? tokenised || chance(80) ? "%" : " %" : "";
    if (value.signum() >= 0) {
      return sign + digits + end;
    }
    return switch (negative) {
      case 0 -> sign + "-" + digits + end;
      case 1 -> sign + "(" + digits + end + ")";
      default -> sign + "( " + digits + end + " )";
    };
  }

  private String number(BigDecimal value) {
    return commas
        ? String.format(Locale.ROOT, "%,." + value.scale() + "f", value)
        : value.toPlainString();
  }

  /** Figures in sentences: two periods of each series. */
  private void say(Grid grid, List<String> sentences, Map<Key, Plan.Reference> places) {
    for (int s = 0; s < grid.series().size(); s++) {
      say(grid, s, grid.scale(), sentences, places);
    }
  }

  private void say(
      Grid grid, int s, String scale, List<String> sentences, Map<Key, Plan.Reference> places) {
    int last = grid.periods().size() - 1;
    Series series = grid.series().get(s);
    int p = 1 + random.nextInt(last);
    String wording =
        Wording.pick(
            heldOut && chance(50) ? vocabulary.sayings().heldOut() : vocabulary.sayings().train(),
            random);
    Map<String, String> slots =
        Map.of(
            "x",
            Grid.inSentence(series.label()),
            "p",
            grid.periods().get(p).call(),
            "q",
            grid.periods().get(p - 1).call(),
            "v",
            spoken(series, series.values()[p], scale),
            "w",
            spoken(series, series.values()[p - 1], scale));
    Place here = new Place.Sentence(sentences.size());
    places.put(new Key(s, p), new Plan.Reference(here, series.values()[p]));
    places.put(new Key(s, p - 1), new Plan.Reference(here, series.values()[p - 1]));
    sentences.add(SyntheticGenerator.capital(Wording.expand(wording, slots, random)));
  }

  private String spoken(Series series, BigDecimal value, String scale) {
    String digits = (value.signum() < 0 ? "-" : "") + number(value.abs());
    return switch (series.kind()) {
      case MONEY -> "$" + (spacedDollar ? " " : "") + digits + (scale.isEmpty() ? "" : " " + scale);
      case PER_SHARE -> "$" + (spacedDollar ? " " : "") + digits;
      case PERCENT -> digits + "%";
      default -> digits;
    };
  }

  private String noise(Grid grid) {
    Period period = Wording.pick(grid.periods(), random);
    String year = period.header().replaceAll(".*?((?:19|20)\\d\\d).*", "$1");
    Map<String, String> slots =
        Map.of(
            "year", year.matches("\\d{4}") ? year : String.valueOf(2000 + random.nextInt(25)),
            "amount", String.valueOf(5 + random.nextInt(900)),
            "count", String.valueOf(1000 + random.nextInt(90000)),
            "percent", World.decimal(random.nextDouble() * 40, 1).toPlainString(),
            "price", World.decimal(5 + random.nextDouble() * 200, 2).toPlainString());
    String wording =
        Wording.pick(
            heldOut && chance(50) ? vocabulary.noise().heldOut() : vocabulary.noise().train(),
            random);
    return SyntheticGenerator.capital(Wording.expand(wording, slots, random));
  }

  /**
   * As FinQA writes: small letters, punctuation between spaces, {@code 2019s} for an apostrophe
   * kept plain.
   */
  static String tokenise(String text) {
    return text.toLowerCase(Locale.ROOT)
        .replaceAll("(?<![0-9])([,;:?!])|([,;:?!])(?![0-9])", " $1$2 ")
        .replaceAll("([()$])", " $1 ")
        .replaceAll("(?<=[a-z0-9])\\.(?=\\s|$)", " .")
        .replaceAll("\\s+", " ")
        .replaceAll("^\\$ -", "\\$ -")
        .strip();
  }
}
