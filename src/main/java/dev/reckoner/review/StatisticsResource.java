package dev.reckoner.review;

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

  StatisticsResource(Statistics statistics, ReviewQueue queue) {
    this.statistics = statistics;
    this.queue = queue;
  }

  @GET
  @Operation(summary = "Throughput, verdicts over time, approval rates, time to decision")
  public Statistics.Report report() {
    return statistics.report(queue.counts());
  }
}
