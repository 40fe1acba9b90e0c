package dev.reckoner.improve;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.reckoner.evaluation.Metric;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * What a candidate must show before it may serve; read from {@code evaluation/gates.yaml}.
 *
 * @param suites rules by name of suite; a suite without rules is measured and judges nothing
 * @param serving what serving it may cost; {@code null} for no rule
 */
public record GateRules(Map<String, SuiteRules> suites, ServingRules serving) {

  /**
   * What a candidate may cost to serve.
   *
   * @param slowdown seconds a token, as so many times the champion's
   * @param adapterShare the adapter's weights, as a share of the base model's
   */
  public record ServingRules(Double slowdown, Double adapterShare) {}

  /**
   * The rules of one suite.
   *
   * @param minimumProblems with fewer problems the suite is measured and judges nothing
   * @param metrics rules by metric
   * @param slices how much execution accuracy an event type, a data set or a question family may
   *     lose; {@code null} for no rule
   * @param issuers how much the questions about one issuer may lose; {@code null} for no rule
   */
  public record SuiteRules(
      int minimumProblems, Map<Metric, MetricRule> metrics, SliceRule slices, SliceRule issuers) {

    public SuiteRules {
      metrics = metrics == null ? Map.of() : Map.copyOf(metrics);
    }
  }

  /**
   * The rule of one metric; what is {@code null} is not asked for. "Better" is up or down, as the
   * metric has it.
   *
   * @param improvement the lower end of the 95% interval of the improvement must be above this
   * @param tolerance the metric may get worse by no more than this
   * @param factor the candidate's value may be no more than this many times the champion's
   */
  public record MetricRule(Double improvement, Double tolerance, Double factor) {

    /** A share may lose more among few problems; a zero stays one. */
    private MetricRule widened(Metric metric, int problems) {
      return tolerance == null || tolerance == 0 || !metric.share()
          ? this
          : new MetricRule(improvement, tolerance + allowance(problems), factor);
    }
  }

  /**
   * @param minimumProblems smaller slices judge nothing
   */
  public record SliceRule(double tolerance, int minimumProblems) {

    private static SliceRule widened(SliceRule rule) {
      return rule == null
          ? null
          : new SliceRule(
              rule.tolerance() + allowance(rule.minimumProblems()), rule.minimumProblems());
    }
  }

  private static final YAMLMapper YAML =
      YAMLMapper.builder()
          .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .enable(com.fasterxml.jackson.databind.MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
          .build();

  public GateRules {
    if (suites == null || suites.isEmpty()) {
      throw new ImprovementException("the gate has no rules: name at least one suite");
    }
    suites = Map.copyOf(suites);
  }

  /**
   * Reads a file.
   *
   * @throws ImprovementException one line that names the file and what is wrong
   */
  public static GateRules read(Path file) {
    try (InputStream in = Files.newInputStream(file)) {
      return parse(file.toString(), in);
    } catch (IOException e) {
      throw new ImprovementException(file + " cannot be read; name a gates file", e);
    }
  }

  /** The rules that ship with the program. */
  public static GateRules bundled() {
    try (InputStream in = GateRules.class.getResourceAsStream("/evaluation/gates.yaml")) {
      return parse("gates.yaml", in);
    } catch (IOException e) {
      throw new ImprovementException("the bundled gates.yaml cannot be read", e);
    }
  }

  private static GateRules parse(String name, InputStream in) throws IOException {
    try {
      return YAML.readValue(in, GateRules.class);
    } catch (JsonProcessingException e) {
      throw new ImprovementException(
          name + ": " + e.getOriginalMessage().lines().findFirst().orElse("not a gates file"), e);
    }
  }

  /** Whether a suite's rules ask for an improvement. */
  boolean isTarget(String suite) {
    return suites.get(suite).metrics().values().stream().anyMatch(m -> m.improvement() != null);
  }

  /**
   * The same rules for some of the suites, when they have few problems: what may be lost grows by
   * two standard errors of a paired difference in which a tenth of the problems change, 2 · √(0.1 /
   * n). What must be gained does not change.
   */
  GateRules forFewProblems(Set<String> only, int problems) {
    Map<String, SuiteRules> few = new TreeMap<>();
    suites.forEach(
        (name, rules) -> {
          if (only.contains(name)) {
            Map<Metric, MetricRule> metrics = new EnumMap<>(Metric.class);
            rules.metrics().forEach((m, rule) -> metrics.put(m, rule.widened(m, problems)));
            few.put(
                name,
                new SuiteRules(
                    Math.min(rules.minimumProblems(), problems),
                    metrics,
                    SliceRule.widened(rules.slices()),
                    SliceRule.widened(rules.issuers())));
          }
        });
    return new GateRules(few, serving);
  }

  private static double allowance(int problems) {
    return 2 * Math.sqrt(0.1 / problems);
  }

  /** As a file of rules. */
  String yaml() {
    try {
      return YAML.writer()
          .with(com.fasterxml.jackson.databind.SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS)
          .writeValueAsString(this);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Names of the suites that have rules. */
  List<String> suiteNames() {
    return suites.keySet().stream().sorted().toList();
  }
}
