package dev.reckoner.corpus;

import dev.reckoner.corpus.ConversationPack.Node;
import dev.reckoner.corpus.ConversationPack.Talk;
import dev.reckoner.corpus.Expression.Binary;
import dev.reckoner.corpus.Expression.Name;
import dev.reckoner.corpus.Expression.Number;
import dev.reckoner.corpus.SyntheticGenerator.Solved;
import dev.reckoner.corpus.SyntheticGenerator.Split;
import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Figures;
import dev.reckoner.reasoning.Place;
import dev.reckoner.reasoning.Step;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Makes conversations about synthetic and about published pages, in the form of {@link
 * ConvFinQaFormat}: the question repeats the turns before the one to answer. What each turn asks
 * for is an expression over figures of the page; its chain is executed and verified like every
 * other.
 */
public final class Conversations {

  /** How many talks are tried for one question. */
  private static final int TRIES = 8;

  /** How many companies are tried until one has what a talk needs. */
  private static final int COMPANIES = 12;

  /** In how many percent of the questions two talks follow one another. */
  private static final int TWO_PERCENT = 25;

  /** In how many percent the last turn of what was made is asked; else any but the first. */
  private static final int LAST_PERCENT = 60;

  /** How many percent of the conversations about a chain's figures end with its own question. */
  private static final int OWN_QUESTION_PERCENT = 30;

  private static final int LONGEST_HEADER = 40;

  private static final Pattern YEAR = Pattern.compile("(?<![0-9])(?:19|20)\\d\\d(?![0-9])");

  /** Numbers up to this may be divided by without standing anywhere. */
  private static final BigDecimal SMALL = BigDecimal.valueOf(12);

  private static final BigDecimal HUNDRED = BigDecimal.valueOf(100);

  /** As in the chains of gold programs, see {@link ProgramPlanner}. */
  private static final Pattern PERCENT =
      Pattern.compile("percent|portion|growth rate|% change|what share");

  private final SyntheticPack pack;
  private final ConversationPack conversations;
  private final List<Talk> talks = new ArrayList<>();
  private final Map<String, Integer> drops = new ConcurrentHashMap<>();

  /** A turn that was said. */
  private record Turn(String question, Expression value, boolean percent) {}

  /**
   * What slots stand for in one talk.
   *
   * @param texts what a wording says for a slot
   */
  private record Bound(
      Map<String, Integer> series, Map<String, Integer> periods, Map<String, String> texts) {}

  /**
   * @throws IllegalArgumentException if the pack has no conversations or they are malformed
   */
  public Conversations(String pack) {
    this.pack = SyntheticPack.load(pack);
    conversations = ConversationPack.load(pack);
    for (Talk talk : conversations.talks()) {
      talks.addAll(Collections.nCopies(talk.needs().weight(), talk));
    }
  }

  /** How often and why a chain came to nothing, by talk. */
  public Map<String, Integer> drops() {
    return Map.copyOf(drops);
  }

  /**
   * Questions on one synthetic page, each with a conversation of its own.
   *
   * @param id of the lesson and its group
   */
  public Lesson synthetic(String id, int questions, SplittableRandom random) {
    while (true) {
      Talk first = Wording.pick(talks, random);
      for (int company = 0; company < COMPANIES; company++) {
        String shape = Wording.pick(first.needs().on(), random);
        Grid grid = new GridMaker(pack.vocabulary(), Split.TRAIN, random).make(shape);
        PageWriter.Page page = new PageWriter(pack.vocabulary(), false, false, random).write(grid);
        List<Solved> solved =
            solved(grid, page, shape, id, id, "synthetic/conversation", questions, random);
        if (!solved.isEmpty()) {
          return Lesson.of(solved);
        }
      }
    }
  }

  /**
   * Questions on a published page with some or all of its sentences, each with a conversation of
   * its own; nothing where its table cannot be read as series over periods, or no talk fits it.
   *
   * @param id of the lesson
   */
  public Optional<Lesson> onPage(Problem page, String id, int questions, SplittableRandom random) {
    Optional<TableGrid> grid =
        TableGrid.of(PageQuestions.someSentences(page, random), pack.vocabulary());
    if (grid.isEmpty()) {
      return Optional.empty();
    }
    List<Solved> solved =
        solved(
            grid.get().grid(),
            grid.get().page(),
            grid.get().grid().shape(),
            id,
            page.group(),
            "page/conversation",
            questions,
            random);
    return solved.isEmpty() ? Optional.empty() : Optional.of(Lesson.of(solved));
  }

  /**
   * A conversation about the figures of a gold chain: they are asked for one by one where its form
   * is known, and the problem's own question follows or comes before; else the question follows
   * other talk about the page. Nothing where neither can be said.
   *
   * @param problem whose evidence the chain cites
   */
  Optional<Solved> about(Problem problem, Chain chain, SplittableRandom random) {
    List<Plan.Reference> cites = new ArrayList<>();
    List<String> computes = new ArrayList<>();
    for (Step step : chain.steps()) {
      switch (step) {
        case Step.Cite cite -> cites.add(new Plan.Reference(cite.place(), cite.figure().value()));
        case Step.Compute compute -> computes.add(compute.expression());
        default -> {}
      }
    }
    if (cites.isEmpty() || cites.stream().anyMatch(c -> c.place() instanceof Place.Question)) {
      return Optional.empty();
    }
    boolean tokenised = !problem.origin().equals("tatqa");
    Turn own = new Turn(problem.evidence().question(), null, false);
    List<Turn> turns = new ArrayList<>();
    PageWriter.Page page = course(problem, cites, computes, tokenised, turns, random);
    if (turns.size() < 2 || random.nextInt(100) < OWN_QUESTION_PERCENT) {
      if (turns.size() < 2) {
        turns.clear();
        TableGrid.of(problem, pack.vocabulary())
            .ifPresent(
                grid ->
                    talk(
                        Wording.pick(talks, random),
                        grid.grid(),
                        grid.page(),
                        grid.grid().shape(),
                        turns,
                        random));
      }
      if (turns.isEmpty()) {
        return Optional.empty();
      }
      List<Turn> before = turns.subList(0, 1 + random.nextInt(turns.size()));
      return built("own question", problem, said(before, own), builder -> Plan.of(cites, computes));
    }
    if (random.nextInt(100) < OWN_QUESTION_PERCENT / 2) {
      turns.addFirst(own);
    }
    int asked = 1 + random.nextInt(turns.size() - 1);
    asked = random.nextBoolean() ? turns.size() - 1 : asked;
    Turn last = turns.get(asked);
    String question = said(turns.subList(0, asked), last);
    return built("course", problem, question, builder -> plan(last, question, page, builder));
  }

  /** Adds the turns that ask for the figures of a chain, and says where they stand. */
  private PageWriter.Page course(
      Problem problem,
      List<Plan.Reference> cites,
      List<String> computes,
      boolean tokenised,
      List<Turn> turns,
      SplittableRandom random) {
    Map<PageWriter.Key, Plan.Reference> places = new HashMap<>();
    Map<String, String> texts = new HashMap<>();
    Map<String, Integer> series = new HashMap<>(Map.of("x", 0));
    Map<String, Integer> periods = new HashMap<>(Map.of("q", 1));
    PageWriter.Page page =
        new PageWriter.Page(
            problem.evidence().tables(), problem.evidence().sentences(), places, tokenised);
    if (cites.size() != 2
        || computes.size() != 1
        || !(cites.getFirst().place() instanceof Place.Cell a)
        || !(cites.getLast().place() instanceof Place.Cell b)
        || a.table() != 0
        || b.table() != 0) {
      return page;
    }
    List<List<String>> rows = problem.evidence().tables().getFirst().rows();
    boolean row = a.row() == b.row();
    if (!row && a.column() != b.column()) {
      return page;
    }
    String form =
        (row ? "row " : "column ") + computes.getFirst().replaceFirst(" as %$", "").strip();
    List<Node> course = conversations.courses().get(form);
    Optional<String> x = TableGrid.name(rows, a.row());
    Optional<String> q = header(rows, a.column());
    if (course == null || x.isEmpty() || q.isEmpty()) {
      return page;
    }
    texts.put("x", x.get());
    texts.put("q", q.get());
    places.put(new PageWriter.Key(0, 1), cites.getFirst());
    if (row) {
      Optional<String> p = header(rows, b.column());
      if (p.isEmpty() || p.equals(q)) {
        return page;
      }
      texts.put("p", p.get());
      periods.put("p", 0);
      places.put(new PageWriter.Key(0, 0), cites.getLast());
    } else {
      Optional<String> y = TableGrid.name(rows, b.row());
      if (y.isEmpty() || y.equals(x)) {
        return page;
      }
      texts.put("y", y.get());
      series.put("y", 1);
      places.put(new PageWriter.Key(1, 1), cites.getLast());
    }
    try {
      say(course, new Bound(series, periods, texts), page, turns, random);
    } catch (IllegalArgumentException e) {
      drops.merge(form + ": " + e.getMessage(), 1, Integer::sum);
    }
    return page;
  }

  /** What a column's header calls it: a year where it names one. */
  private static Optional<String> header(List<List<String>> rows, int column) {
    String header = column < rows.getFirst().size() ? rows.getFirst().get(column).strip() : "";
    Matcher year = YEAR.matcher(header);
    if (year.find() && !year.find()) {
      return Optional.of(header.replaceAll(".*?((?:19|20)\\d\\d).*", "$1"));
    }
    return header.isEmpty() || header.length() > LONGEST_HEADER
        ? Optional.empty()
        : Optional.of(header);
  }

  private static String said(List<Turn> before, Turn last) {
    StringBuilder question = new StringBuilder();
    before.forEach(turn -> question.append(turn.question).append(' '));
    return question.append(last.question).toString();
  }

  private Optional<Solved> built(
      String what, Problem page, String question, Function<ChainBuilder, Plan> planner) {
    Evidence evidence =
        new Evidence(
            page.evidence().title(),
            question,
            page.evidence().tables(),
            page.evidence().sentences(),
            false);
    ChainBuilder builder = new ChainBuilder(evidence);
    ChainBuilder.Built built;
    try {
      built = builder.build(planner.apply(builder));
    } catch (IllegalArgumentException e) {
      built = new ChainBuilder.Built.Dropped(e.getMessage());
    }
    return switch (built) {
      case ChainBuilder.Built.Done done ->
          Optional.of(
              new Solved(
                  new Problem(
                      page.id(),
                      page.group(),
                      page.origin(),
                      evidence,
                      QuestionMaker.gold(done.answer()),
                      null,
                      Support.UNKNOWN),
                  done.chain()));
      case ChainBuilder.Built.Dropped(String reason) -> {
        drops.merge(what + ": " + reason, 1, Integer::sum);
        yield Optional.empty();
      }
    };
  }

  private List<Solved> solved(
      Grid grid,
      PageWriter.Page page,
      String shape,
      String id,
      String group,
      String origin,
      int questions,
      SplittableRandom random) {
    List<Solved> solved = new ArrayList<>();
    for (int t = 0; t < TRIES * questions && solved.size() < questions; t++) {
      List<Turn> turns = new ArrayList<>();
      Talk talk = Wording.pick(talks, random);
      talk(talk, grid, page, shape, turns, random);
      if (!turns.isEmpty() && random.nextInt(100) < TWO_PERCENT) {
        talk(Wording.pick(talks, random), grid, page, shape, turns, random);
      }
      if (turns.size() > 1) {
        int asked =
            random.nextInt(100) < LAST_PERCENT
                ? turns.size() - 1
                : 1 + random.nextInt(turns.size() - 1);
        Turn last = turns.get(asked);
        String question = said(turns.subList(0, asked), last);
        Evidence shown =
            new Evidence(grid.title(), question, page.tables(), page.sentences(), false);
        built(
                talk.needs().id(),
                new Problem(id, group, origin, shown, null, null, Support.UNKNOWN),
                question,
                builder -> plan(last, question, page, builder))
            .ifPresent(solved::add);
      }
    }
    return solved;
  }

  /** Adds the turns of a talk; none where the page lacks what it needs. */
  private void talk(
      Talk talk,
      Grid grid,
      PageWriter.Page page,
      String shape,
      List<Turn> turns,
      SplittableRandom random) {
    if (!talk.needs().on().contains(shape)) {
      return;
    }
    Optional<Map<String, Integer>> bound = QuestionMaker.bind(talk.needs(), grid, random);
    if (bound.isEmpty()) {
      return;
    }
    List<Integer> periods =
        new ArrayList<>(QuestionMaker.periods(talk.needs(), grid, page, bound.get(), random));
    if (periods.isEmpty()) {
      return;
    }
    if (talk.fromFirst()) {
      periods.set(0, 0);
      if (periods.size() > 1 && periods.get(1) == 0) {
        return;
      }
    }
    Mention mention = new Mention(grid, pack.vocabulary(), random);
    Map<String, String> texts = new HashMap<>();
    bound.get().forEach((slot, s) -> texts.put(slot, mention.of(grid.series().get(s))));
    Map<String, Integer> times = new HashMap<>();
    for (int n = 0; n < periods.size(); n++) {
      // Of two periods most talks ask for the later first, and of one it is q.
      String slot = periods.size() == 1 ? "q" : List.of("p", "q", "r").get(n);
      times.put(slot, periods.get(n));
      texts.put(slot, grid.periods().get(periods.get(n)).call());
    }
    String last = texts.get("q");
    if (last.matches("\\d{4}")) {
      texts.put("next", String.valueOf(Integer.parseInt(last) + 1));
    }
    try {
      say(talk.turns(), new Bound(bound.get(), times, texts), page, turns, random);
    } catch (IllegalArgumentException e) {
      // A figure or a slot that this page lacks: the talk ends before it.
      drops.merge(talk.needs().id() + ": " + e.getMessage(), 1, Integer::sum);
    }
  }

  private void say(
      List<Node> nodes,
      Bound bound,
      PageWriter.Page page,
      List<Turn> turns,
      SplittableRandom random) {
    for (Node node : nodes) {
      if (random.nextInt(100) >= node.maybe()) {
        continue;
      }
      if (!node.any().isEmpty()) {
        say(Wording.pick(node.any(), random), bound, page, turns, random);
      } else if (node.part() != null) {
        List<Node> part = conversations.parts().get(node.part());
        if (part == null) {
          throw new IllegalStateException("no part " + node.part());
        }
        say(part, renamed(bound, node.as()), page, turns, random);
      } else {
        String template = Wording.template(Wording.pick(node.say(), random), random);
        turns.add(
            new Turn(
                said(Wording.filled(template, bound.texts()), page.tokenised()),
                value(node.value(), bound),
                node.percent()));
      }
    }
  }

  private static Bound renamed(Bound bound, Map<String, String> as) {
    if (as.isEmpty()) {
      return bound;
    }
    return new Bound(
        renamed(bound.series(), as), renamed(bound.periods(), as), renamed(bound.texts(), as));
  }

  private static <T> Map<String, T> renamed(Map<String, T> slots, Map<String, String> as) {
    Map<String, T> renamed = new HashMap<>(slots);
    as.forEach(
        (slot, other) -> {
          if (slots.containsKey(other)) {
            renamed.put(slot, slots.get(other));
          }
        });
    return renamed;
  }

  /** A turn as published conversations write it: the article once, small letters. */
  private static String said(String text, boolean tokenised) {
    String once =
        text.replaceAll("(?i)\\b(the|this|that) (the|its)\\b", "$2")
            .replaceAll("(?i)\\btotal of (the )?total\\b", "total")
            .replaceAll("(?i)\\b(total|sum|amount|value|balance)( of|) (the )?\\1\\b", "$1");
    return tokenised ? once.toLowerCase(Locale.ROOT) : once;
  }

  /** The expression with {@code xq} as the name of series and period: {@code 3.1}. */
  private static Expression value(String written, Bound bound) {
    Map<String, Expression> names = new HashMap<>();
    bound
        .series()
        .forEach(
            (slot, s) ->
                bound
                    .periods()
                    .forEach((time, p) -> names.put(slot + time, new Name(s + "." + p))));
    return ProgramReader.infix(written, names);
  }

  /** The chain that the last turn asks for. */
  private static Plan plan(
      Turn asked, String question, PageWriter.Page page, ChainBuilder builder) {
    List<Plan.Reference> cites = new ArrayList<>();
    Expression cited = cited(asked.value, ' ', page, builder.figures(), cites);
    boolean percent = asked.percent && PERCENT.matcher(question.toLowerCase(Locale.ROOT)).find();
    return Plan.of(
        cites,
        cited instanceof Name
            ? List.of()
            : List.of(Expression.text(cited) + (percent ? " as %" : "")));
  }

  /** The expression over the letters of its citations, in the order of their first appearance. */
  private static Expression cited(
      Expression value,
      char before,
      PageWriter.Page page,
      Figures figures,
      List<Plan.Reference> cites) {
    return switch (value) {
      case Binary(char operator, Expression left, Expression right) -> {
        Expression l = cited(left, ' ', page, figures, cites);
        yield new Binary(operator, l, cited(right, operator, page, figures, cites));
      }
      case Name(String name) -> {
        String[] place = name.split("\\.");
        Plan.Reference reference =
            page.places()
                .get(new PageWriter.Key(Integer.parseInt(place[0]), Integer.parseInt(place[1])));
        if (reference == null) {
          throw new IllegalArgumentException("the page lacks a figure");
        }
        yield letter(reference, cites);
      }
      case Number number -> constant(number, before, figures, cites);
      default -> throw new IllegalStateException("no conversation has " + value);
    };
  }

  /** A number of the conversation itself is cited from it, as {@link ProgramPlanner} does. */
  private static Expression constant(
      Number number, char before, Figures figures, List<Plan.Reference> cites) {
    if (before == '/' && number.value().compareTo(SMALL) <= 0) {
      return number;
    }
    return figures.all().stream()
        .filter(found -> found.place() instanceof Place.Question)
        .filter(found -> found.figure().value().compareTo(number.value()) == 0)
        .findFirst()
        .<Expression>map(
            found -> letter(new Plan.Reference(found.place(), found.figure().value()), cites))
        .orElseGet(
            () -> {
              if (number.value().compareTo(HUNDRED) > 0) {
                throw new IllegalArgumentException("a number of the conversation is not in it");
              }
              return number;
            });
  }

  private static Name letter(Plan.Reference reference, List<Plan.Reference> cites) {
    if (!cites.contains(reference)) {
      cites.add(reference);
    }
    return new Name(Plan.letter(cites.indexOf(reference)));
  }
}
