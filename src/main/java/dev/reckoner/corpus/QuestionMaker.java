package dev.reckoner.corpus;

import dev.reckoner.corpus.Grid.Series;
import dev.reckoner.corpus.SyntheticGenerator.Solved;
import dev.reckoner.corpus.SyntheticGenerator.Split;
import dev.reckoner.corpus.SyntheticPack.Family;
import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Figure;
import dev.reckoner.reasoning.Flag;
import dev.reckoner.reasoning.Outcome;
import dev.reckoner.reasoning.Scale;
import dev.reckoner.reasoning.Stance;
import dev.reckoner.reasoning.Unit;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32;

/** Asks a question of one family about a page, and answers it with a chain. */
final class QuestionMaker {

  private static final List<String> OPENINGS =
      List.of(
          "Based on the table, ",
          "According to the page, ",
          "From the data, ",
          "Using the figures given, ",
          "In the table, ",
          "For the company, ",
          "As reported, ",
          "Based on the information given, ");

  /** How many templates are drawn for one of the split's part. */
  private static final int DRAWS = 60;

  /** Items that other rows may give: a page without the row may still say them. */
  private static final Set<String> DERIVED =
      Set.of(
          "grossProfit",
          "ebitda",
          "freeCashFlow",
          "totalDebt",
          "totalLiabilities",
          "equity",
          "currentAssets",
          "taxRate",
          "marginRate");

  private static final Pattern YEAR = Pattern.compile("(?:19|20)\\d\\d");

  private final SyntheticPack pack;
  private final Split split;
  private final Map<String, Integer> drops = new ConcurrentHashMap<>();

  QuestionMaker(SyntheticPack pack, Split split) {
    this.pack = pack;
    this.split = split;
  }

  /** How often and why a chain came to nothing. */
  Map<String, Integer> drops() {
    return drops;
  }

  /**
   * A question on the page; nothing where the page lacks what the family needs.
   *
   * @param id of the problem
   * @param group of the problem
   * @param origin of the problem, before {@code /FAMILY}
   * @param stance whether the conclusion must say a stance
   */
  Optional<Solved> ask(
      Family family,
      Grid grid,
      PageWriter.Page page,
      String id,
      String group,
      String origin,
      boolean stance,
      SplittableRandom random) {
    Optional<Map<String, Integer>> bound = bind(family, grid, random);
    if (bound.isEmpty()) {
      return Optional.empty();
    }
    List<Integer> periods = periods(family, grid, page, bound.get(), random);
    if (periods.isEmpty()) {
      return Optional.empty();
    }
    int constant = family.constant().isEmpty() ? 0 : Wording.pick(family.constant(), random);
    List<Plan.Reference> cites = new ArrayList<>();
    for (String cite : family.cites()) {
      Plan.Reference reference = page.places().get(key(cite, bound.get(), periods));
      if (reference == null) {
        return Optional.empty();
      }
      cites.add(reference);
    }
    List<String> computes =
        family.computes().stream().map(e -> e.replace("{n}", String.valueOf(constant))).toList();
    Map<String, String> slots = slots(grid, bound.get(), periods, constant, random);
    Plan plan = Plan.of(cites, computes);
    Evidence draft = new Evidence(grid.title(), "?", page.tables(), page.sentences(), false);
    ChainBuilder.Built first = new ChainBuilder(draft).computed(plan);
    if (!(first instanceof ChainBuilder.Built.Done(Chain _, Outcome answer))) {
      return dropped(family, first);
    }
    Map<String, String> named = named(slots, grid, bound.get(), random);
    Optional<String> question = question(family, named, answer, page.tokenised(), random);
    if (question.isEmpty()) {
      return Optional.empty();
    }
    Evidence evidence =
        new Evidence(grid.title(), question.get(), page.tables(), page.sentences(), stance);
    Plan judged = stance ? judged(family, plan, answer, slots, random) : plan;
    ChainBuilder.Built built = new ChainBuilder(evidence).build(judged);
    if (!(built instanceof ChainBuilder.Built.Done done)) {
      return dropped(family, built);
    }
    Problem problem =
        new Problem(
            id,
            group,
            origin + "/" + family.id(),
            evidence,
            gold(done.answer()),
            null,
            Support.UNKNOWN);
    return Optional.of(new Solved(problem, done.chain()));
  }

  private Optional<Solved> dropped(Family family, ChainBuilder.Built built) {
    if (built instanceof ChainBuilder.Built.Dropped(String reason)) {
      drops.merge(family.id() + ": " + reason, 1, Integer::sum);
    }
    return Optional.empty();
  }

  private Optional<String> question(
      Family family,
      Map<String, String> slots,
      Outcome answer,
      boolean tokenised,
      SplittableRandom random) {
    boolean negative = answer instanceof Figure figure && figure.value().signum() < 0;
    boolean down = negative && !family.down().isEmpty() && random.nextBoolean();
    return template(family, split, down, random)
        .map(template -> SyntheticGenerator.capital(Wording.filled(template, slots)))
        .map(asked -> opened(asked, random))
        .map(asked -> ended(tokenised ? PageWriter.tokenise(asked) : asked, random));
  }

  /** A wording with its choices made, of the split's part; nothing where the family has none. */
  static Optional<String> template(
      Family family, Split split, boolean down, SplittableRandom random) {
    boolean chosen = !family.heldOut().isEmpty();
    if (split == Split.RARE || split == Split.HELD_OUT && chosen) {
      List<String> own = split == Split.RARE ? family.rare() : family.heldOut();
      return Optional.of(Wording.template(Wording.pick(own, random), random));
    }
    List<String> wordings = down ? family.down() : family.ask();
    int whole = down ? -1 : Reserve.wording(family);
    for (int t = 0; t < DRAWS; t++) {
      int w = random.nextInt(wordings.size());
      String template = Wording.template(wordings.get(w), random);
      boolean reserved = !chosen && Reserve.template(family, template);
      boolean usable =
          split == Split.HELD_OUT
              ? reserved || w == whole && !Reserve.elsewhere(family, template)
              : !reserved && w != whole;
      if (usable) {
        return Optional.of(template);
      }
    }
    return Optional.empty();
  }

  /**
   * Which questions only the held-out suite asks, where a pack does not choose them: of each
   * family's templates (wordings with their choices made) a hash reserves one in five, and of a
   * family with at least six wordings one wording with all its templates.
   */
  static final class Reserve {

    private static final int PERCENT = 20;
    private static final int WORDINGS = 6;

    private Reserve() {}

    /** The number of the wording that is reserved as a whole; -1 for none. */
    static int wording(Family family) {
      int wordings = family.ask().size();
      return wordings < WORDINGS ? -1 : hash(family.id()) % wordings;
    }

    static boolean template(Family family, String template) {
      return hash(family.id() + " " + template) % 100 < PERCENT;
    }

    /** Whether a wording that is not reserved as a whole gives the template too. */
    static boolean elsewhere(Family family, String template) {
      List<String> others = new ArrayList<>(family.ask());
      others.remove(wording(family));
      others.addAll(family.down());
      return others.stream().anyMatch(wording -> Wording.gives(wording, template));
    }

    private static int hash(String text) {
      CRC32 crc = new CRC32();
      crc.update(text.getBytes(StandardCharsets.UTF_8));
      return (int) (crc.getValue() >>> 1);
    }
  }

  /** Training questions begin and end in several ways. */
  private String opened(String question, SplittableRandom random) {
    if (split.heldOut() || random.nextInt(100) >= 7) {
      return question;
    }
    return Wording.pick(OPENINGS, random) + Grid.inSentence(question);
  }

  private String ended(String question, SplittableRandom random) {
    if (split.heldOut()) {
      return question;
    }
    return switch (random.nextInt(10)) {
      case 0 -> question.replaceFirst(" ?[?.]$", "");
      case 1, 2, 3, 4 -> question.replaceFirst(" ([?.])$", "$1");
      default -> question;
    };
  }

  /** The slots as the question names them: training questions name rows in many ways. */
  private Map<String, String> named(
      Map<String, String> slots, Grid grid, Map<String, Integer> bound, SplittableRandom random) {
    Mention mention = new Mention(grid, pack.vocabulary(), random);
    Map<String, String> named = new HashMap<>(slots);
    if (split.heldOut()) {
      if (split == Split.HELD_OUT) {
        bound.forEach(
            (slot, s) -> {
              if (s >= 0) {
                named.put(slot, mention.plain(grid.series().get(s)));
              }
            });
      }
      return named;
    }
    bound.forEach(
        (slot, s) -> {
          if (s >= 0) {
            named.put(slot, mention.of(grid.series().get(s)));
          }
        });
    for (String period : List.of("p", "q", "r")) {
      named.put(period, mention.period(slots.get(period)));
    }
    return named;
  }

  static Gold gold(Outcome answer) {
    return switch (answer) {
      case Figure figure ->
          new Gold.Number(
              figure.value(),
              figure.unit() == Unit.PERCENT ? "%" : "",
              figure.scale() == Scale.UNITS ? "" : figure.scale().text());
      case Outcome.Word word ->
          word == Outcome.Word.NOT_STATED
              ? new Gold.Unanswerable()
              : new Gold.Text(List.of(word.text()));
    };
  }

  /** Adds what the conclusion implies: a sentence, a stance, flags. */
  private static Plan judged(
      Family family,
      Plan plan,
      Outcome answer,
      Map<String, String> slots,
      SplittableRandom random) {
    if (plan.answer() == null) {
      return new Plan(plan.cites(), plan.computes(), null, "", Stance.NEUTRAL, List.of());
    }
    double value =
        answer instanceof Figure figure
            ? figure.value().doubleValue()
            : answer == Outcome.Word.YES ? 1 : -1;
    int good = Integer.parseInt(slots.get("good"));
    String basis = family.stance() == null ? "" : family.stance();
    double judgement =
        switch (basis) {
          case "x" -> value * good;
          case "result", "yes" -> value;
          case "coverage" -> value - 1.5;
          case "leverage" -> 2.5 - value;
          default -> 0;
        };
    Stance stance =
        judgement > 0 ? Stance.POSITIVE : judgement < 0 ? Stance.NEGATIVE : Stance.NEUTRAL;
    List<Flag> flags =
        family.flag() != null && family.flag().raised(value)
            ? List.of(Flag.parse(family.flag().name()))
            : List.of();
    String inference = "";
    if (family.infer() != null) {
      boolean up =
          basis.equals("leverage") || basis.equals("coverage")
              ? value > (basis.equals("leverage") ? 2.5 : 1.5)
              : value > 0;
      List<String> sentences = up ? family.infer().up() : family.infer().down();
      inference =
          SyntheticGenerator.capital(
              Wording.expand(Wording.pick(sentences, random), slots, random));
    }
    return new Plan(plan.cites(), plan.computes(), plan.answer(), inference, stance, flags);
  }

  /** A series for each slot, all distinct; empty if the grid has none. */
  static Optional<Map<String, Integer>> bind(Family family, Grid grid, SplittableRandom random) {
    Map<String, Integer> bound = new HashMap<>();
    Set<Integer> taken = new HashSet<>();
    for (Map.Entry<String, String> slot : family.bind().entrySet()) {
      List<Integer> fitting = new ArrayList<>();
      for (int s = 0; s < grid.series().size(); s++) {
        if (!taken.contains(s)
            && grid.series()
                .get(s)
                .isA(slot.getValue().equals("absent") ? "any" : slot.getValue())) {
          fitting.add(s);
        }
      }
      if (fitting.isEmpty()) {
        return Optional.empty();
      }
      int chosen = Wording.pick(fitting, random);
      taken.add(chosen);
      bound.put(slot.getKey(), slot.getValue().equals("absent") ? -1 : chosen);
    }
    return Optional.of(bound);
  }

  /** Period numbers in order of time, as many as the family needs; empty if there are too few. */
  static List<Integer> periods(
      Family family,
      Grid grid,
      PageWriter.Page page,
      Map<String, Integer> bound,
      SplittableRandom random) {
    int needed = family.periods();
    List<Integer> known = new ArrayList<>();
    for (int p = 0; p < grid.periods().size(); p++) {
      int period = p;
      if (bound.values().stream()
          .allMatch(s -> s < 0 || page.places().containsKey(new PageWriter.Key(s, period)))) {
        known.add(p);
      }
    }
    if (known.size() < needed) {
      return List.of();
    }
    if (grid.shape().equals("earnings") && needed == 1) {
      return List.of(known.getLast());
    }
    if (needed == 3 || needed == 2 && (family.consecutive() || random.nextInt(100) < 80)) {
      int from = random.nextInt(known.size() - needed + 1);
      List<Integer> run = known.subList(from, from + needed);
      return grid.shape().equals("comparison") && random.nextBoolean()
          ? run.reversed()
          : List.copyOf(run);
    }
    List<Integer> some = new ArrayList<>(known);
    while (some.size() > needed) {
      some.remove(random.nextInt(some.size()));
    }
    return some;
  }

  private static PageWriter.Key key(
      String cite, Map<String, Integer> bound, List<Integer> periods) {
    String[] parts = cite.split("\\.");
    int period =
        switch (parts[1]) {
          case "consensus" -> PageWriter.CONSENSUS;
          case "p" -> periods.getFirst();
          case "q" -> periods.get(Math.min(1, periods.size() - 1));
          default -> periods.getLast();
        };
    return new PageWriter.Key(bound.get(parts[0]), period);
  }

  private Map<String, String> slots(
      Grid grid,
      Map<String, Integer> bound,
      List<Integer> periods,
      int constant,
      SplittableRandom random) {
    Map<String, String> slots = new HashMap<>();
    slots.put("good", "1");
    bound.forEach(
        (slot, s) -> {
          if (s < 0) {
            slots.put(slot, absent(grid, random));
            return;
          }
          Series series = grid.series().get(s);
          slots.put(slot, series.call());
          if (slot.equals("x")) {
            slots.put("good", String.valueOf(series.good()));
            slots.put("margin", margin(series.role()));
          }
        });
    slots.put("p", grid.periods().get(periods.getFirst()).call());
    slots.put("q", grid.periods().get(periods.get(Math.min(1, periods.size() - 1))).call());
    slots.put("r", grid.periods().get(periods.getLast()).call());
    slots.put("n", String.valueOf(constant));
    slots.put("missing", missing(grid, random));
    return slots;
  }

  private static String margin(String role) {
    return switch (role) {
      case "operatingIncome" -> "operating margin";
      case "grossProfit" -> "gross margin";
      default -> "net margin";
    };
  }

  /** The name of an item that the page does not show. */
  private String absent(Grid grid, SplittableRandom random) {
    Set<String> shown = new HashSet<>(DERIVED);
    grid.series().forEach(series -> shown.add(series.role()));
    List<String> others = new ArrayList<>(pack.vocabulary().items().keySet());
    others.removeAll(shown);
    Mention mention = new Mention(grid, pack.vocabulary(), random);
    String name = "";
    for (int t = 0; t < DRAWS && (name.isEmpty() || mention.mayMean(name)); t++) {
      SyntheticPack.Item item = pack.vocabulary().items().get(Wording.pick(others, random));
      name = Grid.inSentence(Wording.pick(item.labels(), random));
    }
    return name;
  }

  /** A period before the first or after the last of the page. */
  private static String missing(Grid grid, SplittableRandom random) {
    boolean before = random.nextBoolean();
    String edge = (before ? grid.periods().getFirst() : grid.periods().getLast()).call();
    Matcher year = YEAR.matcher(edge);
    int step = 1 + random.nextInt(3);
    return year.replaceFirst(
        m -> String.valueOf(Integer.parseInt(m.group()) + (before ? -step : step)));
  }
}
