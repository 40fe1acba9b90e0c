package dev.reckoner.improve;

import io.agroal.api.AgroalDataSource;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;
import org.jdbi.v3.core.Jdbi;
import org.jdbi.v3.postgres.PostgresPlugin;

/**
 * The one way to the database: plain SQL through {@link Jdbi} over the pooled data source.
 *
 * <p>A unit of work is {@code jdbi.inTransaction(handle -> …)}; what it announces to the outside
 * goes into the table {@code outbox} on the same handle.
 */
@ApplicationScoped
public class Database {

  @Produces
  @Singleton
  Jdbi jdbi(AgroalDataSource dataSource) {
    return Jdbi.create(dataSource).installPlugin(new PostgresPlugin());
  }
}
