package dev.reckoner.improve;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.improve.SimulationReport.Expectation;
import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/** The simulation on the bundled model, with nothing replaced. */
class SimulationTest {

  @TempDir Path directory;

  /** About a minute of two cores, in which nothing is learned, so that nothing may serve. */
  @Test
  void whatLearnsNothingDoesNotServeAndPoisonAndLeakAreRefused() throws Exception {
    SimulationReport report = simulate(Simulation.Size.TINY);
    assertThat(report.rounds())
        .extracting(SimulationReport.Round::status)
        .containsExactly("base", "refused", "refused", "refused");
    assertThat(report.rounds().get(1).message())
        .contains("house-rule: execution accuracy: lower end of the improvement");
    assertThat(report.asExpected()).isFalse();
    assertThat(report.expectations().stream().filter(Expectation::held))
        .as(report.text())
        .extracting(Expectation::text)
        .contains(
            "who misses planted errors does not teach",
            "the gate refuses the poisoned round and says why",
            "the dataset build refuses a question of the gate and names the pair",
            "the ledger is whole");
  }

  /** Seven minutes of two cores. */
  @Test
  @EnabledIfSystemProperty(named = "reckoner.simulate", matches = "true")
  void theSmallSizeClimbsAndARollbackRestoresTheAnswersToTheToken() throws Exception {
    SimulationReport report = simulate(Simulation.Size.SMALL);
    assertThat(report.expectations()).as(report.text()).hasSize(7).allMatch(Expectation::held);
  }

  private SimulationReport simulate(Simulation.Size size) throws Exception {
    try (EmbeddedPostgres postgres =
            EmbeddedPostgres.builder().setPGStartupWait(Duration.ofMinutes(2)).start();
        Simulation simulation =
            new Simulation(
                size,
                1,
                postgres.getPostgresDatabase(),
                directory,
                Map.of(
                    "reckoner.model.backend",
                    "cpu",
                    "reckoner.model.cache-dir",
                    directory.resolve("model-cache").toString()),
                line -> {})) {
      return simulation.run();
    }
  }
}
