package dev.reckoner.review;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonInclude;
import java.time.Instant;
import java.util.Locale;
import java.util.Objects;
import java.util.UUID;

/**
 * What a person decided about an analysis, as stored; never changed afterwards.
 *
 * @param firstWrongStep position in the original chain, from 0; {@code null} if none was marked
 * @param reasonTag {@code null} of an approval
 * @param chain the corrected chain; {@code null} unless it is a correction
 * @param undoes the decision that an undo takes back; {@code null} otherwise
 * @param dwellMillis how long the chain was looked at before
 * @param analysisVersion the version of the analysis that was looked at
 * @param blind whether it is an opinion: given without sight of another one, and deciding nothing
 *     until a second person agrees
 * @param planted of the answer to a decision about a planted error: what the error was; {@code
 *     null} otherwise
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Decision(
    UUID id,
    UUID analysisId,
    String reviewer,
    Kind kind,
    Integer firstWrongStep,
    ReasonTag reasonTag,
    String note,
    String chain,
    UUID undoes,
    long dwellMillis,
    int analysisVersion,
    Instant decidedAt,
    boolean blind,
    String planted) {

  /** What was decided. */
  public enum Kind {
    APPROVE("approved"),
    CORRECT("corrected"),
    REJECT("rejected"),
    /** Takes an earlier decision back. */
    UNDO("pending");

    private final String status;

    Kind(String status) {
      this.status = status;
    }

    /** The status of the analysis afterwards. */
    public String status() {
      return status;
    }

    String column() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * As the history says it: {@code approved}, {@code corrected}, {@code rejected}, {@code
   * reopened}.
   */
  public String verb() {
    return kind == Kind.UNDO ? "reopened" : kind.status();
  }

  /** Whether it says the same as another one, so that no third person has to decide. */
  boolean agreesWith(Decision other) {
    boolean sameStep =
        firstWrongStep == null
            || other.firstWrongStep == null
            || firstWrongStep.equals(other.firstWrongStep);
    return kind == other.kind && Objects.equals(chain, other.chain) && sameStep;
  }

  /** The same as a blind opinion. */
  Decision asOpinion() {
    return copy(true, planted);
  }

  /** The same with what was planted. */
  Decision withPlanted(String told) {
    return copy(blind, told);
  }

  private Decision copy(boolean opinion, String told) {
    return new Decision(
        id,
        analysisId,
        reviewer,
        kind,
        firstWrongStep,
        reasonTag,
        note,
        chain,
        undoes,
        dwellMillis,
        analysisVersion,
        decidedAt,
        opinion,
        told);
  }

  /** The first wrong step counted from 1, or {@code null}. */
  @JsonIgnore
  public Integer firstWrongNumber() {
    return firstWrongStep == null ? null : Integer.valueOf(firstWrongStep + 1);
  }

  /** How long ago it was made. */
  public String age() {
    return Ages.ago(decidedAt);
  }

  /**
   * A decision to be made.
   *
   * @param id chosen by the client, so that a repeated request is one decision
   * @param version the version of the analysis that was looked at
   * @param leaseToken of the lease it was made under; {@code null} from a client without a lease,
   *     which is refused while somebody else looks at the analysis
   * @param over the standing decision that this one replaces, by somebody who has seen it; {@code
   *     null} for an analysis that waits
   */
  public record Request(
      UUID id,
      Kind kind,
      int version,
      Long leaseToken,
      Integer firstWrongStep,
      ReasonTag reasonTag,
      String note,
      String chain,
      long dwellMillis,
      UUID over) {}
}
