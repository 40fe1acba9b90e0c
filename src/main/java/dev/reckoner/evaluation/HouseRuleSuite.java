package dev.reckoner.evaluation;

import dev.reckoner.corpus.HouseRule;

/**
 * Whether a convention of the house, told only by corrections, was learned: the held-out problems
 * of {@link HouseRule}, whose pool is what a reviewer corrects.
 */
public final class HouseRuleSuite {

  public static final String NAME = HouseRule.NAME;

  /** The seed of the suite that ships; pools may have any seed, this one included. */
  public static final long SEED = SyntheticSuite.SEED;

  private HouseRuleSuite() {}

  /** The first problems of a seed. */
  public static Suite of(String pack, long seed, int problems) {
    return SyntheticSuite.of(NAME, new HouseRule(pack).heldOut(seed, problems));
  }
}
