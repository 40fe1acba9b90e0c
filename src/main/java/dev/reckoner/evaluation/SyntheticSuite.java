package dev.reckoner.evaluation;

import dev.reckoner.corpus.SyntheticGenerator;
import dev.reckoner.corpus.SyntheticGenerator.Solved;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Problems in wordings and with names that no training problem has, made from a seed. */
public final class SyntheticSuite {

  public static final String NAME = "synthetic";
  public static final String RARE = "synthetic-rare";
  public static final String TRAINING = "synthetic-train";

  /** The seed of the suite that ships; another seed gives other problems of the same kind. */
  public static final long SEED = 20_261_124L;

  private SyntheticSuite() {}

  /** The first problems of a seed, and so the same for everyone. */
  public static Suite of(String pack, long seed, int problems) {
    SyntheticGenerator generator =
        new SyntheticGenerator(pack, seed, SyntheticGenerator.Split.HELD_OUT);
    return of(NAME, IntStream.range(0, problems).mapToObj(generator::problem).toList());
  }

  /**
   * Fresh problems of the kind that models are trained on, for what may look at no suite. The seed
   * must be one that no lessons were made with.
   */
  public static Suite training(String pack, long seed, int problems) {
    SyntheticGenerator generator =
        new SyntheticGenerator(pack, seed, SyntheticGenerator.Split.TRAIN);
    return of(TRAINING, IntStream.range(0, problems).mapToObj(generator::problem).toList());
  }

  /** The same in wordings far from those of training, chosen by hand to be hard. */
  public static Suite rare(String pack, long seed, int problems) {
    SyntheticGenerator generator =
        new SyntheticGenerator(pack, seed, SyntheticGenerator.Split.RARE);
    return of(RARE, IntStream.range(0, problems).mapToObj(generator::problem).toList());
  }

  /** The first problems of one topic; the suite is called as the topic is. */
  public static Suite of(SyntheticGenerator.Topic topic, String pack, long seed, int problems) {
    SyntheticGenerator generator =
        SyntheticGenerator.of(topic, pack, seed, SyntheticGenerator.Split.HELD_OUT);
    return of(topic.text(), IntStream.range(0, problems).mapToObj(generator::problem).toList());
  }

  /** A suite of problems whose chains are known. */
  static Suite of(String name, List<Solved> solved) {
    return Suite.of(
        name,
        solved.stream().map(Solved::problem).toList(),
        solved.stream().collect(Collectors.toMap(s -> s.problem().id(), Solved::chain)));
  }
}
