package dev.reckoner.events;

import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.HealthCheckResponseBuilder;
import org.eclipse.microprofile.health.Liveness;

/** Alive as long as no event is stuck. */
@Liveness
@ApplicationScoped
class WorkHealth implements HealthCheck {

  private static final Duration STUCK = Duration.ofMinutes(30);

  private final EventPipeline pipeline;

  WorkHealth(EventPipeline pipeline) {
    this.pipeline = pipeline;
  }

  @Override
  public HealthCheckResponse call() {
    Duration oldest = pipeline.oldestInWork().orElse(Duration.ZERO);
    HealthCheckResponseBuilder response =
        HealthCheckResponse.named("events in work")
            .withData("inWork", pipeline.inWork().size())
            .withData("oldestSeconds", oldest.toSeconds());
    return response.status(oldest.compareTo(STUCK) < 0).build();
  }
}
