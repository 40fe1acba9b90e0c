package dev.reckoner.improve;

import dev.reckoner.evaluation.Comparison;
import dev.reckoner.evaluation.Grade;
import dev.reckoner.evaluation.Interval;
import dev.reckoner.evaluation.Measurement;
import dev.reckoner.evaluation.Metric;
import dev.reckoner.improve.GateRules.MetricRule;
import dev.reckoner.improve.GateRules.SuiteRules;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * Decides whether a candidate may serve, by its comparisons with the champion. What was not
 * measured is a reason to refuse, never to pass; so is a target that could not be judged: where the
 * rules ask for an improvement somewhere, one must have been seen.
 */
final class Gate {

  /**
   * One rule and what came of it.
   *
   * @param text the rule and the numbers, one line
   */
  record Check(String suite, String text, boolean passed) {}

  /**
   * @param passed whether every check passed, and there was at least one
   * @param checks all of them
   * @param notes what was measured and judged nothing
   */
  record Verdict(boolean passed, List<Check> checks, List<String> notes) {

    /** Why a candidate is refused; empty for one that passed. */
    String refusal() {
      if (passed) {
        return "";
      }
      List<String> failed =
          checks.stream().filter(c -> !c.passed()).map(c -> c.suite() + ": " + c.text()).toList();
      return failed.isEmpty()
          ? "no rule of the gate could be judged: " + String.join("; ", notes)
          : String.join("; ", failed);
    }
  }

  private static final String SERVING = "serving";

  private final GateRules rules;

  Gate(GateRules rules) {
    this.rules = rules;
  }

  /**
   * Judges.
   *
   * @param champions measurements of the champion, one a suite
   * @param candidates measurements of the candidate on the same suites
   */
  Verdict judge(List<Measurement> champions, List<Measurement> candidates) {
    return judge(champions, candidates, null);
  }

  /**
   * Judges.
   *
   * @param cost of serving the candidate; {@code null} if it was not measured
   */
  Verdict judge(List<Measurement> champions, List<Measurement> candidates, ServingCost cost) {
    List<Check> checks = new ArrayList<>();
    List<String> notes = new ArrayList<>();
    Map<String, Measurement> bySuite = new TreeMap<>();
    champions.forEach(m -> bySuite.put(m.suite(), m));
    Map<String, Measurement> candidateBySuite = new TreeMap<>();
    candidates.forEach(m -> candidateBySuite.put(m.suite(), m));
    for (String suite : rules.suiteNames()) {
      SuiteRules suiteRules = rules.suites().get(suite);
      Measurement champion = bySuite.get(suite);
      Measurement candidate = candidateBySuite.get(suite);
      int problems = candidate == null ? 0 : candidate.grades().size();
      if (problems < suiteRules.minimumProblems()) {
        notes.add(
            "%s has %d problems, fewer than the %d that are needed to judge"
                .formatted(suite, problems, suiteRules.minimumProblems()));
      } else if (champion == null || candidate == null) {
        checks.add(new Check(suite, "was not measured", false));
      } else {
        judge(suiteRules, champion, candidate, checks);
      }
    }
    if (rules.serving() != null) {
      judge(rules.serving(), cost, checks);
    }
    requireTarget(bySuite.keySet(), candidateBySuite, checks, notes);
    boolean passed = !checks.isEmpty() && checks.stream().allMatch(Check::passed);
    return new Verdict(passed, List.copyOf(checks), List.copyOf(notes));
  }

  /** A candidate that lost nothing is no better yet. */
  private void requireTarget(
      Set<String> measured,
      Map<String, Measurement> candidates,
      List<Check> checks,
      List<String> notes) {
    List<String> targets = rules.suiteNames().stream().filter(rules::isTarget).toList();
    boolean judged =
        targets.stream()
            .filter(measured::contains)
            .map(candidates::get)
            .anyMatch(
                m ->
                    m != null
                        && m.grades().size() >= rules.suites().get(m.suite()).minimumProblems());
    if (!targets.isEmpty() && !judged && !checks.isEmpty()) {
      checks.add(
          new Check(
              "target",
              "no suite could be judged on which an improvement is asked for ("
                  + notes.stream()
                      .filter(n -> targets.stream().anyMatch(n::startsWith))
                      .collect(Collectors.joining(", "))
                  + "): review more chains, or name one in reckoner.improve.suites",
              false));
    }
  }

  private static void judge(
      SuiteRules rules, Measurement champion, Measurement candidate, List<Check> checks) {
    String suite = candidate.suite();
    Comparison comparison = Comparison.of(champion, candidate);
    for (Metric metric : Metric.values()) {
      MetricRule rule = rules.metrics().get(metric);
      if (rule != null) {
        judge(suite, metric, rule, champion, candidate, comparison, checks);
      }
    }
    if (rules.issuers() != null) {
      judgeIssuers(rules.issuers(), champion, candidate, checks);
    }
    if (rules.slices() != null) {
      comparison
          .slices()
          .forEach(
              (slice, difference) -> {
                long problems =
                    candidate.grades().stream().filter(g -> g.slice().equals(slice)).count();
                if (problems >= rules.slices().minimumProblems() && difference.defined()) {
                  checks.add(
                      new Check(
                          suite,
                          "slice %s: execution accuracy %s, may lose %s"
                              .formatted(
                                  slice,
                                  signed(difference.estimate()),
                                  plain(rules.slices().tolerance())),
                          difference.estimate() >= -rules.slices().tolerance()));
                }
              });
    }
  }

  private static void judge(GateRules.ServingRules rules, ServingCost cost, List<Check> checks) {
    if (rules.slowdown() != null) {
      checks.add(
          cost == null || Double.isNaN(cost.slowdown())
              ? new Check(SERVING, "seconds a token: were not measured", false)
              : new Check(
                  SERVING,
                  "seconds a token: %s times the champion's, may be %s times"
                      .formatted(plain(cost.slowdown()), plain(rules.slowdown())),
                  cost.slowdown() <= rules.slowdown()));
    }
    if (rules.adapterShare() != null) {
      checks.add(
          cost == null || Double.isNaN(cost.adapterShare())
              ? new Check(SERVING, "memory: was not measured", false)
              : new Check(
                  SERVING,
                  "memory: the adapter is %s of the base model's weights, may be %s"
                      .formatted(plain(cost.adapterShare()), plain(rules.adapterShare())),
                  cost.adapterShare() <= rules.adapterShare()));
    }
  }

  /** Issuers by the group of the problems, which is the issuer or its page. */
  private static void judgeIssuers(
      GateRules.SliceRule rule, Measurement champion, Measurement candidate, List<Check> checks) {
    Map<String, List<Grade>> before = byIssuer(champion);
    byIssuer(candidate)
        .forEach(
            (issuer, grades) -> {
              if (grades.size() >= rule.minimumProblems()) {
                double change = accuracy(grades) - accuracy(before.getOrDefault(issuer, List.of()));
                checks.add(
                    new Check(
                        candidate.suite(),
                        "issuer %s: execution accuracy %s, may lose %s"
                            .formatted(issuer, signed(change), plain(rule.tolerance())),
                        change >= -rule.tolerance()));
              }
            });
  }

  private static Map<String, List<Grade>> byIssuer(Measurement measurement) {
    return measurement.grades().stream()
        .filter(Grade::answerable)
        .collect(Collectors.groupingBy(Grade::group, TreeMap::new, Collectors.toList()));
  }

  /** NaN for no grades, which no comparison passes. */
  private static double accuracy(List<Grade> grades) {
    return grades.stream().mapToDouble(g -> g.correct() ? 1 : 0).average().orElse(Double.NaN);
  }

  private static void judge(
      String suite,
      Metric metric,
      MetricRule rule,
      Measurement champion,
      Measurement candidate,
      Comparison comparison,
      List<Check> checks) {
    Interval gain = gain(metric, comparison.difference(metric));
    if (!gain.defined()) {
      checks.add(new Check(suite, metric.text() + ": could not be computed", false));
      return;
    }
    if (rule.improvement() != null) {
      checks.add(
          new Check(
              suite,
              "%s: lower end of the improvement %s, must be above %s"
                  .formatted(metric.text(), signed(gain.low()), signed(rule.improvement())),
              gain.low() > rule.improvement()));
    }
    if (rule.tolerance() != null) {
      checks.add(
          new Check(
              suite,
              "%s: better by %s, may lose %s"
                  .formatted(metric.text(), signed(gain.estimate()), plain(rule.tolerance())),
              gain.estimate() >= -rule.tolerance()));
    }
    if (rule.factor() != null) {
      double factor = candidate.metric(metric).estimate() / champion.metric(metric).estimate();
      checks.add(
          new Check(
              suite,
              "%s: %s times the champion's, may be %s times"
                  .formatted(metric.text(), plain(factor), plain(rule.factor())),
              factor <= rule.factor()));
    }
  }

  /** The difference, turned so that more is better. */
  private static Interval gain(Metric metric, Interval difference) {
    return metric.moreIsBetter()
        ? difference
        : new Interval(-difference.estimate(), -difference.high(), -difference.low());
  }

  private static String signed(double value) {
    return String.format(Locale.ROOT, "%+.4f", value);
  }

  private static String plain(double value) {
    return String.format(Locale.ROOT, "%.4f", value);
  }
}
