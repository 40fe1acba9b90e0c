package dev.reckoner.corpus;

import dev.reckoner.corpus.SyntheticGenerator.Solved;
import dev.reckoner.corpus.SyntheticGenerator.Split;
import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.Evidence;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.LongStream;

/**
 * A convention of the house that a base model cannot know and that only reviewers' corrections
 * teach: the domain pack's {@code house.yaml}. In the finance pack this house calls <em>swing</em>
 * a change over the average of its two periods, in percent. No training lesson names it.
 *
 * <p>There are two kinds of problems that share neither companies nor wordings: a {@link #pool} to
 * be analysed and corrected, and {@link #heldOut} ones that measure whether the convention was
 * learned. Both name rows by labels that the base knows, so that the convention is the only thing
 * missing. {@link #reviewer} is a reviewer who knows it:
 *
 * <pre>{@code
 * List<Solved> pool = new HouseRule("finance").pool(seed, 300);
 * HouseRule.Reviewer reviewer = HouseRule.reviewer(pool);
 * // publish each solved.problem().evidence(), let the model write a chain, then
 * Chain corrected = reviewer.correction(evidence).orElseThrow(); // what a person would write
 * }</pre>
 *
 * <p>Every corrected chain verifies, can be written under the decoding grammar and concludes the
 * gold answer of its problem. The n-th problem of a seed is always the same.
 */
public final class HouseRule {

  /** Name of the suite, and the begin of the ids and origins of its problems. */
  public static final String NAME = "house-rule";

  private final SyntheticPack pack;

  /**
   * @param pack the domain, for example {@code finance}
   * @throws IllegalArgumentException if the pack has no house convention or it is malformed
   */
  public HouseRule(String pack) {
    this.pack = SyntheticPack.house(pack);
  }

  /** The first problems of a seed that reviewers may correct, each with its corrected chain. */
  public List<Solved> pool(long seed, int count) {
    return problems(Split.TRAIN, seed, count);
  }

  /**
   * The first held-out problems of a seed with their chains: companies and question wordings that
   * no pool has.
   */
  public List<Solved> heldOut(long seed, int count) {
    return problems(Split.HELD_OUT, seed, count);
  }

  /**
   * The first problems of a seed by which a recipe may be chosen: in wordings of their own, so that
   * the choice looks neither at the pool nor at the suite.
   */
  public List<Solved> validation(long seed, int count) {
    return problems(Split.RARE, seed, count);
  }

  private List<Solved> problems(Split split, long seed, int count) {
    SyntheticGenerator generator = new SyntheticGenerator(pack, NAME, 0, seed, split);
    return LongStream.range(0, count).mapToObj(generator::problem).toList();
  }

  /** A reviewer who knows the convention and the problems of a pool. */
  public static Reviewer reviewer(List<Solved> pool) {
    Map<Evidence, Chain> byEvidence = new HashMap<>();
    pool.forEach(solved -> byEvidence.put(solved.problem().evidence(), solved.chain()));
    return evidence -> Optional.ofNullable(byEvidence.get(evidence));
  }

  /** Corrects chains as a person of the house would. */
  @FunctionalInterface
  public interface Reviewer {

    /** The chain that the reviewer puts in place of the model's; empty for an unknown problem. */
    Optional<Chain> correction(Evidence evidence);
  }
}
