package dev.reckoner.improve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.reckoner.improve.Ledger.Kind;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class LedgerTest {

  private final Ledger ledger = new Ledger();
  private static PostgresFixture database;

  @BeforeAll
  static void start() throws IOException {
    database = new PostgresFixture();
  }

  @AfterAll
  static void stop() throws IOException {
    database.close();
  }

  @BeforeEach
  void fill() {
    database.fresh();
    for (int i = 1; i <= 5; i++) {
      append("analysis-" + i);
    }
  }

  @Test
  void anUntouchedChainIsWhole() {
    assertThat(ledger.verify(database.jdbi))
        .satisfies(v -> assertThat(v.entries()).isEqualTo(5))
        .satisfies(v -> assertThat(v.problem()).isEmpty());
  }

  @Test
  void aRolledBackTransactionLeavesNoEntryAndNoGap() {
    assertThatThrownBy(
            () ->
                database.jdbi.useTransaction(
                    h -> {
                      ledger.append(h, Kind.DECISION, "ann", "x", Map.of());
                      throw new IllegalStateException("the work failed");
                    }))
        .hasMessage("the work failed");
    append("after");
    assertThat(ledger.verify(database.jdbi).problem()).isEmpty();
    assertThat(ledger.verify(database.jdbi).entries()).isEqualTo(6);
  }

  @Test
  void concurrentWritersKeepOneOrder() throws Exception {
    try (var executor = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Callable<Object>> writers =
          IntStream.range(0, 20)
              .<Callable<Object>>mapToObj(
                  i ->
                      () -> {
                        append("concurrent-" + i);
                        return null;
                      })
              .toList();
      for (var done : executor.invokeAll(writers)) {
        done.get();
      }
    }
    assertThat(ledger.verify(database.jdbi).problem()).isEmpty();
    assertThat(ledger.verify(database.jdbi).entries()).isEqualTo(25);
  }

  @Test
  void theDatabaseItselfRefusesToChangeAnEntry() {
    assertThatThrownBy(() -> execute("update ledger set actor = 'eve' where seq = 3"))
        .hasMessageContaining("append-only");
    assertThatThrownBy(() -> execute("delete from ledger where seq = 3"))
        .hasMessageContaining("append-only");
  }

  @Test
  void anAlteredEntryIsFound() {
    asOwner("update ledger set payload = '{\"answer\":\"2\"}' where seq = 3");
    assertThat(ledger.verify(database.jdbi).problem())
        .hasValue("entry 3 was altered after it was written");
  }

  @Test
  void aRemovedEntryIsFound() {
    asOwner("delete from ledger where seq = 3");
    assertThat(ledger.verify(database.jdbi).problem())
        .hasValue("entry 3 is missing: the next one is 4");
  }

  @Test
  void reorderedEntriesAreFound() {
    asOwner(
        "update ledger set seq = case seq when 2 then -3 when 3 then -2 end where seq in (2, 3)",
        "update ledger set seq = -seq where seq < 0");
    assertThat(ledger.verify(database.jdbi).problem().orElseThrow())
        .startsWith("entry 2 does not follow the entry before it");
  }

  @Test
  void aRemovedTailIsFound() {
    asOwner("delete from ledger where seq = 5");
    assertThat(ledger.verify(database.jdbi).problem().orElseThrow())
        .contains("entries were removed from the end");
  }

  private void append(String subject) {
    database.jdbi.useTransaction(
        h -> ledger.append(h, Kind.INFERENCE, "agent", subject, Map.of("b", 1, "a", List.of(2))));
  }

  private void execute(String sql) {
    database.jdbi.useHandle(h -> h.execute(sql));
  }

  private void asOwner(String... statements) {
    execute("alter table ledger disable trigger ledger_append_only");
    for (String sql : statements) {
      execute(sql);
    }
  }
}
