package dev.reckoner.events;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.time.Duration;

/** How events are taken in and handed on. */
@ConfigMapping(prefix = "reckoner.events")
public interface EventsConfig {

  /** How many events are worked on at once; the engine batches over them. */
  @WithDefault("16")
  int inFlight();

  /** The largest record value, in bytes, that is read; larger ones are dead-lettered. */
  @WithDefault("524288")
  int maxBytes();

  /** How often an event is tried, over restarts, before it is dead-lettered. */
  @WithDefault("5")
  int maxAttempts();

  /** How long to wait before the second attempt; doubled for each further one. */
  @WithDefault("2s")
  Duration retryDelay();

  /**
   * How long an event stays with a process that does not renew its lease, as it does if it died.
   */
  @WithDefault("60s")
  Duration lease();

  /** How often leases are renewed and events without a holder looked for. */
  @WithDefault("15s")
  Duration leaseCheck();

  /**
   * Whether this process is the only one that works on its database, as with the embedded one:
   * leases found at the start are then those of a dead predecessor.
   */
  @WithDefault("false")
  boolean exclusive();

  /** Whether topics that are missing are created at the start. */
  @WithDefault("false")
  boolean createTopics();

  /** Partitions of topics that are created, apart from {@code adapter-releases}, which has one. */
  @WithDefault("4")
  int partitions();
}
