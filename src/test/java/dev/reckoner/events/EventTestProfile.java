package dev.reckoner.events;

import io.quarkus.test.junit.QuarkusTestProfile;
import java.util.Map;
import java.util.Set;

/** How events travel, with short waits and without a model. */
public class EventTestProfile implements QuarkusTestProfile {

  @Override
  public Set<Class<?>> getEnabledAlternatives() {
    return Set.of(ScriptedAnalysisService.class);
  }

  @Override
  public Map<String, String> getConfigOverrides() {
    return Map.of(
        "reckoner.events.lease", "3s",
        "reckoner.events.lease-check", "1s",
        "reckoner.events.retry-delay", "10ms",
        "reckoner.events.max-attempts", "3",
        "reckoner.events.max-bytes", "20000",
        "reckoner.events.exclusive", "false",
        "mp.messaging.outgoing.outbox.delivery.timeout.ms", "1500",
        "mp.messaging.outgoing.outbox.request.timeout.ms", "1000",
        "mp.messaging.outgoing.outbox.max.block.ms", "1000");
  }
}
