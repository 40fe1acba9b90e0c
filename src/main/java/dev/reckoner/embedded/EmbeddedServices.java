package dev.reckoner.embedded;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * What of Kafka and Postgres has to run inside this process, started and stopped as one.
 *
 * <p>{@link #configuration()} is what the application must be configured with to use it.
 */
public final class EmbeddedServices implements AutoCloseable {

  private final DataDirectory directory;
  private final Optional<EmbeddedKafka> kafka;
  private final Optional<EmbeddedPostgres> postgres;

  private EmbeddedServices(
      DataDirectory directory, Optional<EmbeddedKafka> kafka, Optional<EmbeddedPostgres> postgres) {
    this.directory = directory;
    this.kafka = kafka;
    this.postgres = postgres;
  }

  /**
   * What to start.
   *
   * @param kafka whether a broker is needed
   * @param postgres whether a database is needed
   * @param kafkaPort the broker's port, or 0 for any
   * @param postgresPort the database's port, or 0 for any
   */
  public record Wanted(boolean kafka, boolean postgres, int kafkaPort, int postgresPort) {

    /** Both, on any port. */
    public static Wanted both() {
      return new Wanted(true, true, 0, 0);
    }
  }

  /**
   * Locks the directory and starts what is wanted; if one does not start, none is left running.
   *
   * @param path the data directory
   * @param holder what to tell a second process
   * @param progress told the name of each part before it is started
   * @throws EmbeddedException if the directory is in use or a service does not start
   */
  public static EmbeddedServices start(
      Path path, String holder, Wanted wanted, Consumer<String> progress) {
    DataDirectory directory = DataDirectory.lock(path, holder);
    EmbeddedKafka kafka = null;
    try {
      if (wanted.kafka()) {
        progress.accept("broker");
        kafka = EmbeddedKafka.start(directory.path().resolve("kafka"), wanted.kafkaPort());
      }
      EmbeddedPostgres postgres = null;
      if (wanted.postgres()) {
        progress.accept("database");
        postgres =
            EmbeddedPostgres.start(directory.path().resolve("postgres"), wanted.postgresPort());
      }
      return new EmbeddedServices(
          directory, Optional.ofNullable(kafka), Optional.ofNullable(postgres));
    } catch (RuntimeException e) {
      if (kafka != null) {
        kafka.close();
      }
      directory.close();
      throw e;
    }
  }

  /** The settings of the application that point at what was started. */
  public Map<String, String> configuration() {
    Map<String, String> settings = new LinkedHashMap<>();
    kafka.ifPresent(
        k -> {
          settings.put("kafka.bootstrap.servers", k.bootstrapServers());
          settings.put("reckoner.events.create-topics", "true");
        });
    postgres.ifPresent(
        p -> {
          settings.put("quarkus.datasource.jdbc.url", p.jdbcUrl());
          settings.put("quarkus.datasource.username", p.user());
          settings.put("quarkus.datasource.password", p.password());
          settings.put("reckoner.events.exclusive", "true");
        });
    return settings;
  }

  /** The broker's address, if one was started. */
  public Optional<String> bootstrapServers() {
    return kafka.map(EmbeddedKafka::bootstrapServers);
  }

  /** Stops everything in reverse order and releases the directory. */
  @Override
  public void close() {
    try (directory) {
      postgres.ifPresent(EmbeddedPostgres::close);
      kafka.ifPresent(EmbeddedKafka::close);
    }
  }
}
