package dev.reckoner.corpus;

import dev.reckoner.corpus.Grid.Period;
import dev.reckoner.corpus.Grid.Series;
import dev.reckoner.corpus.SyntheticPack.Kind;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Figure;
import dev.reckoner.reasoning.Figures;
import dev.reckoner.reasoning.Place;
import dev.reckoner.reasoning.Unit;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A published table read as series over periods, where it is one: years across or years down. */
record TableGrid(Grid grid, PageWriter.Page page) {

  private static final Pattern YEAR = Pattern.compile("(?<![0-9])(?:19|20)\\d\\d(?![0-9])");
  private static final int HEADER_ROWS = 3;
  private static final int LONGEST_LABEL = 90;

  /** A line of cells across a table: a row or a column. */
  private interface Layout {
    String cell(int series, int period);

    Place.Cell place(int series, int period);
  }

  static Optional<TableGrid> of(Problem problem, SyntheticPack.Vocabulary vocabulary) {
    if (problem.evidence().tables().isEmpty()) {
      return Optional.empty();
    }
    List<List<String>> rows = problem.evidence().tables().getFirst().rows();
    int width = rows.stream().mapToInt(List::size).max().orElse(0);
    Figures figures = Figures.of(problem.evidence());
    for (int h = 0; h < Math.min(HEADER_ROWS, rows.size()); h++) {
      Map<Integer, Period> periods = new HashMap<>();
      for (int c = 1; c < rows.get(h).size(); c++) {
        period(rows.get(h).get(c)).ifPresent(put(periods, c));
      }
      if (periods.size() >= 2 && distinct(periods)) {
        int header = h;
        List<Integer> lines = new ArrayList<>();
        for (int r = header + 1; r < rows.size(); r++) {
          lines.add(r);
        }
        return read(problem, vocabulary, figures, periods, lines, across(rows));
      }
    }
    Map<Integer, Period> periods = new HashMap<>();
    for (int r = 1; r < rows.size(); r++) {
      if (!rows.get(r).isEmpty() && rows.get(r).getFirst().length() < 30) {
        period(rows.get(r).getFirst()).ifPresent(put(periods, r));
      }
    }
    if (periods.size() < 2 || !distinct(periods)) {
      return Optional.empty();
    }
    List<Integer> lines = new ArrayList<>();
    for (int c = 1; c < width; c++) {
      lines.add(c);
    }
    return read(problem, vocabulary, figures, periods, lines, down(rows));
  }

  private static java.util.function.Consumer<Period> put(Map<Integer, Period> periods, int line) {
    return period -> periods.put(line, period);
  }

  private static Layout across(List<List<String>> rows) {
    return new Layout() {
      @Override
      public String cell(int series, int period) {
        return period < rows.get(series).size() ? rows.get(series).get(period) : "";
      }

      @Override
      public Place.Cell place(int series, int period) {
        return new Place.Cell(0, series, period);
      }
    };
  }

  private static Layout down(List<List<String>> rows) {
    return new Layout() {
      @Override
      public String cell(int series, int period) {
        return series < rows.get(period).size() ? rows.get(period).get(series) : "";
      }

      @Override
      public Place.Cell place(int series, int period) {
        return new Place.Cell(0, period, series);
      }
    };
  }

  private static Optional<Period> period(String text) {
    Matcher year = YEAR.matcher(text);
    if (!year.find() || text.length() > 60) {
      return Optional.empty();
    }
    String first = year.group();
    return year.find() ? Optional.empty() : Optional.of(new Period(text, first));
  }

  private static boolean distinct(Map<Integer, Period> periods) {
    return periods.values().stream().map(Period::call).distinct().count() == periods.size();
  }

  private static Optional<TableGrid> read(
      Problem problem,
      SyntheticPack.Vocabulary vocabulary,
      Figures figures,
      Map<Integer, Period> periods,
      List<Integer> lines,
      Layout layout) {
    List<Integer> order =
        periods.keySet().stream()
            .sorted(java.util.Comparator.comparing(line -> periods.get(line).call()))
            .toList();
    List<Series> series = new ArrayList<>();
    Map<PageWriter.Key, Plan.Reference> places = new HashMap<>();
    Set<String> labels = new HashSet<>();
    for (int line : lines) {
      String label = layout.cell(line, 0).strip();
      if (label.isEmpty()
          || label.length() > LONGEST_LABEL
          || !label.matches(".*\\p{L}{3}.*")
          || !labels.add(label)) {
        continue;
      }
      BigDecimal[] values = new BigDecimal[order.size()];
      Kind kind = null;
      int known = 0;
      for (int p = 0; p < order.size(); p++) {
        Place.Cell cell = layout.place(line, order.get(p));
        List<Figures.Found> found = figures.at(cell);
        if (found.size() == 1) {
          Figure figure = found.getFirst().figure();
          values[p] = figure.value();
          kind = kind(figure);
          known++;
          places.put(
              new PageWriter.Key(series.size(), p), new Plan.Reference(cell, figure.value()));
        }
      }
      if (known >= 1) {
        series.add(
            new Series(
                role(label, vocabulary),
                label,
                Grid.inSentence(plain(label)),
                kind,
                0,
                values,
                null));
      }
    }
    if (series.isEmpty()) {
      return Optional.empty();
    }
    List<Series> marked = breakdown(series);
    boolean parts = marked != series;
    Evidence evidence = problem.evidence();
    Grid grid =
        new Grid(
            parts ? "breakdown" : "statement",
            evidence.title(),
            marked,
            order.stream().map(periods::get).toList(),
            "");
    boolean tokenised = !problem.origin().equals("tatqa");
    return Optional.of(
        new TableGrid(
            grid, new PageWriter.Page(evidence.tables(), evidence.sentences(), places, tokenised)));
  }

  /** What a question calls a row; empty where its label is no name. */
  static Optional<String> name(List<List<String>> rows, int row) {
    String label = rows.get(row).isEmpty() ? "" : rows.get(row).getFirst().strip();
    return label.length() > LONGEST_LABEL || !label.matches(".*\\p{L}{3}.*")
        ? Optional.empty()
        : Optional.of(Grid.inSentence(plain(label)));
  }

  /** A label without what a question would not repeat: notes in brackets, a colon. */
  private static String plain(String label) {
    String plain = label.replaceAll("\\s*\\([^)]*\\)\\s*", " ").replaceAll("[:.…]+$", "").strip();
    return plain.length() < 3 ? label : plain;
  }

  private static Kind kind(Figure figure) {
    return switch (figure.unit()) {
      case PERCENT -> Kind.PERCENT;
      case SHARES -> Kind.COUNT;
      default -> figure.unit() == Unit.NONE ? Kind.COUNT : Kind.MONEY;
    };
  }

  private static String role(String label, SyntheticPack.Vocabulary vocabulary) {
    return vocabulary.role(plain(label)).orElse("generic");
  }

  /**
   * The series with parts and total named so, where the last series is the sum of the others in the
   * last period; else the very list that was given.
   */
  private static List<Series> breakdown(List<Series> series) {
    Series last = series.getLast();
    int period = last.values().length - 1;
    if (series.size() < 3 || last.values()[period] == null || last.values()[period].signum() <= 0) {
      return series;
    }
    BigDecimal sum = BigDecimal.ZERO;
    for (Series part : series.subList(0, series.size() - 1)) {
      if (part.values()[period] == null || part.kind() != last.kind()) {
        return series;
      }
      sum = sum.add(part.values()[period]);
    }
    BigDecimal total = last.values()[period];
    boolean adds =
        sum.subtract(total).abs().compareTo(total.multiply(new BigDecimal("0.005"))) <= 0;
    if (!adds) {
      return series;
    }
    List<Series> marked = new ArrayList<>();
    for (Series one : series) {
      String role = one == last ? "total" : "part";
      marked.add(
          new Series(role, one.label(), one.call(), one.kind(), one.good(), one.values(), null));
    }
    return marked;
  }
}
