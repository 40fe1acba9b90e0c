package dev.reckoner.improve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.smallrye.config.SmallRyeConfig;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is removed after its time, and what never is. */
class RetentionTest {

  private static PostgresFixture database;
  @TempDir Path data;
  private Ledger ledger;
  private AdapterRegistry registry;

  @BeforeAll
  static void start() throws IOException {
    database = new PostgresFixture();
  }

  @AfterAll
  static void stop() throws IOException {
    database.close();
  }

  @BeforeEach
  void fresh() {
    database.fresh();
    ledger = new Ledger();
    registry = new AdapterRegistry(database.jdbi, new Outbox(), ledger);
  }

  @Test
  void oldAdaptersLoseTheirFilesAndNeverTheChampionItsPredecessorOrTheShadow() throws IOException {
    for (String id : List.of("a1", "a2", "a3", "a4", "a5", "a6")) {
      register(id);
    }
    registry.promote("a1", "olga");
    registry.promote("a2", "olga");
    registry.promote("a3", "olga");
    registry.shadow("a4", "olga");
    Files.createDirectories(data.resolve("adapters/a1"));
    Files.createDirectories(data.resolve("adapters/a2"));

    Map<String, Integer> removed = retention(1).clean();

    // a6 is the newest and the candidate; a1 was champion, but not the last one before this.
    assertThat(removed).containsEntry("adapters", 2).containsEntry("adapter directories", 1);
    assertThat(strings("select distinct adapter_id from adapter_file order by 1"))
        .containsExactly("a2", "a3", "a4", "a6");
    assertThat(data.resolve("adapters/a2")).exists();
    RegisteredAdapter gone = registry.find("a1").orElseThrow();
    assertThat(gone.gate().path("refusal").asText()).isEqualTo("none");
    assertThat(gone.gate().has("measurements")).isFalse();
    assertThat(gone.gate().path("removedSha256").asText()).hasSize(64);
    assertThat(ledger.verify(database.jdbi).problem()).isEmpty();
    assertThat(strings("select payload from ledger where kind = 'RETENTION'"))
        .containsExactly("{\"adapterIds\":[\"a1\",\"a5\"],\"adapters\":2}");
    assertThatThrownBy(() -> registry.rollbackTo("a1", "olga"))
        .isInstanceOf(ImprovementException.class)
        .hasMessageContaining("files of adapter a1 were removed");
    registry.rollback("olga");
    assertThat(registry.champion()).map(RegisteredAdapter::id).hasValue("a2");
    assertThat(retention(20).clean()).isEmpty();
  }

  @Test
  void messagesAndRawBytesGoAfterTheirTimeAndTheLedgerStaysWhole() {
    UUID analysis = database.analysis("{}", "conclude not stated");
    database.analysis("{}", "conclude not stated");
    register("a1");
    registry.promote("a1", "olga");
    database.jdbi.useHandle(
        h -> {
          h.execute("update inbox set raw = '\\x01'::bytea");
          h.execute(
              "update inbox set status = 'done', finished_at = now() - interval '31 days'"
                  + " where event_key = ?",
              "test#" + analysis);
          h.execute("update outbox set published_at = now() - interval '6 days'");
          h.execute(
              "insert into outbox (topic, key, raw, origin, published_at)"
                  + " values ('dlq', 'k', '\\x01'::bytea, 'o', now() - interval '8 days')");
          h.execute("insert into outbox (topic, key, payload) values ('analyses', 'k', '{}')");
        });
    assertThat(retention(20).clean()).isEqualTo(Map.of("messages", 1, "raw events", 1));
    assertThat(strings("select event_key from inbox where octet_length(raw) = 0"))
        .containsExactly("test#" + analysis);
    // What waits to be published stays, and so does the place of a dead letter.
    assertThat(strings("select topic from outbox order by id"))
        .containsExactly("adapter-releases", "dlq", "analyses");
    database.jdbi.useHandle(
        h ->
            h.execute(
                "update outbox set published_at = now() - interval '8 days'"
                    + " where topic = 'adapter-releases'"));
    assertThat(retention(20).clean()).isEqualTo(Map.of("messages", 1));
    assertThat(strings("select topic from outbox order by id")).containsExactly("dlq", "analyses");
    assertThat(ledger.verify(database.jdbi).problem()).isEmpty();
  }

  @Test
  void checkpointsOfRunsThatEndedLongAgoGoAndThoseOfARunThatWorksStay() throws IOException {
    TrainingRuns runs = new TrainingRuns(database.jdbi);
    UUID ended = runs.queue("{}", true, "olga").id();
    runs.enter(ended, TrainingRun.Status.FAILED, "x");
    UUID working = runs.queue("{}", true, "olga").id();
    for (UUID run : List.of(ended, working)) {
      Path directory = Files.createDirectories(data.resolve("runs").resolve(run.toString()));
      Files.writeString(directory.resolve("checkpoint.safetensors"), "x");
    }
    assertThat(retention(20).clean()).isEmpty();
    database.jdbi.useHandle(
        h ->
            h.execute(
                "update training_run set created_at = now() - interval '15 days',"
                    + " finished_at = finished_at - interval '15 days'"));
    assertThat(retention(20).clean()).isEqualTo(Map.of("run directories", 1));
    assertThat(data.resolve("runs").resolve(ended.toString())).doesNotExist();
    assertThat(data.resolve("runs").resolve(working.toString())).exists();
  }

  private void register(String id) {
    TreeMap<String, byte[]> files = new TreeMap<>();
    files.put(AdapterFiles.CONFIG, id.getBytes());
    files.put(AdapterFiles.WEIGHTS, id.getBytes());
    database.jdbi.useTransaction(
        h ->
            registry.register(
                h,
                id,
                new AdapterFiles(files),
                "base",
                null,
                null,
                JsonNodeFactory.instance
                    .objectNode()
                    .put("passed", true)
                    .put("refusal", "none")
                    .put("measurements", 1),
                true));
  }

  private Retention retention(int adapters) {
    SmallRyeConfig config =
        new SmallRyeConfigBuilder()
            .addDiscoveredConverters()
            .withMapping(ImproveConfig.class)
            .withMapping(ReckonerConfig.class)
            .withDefaultValue("reckoner.improve.retention.adapters", "" + adapters)
            .withDefaultValue("reckoner.data-dir", data.toString())
            .build();
    return new Retention(
        database.jdbi,
        ledger,
        config.getConfigMapping(ImproveConfig.class),
        config.getConfigMapping(ReckonerConfig.class));
  }

  private static List<String> strings(String sql) {
    return database.jdbi.withHandle(h -> h.createQuery(sql).mapTo(String.class).list());
  }
}
