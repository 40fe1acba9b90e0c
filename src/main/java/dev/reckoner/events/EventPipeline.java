package dev.reckoner.events;

import dev.reckoner.agent.Analysis;
import dev.reckoner.agent.AnalysisException;
import dev.reckoner.agent.AnalysisService;
import dev.reckoner.agent.FinancialEvent;
import dev.reckoner.events.EventMetrics.Outcome;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import jakarta.annotation.Priority;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import jakarta.interceptor.Interceptor;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.jboss.logging.Logger;
import org.jdbi.v3.core.JdbiException;

/**
 * The path of one event, from its record to its saved analysis. Blocking, called from one virtual
 * thread for each event that is in flight; it returns once the record may be acknowledged.
 */
@ApplicationScoped
class EventPipeline {

  private static final Logger LOG = Logger.getLogger(EventPipeline.class);
  private static final int MAX_DOUBLINGS = 6;

  /** How much longer to wait when it is not one event that fails but every one. */
  private static final int OUTAGE_FACTOR = 30;

  private final Envelope envelope;
  private final Inbox inbox;
  private final DeadLetters deadLetters;
  private final AnalysisService service;
  private final AnalysisStore store;
  private final EventMetrics metrics;
  private final EventsConfig config;
  private final Patience patience = new Patience(() -> this.stopping);
  private final Map<String, Instant> inWork = new ConcurrentHashMap<>();
  private final AtomicInteger failuresInRow = new AtomicInteger();
  private volatile boolean stopping;

  EventPipeline(
      Envelope envelope,
      Inbox inbox,
      DeadLetters deadLetters,
      AnalysisService service,
      AnalysisStore store,
      EventMetrics metrics,
      EventsConfig config) {
    this.envelope = envelope;
    this.inbox = inbox;
    this.deadLetters = deadLetters;
    this.service = service;
    this.store = store;
    this.metrics = metrics;
    this.config = config;
  }

  /** Before the channels open. */
  void start(@Observes @Priority(Interceptor.Priority.PLATFORM_BEFORE + 20) StartupEvent event) {
    if (config.exclusive()) {
      inbox.releaseAll();
    }
    metrics.observe(inWork::size);
  }

  void stop(@Observes ShutdownEvent event) {
    stopping = true;
    try {
      inbox.release();
    } catch (JdbiException e) {
      LOG.debug("The leases were not given back; they run out.", e);
    }
  }

  /**
   * Serves one record: analyses it, finds it a duplicate, or dead-letters it.
   *
   * @throws InterruptedException if the process stops; the record is delivered again
   */
  void serve(ConsumerRecord<byte[], byte[]> record) throws InterruptedException {
    FinancialEvent event;
    try {
      event = envelope.open(record);
    } catch (RejectedException e) {
      bury(record, e);
      return;
    }
    Inbox.Claim claim;
    try {
      claim = patience.insist(() -> inbox.claim(event, record));
    } catch (JdbiException e) {
      if (stopping) {
        throw e;
      }
      // The database answers, and can not hold this event: a value that no check above foresaw.
      LOG.warnf(e, "Event %s can not be stored", event.key());
      bury(record, new RejectedException(RejectedException.INVALID, oneLine(e), e));
      return;
    }
    switch (claim) {
      case Inbox.Claim.Work work -> work(work);
      case Inbox.Claim.Duplicate() -> metrics.count(Outcome.DUPLICATE);
      case Inbox.Claim.Redelivered() -> metrics.count(Outcome.REDELIVERED);
      case Inbox.Claim.Dead() -> metrics.count(Outcome.DEAD);
    }
  }

  private void bury(ConsumerRecord<byte[], byte[]> record, RejectedException why)
      throws InterruptedException {
    if (patience.insist(() -> deadLetters.bury(record, why))) {
      metrics.count(Outcome.DEAD);
      LOG.infof("Dead letter from %s: %s", Origin.of(record).text(), why.getMessage());
    }
  }

  /** Works on a claimed event until it is analysed or dead-lettered. */
  void work(Inbox.Claim.Work claimed) throws InterruptedException {
    String key = claimed.event().key();
    inWork.put(key, Instant.now());
    try {
      Inbox.Claim.Work work = claimed;
      while (work != null) {
        work = attempt(work);
      }
    } catch (LeaseLostException e) {
      LOG.info(e.getMessage());
    } finally {
      inWork.remove(key);
    }
  }

  /** One attempt; the next one where it failed, {@code null} where there is nothing left to do. */
  private Inbox.Claim.Work attempt(Inbox.Claim.Work work) throws InterruptedException {
    String error;
    try {
      Analysis analysis = service.analyze(work.event());
      patience.insist(() -> store.save(analysis));
      metrics.analyzed(analysis);
      failuresInRow.set(0);
      return null;
    } catch (LeaseLostException e) {
      throw e;
    } catch (AnalysisException e) {
      if (!e.retryable()) {
        refuse(work, new RejectedException(e.reason(), oneLine(e), e));
        return null;
      }
      error = oneLine(e);
    } catch (RuntimeException | Error e) {
      if (stopping) {
        throw e; // not the event's fault
      }
      LOG.infof(e, "Attempt %d of event %s failed", work.attempt(), work.event().key());
      error = oneLine(e);
    }
    if (failuresInRow.incrementAndGet() == config.inFlight()) {
      LOG.warnf("Every event fails, so attempts are far apart now; the last: %s", error);
    }
    Inbox.Claim.Work next = patience.insist(() -> inbox.failed(work, error));
    if (next == null) {
      metrics.count(Outcome.DEAD);
    } else {
      metrics.count(Outcome.RETRIED);
      Thread.sleep(delay(work.attempt()));
    }
    return next;
  }

  private Duration delay(int attempt) {
    Duration delay = config.retryDelay().multipliedBy(1L << Math.min(attempt - 1, MAX_DOUBLINGS));
    return failuresInRow.get() < config.inFlight() ? delay : delay.multipliedBy(OUTAGE_FACTOR);
  }

  private void refuse(Inbox.Claim.Work work, RejectedException why) throws InterruptedException {
    patience.insist(() -> inbox.refuse(work, why));
    metrics.count(Outcome.DEAD);
    LOG.infof("Dead letter for event %s: %s", work.event().key(), why.getMessage());
  }

  private static String oneLine(Throwable e) {
    String message = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    return message.lines().findFirst().orElse(e.getClass().getSimpleName());
  }

  /** The keys of the events that are being worked on. */
  Set<String> inWork() {
    return Set.copyOf(inWork.keySet());
  }

  /** For how long the oldest event has been worked on; empty if none is. */
  Optional<Duration> oldestInWork() {
    return inWork.values().stream()
        .min(Instant::compareTo)
        .map(since -> Duration.between(since, Instant.now()));
  }

  boolean stopping() {
    return stopping;
  }
}
