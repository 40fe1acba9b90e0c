package dev.reckoner.events;

import dev.reckoner.agent.ServingModel;
import io.quarkus.runtime.LaunchMode;
import io.quarkus.runtime.StartupEvent;
import jakarta.annotation.Priority;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Readiness;

/**
 * Loads the model before events are taken in: without one the process does not start, rather than
 * fail every event. Tests load it when they first use it.
 */
@Readiness
@ApplicationScoped
class ModelStart implements HealthCheck {

  private static final int BEFORE_CHANNELS = 400;

  private final ServingModel model;
  private volatile String serving;

  ModelStart(ServingModel model) {
    this.model = model;
  }

  void load(@Observes @Priority(BEFORE_CHANNELS) StartupEvent event) {
    if (LaunchMode.current() != LaunchMode.TEST) {
      serving = model.reasoner().backendName();
    }
  }

  @Override
  public HealthCheckResponse call() {
    String backend = serving;
    return backend == null
        ? HealthCheckResponse.named("model").down().build()
        : HealthCheckResponse.named("model").up().withData("backend", backend).build();
  }
}
