package dev.reckoner.inference;

import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.ChainSyntaxException;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Step;
import dev.reckoner.reasoning.Verdict;
import dev.reckoner.reasoning.Verifier;
import java.util.ArrayList;
import java.util.List;

/**
 * A generation read as a chain and checked.
 *
 * @param chain the steps
 * @param verdicts one a step, in order
 * @param confidences how sure the model was of each step, in (0, 1], see {@link
 *     Generation#certainty()}
 */
public record Reasoned(
    Generation generation, Chain chain, List<Verdict> verdicts, List<Double> confidences) {

  /**
   * Reads and verifies what was written about {@code evidence}.
   *
   * @throws ChainSyntaxException if it is no chain
   */
  public static Reasoned of(Evidence evidence, Generation generation) throws ChainSyntaxException {
    Chain chain = Chain.parse(generation.text());
    List<Double> confidences = new ArrayList<>();
    int from = 0;
    for (String line : generation.text().split("\n", -1)) {
      int to = from + line.length() + 1;
      if (!line.isBlank()) {
        confidences.add(generation.certainty(from, to));
      }
      from = to;
    }
    return new Reasoned(
        generation, chain, new Verifier().verify(evidence, chain), List.copyOf(confidences));
  }

  /** What the chain concludes, for example {@code 20.96 %}; {@code null} without a conclusion. */
  public String answer() {
    return chain.steps().getLast() instanceof Step.Conclude conclude
        ? conclude.answer().text()
        : null;
  }

  /** Whether every step passed. */
  public boolean verified() {
    return verdicts.stream().allMatch(Verdict::passed);
  }
}
