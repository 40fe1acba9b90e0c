package dev.reckoner.review;

import dev.reckoner.reasoning.Evidence;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/**
 * One analysis with everything a reviewer needs to decide.
 *
 * @param chain the chain as the model wrote it
 * @param steps its lines with the verdicts they got when it was analysed
 * @param confidence 0..1
 * @param version to be sent back with a decision
 * @param history every decision about it, the newest first
 */
public record ReviewItem(
    UUID id,
    String eventKey,
    String type,
    String subject,
    String title,
    Evidence evidence,
    String chain,
    List<StoredStep> steps,
    String answer,
    double confidence,
    String status,
    int version,
    Lineage lineage,
    Instant createdAt,
    List<Decision> history) {

  /**
   * A line of the chain and what verification said of it.
   *
   * @param verdict in words, for example {@code unsupported figure}
   * @param places the addresses that it rests on, for example {@code r3c2}
   */
  public record StoredStep(
      String kind, String text, String verdict, String reason, List<String> places) {}

  /** What produced the chain: enough to produce it again. */
  public record Lineage(
      String baseModelHash,
      String adapterId,
      String adapterHash,
      String promptVersion,
      String grammarVersion,
      String sampler,
      long seed,
      String engineBuild,
      String backend,
      int promptTokens,
      int generatedTokens,
      long millis) {}

  /** The decision that holds: the newest that was not undone. */
  public Optional<Decision> standing() {
    return history.stream()
        .filter(d -> d.kind() != Decision.Kind.UNDO)
        .filter(d -> history.stream().noneMatch(u -> d.id().equals(u.undoes())))
        .findFirst();
  }

  public boolean pending() {
    return status.equals("pending");
  }

  /** The event type in words. */
  public String typeLabel() {
    return EventTypes.label(type);
  }

  /** Confidence in percent, rounded. */
  public long percent() {
    return Math.round(confidence * 100);
  }

  /** How long it has been waiting. */
  public String age() {
    return Ages.since(createdAt);
  }
}
