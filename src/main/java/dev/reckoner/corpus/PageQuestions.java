package dev.reckoner.corpus;

import dev.reckoner.corpus.SyntheticGenerator.Solved;
import dev.reckoner.corpus.SyntheticGenerator.Split;
import dev.reckoner.corpus.SyntheticPack.Family;
import dev.reckoner.reasoning.Evidence;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;

/**
 * More questions on real pages: the question families of a domain pack, asked about the tables of
 * published training pages. Labels and layouts are real, wordings are ours.
 */
public final class PageQuestions {

  /** How many families are tried for one question. */
  private static final int TRIES = 6;

  private final SyntheticPack pack;
  private final QuestionMaker maker;
  private final long seed;

  /**
   * @throws IllegalArgumentException if the pack has no question families
   */
  public PageQuestions(String pack, long seed) {
    this.pack = SyntheticPack.load(pack);
    this.maker = new QuestionMaker(this.pack, Split.TRAIN);
    this.seed = seed;
  }

  /**
   * Up to {@code perPage} questions on each page whose table can be read as series over periods.
   */
  public List<Lesson> lessons(List<Problem> pages, int perPage) {
    List<Family> families = new ArrayList<>();
    for (Family family : pack.families()) {
      if (family.on().contains("statement") || family.on().contains("breakdown")) {
        for (int i = 0; i < family.weight(); i++) {
          families.add(family);
        }
      }
    }
    List<Problem> distinct = new ArrayList<>();
    Set<Object> seen = new HashSet<>();
    for (Problem page : pages) {
      if (!page.evidence().tables().isEmpty()
          && seen.add(List.of(page.group(), page.evidence().tables().getFirst()))) {
        distinct.add(page);
      }
    }
    return distinct.parallelStream()
        .flatMap(page -> questions(page, families, perPage).stream())
        .toList();
  }

  private List<Lesson> questions(Problem page, List<Family> families, int perPage) {
    SplittableRandom random = new SplittableRandom(seed * 31 + page.id().hashCode());
    List<Lesson> lessons = new ArrayList<>();
    for (int n = 0; n < perPage; n++) {
      Problem view = someSentences(page, random);
      Optional<TableGrid> grid = TableGrid.of(view, pack.vocabulary());
      if (grid.isEmpty()) {
        return List.of();
      }
      String id = page.id() + "/q" + n;
      Optional<Solved> solved = Optional.empty();
      for (int t = 0; t < TRIES && solved.isEmpty(); t++) {
        Family family = Wording.pick(families, random);
        if (family.conclude() == null || random.nextInt(4) == 0) {
          solved =
              maker.ask(
                  family,
                  grid.get().grid(),
                  grid.get().page(),
                  id,
                  page.group(),
                  "page",
                  false,
                  random);
        }
      }
      solved.map(s -> Lesson.of(s.problem(), s.chain())).ifPresent(lessons::add);
    }
    return lessons;
  }

  /** The page's table with a few of its sentences. */
  private static Problem someSentences(Problem page, SplittableRandom random) {
    Evidence evidence = page.evidence();
    TreeSet<Integer> rows = new TreeSet<>();
    for (int r = 0; r < evidence.tables().getFirst().rows().size(); r++) {
      rows.add(r);
    }
    TreeSet<Integer> sentences = new TreeSet<>();
    int all = evidence.sentences().size();
    for (int extra = random.nextInt(5); extra > 0 && all > 0; extra--) {
      sentences.add(random.nextInt(all));
    }
    return page.keeping(rows, sentences);
  }
}
