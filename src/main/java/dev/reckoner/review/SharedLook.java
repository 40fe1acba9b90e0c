package dev.reckoner.review;

import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.infrastructure.Infrastructure;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Supplier;
import org.jboss.logging.Logger;

/** Looks again and again while somebody listens; one look serves all who do. */
final class SharedLook {

  private static final Logger LOG = Logger.getLogger(SharedLook.class);

  private SharedLook() {}

  /**
   * What {@code look} sees every so often, on a worker thread; the slow miss looks, not the rest. A
   * look that fails is left out: a database that is away for a moment must not end what every open
   * page listens to, for a browser does not come back to a stream that answers with an error.
   */
  static <T> Multi<T> every(Duration pause, Supplier<T> look) {
    return Multi.createFrom()
        .ticks()
        .every(pause)
        .onOverflow()
        .drop()
        .emitOn(Infrastructure.getDefaultWorkerPool())
        .map(tick -> attempt(look))
        .filter(Optional::isPresent)
        .map(Optional::get)
        .broadcast()
        .withCancellationAfterLastSubscriberDeparture()
        .toAllSubscribers();
  }

  private static <T> Optional<T> attempt(Supplier<T> look) {
    try {
      return Optional.of(look.get());
    } catch (RuntimeException e) {
      LOG.debug("A look at what open pages show failed; the next one follows", e);
      return Optional.empty();
    }
  }
}
