package dev.reckoner.events;

import java.sql.SQLException;
import java.time.Duration;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jboss.logging.Logger;
import org.jdbi.v3.core.JdbiException;
import org.jdbi.v3.core.statement.StatementException;

/** Waits for a database that is away, rather than losing an event to its absence. */
final class Patience {

  private static final Logger LOG = Logger.getLogger(Patience.class);
  private static final Duration FIRST = Duration.ofMillis(500);
  private static final Duration LONGEST = Duration.ofSeconds(30);

  /** Connection lost, rollback by the server, out of resources, locked, shut down. */
  private static final Set<String> TRANSIENT = Set.of("08", "40", "53", "55", "57");

  private final BooleanSupplier stopping;

  Patience(BooleanSupplier stopping) {
    this.stopping = stopping;
  }

  /**
   * Runs {@code work} until the database answers.
   *
   * @throws JdbiException if the database answered with an error, or this process is stopping
   */
  <T> T insist(Supplier<T> work) throws InterruptedException {
    Duration delay = FIRST;
    while (true) {
      try {
        return work.get();
      } catch (JdbiException e) {
        if (stopping.getAsBoolean() || !away(e)) {
          throw e;
        }
        LOG.warnf("The database is away, next try in %s: %s", delay, reason(e));
        Thread.sleep(delay);
        Duration longer = delay.multipliedBy(2);
        delay = longer.compareTo(LONGEST) > 0 ? LONGEST : longer;
      }
    }
  }

  /** As {@link #insist(Supplier)}, for work without a result. */
  void insist(Runnable work) throws InterruptedException {
    insist(
        () -> {
          work.run();
          return null;
        });
  }

  /** What went wrong, for a log: without the statement and its arguments. */
  static String reason(JdbiException e) {
    return e instanceof StatementException s ? s.getShortMessage() : e.getMessage();
  }

  private static boolean away(Throwable e) {
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      if (cause instanceof SQLException sql) {
        String state = sql.getSQLState(); // none where the pool gave up waiting for a connection
        return state == null || state.length() < 2 || TRANSIENT.contains(state.substring(0, 2));
      }
    }
    return false;
  }
}
