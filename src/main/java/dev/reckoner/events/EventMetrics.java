package dev.reckoner.events;

import dev.reckoner.agent.Analysis;
import dev.reckoner.reasoning.Verdict;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.quarkus.scheduler.Scheduled;
import io.smallrye.common.annotation.RunOnVirtualThread;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.IntSupplier;
import org.jdbi.v3.core.Jdbi;
import org.jdbi.v3.core.JdbiException;

/** What is counted of events. */
@ApplicationScoped
class EventMetrics {

  private final MeterRegistry registry;
  private final Jdbi jdbi;
  private final Timer analysis;
  private final AtomicLong inboxOpen = new AtomicLong();
  private final AtomicLong outboxOpen = new AtomicLong();

  /** What became of a record, or of one attempt. */
  enum Outcome {
    ANALYZED,
    DUPLICATE,
    REDELIVERED,
    RETRIED,
    DEAD
  }

  EventMetrics(MeterRegistry registry, Jdbi jdbi) {
    this.registry = registry;
    this.jdbi = jdbi;
    this.analysis =
        Timer.builder("reckoner.analysis")
            .description("Time in the model for one event, waiting included")
            .publishPercentileHistogram()
            .register(registry);
    registry.gauge("reckoner.inbox.open", inboxOpen);
    registry.gauge("reckoner.outbox.open", outboxOpen);
  }

  void observe(IntSupplier inFlight) {
    Gauge.builder("reckoner.events.in.flight", inFlight::getAsInt)
        .strongReference(true)
        .register(registry);
  }

  void count(Outcome outcome) {
    registry
        .counter("reckoner.events", "outcome", outcome.name().toLowerCase(Locale.ROOT))
        .increment();
  }

  void analyzed(Analysis done) {
    count(Outcome.ANALYZED);
    analysis.record(done.took());
    for (Verdict verdict : done.verdicts()) {
      registry
          .counter("reckoner.steps", "verdict", verdict.kind().text().replace(' ', '_'))
          .increment();
    }
  }

  /** Queue depths are asked of the database now and then, not at each scrape. */
  @Scheduled(
      every = "10s",
      delayed = "10s",
      concurrentExecution = Scheduled.ConcurrentExecution.SKIP)
  @RunOnVirtualThread
  void measure() {
    try {
      inboxOpen.set(count("select count(*) from inbox where status = 'received'"));
      outboxOpen.set(count("select count(*) from outbox where published_at is null"));
    } catch (JdbiException e) {
      inboxOpen.set(-1); // unknown: the database is away, which its health check says
      outboxOpen.set(-1);
    }
  }

  private long count(String sql) {
    return jdbi.withHandle(handle -> handle.createQuery(sql).mapTo(Long.class).one());
  }
}
