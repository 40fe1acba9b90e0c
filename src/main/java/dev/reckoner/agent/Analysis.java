package dev.reckoner.agent;

import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Verdict;
import java.time.Duration;
import java.util.List;
import java.util.UUID;

/**
 * One event, analysed and checked.
 *
 * @param id of this analysis; another analysis of the same event has another
 * @param event what was analysed
 * @param evidence what the chain could cite
 * @param chainText the chain as the model wrote it
 * @param chain the same, read
 * @param verdicts one a step, in order
 * @param answer the conclusion's answer, for example {@code 20.96 %}
 * @param confidence geometric mean of the probabilities of the model's own choices, in (0, 1]
 * @param stepConfidences the same for each step, in order
 * @param lineage what produced it
 * @param took time in the model, waiting included
 */
public record Analysis(
    UUID id,
    FinancialEvent event,
    Evidence evidence,
    String chainText,
    Chain chain,
    List<Verdict> verdicts,
    String answer,
    double confidence,
    List<Double> stepConfidences,
    Lineage lineage,
    Duration took) {

  public Analysis {
    verdicts = List.copyOf(verdicts);
    stepConfidences = List.copyOf(stepConfidences);
  }

  /** Whether every step passed; only then may it be approved without a person. */
  public boolean verified() {
    return verdicts.stream().allMatch(Verdict::passed);
  }
}
