package dev.reckoner.evaluation;

import dev.reckoner.corpus.HouseRule;

/**
 * Whether a convention of the house, told only by corrections, was learned: the held-out problems
 * of {@link HouseRule}, whose pool is what a reviewer corrects.
 */
public final class HouseRuleSuite {

  public static final String NAME = HouseRule.NAME;

  /** What recipes are chosen by. */
  public static final String VALIDATION = NAME + "-validation";

  /** The seed of the suite that ships; pools may have any seed, this one included. */
  public static final long SEED = SyntheticSuite.SEED;

  private HouseRuleSuite() {}

  /** The first problems of a seed. */
  public static Suite of(String pack, long seed, int problems) {
    return SyntheticSuite.of(NAME, new HouseRule(pack).heldOut(seed, problems));
  }

  /** The first problems of a seed that recipes may be chosen by. */
  public static Suite validation(String pack, long seed, int problems) {
    return SyntheticSuite.of(VALIDATION, new HouseRule(pack).validation(seed, problems));
  }
}
