package dev.reckoner.events;

import io.quarkus.scheduler.Scheduled;
import io.smallrye.common.annotation.RunOnVirtualThread;
import jakarta.enterprise.context.ApplicationScoped;
import org.jboss.logging.Logger;
import org.jdbi.v3.core.JdbiException;

/**
 * Renews the leases of what this process works on, and takes over what nobody works on any more,
 * whether or not Kafka would deliver it again.
 */
@ApplicationScoped
class LeaseKeeper {

  private static final Logger LOG = Logger.getLogger(LeaseKeeper.class);

  private final Inbox inbox;
  private final EventPipeline pipeline;
  private final EventsConfig config;

  LeaseKeeper(Inbox inbox, EventPipeline pipeline, EventsConfig config) {
    this.inbox = inbox;
    this.pipeline = pipeline;
    this.config = config;
  }

  @Scheduled(
      every = "${reckoner.events.lease-check}",
      concurrentExecution = Scheduled.ConcurrentExecution.SKIP)
  @RunOnVirtualThread
  void keep() {
    if (pipeline.stopping()) {
      return;
    }
    try {
      inbox.renew(pipeline.inWork());
      int free = config.inFlight() - pipeline.inWork().size();
      if (free > 0) {
        inbox.recover(free).forEach(this::work);
      }
    } catch (JdbiException e) {
      LOG.warnf("Leases were not renewed: %s", Patience.reason(e));
    }
  }

  private void work(Inbox.Claim.Work work) {
    LOG.infof("Event %s is taken over, attempt %d", work.event().key(), work.attempt());
    Thread.ofVirtual()
        .name("recovery-", 0)
        .start(
            () -> {
              try {
                pipeline.work(work);
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
            });
  }
}
