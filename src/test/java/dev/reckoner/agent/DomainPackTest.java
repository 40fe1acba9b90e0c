package dev.reckoner.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.reckoner.reasoning.Evidence;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class DomainPackTest {

  private static final ObjectMapper JSON = new ObjectMapper();
  private final DomainPack pack = DomainPack.load("finance");

  static List<FinancialEvent> samples() throws IOException {
    try (BufferedReader in =
        new BufferedReader(
            new InputStreamReader(
                DomainPack.class
                    .getClassLoader()
                    .getResourceAsStream("packs/finance/samples.jsonl"),
                StandardCharsets.UTF_8))) {
      return in.lines().map(DomainPackTest::event).toList();
    }
  }

  private static FinancialEvent event(String line) {
    try {
      JsonNode e = JSON.readTree(line);
      return new FinancialEvent(
          e.get("id").asText(),
          e.get("source").asText(),
          e.get("type").asText(),
          e.get("subject").asText(),
          Instant.parse(e.get("time").asText()),
          e.get("data"));
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private static FinancialEvent sample(String id) throws IOException {
    return samples().stream().filter(e -> e.id().equals(id)).findFirst().orElseThrow();
  }

  @Test
  void everySampleIsValidAndBecomesEvidenceWithAQuestion() throws IOException {
    List<FinancialEvent> samples = samples();
    assertThat(samples).hasSizeGreaterThanOrEqualTo(40);
    for (FinancialEvent event : samples) {
      assertThat(pack.validate(event)).as(event.id()).isEmpty();
      Evidence evidence = pack.evidence(event);
      assertThat(evidence.tables()).as(event.id()).isNotEmpty();
      assertThat(evidence.question()).as(event.id()).endsWith("?");
      assertThat(evidence.title()).as(event.id()).doesNotContain("{", "[", "]");
    }
    assertThat(samples.stream().map(FinancialEvent::type).collect(Collectors.toSet()))
        .as("each event type has a sample")
        .isEqualTo(pack.eventTypes());
    assertThat(samples.stream().map(FinancialEvent::key)).doesNotHaveDuplicates();
  }

  @Test
  void anEarningsReleaseBecomesATableAndKeepsFiguresAsPublished() throws IOException {
    Evidence evidence = pack.evidence(sample("earnings-nflx-q4-2023"));
    assertThat(evidence.title()).isEqualTo("Netflix, Inc.: results for Q4 2023");
    Evidence.Table table = evidence.tables().getFirst();
    assertThat(table.caption()).isEqualTo("USD in millions, except per share");
    assertThat(table.rows())
        .containsExactly(
            List.of("Metric", "Q4 2023", "Consensus", "Q4 2022"),
            List.of("Revenue", "8,833", "8,720", "7,852"),
            List.of("Diluted EPS (USD per share)", "2.11", "2.22", "0.12"));
  }

  @Test
  void aConsensusThatNobodyGaveLeavesNoEmptyColumn() throws IOException {
    Evidence evidence = pack.evidence(sample("earnings-aapl-fy2023"));
    assertThat(evidence.tables().getFirst().rows().getFirst())
        .containsExactly("Metric", "FY2023", "FY2022");
    assertThat(evidence.question())
        .isEqualTo("By how many percent did Net sales change from FY2022 to FY2023?");
  }

  @Test
  void aComparisonHasOneColumnForEachIssuer() throws IOException {
    Evidence evidence = pack.evidence(sample("compare-luxury-2023"));
    assertThat(evidence.tables().getFirst().rows())
        .containsExactly(
            List.of("Metric", "LVMH", "Kering", "Hermes"),
            List.of("Revenue", "86,153", "19,566", "13,427"),
            List.of("Recurring operating income", "22,802", "4,746", "5,650"));
  }

  @Test
  void problemsNameTheFieldAndTheKnownTypes() throws IOException {
    FinancialEvent good = sample("price-meta-2022-02-03");
    ObjectNode data = good.data().deepCopy();
    data.remove("currency");
    data.put("surprise", true);
    assertThat(pack.validate(with(good, good.type(), data)))
        .anyMatch(p -> p.contains("currency"))
        .anyMatch(p -> p.contains("surprise"));
    assertThat(pack.validate(with(good, "com.example.other", data)).getFirst())
        .contains("com.example.other", "dev.reckoner.price.moved.v1");
    assertThat(pack.validate(with(good, good.type(), null)))
        .containsExactly("the event has no data");
  }

  @Test
  void aRowOfAComparisonWithTooFewValuesIsAProblem() throws IOException {
    FinancialEvent good = sample("compare-luxury-2023");
    ObjectNode data = good.data().deepCopy();
    ((com.fasterxml.jackson.databind.node.ArrayNode) data.at("/metrics/0/values")).remove(2);
    assertThat(pack.validate(with(good, good.type(), data)))
        .containsExactly("row 'Revenue' has 2 values for 3 columns");
  }

  @Test
  void aPackThatIsNotThereIsNamed() {
    assertThatThrownBy(() -> DomainPack.load("astrology"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("packs/astrology/pack.yaml");
  }

  private static FinancialEvent with(FinancialEvent e, String type, JsonNode data) {
    return new FinancialEvent(e.id(), e.source(), type, e.subject(), e.time(), data);
  }
}
