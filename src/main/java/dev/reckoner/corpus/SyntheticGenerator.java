package dev.reckoner.corpus;

import dev.reckoner.corpus.Grid.Series;
import dev.reckoner.corpus.SyntheticPack.Family;
import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Figure;
import dev.reckoner.reasoning.Flag;
import dev.reckoner.reasoning.Outcome;
import dev.reckoner.reasoning.Scale;
import dev.reckoner.reasoning.Stance;
import dev.reckoner.reasoning.Unit;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Makes problems with their chains from a seed: a company, a page of its figures, a question of one
 * family on it. The n-th problem of a seed is always the same. Safe for use by several threads.
 */
public final class SyntheticGenerator {

  /** Which part of the vocabulary problems are made of. */
  public enum Split {
    TRAIN,
    /** Question wordings and company names that training problems never use. */
    HELD_OUT
  }

  private static final Pattern YEAR = Pattern.compile("(?:19|20)\\d\\d");

  /** Families whose answer is that the page does not say are this many percent of all. */
  private static final int NOT_STATED_PERCENT = 5;

  /** How many companies are tried until one has the items of a family. */
  private static final int COMPANIES_A_FAMILY = 12;

  private final SyntheticPack pack;
  private final long seed;
  private final Split split;
  private final List<Family> answerableFamilies;
  private final List<Family> unanswerableFamilies;
  private final Map<String, Integer> drops = new ConcurrentHashMap<>();

  /**
   * @param pack the domain, for example {@code finance}
   * @throws IllegalArgumentException if the pack has no synthetic material or it is malformed
   */
  public SyntheticGenerator(String pack, long seed, Split split) {
    this.pack = SyntheticPack.load(pack);
    this.seed = seed;
    this.split = split;
    answerableFamilies = weighted(false);
    unanswerableFamilies = weighted(true);
  }

  /** Each family as often as its weight says. */
  private List<Family> weighted(boolean unanswerable) {
    List<Family> all = new ArrayList<>();
    for (Family family : pack.families()) {
      if ((family.conclude() != null) == unanswerable) {
        all.addAll(Collections.nCopies(family.weight(), family));
      }
    }
    return all;
  }

  /** A problem with its chain. */
  public record Solved(Problem problem, Chain chain) {}

  /** The n-th problem, counted from 0. */
  public Solved problem(long n) {
    SplittableRandom random = new SplittableRandom(seed * 0x9E3779B97F4A7C15L + n);
    while (true) {
      Optional<Solved> solved = attempt(n, random.split());
      if (solved.isPresent()) {
        return solved.get();
      }
    }
  }

  /** How often and why a sketch came to nothing and another was made. */
  public Map<String, Integer> drops() {
    return Map.copyOf(drops);
  }

  private Optional<Solved> attempt(long n, SplittableRandom random) {
    boolean unanswerable = random.nextInt(100) < NOT_STATED_PERCENT;
    Family family = Wording.pick(unanswerable ? unanswerableFamilies : answerableFamilies, random);
    for (int company = 0; company < COMPANIES_A_FAMILY; company++) {
      Optional<Solved> solved = attempt(n, family, random.split());
      if (solved.isPresent()) {
        return solved;
      }
    }
    return Optional.empty();
  }

  private Optional<Solved> attempt(long n, Family family, SplittableRandom random) {
    String shape = Wording.pick(family.on(), random);
    boolean heldOut = split == Split.HELD_OUT;
    GridMaker maker = new GridMaker(pack.vocabulary(), heldOut, random);
    Grid grid = maker.make(shape);
    Optional<Map<String, Integer>> bound = bind(family, grid, random);
    if (bound.isEmpty()) {
      return Optional.empty();
    }
    boolean event = List.of("earnings", "rating", "price", "comparison").contains(shape);
    PageWriter.Page page = new PageWriter(pack.vocabulary(), heldOut, event, random).write(grid);
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
    boolean stance = event && random.nextInt(100) < 40;
    return solved(n, family, grid, page, slots, Plan.of(cites, computes), stance, random);
  }

  private Optional<Solved> solved(
      long n,
      Family family,
      Grid grid,
      PageWriter.Page page,
      Map<String, String> slots,
      Plan plan,
      boolean stance,
      SplittableRandom random) {
    Evidence draft = new Evidence(grid.title(), "?", page.tables(), page.sentences(), false);
    ChainBuilder.Built first = new ChainBuilder(draft).computed(plan);
    if (!(first instanceof ChainBuilder.Built.Done(Chain _, Outcome answer))) {
      drops.merge(
          family.id() + ": " + ((ChainBuilder.Built.Dropped) first).reason(), 1, Integer::sum);
      return Optional.empty();
    }
    boolean negative = answer instanceof Figure figure && figure.value().signum() < 0;
    List<String> wordings =
        split == Split.HELD_OUT
            ? family.heldOut()
            : negative && !family.down().isEmpty() && random.nextBoolean()
                ? family.down()
                : family.ask();
    String question = capital(Wording.expand(Wording.pick(wordings, random), slots, random));
    if (page.tokenised()) {
      question = PageWriter.tokenise(question);
    }
    Evidence evidence =
        new Evidence(grid.title(), question, page.tables(), page.sentences(), stance);
    Plan judged = stance ? judged(family, plan, answer, slots, random) : plan;
    ChainBuilder.Built built = new ChainBuilder(evidence).build(judged);
    if (!(built instanceof ChainBuilder.Built.Done done)) {
      drops.merge(
          family.id() + ": " + ((ChainBuilder.Built.Dropped) built).reason(), 1, Integer::sum);
      return Optional.empty();
    }
    String id = "synthetic-" + split.name().toLowerCase(Locale.ROOT) + "-" + seed + "-" + n;
    Problem problem =
        new Problem(
            id,
            id,
            "synthetic/" + family.id(),
            evidence,
            gold(done.answer()),
            null,
            Support.UNKNOWN);
    return Optional.of(new Solved(problem, done.chain()));
  }

  private static Gold gold(Outcome answer) {
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
      inference = capital(Wording.expand(Wording.pick(sentences, random), slots, random));
    }
    return new Plan(plan.cites(), plan.computes(), plan.answer(), inference, stance, flags);
  }

  /** A series for each slot, all distinct; empty if the grid has none. */
  private Optional<Map<String, Integer>> bind(Family family, Grid grid, SplittableRandom random) {
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
  private static List<Integer> periods(
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
    if (needed == 3 || needed == 2 && random.nextInt(100) < 80) {
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
    Set<String> shown = new HashSet<>();
    grid.series().forEach(series -> shown.add(series.role()));
    List<String> others = new ArrayList<>(pack.vocabulary().items().keySet());
    others.removeAll(shown);
    SyntheticPack.Item item = pack.vocabulary().items().get(Wording.pick(others, random));
    return Grid.inSentence(Wording.pick(item.labels(), random));
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

  /** The text with its first letter large. */
  static String capital(String text) {
    return text.isEmpty() ? text : Character.toUpperCase(text.charAt(0)) + text.substring(1);
  }
}
