package dev.reckoner.improve;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.improve.SimulationReport.Expectation;
import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/**
 * The small simulation on the bundled model, with nothing replaced: minutes of both cores, so only
 * with {@code -Dreckoner.simulate=true}.
 */
@EnabledIfSystemProperty(named = "reckoner.simulate", matches = "true")
class SimulationTest {

  @TempDir Path directory;

  @Test
  void poisonAndLeakAreRefusedAndARollbackRestoresTheAnswersToTheToken() throws Exception {
    try (EmbeddedPostgres postgres = EmbeddedPostgres.start();
        Simulation simulation =
            new Simulation(
                Simulation.Size.SMALL,
                1,
                postgres.getPostgresDatabase(),
                directory,
                Map.of(
                    "reckoner.model.backend",
                    "cpu",
                    "reckoner.model.cache-dir",
                    directory.resolve("model-cache").toString()),
                line -> {})) {
      SimulationReport report = simulation.run();
      assertThat(report.expectations()).as(report.text()).hasSize(7).allMatch(Expectation::held);
    }
  }
}
