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
        // A topic that is not there is given up on soon. What the broker merely answers late is
        // waited for: it would be on its topic twice if it was sent again.
        "mp.messaging.outgoing.outbox.retries", "1",
        "mp.messaging.outgoing.outbox.max.block.ms", "1000");
  }
}
