package dev.reckoner.improve;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.time.Duration;
import java.util.UUID;
import javax.sql.DataSource;
import org.flywaydb.core.Flyway;
import org.jdbi.v3.core.Jdbi;
import org.jdbi.v3.postgres.PostgresPlugin;

/**
 * A real Postgres with the product's migrations, without Quarkus: one server for a test class, one
 * database for a test.
 */
public final class PostgresFixture implements AutoCloseable {

  private final EmbeddedPostgres postgres;
  private int databases;
  private String name;
  public Jdbi jdbi;

  public PostgresFixture() throws IOException {
    // The library waits 10 seconds by itself, which a busy machine may need.
    postgres = EmbeddedPostgres.builder().setPGStartupWait(Duration.ofMinutes(2)).start();
  }

  /** Goes on with an empty database of its own. */
  public void fresh() {
    name = "test" + databases++;
    Jdbi.create(postgres.getPostgresDatabase())
        .useHandle(h -> h.execute("create database " + name));
    DataSource dataSource = postgres.getDatabase("postgres", name);
    Flyway.configure().dataSource(dataSource).load().migrate();
    jdbi = Jdbi.create(dataSource).installPlugin(new PostgresPlugin());
  }

  /** Where the database is, for another process. */
  public String url() {
    return postgres.getJdbcUrl("postgres", name);
  }

  /** An event and its analysis, in the state that the agent leaves them in. */
  public UUID analysis(String evidence, String chain) {
    UUID id = UUID.randomUUID();
    jdbi.useTransaction(
        h -> {
          h.execute(
              "insert into inbox (event_key, event_id, event_source, event_type, subject, data,"
                  + " origin, raw, raw_sha256) values (?, ?, 'test', 't', 's', '{}', 'test',"
                  + " ''::bytea, '0')",
              "test#" + id,
              id.toString());
          h.execute(
              "insert into analysis (id, event_key, event_type, subject, title, evidence, chain,"
                  + " answer, confidence, verified_steps, failed_steps, base_model_hash,"
                  + " adapter_id, adapter_hash, prompt_version, grammar_version, sampler, seed,"
                  + " engine_build, backend, prompt_tokens, generated_tokens, millis)"
                  + " values (?, ?, 't', 's', 'title', cast(? as jsonb), ?, '1', 0.5, 1, 0,"
                  + " 'base', 'base', '', '1', '1', '{}', 1, 'test', 'cpu', 1, 1, 1)",
              id,
              "test#" + id,
              evidence,
              chain);
        });
    return id;
  }

  /** A reviewer's decision on it, as the review records it. */
  public void decide(UUID analysis, String kind, String chain) {
    jdbi.useTransaction(
        h -> {
          h.execute(
              "insert into account (name, password_hash, role) values ('ann', 'x', 'reviewer')"
                  + " on conflict do nothing");
          h.execute(
              "insert into decision (id, analysis_id, reviewer, kind, chain, dwell_millis,"
                  + " analysis_version) values (?, ?, 'ann', ?, ?, 1, 0)",
              UUID.randomUUID(),
              analysis,
              kind,
              chain);
          h.execute(
              "update analysis set status = ? where id = ?",
              kind.equals("correct") ? "corrected" : kind.replaceFirst("e?$", "ed"),
              analysis);
        });
  }

  @Override
  public void close() throws IOException {
    postgres.close();
  }
}
