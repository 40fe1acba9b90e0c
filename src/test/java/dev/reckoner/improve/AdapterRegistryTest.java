package dev.reckoner.improve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class AdapterRegistryTest {

  private static PostgresFixture database;
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
  void fill() {
    database.fresh();
    registry = new AdapterRegistry(database.jdbi, new Outbox(), new Ledger());
    register("a1", true);
    register("a2", true);
    register("bad", false);
  }

  @Test
  void aPromotionMovesTheAliasAnnouncesItAndIsInTheLedger() {
    AdapterRelease release = registry.promote("a1", "olga");

    assertThat(registry.champion().orElseThrow().id()).isEqualTo("a1");
    assertThat(announcements()).containsExactly(release);
    assertThat(release.sha256()).isEqualTo(files("a1").hash());
    assertThat(ledgerKinds()).containsExactly("PROMOTION a1 olga");
  }

  @Test
  void anAdapterThatTheGateRefusedCannotBePromoted() {
    assertThatThrownBy(() -> registry.promote("bad", "olga"))
        .isInstanceOf(ImprovementException.class)
        .hasMessageContaining("has not passed the gate");
    assertThat(registry.champion()).isEmpty();
    assertThat(announcements()).isEmpty();
    assertThat(ledgerKinds()).isEmpty();
  }

  @Test
  void rollbackGoesBackAlongWhatServed() {
    registry.promote("a1", "olga");
    registry.promote("a2", "olga");

    assertThat(registry.rollback("olga").adapterId()).isEqualTo("a1");
    assertThat(registry.champion().orElseThrow().id()).isEqualTo("a1");
    assertThat(registry.rollback("olga").adapterId()).isEqualTo(AdapterRelease.BASE);
    assertThat(registry.champion()).isEmpty();
    assertThatThrownBy(() -> registry.rollback("olga"))
        .hasMessageContaining("nothing to roll back");
    assertThat(announcements())
        .extracting(AdapterRelease::adapterId)
        .containsExactly("a1", "a2", "a1", "base");
    assertThat(ledgerKinds())
        .containsExactly(
            "PROMOTION a1 olga", "PROMOTION a2 olga", "ROLLBACK a1 olga", "ROLLBACK base olga");
  }

  @Test
  void rollbackToNeedsAnAdapterThatServed() {
    registry.promote("a1", "olga");
    assertThatThrownBy(() -> registry.rollbackTo("a2", "olga"))
        .hasMessageContaining("has never served");
    assertThatThrownBy(() -> registry.rollbackTo("a1", "olga"))
        .hasMessage("adapter a1 serves already");
    assertThat(registry.rollbackTo("base", "olga").adapterId()).isEqualTo("base");
    assertThat(registry.rollbackTo("a1", "olga").adapterId()).isEqualTo("a1");
  }

  @Test
  void filesComeBackByteForByte() {
    AdapterFiles back = registry.files("a1").orElseThrow();
    assertThat(back.hash()).isEqualTo(files("a1").hash());
    assertThat(back.content().get(AdapterFiles.WEIGHTS))
        .isEqualTo(files("a1").content().get(AdapterFiles.WEIGHTS));
    assertThat(registry.files("none")).isEmpty();
  }

  @Test
  void aSecondRunWaitsForTheFirst() {
    TrainingRuns runs = new TrainingRuns(database.jdbi);
    TrainingRun first = runs.queue("{}", true, "olga");
    assertThatThrownBy(() -> runs.queue("{}", true, "olga"))
        .isInstanceOf(ImprovementException.class)
        .hasMessageContaining("in progress");
    runs.enter(first.id(), TrainingRun.Status.CANCELLED, "cancelled");
    assertThat(runs.queue("{}", true, "olga").status()).isEqualTo(TrainingRun.Status.QUEUED);
  }

  private void register(String id, boolean passed) {
    database.jdbi.useTransaction(
        h -> registry.register(h, id, files(id), "base-hash", null, null, null, passed));
  }

  private static AdapterFiles files(String id) {
    return new AdapterFiles(
        new TreeMap<>(
            Map.of(
                AdapterFiles.CONFIG, "{}".getBytes(StandardCharsets.UTF_8),
                AdapterFiles.WEIGHTS, ("weights of " + id).getBytes(StandardCharsets.UTF_8))));
  }

  private List<AdapterRelease> announcements() {
    return database.jdbi.withHandle(
        h ->
            h
                .createQuery("select payload from outbox where topic = ? and key = ? order by id")
                .bind(0, AdapterRelease.TOPIC)
                .bind(1, AdapterRelease.DEFAULT_SLOT)
                .mapTo(String.class)
                .list()
                .stream()
                .map(AdapterRegistryTest::release)
                .toList());
  }

  private static AdapterRelease release(String cloudEvent) {
    try {
      return AdapterRelease.parse(CanonicalJson.MAPPER.readTree(cloudEvent).get("data"));
    } catch (JsonProcessingException e) {
      throw new AssertionError(e);
    }
  }

  private List<String> ledgerKinds() {
    return database.jdbi.withHandle(
        h ->
            h.createQuery("select kind || ' ' || subject || ' ' || actor from ledger order by seq")
                .mapTo(String.class)
                .list());
  }
}
