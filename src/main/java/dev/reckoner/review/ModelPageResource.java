package dev.reckoner.review;

import dev.reckoner.improve.ImprovementException;
import dev.reckoner.improve.ImprovementService;
import io.quarkus.qute.CheckedTemplate;
import io.quarkus.qute.TemplateInstance;
import io.quarkus.security.identity.SecurityIdentity;
import io.smallrye.common.annotation.Blocking;
import jakarta.annotation.security.RolesAllowed;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.FormParam;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import java.util.UUID;

/** The adapters, where each comes from, and training a new one. */
@Path("/models")
@Blocking
@Produces(MediaType.TEXT_HTML)
@RolesAllowed("viewer")
public class ModelPageResource {

  private final ImprovementService improvement;
  private final ModelViews views;
  private final ReviewQueue queue;
  private final SecurityIdentity identity;

  ModelPageResource(
      ImprovementService improvement,
      ModelViews views,
      ReviewQueue queue,
      SecurityIdentity identity) {
    this.improvement = improvement;
    this.views = views;
    this.queue = queue;
    this.identity = identity;
  }

  /** Something the improvement loop does, or refuses to do. */
  private interface Action {
    void run();
  }

  @CheckedTemplate(basePath = "")
  static class Templates {
    static native TemplateInstance models(Shell shell, ModelViews.ModelsView models, String error);

    static native TemplateInstance models$content(
        Shell shell, ModelViews.ModelsView models, String error);
  }

  @GET
  public TemplateInstance models() {
    return Templates.models(shell(), views.models(), null);
  }

  /** What changes with a run; asked for by the page when it enters another phase. */
  @GET
  @Path("content")
  public Response content() {
    return fragment(null);
  }

  @POST
  @Path("train")
  @Consumes(MediaType.APPLICATION_FORM_URLENCODED)
  @RolesAllowed("owner")
  public Response train(@FormParam("promote") boolean promoteIfPassed) {
    return attempt(() -> improvement.start(promoteIfPassed, user()));
  }

  @POST
  @Path("cancel")
  @Consumes(MediaType.APPLICATION_FORM_URLENCODED)
  @RolesAllowed("owner")
  public Response cancel(@FormParam("run") UUID run) {
    return attempt(() -> improvement.cancel(run));
  }

  @POST
  @Path("promote")
  @Consumes(MediaType.APPLICATION_FORM_URLENCODED)
  @RolesAllowed("owner")
  public Response promote(@FormParam("adapter") String adapter) {
    return attempt(() -> improvement.promote(adapter, user()));
  }

  @POST
  @Path("rollback")
  @Consumes(MediaType.APPLICATION_FORM_URLENCODED)
  @RolesAllowed("owner")
  public Response rollback(@FormParam("requeue") boolean requeue) {
    return attempt(
        () -> {
          if (requeue) {
            improvement.rollbackAndRequeue(user());
          } else {
            improvement.rollback(user());
          }
        });
  }

  /** Lets an adapter analyse beside what serves; without one, ends it. */
  @POST
  @Path("shadow")
  @Consumes(MediaType.APPLICATION_FORM_URLENCODED)
  @RolesAllowed("owner")
  public Response shadow(@FormParam("adapter") String adapter) {
    return attempt(
        () -> improvement.shadow(adapter == null || adapter.isEmpty() ? null : adapter, user()));
  }

  private Response attempt(Action action) {
    try {
      action.run();
      return fragment(null);
    } catch (ImprovementException e) {
      return fragment(e.getMessage());
    }
  }

  private Response fragment(String error) {
    return Response.ok(Templates.models$content(shell(), views.models(), error)).build();
  }

  private Shell shell() {
    return Shell.of("models", identity, queue.recentCounts(user()));
  }

  private String user() {
    return identity.getPrincipal().getName();
  }
}
