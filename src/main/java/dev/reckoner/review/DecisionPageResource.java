package dev.reckoner.review;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.quarkus.qute.CheckedTemplate;
import io.quarkus.qute.TemplateInstance;
import io.quarkus.security.identity.SecurityIdentity;
import io.smallrye.common.annotation.Blocking;
import jakarta.annotation.security.RolesAllowed;
import jakarta.ws.rs.BeanParam;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.FormParam;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.QueryParam;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/**
 * What the page of a chain sends: forms under the session cookie and a CSRF token. Programs use
 * {@link ReviewResource}.
 */
@Path("/")
@Blocking
@Consumes(MediaType.APPLICATION_FORM_URLENCODED)
@Produces(MediaType.APPLICATION_JSON)
@RolesAllowed("reviewer")
public class DecisionPageResource {

  private static final int MAX_SKIPPED = 200;

  private final ReviewQueue queue;
  private final Analyses analyses;
  private final Leases leases;
  private final Reviews reviews;
  private final Suggestions suggestions;
  private final Replays replays;
  private final SecurityIdentity identity;

  DecisionPageResource(
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

  @CheckedTemplate(basePath = "")
  static class Templates {
    static native TemplateInstance steps(ChainView chain);

    static native TemplateInstance suggestions(List<Suggestions.Suggestion> suggestions);

    static native TemplateInstance merge(Merge merge);

    static native TemplateInstance replay(Replays.Replayed replay);
  }

  /** Which analysis comes next; {@code null} if nothing waits. */
  @JsonInclude(JsonInclude.Include.ALWAYS)
  public record Next(UUID id) {}

  /** Who has the analysis now; {@code token} is there if it is the asking person. */
  public record LeaseView(boolean mine, String holder, Long token) {}

  /** Opens what should be looked at next, or the queue if nothing waits. */
  @GET
  @Path("next")
  @Consumes(MediaType.WILDCARD)
  public Response open() {
    URI target =
        queue
            .next(name(), List.of())
            .map(id -> URI.create("/chains/" + id))
            .orElse(URI.create("/"));
    return Response.seeOther(target).build();
  }

  /** What would come next, without claiming it; to load it ahead. */
  @GET
  @Path("next/peek")
  @Consumes(MediaType.WILDCARD)
  public Next peek(@QueryParam("skip") List<UUID> skipped) {
    return new Next(queue.next(name(), limited(skipped)).orElse(null));
  }

  @POST
  @Path("next")
  public Next claim(@FormParam("skip") List<UUID> skipped) {
    return new Next(
        queue.claimNext(name(), limited(skipped)).map(Leases.Lease::analysisId).orElse(null));
  }

  /** Claims the analysis, or extends the claim if {@code token} is given. */
  @POST
  @Path("chains/{id}/lease")
  public LeaseView lease(@PathParam("id") UUID id, @FormParam("token") Long token) {
    if (token != null && leases.renew(id, name(), token)) {
      return new LeaseView(true, name(), token);
    }
    analyses.get(id);
    if (token != null) {
      // Lost to another window or, after it ran out, to somebody else: never taken back silently.
      return new LeaseView(false, leases.holder(id).orElse(""), null);
    }
    Leases.Lease lease = leases.claim(id, name());
    boolean mine = lease.holder().equals(name());
    return new LeaseView(mine, lease.holder(), mine ? lease.token() : null);
  }

  @POST
  @Path("chains/{id}/release")
  public void release(@PathParam("id") UUID id, @FormParam("token") long token) {
    leases.release(id, name(), token);
  }

  /** The steps of an edited chain, recomputed and verified, as HTML. */
  @POST
  @Path("chains/{id}/check")
  @Produces(MediaType.TEXT_HTML)
  public TemplateInstance check(@PathParam("id") UUID id, @FormParam("chain") String chain) {
    if (chain == null || chain.length() > Reviews.MAX_CHAIN) {
      throw new ReviewException(
          ReviewException.Problem.INVALID,
          "A chain has at most " + Reviews.MAX_CHAIN + " characters");
    }
    ReviewItem item = analyses.get(id);
    return Templates.steps(ChainView.draft(item, ChainDraft.of(item.evidence(), chain)));
  }

  /** Other ways to go on from before the wrong step, as HTML. */
  @POST
  @Path("chains/{id}/suggestions")
  @Produces(MediaType.TEXT_HTML)
  public TemplateInstance suggest(
      @PathParam("id") UUID id, @FormParam("firstWrongStep") int firstWrongStep)
      throws InterruptedException {
    return Templates.suggestions(suggestions.from(id, firstWrongStep));
  }

  /** Has the model write the chain again, as HTML. */
  @POST
  @Path("chains/{id}/replay")
  @Produces(MediaType.TEXT_HTML)
  public TemplateInstance replay(@PathParam("id") UUID id) throws InterruptedException {
    return Templates.replay(replays.of(id, name()));
  }

  @POST
  @Path("chains/{id}/decision")
  public Decision decide(@PathParam("id") UUID id, @BeanParam DecisionForm form) {
    return reviews.decide(id, name(), form.request());
  }

  /** What stands beside what could not be stored, as HTML. */
  @POST
  @Path("chains/{id}/merge")
  @Produces(MediaType.TEXT_HTML)
  public TemplateInstance merge(@PathParam("id") UUID id, @BeanParam DecisionForm form) {
    return Templates.merge(reviews.merge(id, name(), form.request()));
  }

  /** The two opinions that differ, as HTML. */
  @GET
  @Path("chains/{id}/dispute")
  @Consumes(MediaType.WILDCARD)
  @Produces(MediaType.TEXT_HTML)
  public TemplateInstance dispute(@PathParam("id") UUID id) {
    return Templates.merge(reviews.dispute(id, name()));
  }

  @POST
  @Path("chains/{id}/undo")
  public Decision undo(
      @PathParam("id") UUID id,
      @FormParam("id") UUID requestId,
      @FormParam("decision") UUID decision) {
    return reviews.undo(id, decision, requestId, name(), identity.hasRole("owner"));
  }

  private String name() {
    return identity.getPrincipal().getName();
  }

  private static List<UUID> limited(List<UUID> skipped) {
    return skipped == null
        ? List.of()
        : new ArrayList<>(skipped.subList(0, Math.min(skipped.size(), MAX_SKIPPED)));
  }
}
