package dev.reckoner.corpus;

import dev.reckoner.corpus.SyntheticGenerator.Solved;
import dev.reckoner.corpus.SyntheticGenerator.Split;
import dev.reckoner.corpus.SyntheticPack.Family;
import dev.reckoner.reasoning.Evidence;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import java.util.stream.IntStream;

/**
 * More questions on real pages: the question families of a domain pack, asked about the tables of
 * published training pages. Labels and layouts are real, wordings are ours.
 */
public final class PageQuestions {

  /** How many families are tried for one question. */
  private static final int TRIES = 6;

  /** How many percent of the lessons show the page with all its sentences. */
  private static final int FULL_PERCENT = 20;

  private final SyntheticPack pack;
  private final QuestionMaker maker;
  private final long seed;
  private final List<Family> families = new ArrayList<>();

  /**
   * @throws IllegalArgumentException if the pack has no question families
   */
  public PageQuestions(String pack, long seed) {
    this.pack = SyntheticPack.load(pack);
    this.maker = new QuestionMaker(this.pack, Split.TRAIN);
    this.seed = seed;
    for (Family family : this.pack.families()) {
      if (family.on().contains("statement") || family.on().contains("breakdown")) {
        families.addAll(Collections.nCopies(family.weight(), family));
      }
    }
  }

  /** Up to {@code perPage} lessons on each page whose table can be read as series over periods. */
  public List<Lesson> lessons(List<Problem> pages, int perPage) {
    return distinct(pages).parallelStream()
        .flatMap(
            page -> {
              SplittableRandom random = new SplittableRandom(seed * 31 + page.id().hashCode());
              return IntStream.range(0, perPage)
                  .mapToObj(n -> lesson(page, page.id() + "/q" + n, 1, random))
                  .flatMap(Optional::stream);
            })
        .toList();
  }

  /** The pages that have tables, each once. */
  public static List<Problem> distinct(List<Problem> pages) {
    Set<Object> seen = new HashSet<>();
    return pages.stream()
        .filter(page -> !page.evidence().tables().isEmpty())
        .filter(page -> seen.add(List.of(page.group(), page.evidence().tables().getFirst())))
        .toList();
  }

  /**
   * Questions on a page with some or all of its sentences, drawn from a generator; nothing where
   * the page's table cannot be read as series over periods, or none of the families drawn fits it.
   *
   * @param id of the lesson
   */
  public Optional<Lesson> lesson(Problem page, String id, int questions, SplittableRandom random) {
    Optional<TableGrid> grid = TableGrid.of(someSentences(page, random), pack.vocabulary());
    if (grid.isEmpty()) {
      return Optional.empty();
    }
    List<Solved> solved = new ArrayList<>();
    for (int t = 0; t < TRIES * questions && solved.size() < questions; t++) {
      Family family = Wording.pick(families, random);
      if (family.conclude() == null || random.nextInt(4) == 0) {
        maker
            .ask(
                family,
                grid.get().grid(),
                grid.get().page(),
                id,
                page.group(),
                "page",
                false,
                random)
            .ifPresent(solved::add);
      }
    }
    return solved.isEmpty() ? Optional.empty() : Optional.of(Lesson.of(solved));
  }

  /** The page's table with a few of its sentences, or all. */
  static Problem someSentences(Problem page, SplittableRandom random) {
    Evidence evidence = page.evidence();
    TreeSet<Integer> rows = new TreeSet<>();
    for (int r = 0; r < evidence.tables().getFirst().rows().size(); r++) {
      rows.add(r);
    }
    TreeSet<Integer> sentences = new TreeSet<>();
    int all = evidence.sentences().size();
    if (random.nextInt(100) < FULL_PERCENT) {
      for (int s = 0; s < all; s++) {
        sentences.add(s);
      }
    } else {
      for (int extra = random.nextInt(5); extra > 0 && all > 0; extra--) {
        sentences.add(random.nextInt(all));
      }
    }
    return page.keeping(rows, sentences);
  }
}
