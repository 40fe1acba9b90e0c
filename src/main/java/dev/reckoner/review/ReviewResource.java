package dev.reckoner.review;

import dev.reckoner.review.ReviewException.Problem;
import io.quarkus.security.identity.SecurityIdentity;
import jakarta.annotation.security.RolesAllowed;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.DELETE;
import jakarta.ws.rs.DefaultValue;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.PUT;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.QueryParam;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import java.net.URI;
import java.util.List;
import java.util.UUID;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponse;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;

/** Everything that the review page does, for programs. */
@Path("/api/v1/analyses")
@Produces(MediaType.APPLICATION_JSON)
@Consumes(MediaType.APPLICATION_JSON)
@RolesAllowed({"viewer", "service"})
@Tag(name = "Review", description = "The queue of analyses and the decisions about them")
public class ReviewResource {

  private final ReviewQueue queue;
  private final Analyses analyses;
  private final Leases leases;
  private final Reviews reviews;
  private final Suggestions suggestions;
  private final Replays replays;
  private final SecurityIdentity identity;

  ReviewResource(
      ReviewQueue queue,
      Analyses analyses,
      Leases leases,
      Reviews reviews,
      Suggestions suggestions,
      Replays replays,
      SecurityIdentity identity) {
    this.queue = queue;
    this.analyses = analyses;
    this.leases = leases;
    this.reviews = reviews;
    this.suggestions = suggestions;
    this.replays = replays;
    this.identity = identity;
  }

  /** What the next claim returns: the analysis and the lease to decide under. */
  public record Claimed(ReviewItem analysis, Leases.Lease lease) {}

  /** A chain to verify. */
  public record ChainText(String chain) {}

  /** Position of the first wrong step, from 0. */
  public record WrongStep(int firstWrongStep) {}

  /** The current token of a lease. */
  public record LeaseToken(long token) {}

  /**
   * An edited chain, recomputed.
   *
   * @param problem why it cannot be stored yet; {@code null} if it can
   */
  public record Checked(String chain, String problem, List<ChainDraft.StepVerdict> steps) {}

  /** An undo; {@code id} is the client's, so that a repeated request is one undo. */
  public record Undo(UUID id) {}

  @GET
  @Operation(summary = "Analyses, least certain first")
  public ReviewQueue.Page list(
      @QueryParam("status") String status,
      @QueryParam("type") String type,
      @QueryParam("subject") String subject,
      @QueryParam("verdict") String verdict,
      @QueryParam("adapter") String adapter,
      @QueryParam("reviewer") String reviewer,
      @QueryParam("age") String age,
      @QueryParam("q") String search,
      @QueryParam("after") String after,
      @QueryParam("before") String before,
      @QueryParam("size") @DefaultValue("25") int size) {
    return queue.page(
        new QueueFilter(status, type, subject, verdict, adapter, reviewer, age, search),
        name(),
        after,
        before,
        inRange("size", size, 1, ReviewQueue.MAX_PAGE_SIZE));
  }

  @GET
  @Path("counts")
  @Operation(summary = "How many analyses are in which state")
  public ReviewQueue.Counts counts() {
    return queue.counts(name());
  }

  @GET
  @Path("{id}")
  @Operation(summary = "One analysis with its evidence, verdicts, lineage and history")
  @APIResponse(responseCode = "200", description = "The analysis")
  @APIResponse(responseCode = "404", description = "There is none of that id")
  public ReviewItem get(@PathParam("id") UUID id) {
    return analyses.get(id, name());
  }

  @POST
  @Path("next")
  @Consumes(MediaType.WILDCARD)
  @RolesAllowed("reviewer")
  @Operation(summary = "Claims the pending analysis that should be looked at next")
  @APIResponse(responseCode = "200", description = "The analysis and its lease")
  @APIResponse(responseCode = "204", description = "Nothing waits")
  public Claimed next() {
    return queue
        .claimNext(name(), List.of())
        .map(lease -> new Claimed(analyses.get(lease.analysisId(), name()), lease))
        .orElse(null);
  }

  @POST
  @Path("{id}/lease")
  @Consumes(MediaType.WILDCARD)
  @RolesAllowed("reviewer")
  @Operation(summary = "Claims one analysis")
  @APIResponse(responseCode = "200", description = "The lease, which lasts a minute")
  @APIResponse(responseCode = "409", description = "Somebody else has it")
  public Leases.Lease claim(@PathParam("id") UUID id) {
    analyses.get(id);
    Leases.Lease lease = leases.claim(id, name());
    if (!lease.holder().equals(name())) {
      throw new ReviewException(
          Problem.TAKEN,
          "This analysis is with " + lease.holder() + " until " + lease.until(),
          java.util.Map.of("holder", lease.holder()));
    }
    return lease;
  }

  @PUT
  @Path("{id}/lease")
  @RolesAllowed("reviewer")
  @Operation(summary = "Extends a lease by a minute")
  @APIResponse(responseCode = "204", description = "Extended")
  @APIResponse(responseCode = "409", description = "It is lost")
  public void renew(@PathParam("id") UUID id, LeaseToken lease) {
    if (lease == null || !leases.renew(id, name(), lease.token())) {
      throw new ReviewException(Problem.TAKEN, "This lease is lost: claim the analysis again");
    }
  }

  @DELETE
  @Path("{id}/lease")
  @Consumes(MediaType.WILDCARD)
  @RolesAllowed("reviewer")
  @Operation(summary = "Gives an analysis back")
  public void release(@PathParam("id") UUID id, @QueryParam("token") long token) {
    leases.release(id, name(), token);
  }

  @POST
  @Path("{id}/check")
  @RolesAllowed("reviewer")
  @Operation(summary = "Recomputes and verifies an edited chain; stores nothing")
  public Checked check(@PathParam("id") UUID id, ChainText edited) {
    if (edited == null || edited.chain() == null || edited.chain().length() > Reviews.MAX_CHAIN) {
      throw new ReviewException(
          Problem.INVALID, "Give a chain of at most " + Reviews.MAX_CHAIN + " characters");
    }
    ChainDraft draft = ChainDraft.of(analyses.get(id).evidence(), edited.chain());
    return new Checked(draft.text(), draft.problem(), draft.verdicts());
  }

  @POST
  @Path("{id}/suggestions")
  @RolesAllowed("reviewer")
  @Operation(summary = "Has the model go on from before the first wrong step, verified")
  @APIResponse(responseCode = "200", description = "At most four, verified ones first")
  @APIResponse(responseCode = "503", description = "The model cannot answer now")
  public List<Suggestions.Suggestion> suggest(@PathParam("id") UUID id, WrongStep wrong)
      throws InterruptedException {
    if (wrong == null) {
      throw new ReviewException(Problem.INVALID, "Say which step is the first wrong one");
    }
    return suggestions.from(id, wrong.firstWrongStep());
  }

  @POST
  @Path("{id}/replay")
  @Consumes(MediaType.WILDCARD)
  @RolesAllowed("reviewer")
  @Operation(summary = "Writes the chain again from its lineage: identical, or diverged at token n")
  @APIResponse(responseCode = "200", description = "How the two texts compare")
  @APIResponse(responseCode = "409", description = "Base, adapter or prompt are not those of then")
  @APIResponse(responseCode = "503", description = "The model cannot answer now")
  public Replays.Replayed replay(@PathParam("id") UUID id) throws InterruptedException {
    return replays.of(id, name());
  }

  @POST
  @Path("{id}/decisions")
  @RolesAllowed("reviewer")
  @Operation(summary = "Approves, corrects or rejects an analysis")
  @APIResponse(responseCode = "201", description = "The decision, also of a repeated request")
  @APIResponse(responseCode = "409", description = "Decided or taken by somebody else")
  @APIResponse(responseCode = "422", description = "The corrected chain cannot be read")
  public Response decide(@PathParam("id") UUID id, Decision.Request request) {
    if (request == null) {
      throw new ReviewException(Problem.INVALID, "There is no decision in the request");
    }
    return created(reviews.decide(id, name(), request));
  }

  @POST
  @Path("{id}/merge")
  @RolesAllowed("reviewer")
  @Operation(summary = "What stands beside a decision that came too late; stores nothing")
  @APIResponse(responseCode = "200", description = "Both versions, step by step")
  @APIResponse(responseCode = "409", description = "Nothing stands that could be merged")
  public Merge merge(@PathParam("id") UUID id, Decision.Request request) {
    if (request == null) {
      throw new ReviewException(Problem.INVALID, "There is no decision in the request");
    }
    return reviews.merge(id, name(), request);
  }

  @GET
  @Path("{id}/dispute")
  @RolesAllowed("reviewer")
  @Operation(summary = "The two blind opinions that differ, for a third person to settle")
  @APIResponse(responseCode = "200", description = "Both versions, step by step")
  @APIResponse(responseCode = "404", description = "There is nothing to settle for you")
  public Merge dispute(@PathParam("id") UUID id) {
    return reviews.dispute(id, name());
  }

  @POST
  @Path("{id}/decisions/{decision}/undo")
  @RolesAllowed("reviewer")
  @Operation(summary = "Takes a decision back; the analysis is pending again")
  @APIResponse(responseCode = "201", description = "The undo, also of a repeated request")
  @APIResponse(responseCode = "409", description = "The decision does not stand any more")
  public Response undo(
      @PathParam("id") UUID id, @PathParam("decision") UUID decision, Undo request) {
    if (request == null || request.id() == null) {
      throw new ReviewException(Problem.INVALID, "An undo has an id");
    }
    return created(reviews.undo(id, decision, request.id(), name(), identity.hasRole("owner")));
  }

  private static Response created(Decision decision) {
    return Response.created(URI.create("/api/v1/analyses/" + decision.analysisId()))
        .entity(decision)
        .build();
  }

  private String name() {
    return identity.getPrincipal().getName();
  }

  private static int inRange(String name, int value, int least, int most) {
    if (value < least || value > most) {
      throw new ReviewException(Problem.INVALID, name + " is from " + least + " to " + most);
    }
    return value;
  }
}
