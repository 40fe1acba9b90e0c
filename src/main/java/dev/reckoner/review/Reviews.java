package dev.reckoner.review;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.reckoner.improve.Ledger;
import dev.reckoner.improve.Outbox;
import dev.reckoner.review.ReviewException.Problem;
import jakarta.enterprise.context.ApplicationScoped;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.Stream;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;

/**
 * Writes decisions. Each is one transaction: the append-only decision, the status of the analysis,
 * the feedback event and the ledger entry.
 */
@ApplicationScoped
public class Reviews {

  /** The topic that decisions are announced on. */
  public static final String FEEDBACK_TOPIC = "analysis-feedback";

  static final String FEEDBACK_TYPE = "dev.reckoner.analysis.feedback.v1";

  /** The longest chain that is accepted, in characters. */
  public static final int MAX_CHAIN = 50_000;

  private static final int MAX_NOTE = 2_000;

  private final Jdbi jdbi;
  private final ObjectMapper json;
  private final Analyses analyses;
  private final Planting planting;
  private final Drawing drawing;
  private final Outbox outbox;
  private final Ledger ledger;

  Reviews(
      Jdbi jdbi,
      ObjectMapper json,
      Analyses analyses,
      Planting planting,
      Drawing drawing,
      Outbox outbox,
      Ledger ledger) {
    this.jdbi = jdbi;
    this.json = json;
    this.analyses = analyses;
    this.planting = planting;
    this.drawing = drawing;
    this.outbox = outbox;
    this.ledger = ledger;
  }

  /**
   * Decides about a pending analysis, or replaces the decision that {@link Decision.Request#over}
   * names: it is taken back and this one written, in one transaction.
   *
   * @return the decision; the earlier one if {@code request} was sent before
   * @throws ReviewException if somebody decided or took the lease in the meantime, or the corrected
   *     chain cannot be read
   */
  public Decision decide(UUID analysisId, String reviewer, Decision.Request request) {
    checkShape(request);
    return jdbi.inTransaction(
        handle -> {
          ReviewItem item = analyses.get(handle, analysisId, true);
          Optional<Decision> repeated = repeated(handle, request.id(), analysisId, reviewer);
          if (repeated.isPresent()) {
            return repeated.get();
          }
          if (request.over() == null) {
            checkCurrent(handle, item, reviewer, request);
          } else {
            checkOver(item, request);
          }
          ChainDraft corrected =
              request.kind() == Decision.Kind.CORRECT ? corrected(item, request.chain()) : null;
          Integer firstWrong =
              corrected != null && request.firstWrongStep() == null
                  ? corrected.firstChanged(item.steps())
                  : request.firstWrongStep();
          if (firstWrong != null && firstWrong >= item.steps().size()) {
            throw new ReviewException(
                Problem.INVALID, "The chain has no step " + (firstWrong + 1) + " to be wrong");
          }
          Decision decision =
              new Decision(
                  request.id(),
                  analysisId,
                  reviewer,
                  request.kind(),
                  firstWrong,
                  request.reasonTag(),
                  request.note() == null ? "" : request.note().strip(),
                  corrected == null ? null : corrected.text(),
                  null,
                  request.dwellMillis(),
                  request.version(),
                  null,
                  false,
                  null);
          Optional<Planting.Planted> planted = planting.find(handle, analysisId);
          if (planted.isPresent()) {
            return write(handle, item, decision, corrected, planted)
                .withPlanted(planted.get().told(decision.kind()));
          }
          if (request.over() == null && opinion(item, decision)) {
            return write(handle, item, decision.asOpinion(), corrected, planted);
          }
          if (request.over() != null) {
            Decision undo = undo(item, request.over(), undoId(request), reviewer, false);
            write(handle, item, undo, null, Optional.empty());
            item = analyses.get(handle, analysisId, true);
          }
          return write(handle, item, decision, corrected, Optional.empty());
        });
  }

  /**
   * Whether a decision is only an opinion: the first about an analysis that two people review, or
   * the second if it differs from the first. A third person decides.
   *
   * @throws ReviewException if this person has given an opinion already
   */
  private boolean opinion(ReviewItem item, Decision decision) {
    List<Decision> opinions = item.opinions();
    if (item.opinionOf(decision.reviewer()).isPresent()) {
      throw new ReviewException(
          Problem.TAKEN, "You have reviewed this analysis; it waits for somebody else");
    }
    return switch (opinions.size()) {
      case 0 -> drawing.secondReview(item.id());
      case 1 -> !decision.agreesWith(opinions.getFirst());
      default -> false;
    };
  }

  /** The undo that a replacing decision brings with it; the same of a repeated request. */
  private static UUID undoId(Decision.Request request) {
    return UUID.nameUUIDFromBytes(
        ("undo before " + request.id()).getBytes(StandardCharsets.US_ASCII));
  }

  private static Decision undo(
      ReviewItem item, UUID decision, UUID id, String reviewer, boolean blind) {
    return new Decision(
        id,
        item.id(),
        reviewer,
        Decision.Kind.UNDO,
        null,
        null,
        "",
        null,
        decision,
        0,
        item.version(),
        null,
        blind,
        null);
  }

  /**
   * Takes the standing decision of an analysis back, which is then pending again.
   *
   * @param owner whether the reviewer may take back what somebody else decided
   */
  public Decision undo(
      UUID analysisId, UUID decisionId, UUID requestId, String reviewer, boolean owner) {
    return jdbi.inTransaction(
        handle -> {
          ReviewItem item = analyses.get(handle, analysisId, true);
          Optional<Decision> repeated = repeated(handle, requestId, analysisId, reviewer);
          if (repeated.isPresent()) {
            return repeated.get();
          }
          Decision standing =
              Stream.concat(item.standing().stream(), item.opinionOf(reviewer).stream())
                  .filter(d -> d.id().equals(decisionId))
                  .findFirst()
                  .orElseThrow(
                      () ->
                          stale(
                              item,
                              "That decision does not stand any more; reload to see what does"));
          if (!owner && !standing.reviewer().equals(reviewer)) {
            throw new ReviewException(
                Problem.FORBIDDEN,
                "Only " + standing.reviewer() + " or an owner can take this decision back");
          }
          Decision undo = undo(item, decisionId, requestId, reviewer, standing.blind());
          return write(handle, item, undo, null, planting.find(handle, analysisId));
        });
  }

  private static void checkShape(Decision.Request request) {
    if (request.id() == null || request.kind() == null || request.kind() == Decision.Kind.UNDO) {
      throw new ReviewException(
          Problem.INVALID, "A decision has an id and is approve, correct or reject");
    }
    if ((request.kind() == Decision.Kind.CORRECT) != (request.chain() != null)) {
      throw new ReviewException(
          Problem.INVALID, "A correction, and nothing else, carries the corrected chain");
    }
    if (request.chain() != null && request.chain().length() > MAX_CHAIN) {
      throw new ReviewException(
          Problem.INVALID, "A chain has at most " + MAX_CHAIN + " characters");
    }
    if (request.note() != null && request.note().length() > MAX_NOTE) {
      throw new ReviewException(Problem.INVALID, "A note has at most " + MAX_NOTE + " characters");
    }
    if (request.dwellMillis() < 0
        || request.firstWrongStep() != null && request.firstWrongStep() < 0) {
      throw new ReviewException(
          Problem.INVALID, "Neither time nor the position of a step is negative");
    }
  }

  private Optional<Decision> repeated(Handle handle, UUID id, UUID analysisId, String reviewer) {
    Optional<Decision> earlier = analyses.decision(handle, id);
    if (earlier.isPresent()
        && !(earlier.get().analysisId().equals(analysisId)
            && earlier.get().reviewer().equals(reviewer))) {
      throw new ReviewException(Problem.INVALID, "The id of this decision is taken by another");
    }
    return earlier;
  }

  private static void checkCurrent(
      Handle handle, ReviewItem item, String reviewer, Decision.Request request) {
    if (item.version() != request.version() || !item.pending()) {
      throw stale(item, "Nothing was stored");
    }
    Optional<Leases.Lease> lease = Leases.find(handle, item.id());
    boolean allowed =
        request.leaseToken() != null
            ? lease.isPresent() && lease.get().token() == request.leaseToken()
            : lease.isEmpty() || !lease.get().active() || lease.get().holder().equals(reviewer);
    if (!allowed) {
      String holder = lease.map(Leases.Lease::holder).orElse("nobody");
      throw new ReviewException(
          Problem.TAKEN,
          holder.equals(reviewer)
              ? "You opened this analysis in another window; decide there, or reload here"
              : "This analysis is with " + holder + " now. Nothing was stored",
          Map.of("holder", holder));
    }
  }

  private static void checkOver(ReviewItem item, Decision.Request request) {
    boolean stands = item.standing().filter(d -> d.id().equals(request.over())).isPresent();
    if (item.version() != request.version() || !stands) {
      throw stale(item, "Nothing was stored");
    }
  }

  private static ReviewException stale(ReviewItem item, String consequence) {
    Map<String, Object> details = new LinkedHashMap<>();
    details.put("currentVersion", item.version());
    details.put("currentStatus", item.status());
    item.standing().ifPresent(d -> details.put("decidedBy", d.reviewer()));
    item.standing().ifPresent(d -> details.put("decidedAt", d.decidedAt().toString()));
    item.standing().ifPresent(d -> details.put("standing", d));
    String what =
        item.standing()
            .map(d -> d.reviewer() + " " + d.verb() + " this analysis in the meantime. ")
            .orElse("This analysis changed in the meantime. ");
    return new ReviewException(Problem.STALE, what + consequence + ".", details);
  }

  /**
   * What stands beside what somebody could not store.
   *
   * @param request what was asked for; only its content counts
   * @throws ReviewException if nothing stands, or the request is no decision
   */
  public Merge merge(UUID analysisId, String reviewer, Decision.Request request) {
    checkShape(request);
    ReviewItem item = analyses.get(analysisId);
    List<String> original = Merge.texts(item);
    Decision standing =
        item.standing()
            .orElseThrow(
                () -> new ReviewException(Problem.STALE, "Nothing stands that could be merged"));
    Merge.Side mine =
        new Merge.Side(
            reviewer,
            null,
            request.kind(),
            request.firstWrongStep(),
            request.reasonTag(),
            request.note(),
            null,
            request.chain() == null ? original : Merge.lines(request.chain()));
    return Merge.of(item, Merge.Side.of(standing, original), mine);
  }

  /**
   * The two opinions about an analysis that reviewers differ on, for a third person.
   *
   * @throws ReviewException if there are none that this person may see
   */
  public Merge dispute(UUID analysisId, String reviewer) {
    ReviewItem item = analyses.get(analysisId, reviewer);
    if (!item.disputed()) {
      throw new ReviewException(
          Problem.NOT_FOUND, "There is nothing about this analysis that you could settle");
    }
    List<String> original = Merge.texts(item);
    List<Decision> opinions = item.opinions();
    return Merge.of(
        item,
        Merge.Side.of(opinions.getLast(), original),
        Merge.Side.of(opinions.getFirst(), original));
  }

  private static ChainDraft corrected(ReviewItem item, String text) {
    ChainDraft draft = ChainDraft.of(item.evidence(), text);
    if (!draft.readable()) {
      throw new ReviewException(
          Problem.CHAIN_SYNTAX, draft.problem(), Map.of("step", draft.problemStep()));
    }
    if (draft.firstChanged(item.steps()) == null) {
      throw new ReviewException(
          Problem.INVALID, "The corrected chain is the original one: approve it instead");
    }
    return draft;
  }

  private Decision write(
      Handle handle,
      ReviewItem item,
      Decision decision,
      ChainDraft corrected,
      Optional<Planting.Planted> planted) {
    handle
        .createUpdate(
            """
            insert into decision (id, analysis_id, reviewer, kind, first_wrong_step, reason_tag,
              note, chain, verdicts, undoes, dwell_millis, analysis_version, decided_at, blind)
            values (:id, :analysisId, :reviewer, :kind, :firstWrongStep, :reasonTag, :note, :chain,
              :verdicts::jsonb, :undoes, :dwellMillis, :analysisVersion,
              clock_timestamp(), :blind)
            """)
        .bind("id", decision.id())
        .bind("analysisId", decision.analysisId())
        .bind("reviewer", decision.reviewer())
        .bind("kind", decision.kind().column())
        .bind("firstWrongStep", decision.firstWrongStep())
        .bind("reasonTag", decision.reasonTag() == null ? null : decision.reasonTag().name())
        .bind("note", decision.note())
        .bind("chain", decision.chain())
        .bind("verdicts", corrected == null ? null : write(corrected.verdicts()))
        .bindByType("undoes", decision.undoes(), UUID.class)
        .bind("dwellMillis", decision.dwellMillis())
        .bind("analysisVersion", decision.analysisVersion())
        .bind("blind", decision.blind())
        .execute();
    if (!decision.blind()) {
      handle.execute(
          "update analysis set status = ?, version = version + 1 where id = ?",
          decision.kind().status(),
          item.id());
    }
    handle.execute(
        """
        update analysis set disputed = status = 'pending' and (
            select count(*) from decision d where d.analysis_id = analysis.id and d.blind
              and d.kind <> 'undo' and not exists (select 1 from decision u where u.undoes = d.id)) > 1
        where id = ?
        """,
        item.id());
    handle.execute("delete from review_lease where analysis_id = ?", item.id());
    Decision stored = analyses.decision(handle, decision.id()).orElseThrow();
    ObjectNode feedback = feedback(item, stored, corrected);
    // Neither an opinion nor a decision about what was planted is news about an event.
    if (!stored.blind() && planted.isEmpty()) {
      outbox.announce(handle, FEEDBACK_TOPIC, FEEDBACK_TYPE, item.subject(), feedback);
    }
    feedback.put("blind", stored.blind());
    feedback.put("planted", planted.isPresent());
    ledger.append(handle, Ledger.Kind.DECISION, stored.reviewer(), item.id().toString(), feedback);
    return stored;
  }

  private ObjectNode feedback(ReviewItem item, Decision decision, ChainDraft corrected) {
    ObjectNode data = json.createObjectNode();
    data.put("decisionId", decision.id().toString());
    data.put("analysisId", item.id().toString());
    data.put("eventKey", item.eventKey());
    data.put("decision", decision.kind().column());
    data.put("status", decision.kind().status());
    data.put("reviewer", decision.reviewer());
    data.put("decidedAt", decision.decidedAt().toString());
    data.put("analysisVersion", item.version() + 1);
    data.put("adapterId", item.lineage().adapterId());
    data.put("chain", item.chain());
    if (decision.firstWrongStep() != null) {
      data.put("firstWrongStep", decision.firstWrongStep());
    }
    if (decision.reasonTag() != null) {
      data.put("reasonTag", decision.reasonTag().name());
    }
    if (!decision.note().isEmpty()) {
      data.put("note", decision.note());
    }
    if (corrected != null) {
      data.put("correctedChain", corrected.text());
      data.set("verdicts", json.valueToTree(corrected.verdicts()));
    }
    if (decision.undoes() != null) {
      data.put("undoes", decision.undoes().toString());
    }
    data.put("dwellMillis", decision.dwellMillis());
    return data;
  }

  private String write(List<ChainDraft.StepVerdict> verdicts) {
    try {
      return json.writeValueAsString(verdicts);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }
}
