package dev.reckoner.review;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import dev.reckoner.evaluation.Metric;
import dev.reckoner.improve.ImprovementService;
import dev.reckoner.improve.RegisteredAdapter;
import dev.reckoner.improve.ShadowReview;
import dev.reckoner.improve.TrainingRun;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jdbi.v3.core.Jdbi;

/** Puts together what the model page shows. */
@ApplicationScoped
public class ModelViews {

  private static final int RUNS = 12;

  private final ImprovementService improvement;
  private final ShadowReview shadows;
  private final Jdbi jdbi;

  ModelViews(ImprovementService improvement, ShadowReview shadows, Jdbi jdbi) {
    this.improvement = improvement;
    this.shadows = shadows;
    this.jdbi = jdbi;
  }

  /**
   * Everything on the page.
   *
   * @param unused validated chains that no dataset has used yet
   * @param active the run that is under way, or {@code null}
   * @param shadow how the shadow does, or {@code null} if there is none
   */
  record ModelsView(
      AdapterView champion,
      long validated,
      long unused,
      RunView active,
      ShadowReview.Summary shadow,
      List<RunView> runs,
      List<AdapterView> adapters) {

    public boolean none() {
      return adapters.isEmpty();
    }
  }

  /** A run with its loss curve. */
  record RunView(
      UUID id,
      String status,
      String startedBy,
      String age,
      String message,
      int step,
      int steps,
      String loss,
      String backend,
      String adapterId,
      Curve curve,
      List<LogView> log) {

    public boolean known() {
      return steps > 0;
    }

    /** Whether it ended without an adapter that may serve. */
    public boolean bad() {
      return status.equals("failed") || status.equals("refused");
    }

    public boolean good() {
      return status.equals("passed") || status.equals("promoted");
    }
  }

  /**
   * A line of a run's log.
   *
   * @param after the time since its first line, {@code 12:05} or {@code 1:12:05}
   */
  record LogView(String after, String line) {}

  /**
   * A loss curve.
   *
   * @param points {@code [[step, …], [loss, …]]} as JSON
   */
  record Curve(String points, String first, String last) {}

  /**
   * What the gate measured on a suite.
   *
   * @param champion of what served then, with its 95% interval
   * @param difference the candidate's less the champion's, paired, with its 95% interval
   * @param verdict {@code good} or {@code bad} where the interval of the difference leaves zero out
   */
  record ScoreView(
      String suite,
      long problems,
      String metric,
      String champion,
      String candidate,
      String difference,
      String verdict) {}

  /** One rule of the gate and what came of it. */
  record CheckView(String suite, String text, boolean passed) {}

  /**
   * An adapter and where it comes from.
   *
   * @param promoted who let it serve and when; empty if nobody did
   * @param kept whether its files are still there
   * @param checks what the gate said; empty for one that was imported
   */
  record AdapterView(
      String id,
      String hash,
      String baseModelHash,
      String datasetHash,
      boolean champion,
      boolean candidate,
      boolean shadow,
      boolean passed,
      boolean judged,
      String age,
      String trainedBy,
      String promoted,
      boolean kept,
      long approvals,
      long corrections,
      List<ScoreView> scores,
      List<CheckView> checks,
      List<String> notes) {}

  ModelsView models() {
    List<TrainingRun> runs = improvement.runs(RUNS);
    Map<UUID, TrainingRun> byId =
        runs.stream().collect(Collectors.toMap(TrainingRun::id, Function.identity()));
    List<AdapterView> adapters = new ArrayList<>();
    AdapterView champion = null;
    for (RegisteredAdapter adapter : improvement.adapters()) {
      AdapterView view = adapter(adapter, byId.get(adapter.runId()));
      adapters.add(view);
      if (view.champion()) {
        champion = view;
      }
    }
    List<RunView> ended = new ArrayList<>();
    RunView active = null;
    for (TrainingRun run : runs) {
      RunView view = run(run);
      if (run.status().active()) {
        active = view;
      } else {
        ended.add(view);
      }
    }
    ShadowReview.Summary summary = shadows.summary();
    return new ModelsView(
        champion,
        count("select count(*) from trusted_decision where kind <> 'reject'"),
        count(
            "select count(*) from trusted_decision d where kind <> 'reject' and not exists"
                + " (select 1 from dataset_item i where i.analysis_id = d.analysis_id)"),
        active,
        summary.adapter() == null ? null : summary,
        ended,
        adapters);
  }

  private RunView run(TrainingRun run) {
    Instant when = run.finishedAt() != null ? run.finishedAt() : run.createdAt();
    return new RunView(
        run.id(),
        run.status().name().toLowerCase(Locale.ROOT),
        run.startedBy(),
        Ages.ago(when),
        run.message(),
        run.step(),
        run.steps(),
        run.loss() == null ? "" : decimal(run.loss()),
        run.backend() == null ? "" : run.backend(),
        run.adapterId() == null ? "" : run.adapterId(),
        curve(improvement.losses(run.id())),
        log(improvement.log(run.id())));
  }

  private static List<LogView> log(List<TrainingRun.LogLine> lines) {
    return lines.stream()
        .map(l -> new LogView(clock(Duration.between(lines.getFirst().at(), l.at())), l.line()))
        .toList();
  }

  private static String clock(Duration time) {
    return time.toHours() > 0
        ? "%d:%02d:%02d".formatted(time.toHours(), time.toMinutesPart(), time.toSecondsPart())
        : "%d:%02d".formatted(time.toMinutes(), time.toSecondsPart());
  }

  private static Curve curve(List<TrainingRun.LossPoint> losses) {
    if (losses.size() < 2) {
      return null;
    }
    String steps =
        losses.stream().map(p -> Integer.toString(p.step())).collect(Collectors.joining(","));
    String values =
        losses.stream()
            .map(p -> String.format(Locale.ROOT, "%.4f", p.loss()))
            .collect(Collectors.joining(","));
    return new Curve(
        "[[%s],[%s]]".formatted(steps, values),
        decimal(losses.getFirst().loss()),
        decimal(losses.getLast().loss()));
  }

  /** Every metric that both have, from the gate's evidence; empty without evidence. */
  private static List<ScoreView> scores(JsonNode gate) {
    List<ScoreView> scores = new ArrayList<>();
    if (gate == null) {
      return scores;
    }
    for (JsonNode comparison : gate.path("comparisons")) {
      String suite = comparison.path("suite").asText();
      JsonNode champion = measurement(gate, suite, comparison.path("incumbent").asText());
      JsonNode candidate = measurement(gate, suite, comparison.path("candidate").asText());
      for (Metric metric : Metric.values()) {
        String name = metric.name().toLowerCase(Locale.ROOT);
        JsonNode difference = comparison.path("differences").path(name);
        if (difference.path("estimate").isNumber()) {
          scores.add(
              new ScoreView(
                  suite,
                  candidate.path("problems").asLong(),
                  metric.text(),
                  interval(metric, champion.path("metrics").path(name), false),
                  interval(metric, candidate.path("metrics").path(name), false),
                  interval(metric, difference, true),
                  verdict(metric, difference)));
        }
      }
    }
    return scores;
  }

  private static JsonNode measurement(JsonNode gate, String suite, String model) {
    for (JsonNode measurement : gate.path("measurements")) {
      if (measurement.path("suite").asText().equals(suite)
          && measurement.path("model").asText().equals(model)) {
        return measurement;
      }
    }
    return MissingNode.getInstance();
  }

  private static String interval(Metric metric, JsonNode interval, boolean signed) {
    if (!interval.path("estimate").isNumber()) {
      return "–";
    }
    double factor = metric.share() ? 100 : 1;
    String number = signed ? "%+.1f" : metric.share() ? "%.1f" : "%.2f";
    String unit = metric.share() && !signed ? " %%" : "";
    String estimate =
        String.format(Locale.ROOT, number + unit, factor * interval.path("estimate").asDouble());
    if (!interval.path("low").isNumber() || !interval.path("high").isNumber()) {
      return estimate;
    }
    return estimate
        + String.format(
            Locale.ROOT,
            " (" + number + " to " + number + ")",
            factor * interval.path("low").asDouble(),
            factor * interval.path("high").asDouble());
  }

  private static String verdict(Metric metric, JsonNode difference) {
    JsonNode low = difference.path("low");
    JsonNode high = difference.path("high");
    if (!low.isNumber() || !high.isNumber() || low.asDouble() <= 0 && high.asDouble() >= 0) {
      return "";
    }
    return low.asDouble() > 0 == metric.moreIsBetter() ? "good" : "bad";
  }

  private AdapterView adapter(RegisteredAdapter adapter, TrainingRun run) {
    List<CheckView> checks = new ArrayList<>();
    List<String> notes = new ArrayList<>();
    JsonNode gate = adapter.gate();
    if (gate != null) {
      for (JsonNode check : gate.path("checks")) {
        checks.add(
            new CheckView(
                check.path("suite").asText(),
                check.path("text").asText(),
                check.path("passed").asBoolean()));
      }
      gate.path("notes").forEach(note -> notes.add(note.asText()));
    }
    return new AdapterView(
        adapter.id(),
        shortened(adapter.sha256()),
        shortened(adapter.baseModelHash()),
        shortened(adapter.datasetHash()),
        adapter.aliases().contains("champion"),
        adapter.aliases().contains("candidate"),
        adapter.aliases().contains("shadow"),
        adapter.passed(),
        gate != null,
        Ages.ago(adapter.createdAt()),
        run == null ? "" : run.startedBy(),
        promoted(adapter.id()),
        kept(adapter.id()),
        uses(adapter.datasetHash(), "approved"),
        uses(adapter.datasetHash(), "corrected"),
        scores(gate),
        checks,
        notes);
  }

  private String promoted(String adapter) {
    return jdbi.withHandle(
        handle ->
            handle
                .createQuery(
                    "select released_by, released_at from adapter_release"
                        + " where adapter_id = ? and kind = 'promotion' order by id desc limit 1")
                .bind(0, adapter)
                .map((rs, ctx) -> rs.getString(1) + " " + Ages.ago(rs.getTimestamp(2).toInstant()))
                .findOne()
                .orElse(""));
  }

  private boolean kept(String adapter) {
    return jdbi.withHandle(
        handle ->
            handle
                .createQuery("select removed_at is null from adapter where id = ?")
                .bind(0, adapter)
                .mapTo(Boolean.class)
                .one());
  }

  private long uses(String dataset, String use) {
    return jdbi.withHandle(
        handle ->
            handle
                .createQuery("select count(*) from dataset_item where dataset_hash = ? and use = ?")
                .bind(0, dataset)
                .bind(1, use)
                .mapTo(Long.class)
                .one());
  }

  private long count(String sql) {
    return jdbi.withHandle(handle -> handle.createQuery(sql).mapTo(Long.class).one());
  }

  /** Enough of a hash to recognise it. */
  private static String shortened(String hash) {
    return hash == null ? "–" : hash.substring(0, Math.min(12, hash.length()));
  }

  private static String decimal(double value) {
    return String.format(Locale.ROOT, "%.3f", value);
  }
}
