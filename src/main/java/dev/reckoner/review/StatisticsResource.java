package dev.reckoner.review;

import io.quarkus.security.identity.SecurityIdentity;
import jakarta.annotation.security.RolesAllowed;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;

/** The figures of the dashboard, for programs. */
@Path("/api/v1/statistics")
@RolesAllowed({"viewer", "service"})
@Tag(name = "Review")
public class StatisticsResource {

  private final Statistics statistics;
  private final ReviewQueue queue;
  private final SecurityIdentity identity;

  StatisticsResource(Statistics statistics, ReviewQueue queue, SecurityIdentity identity) {
    this.statistics = statistics;
    this.queue = queue;
    this.identity = identity;
  }

  @GET
  @Operation(summary = "Throughput, verdicts over time, approval rates, time to decision")
  public Statistics.Report report() {
    String viewer = identity.getPrincipal().getName();
    return statistics.report(queue.counts(viewer), viewer);
  }
}
