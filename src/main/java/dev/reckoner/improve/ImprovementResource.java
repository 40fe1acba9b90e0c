package dev.reckoner.improve;

import dev.reckoner.improve.ShadowReview.Choice;
import dev.reckoner.improve.ShadowReview.Pair;
import dev.reckoner.improve.ShadowReview.Summary;
import dev.reckoner.improve.TrainingRun.LogLine;
import dev.reckoner.improve.TrainingRun.LossPoint;
import io.quarkus.security.identity.SecurityIdentity;
import jakarta.annotation.security.RolesAllowed;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.DELETE;
import jakarta.ws.rs.DefaultValue;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.NotFoundException;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.QueryParam;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import java.net.URI;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.jboss.resteasy.reactive.server.ServerExceptionMapper;

/** The improvement loop for programs: training runs and adapters. */
@Path("/api/v1")
@Produces(MediaType.APPLICATION_JSON)
@Consumes(MediaType.APPLICATION_JSON)
@RolesAllowed("viewer")
@Tag(name = "Improvement", description = "Training runs, and which adapter serves")
public class ImprovementResource {

  private static final int MAX_RUNS = 500;

  private final ImprovementService service;
  private final ShadowReview shadows;
  private final SecurityIdentity identity;

  ImprovementResource(ImprovementService service, ShadowReview shadows, SecurityIdentity identity) {
    this.service = service;
    this.shadows = shadows;
    this.identity = identity;
  }

  /**
   * @param promoteIfPassed whether a candidate that passes the gate serves at once; {@code true} if
   *     left out
   */
  public record RunRequest(Boolean promoteIfPassed) {}

  @GET
  @Path("training-runs")
  @Operation(summary = "Training runs, newest first")
  public List<TrainingRun> runs(@QueryParam("limit") @DefaultValue("50") int limit) {
    return service.runs(Math.clamp(limit, 1, MAX_RUNS));
  }

  @POST
  @Path("training-runs")
  @RolesAllowed("owner")
  @Operation(summary = "Start a run over all validated chains; one at a time")
  public Response start(RunRequest request) {
    boolean promote =
        request == null || request.promoteIfPassed() == null || request.promoteIfPassed();
    TrainingRun run = service.start(promote, actor());
    return Response.created(URI.create("/api/v1/training-runs/" + run.id())).entity(run).build();
  }

  @GET
  @Path("training-runs/{id}")
  @Operation(summary = "One run: status, step, loss, and why it ended as it did")
  public TrainingRun run(@PathParam("id") UUID id) {
    return service.run(id).orElseThrow(NotFoundException::new);
  }

  @GET
  @Path("training-runs/{id}/losses")
  @Operation(summary = "The loss curve of a run")
  public List<LossPoint> losses(@PathParam("id") UUID id) {
    return service.losses(id);
  }

  @GET
  @Path("training-runs/{id}/log")
  @Operation(summary = "What a run did, line by line")
  public List<LogLine> log(@PathParam("id") UUID id) {
    return service.log(id);
  }

  @POST
  @Path("training-runs/{id}/cancel")
  @RolesAllowed("owner")
  @Operation(summary = "Stop a run at its next step")
  public TrainingRun cancel(@PathParam("id") UUID id) {
    service.cancel(id);
    return run(id);
  }

  @GET
  @Path("adapters")
  @Operation(summary = "Adapters, newest first, with the gate's evidence")
  public List<RegisteredAdapter> adapters() {
    return service.adapters();
  }

  @POST
  @Path("adapters/{id}/promote")
  @RolesAllowed("owner")
  @Operation(summary = "Let an adapter serve that has passed the gate")
  public AdapterRelease promote(@PathParam("id") String id) {
    return service.promote(id, actor());
  }

  @POST
  @Path("adapters/{id}/shadow")
  @RolesAllowed("owner")
  @Operation(summary = "Let an adapter analyse live events beside the champion, unpublished")
  public Summary shadow(@PathParam("id") String id) {
    service.shadow(id, actor());
    return shadows.summary();
  }

  @DELETE
  @Path("shadow")
  @RolesAllowed("owner")
  @Operation(summary = "End the shadow")
  public Summary endShadow() {
    service.shadow(null, actor());
    return shadows.summary();
  }

  @GET
  @Path("shadow")
  @Operation(summary = "How the shadow does: agreements, and who was right where they differ")
  public Summary shadow() {
    return shadows.summary();
  }

  @GET
  @Path("shadow/next")
  @RolesAllowed("reviewer")
  @Operation(summary = "A disagreement to label blind; 204 if there is none")
  public Pair nextDisagreement() {
    return shadows.next(actor()).orElse(null);
  }

  /**
   * @param chain the right chain, only where neither of the two is
   */
  public record LabelRequest(Choice choice, String chain) {}

  @POST
  @Path("shadow/{id}/label")
  @RolesAllowed("reviewer")
  @Operation(summary = "Say which chain is right; it becomes a question of the gate")
  public void label(@PathParam("id") UUID id, LabelRequest request) {
    if (request == null || request.choice() == null) {
      throw new ImprovementException("name a choice: A, B, BOTH or NEITHER");
    }
    shadows.label(id, request.choice(), request.chain(), actor());
  }

  @POST
  @Path("adapters/rollback")
  @RolesAllowed("owner")
  @Operation(
      summary =
          "Back to what served before, or to an adapter that has served, or to base; with requeue,"
              + " what the bad adapter analysed and nobody has decided is analysed again")
  public AdapterRelease rollback(
      @QueryParam("to") String to, @QueryParam("requeue") @DefaultValue("false") boolean requeue) {
    if (requeue && to != null) {
      throw new ImprovementException("requeue goes with a rollback to what served before: omit to");
    }
    if (requeue) {
      return service.rollbackAndRequeue(actor());
    }
    return to == null ? service.rollback(actor()) : service.rollbackTo(to, actor());
  }

  @ServerExceptionMapper
  Response refused(ImprovementException e) {
    Map<String, Object> problem = new LinkedHashMap<>();
    problem.put("type", "/problems/not-now");
    problem.put("title", "This cannot be done now");
    problem.put("status", Response.Status.CONFLICT.getStatusCode());
    problem.put("detail", e.getMessage());
    return Response.status(Response.Status.CONFLICT)
        .type("application/problem+json")
        .entity(problem)
        .build();
  }

  private String actor() {
    return identity.getPrincipal().getName();
  }
}
