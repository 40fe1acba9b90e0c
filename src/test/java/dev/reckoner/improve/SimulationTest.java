package dev.reckoner.improve;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.improve.SimulationReport.Expectation;
import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/** The simulation on the bundled model, with nothing replaced. */
@EnabledIfSystemProperty(named = "reckoner.simulate", matches = "true")
class SimulationTest {

  @TempDir Path directory;

  @Test
  void poisonAndLeakAreRefusedAndARollbackRestoresTheAnswersToTheToken() throws Exception {
    simulate(Simulation.Size.TINY);
  }

  /** Minutes of both cores. */
  @Test
  @EnabledIfSystemProperty(named = "reckoner.simulate", matches = "true")
  void soItIsInTheSmallSize() throws Exception {
    simulate(Simulation.Size.SMALL);
  }

  private void simulate(Simulation.Size size) throws Exception {
    try (EmbeddedPostgres postgres = EmbeddedPostgres.start();
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
      SimulationReport report = simulation.run();
      assertThat(report.expectations()).as(report.text()).hasSize(7).allMatch(Expectation::held);
    }
  }
}
