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
 * @param disputed whether two people who reviewed it blind came to different decisions
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
    boolean disputed,
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
    return history.stream().filter(d -> !d.blind()).filter(this::holds).findFirst();
  }

  /** What was said about it blind and not taken back, the newest first. */
  List<Decision> opinions() {
    return history.stream().filter(Decision::blind).filter(this::holds).toList();
  }

  /** What somebody has said about it blind, while it still waits for somebody else. */
  public Optional<Decision> opinionOf(String reviewer) {
    return pending()
        ? opinions().stream().filter(d -> d.reviewer().equals(reviewer)).findFirst()
        : Optional.empty();
  }

  private boolean holds(Decision d) {
    return d.kind() != Decision.Kind.UNDO
        && history.stream().noneMatch(u -> d.id().equals(u.undoes()));
  }

  /**
   * The analysis as one person may see it: while it waits, without the opinions of others, unless
   * two differ and this person is a third who can decide.
   */
  ReviewItem seenBy(String person) {
    if (!pending() || disputed && opinionOf(person).isEmpty()) {
      return this;
    }
    return new ReviewItem(
        id,
        eventKey,
        type,
        subject,
        title,
        evidence,
        chain,
        steps,
        answer,
        confidence,
        status,
        false,
        version,
        lineage,
        createdAt,
        history.stream().filter(d -> !d.blind() || d.reviewer().equals(person)).toList());
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
