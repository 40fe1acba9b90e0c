package dev.reckoner.improve;

import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.Evidence;
import java.time.Instant;
import java.util.UUID;

/**
 * An analysis that a person has decided on, by the decision that stands.
 *
 * @param original the chain as the model wrote it
 * @param corrected the chain of a correction; {@code null} otherwise
 * @param firstWrongStep position in {@code original} of the first step that the reviewer marked;
 *     {@code null} if they marked none
 */
record ValidatedChain(
    UUID analysisId,
    Use use,
    String subject,
    String eventType,
    Evidence evidence,
    String original,
    Chain corrected,
    Integer firstWrongStep,
    String reviewer,
    Instant decidedAt) {

  /** What a decision makes of an analysis. */
  enum Use {
    APPROVED,
    CORRECTED,
    REJECTED;

    String column() {
      return name().toLowerCase(java.util.Locale.ROOT);
    }
  }
}
