package dev.reckoner.evaluation;

import dev.reckoner.corpus.Problem;
import dev.reckoner.corpus.SyntheticGenerator;
import java.util.List;
import java.util.stream.IntStream;

/** Problems in wordings and with names that no training problem has, made from a seed. */
public final class SyntheticSuite {

  public static final String NAME = "synthetic";

  /** The seed of the suite that ships; another seed gives other problems of the same kind. */
  public static final long SEED = 20_261_124L;

  private SyntheticSuite() {}

  /** The first problems of a seed, and so the same for everyone. */
  public static Suite of(String pack, long seed, int problems) {
    SyntheticGenerator generator =
        new SyntheticGenerator(pack, seed, SyntheticGenerator.Split.HELD_OUT);
    List<Problem> all =
        IntStream.range(0, problems).mapToObj(n -> generator.problem(n).problem()).toList();
    return Suite.of(NAME, all);
  }
}
