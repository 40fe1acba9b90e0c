package dev.reckoner.corpus;

import dev.reckoner.corpus.Grid.Period;
import dev.reckoner.corpus.Grid.Series;
import dev.reckoner.corpus.SyntheticGenerator.Split;
import dev.reckoner.corpus.SyntheticPack.Item;
import dev.reckoner.corpus.SyntheticPack.Kind;
import dev.reckoner.corpus.SyntheticPack.Lists;
import dev.reckoner.corpus.SyntheticPack.Words;
import dev.reckoner.reasoning.Scale;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;

/** Picks what a page shows: which company, which statement, which rows and periods. */
final class GridMaker {

  private static final List<String> MONTHS = List.of("March", "June", "September", "December");

  private final SyntheticPack.Vocabulary vocabulary;
  private final Split split;
  private final boolean heldOut;
  private final SplittableRandom random;
  private final World world;

  GridMaker(SyntheticPack.Vocabulary vocabulary, Split split, SplittableRandom random) {
    this.vocabulary = vocabulary;
    this.split = split;
    this.heldOut = split.heldOut();
    this.random = random;
    this.world = new World(vocabulary.companies(), heldOut, random);
  }

  World world() {
    return world;
  }

  /** A page of the shape that a question family asks for. */
  Grid make(String shape) {
    return switch (shape) {
      case "statement", "text" -> random.nextInt(100) < 45 ? generic(shape) : statement(shape);
      case "mixed" -> mixed();
      case "breakdown" -> breakdown();
      case "earnings" -> earnings();
      case "rating" -> rating();
      case "price" -> price();
      case "comparison" -> comparison();
      case "peers" -> peers();
      case "scales" -> scales();
      case "index" -> index();
      default -> throw new IllegalArgumentException("unknown shape of page: " + shape);
    };
  }

  private boolean chance(int percent) {
    return random.nextInt(100) < percent;
  }

  /** The labels to choose from: held-out problems use the held-out ones half of the time. */
  private String label(Item item) {
    return SyntheticGenerator.capital(
        Wording.pick(heldOut && chance(50) ? item.heldOut() : item.labels(), random));
  }

  private String generic() {
    Words words = vocabulary.words();
    while (true) {
      String text =
          SyntheticGenerator.capital(
              Wording.expand(from(vocabulary.generic()), made(words), random));
      if (heldOut || !vocabulary.reserved(text)) {
        return text;
      }
    }
  }

  private Map<String, String> made(Words words) {
    return Map.of(
        "made",
        name(words),
        "adjective",
        Wording.pick(words.adjective(), random),
        "adjective2",
        Wording.pick(words.adjective(), random).toLowerCase(Locale.ROOT),
        "noun",
        Wording.pick(words.noun(), random),
        "noun2",
        Wording.pick(words.noun(), random));
  }

  /** A word of syllables, such as a product or a place may be called. */
  private String name(Words words) {
    StringBuilder name = new StringBuilder();
    for (int i = 2 + random.nextInt(2); i > 0; i--) {
      name.append(Wording.pick(words.syllable(), random));
    }
    return SyntheticGenerator.capital(name.toString());
  }

  /** A part of a whole: a segment, or a made-up name of one. */
  private String segment() {
    if (heldOut || chance(55)) {
      return from(vocabulary.segments());
    }
    Words words = vocabulary.words();
    String one = from(vocabulary.segments());
    return switch (random.nextInt(6)) {
      case 0 -> name(words);
      case 1 -> name(words) + " " + one.toLowerCase(Locale.ROOT);
      case 2 ->
          one
              + Wording.pick(
                  List.of(
                      " and other",
                      " - other",
                      " products",
                      " services",
                      " segment",
                      " group",
                      " division",
                      " operations",
                      " (1)"),
                  random);
      case 3 -> one + " and " + from(vocabulary.segments()).toLowerCase(Locale.ROOT);
      case 4 -> Wording.pick(words.adjective(), random) + " " + Wording.pick(words.noun(), random);
      default -> SyntheticGenerator.capital(Wording.pick(words.noun(), random));
    };
  }

  private String from(Lists lists) {
    return Wording.pick(heldOut && chance(50) ? lists.heldOut() : lists.train(), random);
  }

  private Series series(String role, BigDecimal[] values) {
    Item item = vocabulary.items().get(role);
    String label = label(item);
    String call = Grid.inSentence(chance(85) ? label : otherName(item, label));
    return new Series(role, label, call, item.kindOf(), item.good(), values, null);
  }

  /** Another name of the row. A name never seen is called what the table calls it. */
  private String otherName(Item item, String label) {
    if (split == Split.HELD_OUT) {
      return vocabulary.reserved(label)
          ? label
          : SyntheticGenerator.capital(Wording.pick(item.labels(), random));
    }
    return label(item);
  }

  private Grid statement(String shape) {
    List<String> topics = List.copyOf(World.STATEMENTS.keySet());
    String topic = Wording.pick(topics, random);
    List<String> roles = some(World.STATEMENTS.get(topic), 3 + random.nextInt(8));
    return annual(shape, topic, roles);
  }

  private Grid mixed() {
    List<String> roles = new ArrayList<>(List.of("revenue", "netIncome", "totalAssets", "equity"));
    roles.addAll(some(List.of("operatingIncome", "cash", "totalDebt", "eps", "dividend"), 2));
    return annual("mixed", "Selected financial data", roles);
  }

  private Grid annual(String shape, String topic, List<String> roles) {
    List<Series> series = new ArrayList<>();
    for (String role : roles) {
      series.add(series(role, world.of(role)));
    }
    return new Grid(shape, title(topic), series, periods(topic.contains("balance")), world.scale);
  }

  private String title(String topic) {
    return switch (random.nextInt(4)) {
      case 0 -> world.name + ", " + Grid.inSentence(topic);
      case 1 -> world.name + " annual report " + (world.firstYear + world.years - 1);
      case 2 ->
          world.ticker
              + " "
              + (world.firstYear + world.years - 1)
              + " annual report, page "
              + (10 + random.nextInt(120));
      default -> world.name + ", Form 10-K, FY" + (world.firstYear + world.years - 1);
    };
  }

  private List<Period> periods(boolean pointInTime) {
    int style = random.nextInt(100);
    long seed = random.nextLong();
    String month = Wording.pick(MONTHS, random);
    String day = month.equals("June") || month.equals("September") ? "30" : "31";
    List<Period> periods = new ArrayList<>();
    for (int y = 0; y < world.years; y++) {
      int year = world.firstYear + y;
      String plain = String.valueOf(year);
      if (style < 55) {
        periods.add(new Period(plain, plain));
      } else if (style < 65) {
        periods.add(new Period("FY" + year, chance(50) ? "FY" + year : plain));
      } else if (style < 75) {
        periods.add(new Period("Fiscal " + year, chance(50) ? "fiscal " + year : plain));
      } else if (style < 80) {
        String date =
            Wording.pick(
                List.of(
                    "Dec. 31, %d",
                    "12/31/%d",
                    "As of December 31, %d",
                    "December 31 %d",
                    "%d (1)",
                    "%d actual",
                    "Total %d",
                    "31-Dec-%d",
                    "At December 31, %d",
                    "Year %d"),
                new SplittableRandom(seed));
        periods.add(new Period(date.formatted(year), plain));
      } else if (style < 90 || pointInTime) {
        String date = month + " " + day + ", " + year;
        periods.add(new Period(date, chance(40) ? date : plain));
      } else if (style < 95) {
        periods.add(new Period("Year ended " + month + " " + day + ", " + year, plain));
      } else {
        String quarter = "Q" + (1 + MONTHS.indexOf(month)) + " " + year;
        periods.add(new Period(quarter, quarter));
      }
    }
    return periods;
  }

  /** Rows of no statement in particular, such as notes have. */
  private Grid generic(String shape) {
    int rows = 2 + random.nextInt(7);
    double size = world.noteSize();
    Set<String> used = new HashSet<>();
    List<Series> series = new ArrayList<>();
    while (series.size() < rows) {
      String label = generic();
      if (!used.add(label)) {
        continue;
      }
      boolean percent = label.matches("(?i).*(rate|return|volatility|yield).*");
      BigDecimal[] values = new BigDecimal[world.years];
      double level = size * Math.exp(world.between(-1.5, 1.5));
      for (int y = 0; y < world.years; y++) {
        level *= world.between(0.7, 1.4);
        values[y] =
            percent
                ? World.decimal(world.between(0.5, 45), 1 + random.nextInt(2))
                : world.amount(level);
      }
      Kind kind = percent ? Kind.PERCENT : Kind.MONEY;
      series.add(new Series("generic", label, Grid.inSentence(label), kind, 0, values, null));
    }
    return new Grid(
        shape,
        title("Notes to the financial statements"),
        series,
        periods(chance(50)),
        world.scale);
  }

  private Grid breakdown() {
    String role =
        Wording.pick(
            List.of(
                "revenue",
                "revenue",
                "revenue",
                "operatingIncome",
                "totalAssets",
                "capitalExpenditure",
                "totalDebt",
                "generic"),
            random);
    String whole = role.equals("generic") ? generic() : label(vocabulary.items().get(role));
    int parts = 2 + random.nextInt(6);
    Set<String> labels = new HashSet<>();
    while (labels.size() < parts) {
      labels.add(segment());
    }
    double size = 2 * world.noteSize();
    BigDecimal[] total = new BigDecimal[world.years];
    java.util.Arrays.fill(total, BigDecimal.ZERO);
    List<Series> series = new ArrayList<>();
    int call = random.nextInt(4);
    String wholeCall = Grid.inSentence(whole).replaceFirst("^total ", "");
    for (String label : labels.stream().sorted().toList()) {
      BigDecimal[] values = new BigDecimal[world.years];
      double level = size * Math.exp(world.between(-1.5, 1));
      for (int y = 0; y < world.years; y++) {
        level *= world.between(0.8, 1.3);
        values[y] = world.amount(Math.max(level, 1));
        total[y] = total[y].add(values[y]);
      }
      String named =
          switch (call) {
            case 0 -> label + " " + wholeCall;
            case 1 -> wholeCall + " of " + label;
            case 2 -> wholeCall + " in " + label;
            default -> label;
          };
      series.add(new Series("part", label, named, Kind.MONEY, 1, values, null));
    }
    String lower = "total " + wholeCall;
    String totalLabel =
        chance(50) || !heldOut && vocabulary.reserved(lower)
            ? "Total"
            : Character.toUpperCase(lower.charAt(0)) + lower.substring(1);
    String wholeNamed = !heldOut && (chance(45) || vocabulary.reserved(lower)) ? wholeCall : lower;
    series.add(new Series("total", totalLabel, wholeNamed, Kind.MONEY, 1, total, null));
    return new Grid(
        "breakdown",
        title(
            whole
                + " by "
                + Wording.pick(List.of("segment", "region", "product", "business"), random)),
        series,
        periods(false),
        world.scale);
  }

  private Grid earnings() {
    List<String> roles = new ArrayList<>(List.of("revenue"));
    roles.addAll(
        some(
            List.of("grossProfit", "operatingIncome", "netIncome", "eps", "research", "dividend"),
            2 + random.nextInt(4)));
    int last = world.years - 1;
    boolean expected = chance(60);
    List<Series> series = new ArrayList<>();
    for (String role : roles) {
      BigDecimal[] all = world.of(role);
      Series plain = series(role, new BigDecimal[] {all[last - 1], all[last]});
      BigDecimal actual = all[last];
      BigDecimal consensus =
          expected && (chance(80) || role.equals("revenue"))
              ? World.decimal(actual.doubleValue() * world.between(0.93, 1.07), actual.scale())
              : null;
      series.add(
          new Series(
              role,
              plain.label(),
              plain.call(),
              plain.kind(),
              plain.good(),
              plain.values(),
              consensus));
    }
    String quarter = chance(40) ? " Q" + (1 + random.nextInt(4)) : "";
    int year = world.firstYear + last;
    String style = quarter.isEmpty() && chance(50) ? "FY" : "";
    List<Period> periods =
        List.of(period(style + (year - 1) + quarter), period(style + year + quarter));
    return new Grid(
        "earnings",
        world.name + ": results for " + periods.getLast().header(),
        series,
        periods,
        world.scale);
  }

  private static Period period(String text) {
    return new Period(text, text);
  }

  private Grid rating() {
    List<String> roles =
        some(
            List.of(
                "totalDebt",
                "ebitda",
                "revenue",
                "netIncome",
                "operatingIncome",
                "interestExpense",
                "equity",
                "cash"),
            2 + random.nextInt(3));
    int last = world.years - 1;
    List<Series> series = new ArrayList<>();
    for (String role : roles) {
      BigDecimal[] all = world.of(role);
      series.add(series(role, new BigDecimal[] {all[last - 1], all[last]}));
    }
    List<String> grades =
        List.of("AA", "AA-", "A+", "A", "A-", "BBB+", "BBB", "BBB-", "BB+", "BB", "BB-", "B+");
    int grade = 1 + random.nextInt(grades.size() - 1);
    boolean up = chance(50);
    String title =
        Wording.pick(List.of("S&P", "Moody's", "Fitch"), random)
            + (up ? " upgrades " : " downgrades ")
            + world.name
            + " from "
            + grades.get(up ? grade : grade - 1)
            + " to "
            + grades.get(up ? grade - 1 : grade)
            + (chance(60)
                ? ", outlook " + Wording.pick(List.of("stable", "positive", "negative"), random)
                : "");
    String end = chance(40) ? "end of " : "";
    int year = world.firstYear + last;
    return new Grid(
        "rating",
        title,
        series,
        List.of(period(end + (year - 1)), period(end + year)),
        world.scale);
  }

  private Grid price() {
    double before = Math.exp(world.between(1.5, 6.5));
    BigDecimal previous = World.decimal(before, 2);
    BigDecimal close = World.decimal(before * world.between(0.75, 1.25), 2);
    List<Series> series = new ArrayList<>();
    series.add(
        quote(
            "previousClose",
            Wording.pick(
                List.of("Previous close", "Prior close", "Close of the day before"), random),
            previous));
    if (chance(30)) {
      series.add(quote("open", "Open", World.decimal(before * world.between(0.9, 1.1), 2)));
    }
    series.add(
        quote(
            "close", Wording.pick(List.of("Close", "Closing price", "Last price"), random), close));
    if (chance(20)) {
      series.add(quote("high", "52-week high", World.decimal(before * world.between(1.3, 1.6), 2)));
    }
    String date =
        "%d-%02d-%02d"
            .formatted(world.firstYear + 1, 1 + random.nextInt(12), 1 + random.nextInt(28));
    return new Grid(
        "price",
        world.name + " (" + world.ticker + ") on " + date,
        series,
        List.of(new Period(world.ticker, date)),
        "");
  }

  private static Series quote(String role, String label, BigDecimal value) {
    return new Series(
        role, label, Grid.inSentence(label), Kind.PER_SHARE, 1, new BigDecimal[] {value}, null);
  }

  private Grid comparison() {
    World other = new World(vocabulary.companies(), heldOut, random);
    List<String> roles = new ArrayList<>(List.of("revenue"));
    roles.addAll(
        some(
            List.of(
                "operatingIncome",
                "netIncome",
                "grossProfit",
                "totalAssets",
                "cash",
                "currentAssets",
                "currentLiabilities"),
            1 + random.nextInt(3)));
    double factor =
        world.of("revenue")[0].doubleValue()
            / other.of("revenue")[0].doubleValue()
            * Math.exp(world.between(-1.2, 1.2));
    List<Series> series = new ArrayList<>();
    for (String role : roles) {
      BigDecimal mine = world.of(role)[0];
      BigDecimal theirs = world.amount(other.of(role)[0].doubleValue() * factor);
      series.add(series(role, new BigDecimal[] {mine, theirs}));
    }
    String a = chance(60) ? world.name.replaceAll(" .*", "") : world.name;
    String b = chance(60) ? other.name.replaceAll(" .*", "") : other.name;
    String topic = Wording.pick(vocabulary.segments().train(), random);
    String year = chance(50) ? "FY" + world.firstYear : String.valueOf(world.firstYear);
    String title = (chance(70) ? topic + ": " : "") + a + " and " + b + ", " + year;
    return new Grid("comparison", title, series, List.of(period(a), period(b)), world.scale);
  }

  /** A table of three to five issuers, of sizes that can be compared. */
  private Grid peers() {
    List<World> worlds = new ArrayList<>(List.of(world));
    for (int i = 2 + random.nextInt(3); i > 0; i--) {
      worlds.add(new World(vocabulary.companies(), heldOut, random));
    }
    List<String> roles = new ArrayList<>(List.of("revenue"));
    roles.addAll(
        some(
            List.of("operatingIncome", "netIncome", "grossProfit", "totalAssets", "cash", "equity"),
            2 + random.nextInt(3)));
    double[] factors = new double[worlds.size()];
    for (int w = 0; w < factors.length; w++) {
      factors[w] =
          w == 0
              ? 1
              : world.of("revenue")[0].doubleValue()
                  / worlds.get(w).of("revenue")[0].doubleValue()
                  * Math.exp(world.between(-1.2, 1.2));
    }
    List<Series> series = new ArrayList<>();
    for (String role : roles) {
      BigDecimal[] values = new BigDecimal[worlds.size()];
      for (int w = 0; w < values.length; w++) {
        values[w] =
            w == 0
                ? world.of(role)[0]
                : world.amount(worlds.get(w).of(role)[0].doubleValue() * factors[w]);
      }
      series.add(series(role, values));
    }
    List<Period> issuers = new ArrayList<>();
    Set<String> names = new HashSet<>();
    for (World one : worlds) {
      String first = one.name.replaceAll(" .*", "");
      String name = chance(60) && names.add(first) ? first : one.name;
      issuers.add(period(name));
    }
    String topic = Wording.pick(vocabulary.segments().train(), random);
    String year = chance(50) ? "FY" + world.firstYear : String.valueOf(world.firstYear);
    String title =
        topic + ": " + Wording.pick(List.of("peers", "peer group"), random) + ", " + year;
    return new Grid("comparison", title, series, issuers, world.scale);
  }

  /** Rows of a statement and, last, an amount that is told in another power of ten. */
  private Grid scales() {
    Grid table = annual("scales", "Selected financial data", List.of("revenue"));
    List<Series> series = new ArrayList<>(table.series());
    for (String role :
        some(List.of("operatingIncome", "netIncome", "totalAssets", "equity", "cash"), 3)) {
      series.add(series(role, world.of(role)));
    }
    String role =
        Wording.pick(
            List.of("capitalExpenditure", "repurchases", "acquisitions", "longTermDebt"), random);
    Series told = series(role, world.of(role));
    int shift =
        Scale.parse(world.scale.isEmpty() ? "units" : world.scale).exponent()
            - Scale.parse(otherScale(world.scale)).exponent();
    BigDecimal[] values = new BigDecimal[world.years];
    for (int y = 0; y < values.length; y++) {
      BigDecimal moved = world.of(role)[y].movePointRight(shift);
      // Rounded as people say it, yet never to nothing.
      values[y] =
          moved.setScale(Math.max(2, 3 - moved.precision() + moved.scale()), RoundingMode.HALF_UP);
    }
    series.add(
        new Series("said", told.label(), told.call(), told.kind(), told.good(), values, null));
    return new Grid("scales", table.title(), series, table.periods(), table.scale());
  }

  /** The power of ten in which sentences tell what tables give in {@code scale}. */
  static String otherScale(String scale) {
    return scale.equals("million") ? "billion" : "million";
  }

  private Grid index() {
    List<String> names =
        List.of(
            chance(50) ? world.name : world.ticker,
            "S&P 500",
            Wording.pick(
                List.of(
                    "S&P 500 Financials",
                    "peer group",
                    "Dow Jones Industrial Average",
                    "NASDAQ Composite",
                    "S&P 500 Utilities",
                    "KBW Bank Index"),
                random));
    List<Period> periods = periods(true);
    List<Series> series = new ArrayList<>();
    for (String name : names) {
      BigDecimal[] values = new BigDecimal[world.years];
      double level = 100;
      for (int y = 0; y < world.years; y++) {
        values[y] = y == 0 ? World.decimal(100, 2) : World.decimal(level, 2);
        level *= world.between(0.7, 1.45);
      }
      series.add(new Series("index", name, name, Kind.INDEX, 1, values, null));
    }
    return new Grid("index", title("Performance graph"), series, periods, "");
  }

  /** Some of a list, in its order; at least one. */
  private List<String> some(List<String> all, int count) {
    List<String> rest = new ArrayList<>(all);
    while (rest.size() > Math.max(1, count)) {
      rest.remove(random.nextInt(rest.size()));
    }
    return rest;
  }
}
