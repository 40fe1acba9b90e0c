package dev.reckoner.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.corpus.SyntheticGenerator.Topic;
import dev.reckoner.evaluation.ResultsPage.Setting;
import dev.reckoner.evaluation.Solver.Solution;
import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.Evidence;
import java.awt.image.BufferedImage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ResultsPageTest {

  private static final Setting SETTING = new Setting("w1", "2026-11-24", "CPU, 2 threads", "NF4");

  @TempDir Path folder;

  /** Answers the first {@code right} problems with their gold chains and fails on the others. */
  private static Measurement measure(Suite suite, String model, int right)
      throws InterruptedException {
    Map<Evidence, Chain> chains = new HashMap<>();
    suite
        .problems()
        .subList(0, right)
        .forEach(p -> chains.put(p.evidence(), suite.chains().get(p.id())));
    Solver solver =
        evidence -> {
          Chain chain = chains.get(evidence);
          return chain == null
              ? Solution.failed("did not conclude", 5, Duration.ofMillis(1))
              : new Solution(
                  chain, null, 0.5 + chain.text().length() % 40 / 100.0, 9, Duration.ZERO);
        };
    return new Evaluator(2).measure(suite, model, solver, done -> {});
  }

  private JsonNode results() throws Exception {
    return new ObjectMapper().readTree(folder.resolve("results.json").toFile());
  }

  private String page() throws Exception {
    return Files.readString(folder.resolve("README.md"));
  }

  @Test
  void aPageIsFilledSuiteBySuiteAndComparesWithWhatWasPublished() throws Exception {
    Suite comparative = SyntheticSuite.of(Topic.COMPARATIVE, "finance", 1, 20);
    Suite finqa = Suite.of("finqa-gold", comparative.problems(), comparative.chains());
    Measurement base = measure(comparative, "base", 5);
    Measurement adapter = measure(comparative, "adapter", 15);
    ResultsPage.update(
        folder, SETTING, List.of(base, adapter), List.of(Comparison.of(base, adapter)));
    String before = page();
    assertThat(before).contains("| comparative | base | 20 |").doesNotContain("finqa-gold");
    ResultsPage.update(folder, SETTING, List.of(measure(finqa, "base", 10)), List.of());
    assertThat(results().path("measurements")).hasSize(3);
    assertThat(results().path("comparisons")).hasSize(1);
    String share =
        EvaluationReport.text(
            Metric.EXECUTION_ACCURACY,
            measure(finqa, "base", 10).metric(Metric.EXECUTION_ACCURACY));
    assertThat(page())
        .contains("| comparative | adapter | 20 |")
        .contains("| this model, base |  | " + share + " | 20 problems of suite finqa-gold |")
        .contains("| FinQANet (RoBERTa-large) | 61.2 |")
        .contains(
            "| Gemma-3-1B-IT, fully fine-tuned on 6,251 rows, program targets | 49.1 | 66.6 |")
        .contains("only part of the training split was at hand")
        .contains("adapter against base: right on");
    // Measured again, a score takes the place of the one before.
    ResultsPage.update(folder, SETTING, List.of(measure(finqa, "base", 20)), List.of());
    assertThat(results().path("measurements")).hasSize(3);
    assertThat(page()).contains("| finqa-gold | base | 20 | 100.0% [100.0, 100.0] |");
  }

  @Test
  void whatWasMeasuredOfOtherWeightsGoes() throws Exception {
    Suite suite = SyntheticSuite.of(Topic.UNITS, "finance", 1, 10);
    Suite other = SyntheticSuite.of("finance", 1, 10);
    ResultsPage.update(folder, SETTING, List.of(measure(suite, "base", 5)), List.of());
    Setting retrained = new Setting("w2", "2026-11-25", "CPU, 2 threads", "NF4");
    ResultsPage.update(folder, retrained, List.of(measure(other, "base", 5)), List.of());
    assertThat(page()).contains("`w2`").contains("| synthetic |").doesNotContain("| units |");
  }

  @Test
  void picturesAreDrawn() throws Exception {
    Suite suite = SyntheticSuite.of(Topic.UNITS, "finance", 1, 30);
    ResultsPage.update(folder, SETTING, List.of(measure(suite, "base", 20)), List.of());
    for (String name : List.of("accuracy.png", "calibration.png")) {
      BufferedImage image = ImageIO.read(folder.resolve(name).toFile());
      assertThat(image.getWidth()).isGreaterThan(500);
      assertThat(page()).contains("](" + name + ")");
    }
  }

  @Test
  void aFileThatIsNoResultsIsTold() throws Exception {
    Files.writeString(folder.resolve("results.json"), "not JSON");
    Suite suite = SyntheticSuite.of(Topic.UNITS, "finance", 1, 5);
    assertThatThrownBy(
            () -> ResultsPage.update(folder, SETTING, List.of(measure(suite, "m", 1)), List.of()))
        .isInstanceOf(SuiteException.class)
        .hasMessageContaining("is no results file");
    assertThat(Files.readString(folder.resolve("results.json"))).isEqualTo("not JSON");
  }
}
