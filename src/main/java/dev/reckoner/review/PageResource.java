package dev.reckoner.review;

import dev.reckoner.review.ReviewException.Problem;
import io.quarkus.qute.CheckedTemplate;
import io.quarkus.qute.TemplateInstance;
import io.quarkus.security.identity.SecurityIdentity;
import io.quarkus.vertx.http.runtime.security.FormAuthenticationMechanism;
import io.smallrye.common.annotation.Blocking;
import jakarta.annotation.security.PermitAll;
import jakarta.annotation.security.RolesAllowed;
import jakarta.ws.rs.DefaultValue;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.HeaderParam;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.QueryParam;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import java.net.URI;
import java.util.List;
import java.util.UUID;

/** The pages that a person reads: signing in, the queue, one chain. */
@Path("/")
@Blocking
@Produces(MediaType.TEXT_HTML)
@RolesAllowed("viewer")
public class PageResource {

  private static final int PAGE_SIZE = 25;

  private final ReviewQueue queue;
  private final Analyses analyses;
  private final SecurityIdentity identity;

  PageResource(ReviewQueue queue, Analyses analyses, SecurityIdentity identity) {
    this.queue = queue;
    this.analyses = analyses;
    this.identity = identity;
  }

  /**
   * The queue as asked for.
   *
   * @param query the filters as a query string, for the links to the other pages
   */
  record QueueView(
      ReviewQueue.Page page, QueueFilter filter, ReviewQueue.Facets facets, String query) {

    public String label(String type) {
      return EventTypes.label(type);
    }

    public boolean filtered() {
      return filter.type() != null
          || filter.subject() != null
          || filter.verdict() != null
          || filter.adapter() != null
          || filter.reviewer() != null
          || filter.age() != null
          || filter.search() != null;
    }
  }

  @CheckedTemplate(basePath = "")
  static class Templates {
    static native TemplateInstance login(boolean failed);

    static native TemplateInstance queue(Shell shell, QueueView queue);

    static native TemplateInstance queue$list(QueueView queue);

    static native TemplateInstance chain(
        Shell shell,
        ReviewItem item,
        ChainView chain,
        ChainView corrected,
        List<Places.TableView> tables,
        List<Places.SentenceView> sentences,
        List<ReasonTag> tags,
        Decision opinion);

    static native TemplateInstance missing(Shell shell, String message);
  }

  @GET
  @Path("login")
  @PermitAll
  public Object login(
      @QueryParam("failed") boolean failed, @HeaderParam("HX-Request") boolean partial) {
    if (partial) {
      // A session that ran out must not put the form into the middle of a page.
      return Response.noContent().header("HX-Redirect", "/login").build();
    }
    return Templates.login(failed);
  }

  @POST
  @Path("logout")
  public Response logout() {
    FormAuthenticationMechanism.logout(identity);
    return Response.seeOther(URI.create("/login")).build();
  }

  @GET
  public TemplateInstance queue(
      @QueryParam("status") @DefaultValue("pending") String status,
      @QueryParam("type") String type,
      @QueryParam("subject") String subject,
      @QueryParam("verdict") String verdict,
      @QueryParam("adapter") String adapter,
      @QueryParam("mine") boolean mine,
      @QueryParam("q") String search,
      @QueryParam("age") String age,
      @QueryParam("after") String after,
      @QueryParam("before") String before,
      @HeaderParam("HX-Target") String target) {
    QueueFilter filter =
        new QueueFilter(
            // What is mine is decided, so it does not wait.
            status.equals("all") || mine && status.equals("pending") ? null : status,
            type,
            subject,
            verdict,
            adapter,
            mine ? user() : null,
            age,
            search);
    QueueView view =
        new QueueView(
            queue.page(filter, user(), after, before, PAGE_SIZE),
            filter,
            queue.facets(),
            QueueLinks.query(status, filter, mine));
    return "queue-list".equals(target)
        ? Templates.queue$list(view)
        : Templates.queue(shell("queue"), view);
  }

  @GET
  @Path("chains/{id}")
  public Response chain(@PathParam("id") UUID id) {
    ReviewItem item;
    try {
      item = analyses.get(id, user());
    } catch (ReviewException e) {
      if (e.problem() != Problem.NOT_FOUND) {
        throw e;
      }
      return Response.status(404).entity(Templates.missing(shell("queue"), e.getMessage())).build();
    }
    ChainView corrected =
        item.standing()
            .map(Decision::chain)
            .map(text -> ChainView.draft(item, ChainDraft.of(item.evidence(), text)))
            .orElse(null);
    return Response.ok(
            Templates.chain(
                shell("queue"),
                item,
                ChainView.stored(item),
                corrected,
                Places.tables(item.evidence()),
                Places.sentences(item.evidence()),
                List.of(ReasonTag.values()),
                item.opinionOf(user()).orElse(null)))
        .build();
  }

  private Shell shell(String active) {
    return Shell.of(active, identity, queue.recentCounts(user()));
  }

  private String user() {
    return identity.getPrincipal().getName();
  }
}
