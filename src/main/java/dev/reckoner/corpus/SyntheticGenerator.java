package dev.reckoner.corpus;

import dev.reckoner.corpus.SyntheticPack.Family;
import dev.reckoner.reasoning.Chain;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Makes problems with their chains from a seed: a company, a page of its figures, a question of one
 * family on it. The n-th problem of a seed is always the same. Safe for use by several threads.
 */
public final class SyntheticGenerator {

  /** Which part of the vocabulary problems are made of. */
  public enum Split {
    TRAIN,
    /** Templates of the training grammar, names and labels that training problems never use. */
    HELD_OUT,
    /** The same names and labels, in wordings far from those of the training grammar. */
    RARE;

    boolean heldOut() {
      return this != TRAIN;
    }
  }

  static final List<String> EVENTS = List.of("earnings", "rating", "price", "comparison", "peers");

  /** Families whose answer is that the page does not say are this many percent of all. */
  private static final int NOT_STATED_PERCENT = 5;

  /** How many percent of the events ask for a stance. */
  private static final int STANCE_PERCENT = 40;

  /** How many companies are tried until one has the items of a family. */
  private static final int COMPANIES_A_FAMILY = 12;

  /** How many families are drawn for each further question on a page. */
  private static final int TRIES = 8;

  private final SyntheticPack pack;
  private final String origin;
  private final int notStatedPercent;
  private final long seed;
  private final Split split;
  private final List<Family> answerableFamilies;
  private final List<Family> unanswerableFamilies;
  private final QuestionMaker maker;

  /**
   * @param pack the domain, for example {@code finance}
   * @throws IllegalArgumentException if the pack has no synthetic material or it is malformed
   */
  public SyntheticGenerator(String pack, long seed, Split split) {
    this(SyntheticPack.load(pack), "synthetic", NOT_STATED_PERCENT, seed, split);
  }

  /**
   * A generator of some families only.
   *
   * @param origin the begin of ids and of {@link Problem#origin}
   * @param notStatedPercent how many percent of the problems are of families without an answer
   */
  SyntheticGenerator(
      SyntheticPack pack, String origin, int notStatedPercent, long seed, Split split) {
    this.pack = pack;
    this.origin = origin;
    this.notStatedPercent = notStatedPercent;
    this.seed = seed;
    this.split = split;
    maker = new QuestionMaker(pack, split);
    answerableFamilies = weighted(false);
    unanswerableFamilies = weighted(true);
  }

  /** What a suite of its own looks into. */
  public enum Topic {
    /** Two issuers side by side, and tables of three to five peers. */
    COMPARATIVE,
    /** Figures in different units and powers of ten. */
    UNITS,
    /** As many questions that the page does not answer as questions that it does. */
    UNANSWERABLE;

    /** How suites, ids and origins name it. */
    public String text() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * A generator of one topic's problems.
   *
   * @param domain the domain pack, for example {@code finance}
   * @throws IllegalArgumentException if the pack has no such material or it is malformed
   */
  public static SyntheticGenerator of(Topic topic, String domain, long seed, Split split) {
    SyntheticPack own = SyntheticPack.load(domain, topic.text() + ".yaml");
    SyntheticPack all = SyntheticPack.load(domain);
    SyntheticPack chosen =
        switch (topic) {
          case COMPARATIVE -> own.with(all.only(f -> f.on().equals(List.of("comparison"))));
          case UNITS -> own;
          case UNANSWERABLE -> own.with(all);
        };
    int notStated =
        switch (topic) {
          case COMPARATIVE -> 10;
          case UNITS -> 0;
          case UNANSWERABLE -> 50;
        };
    return new SyntheticGenerator(chosen, topic.text(), notStated, seed, split);
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
    return page(n, 1).getFirst();
  }

  /** The n-th problem and further ones on its page, up to {@code questions} in all. */
  public List<Solved> page(long n, int questions) {
    SplittableRandom random = new SplittableRandom(seed * 0x9E3779B97F4A7C15L + n);
    while (true) {
      List<Solved> solved = attempt(n, questions, random.split());
      if (!solved.isEmpty()) {
        return solved;
      }
    }
  }

  /** The n-th problem as a lesson. */
  public Lesson lesson(long n) {
    return lesson(n, 1);
  }

  /** The n-th problem and further ones on its page as a lesson. */
  public Lesson lesson(long n, int questions) {
    return Lesson.of(page(n, questions));
  }

  /** How often and why a sketch came to nothing and another was made. */
  public Map<String, Integer> drops() {
    return Map.copyOf(maker.drops());
  }

  private List<Solved> attempt(long n, int questions, SplittableRandom random) {
    Family family = family(random);
    for (int company = 0; company < COMPANIES_A_FAMILY; company++) {
      List<Solved> solved = attempt(n, family, questions, random.split());
      if (!solved.isEmpty()) {
        return solved;
      }
    }
    return List.of();
  }

  private Family family(SplittableRandom random) {
    boolean unanswerable = random.nextInt(100) < notStatedPercent;
    return Wording.pick(unanswerable ? unanswerableFamilies : answerableFamilies, random);
  }

  private List<Solved> attempt(long n, Family family, int questions, SplittableRandom random) {
    String shape = Wording.pick(family.on(), random);
    Grid grid = new GridMaker(pack.vocabulary(), split, random).make(shape);
    boolean event = EVENTS.contains(shape);
    PageWriter.Page page =
        new PageWriter(pack.vocabulary(), split.heldOut(), event, random).write(grid);
    String id = origin + "-" + split.name().toLowerCase(Locale.ROOT) + "-" + seed + "-" + n;
    boolean stance = event && random.nextInt(100) < STANCE_PERCENT;
    List<Solved> solved = new ArrayList<>();
    maker.ask(family, grid, page, id, id, origin, stance, random).ifPresent(solved::add);
    for (int t = 0; t < TRIES * (questions - 1) && !solved.isEmpty(); t++) {
      Family further = family(random);
      if (solved.size() < questions && further.on().contains(shape)) {
        maker.ask(further, grid, page, id, id, origin, stance, random).ifPresent(solved::add);
      }
    }
    return solved;
  }

  /** The text with its first letter large. */
  static String capital(String text) {
    return text.isEmpty() ? text : Character.toUpperCase(text.charAt(0)) + text.substring(1);
  }
}
