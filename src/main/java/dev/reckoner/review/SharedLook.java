package dev.reckoner.review;

import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.infrastructure.Infrastructure;
import java.time.Duration;
import java.util.function.Supplier;

/** Looks again and again while somebody listens; one look serves all who do. */
final class SharedLook {

  private SharedLook() {}

  /**
   * What {@code look} sees every so often, on a worker thread; the slow miss looks, not the rest.
   */
  static <T> Multi<T> every(Duration pause, Supplier<T> look) {
    return Multi.createFrom()
        .ticks()
        .every(pause)
        .onOverflow()
        .drop()
        .emitOn(Infrastructure.getDefaultWorkerPool())
        .map(tick -> look.get())
        .broadcast()
        .withCancellationAfterLastSubscriberDeparture()
        .toAllSubscribers();
  }
}
