package dev.reckoner.review;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Place;
import dev.reckoner.reasoning.Step;
import dev.reckoner.reasoning.Verdict;
import dev.reckoner.reasoning.Verifier;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.UUID;
import java.util.stream.IntStream;
import org.jdbi.v3.core.Jdbi;
import org.jdbi.v3.core.statement.UnableToExecuteStatementException;

/** Analyses in the database as the ingest leaves them, and people to review them. */
final class ReviewFixture {

  static final String PASSWORD = "correct-horse-battery";

  static final Evidence TARGET =
      new Evidence(
          "Target Corporation annual report, fiscal 2023",
          "By what percentage did total revenue change from fiscal 2022 to fiscal 2023?",
          List.of(
              new Evidence.Table(
                  "Revenues (in millions of USD)",
                  List.of(
                      List.of("", "2023", "2022", "2021"),
                      List.of("Apparel and accessories", "17,001", "17,646", "17,931"),
                      List.of("Beauty and household essentials", "32,044", "30,560", "28,275"),
                      List.of("Food and beverage", "23,899", "22,918", "20,306"),
                      List.of("Hardlines", "15,876", "17,739", "18,614"),
                      List.of("Home furnishings and decor", "16,932", "18,827", "20,255"),
                      List.of("Total sales", "105,803", "107,588", "104,611"),
                      List.of("Other revenue", "1,609", "1,532", "1,394"),
                      List.of("Total revenue", "107,412", "109,120", "106,005")))),
          List.of(
              "Total revenue was $107.4 billion in fiscal 2023, a decrease from the prior year.",
              "Comparable sales fell 3.7 percent, reflecting lower traffic and a smaller average"
                  + " transaction amount.",
              "Growth in beauty and in food and beverage partly offset declines in discretionary"
                  + " categories.",
              "The effective income tax rate was 21.9 percent."));

  static final String RIGHT =
      """
      cite a = 107,412 USD million @ r8c1
      cite b = 109,120 USD million @ r8c2
      compute c = a - b = -1,708 USD million
      compute d = c / b as % = -1.56525 %
      infer c,d : Total revenue fell from fiscal 2022 to fiscal 2023.
      conclude d = -1.56525 %
      """;

  static final String WRONG =
      """
      cite a = 107,412 USD million @ r8c1
      cite b = 107,588 USD million @ r6c2
      compute c = a - b = -1,708 USD million
      compute d = c / b as % = -1.58754 %
      conclude d = -1.58754 %
      """;

  private static final String DEADLOCK = "40P01";

  private final Jdbi jdbi;
  private final Accounts accounts;
  private final ObjectMapper json;

  ReviewFixture(Jdbi jdbi, Accounts accounts, ObjectMapper json) {
    this.jdbi = jdbi;
    this.accounts = accounts;
    this.json = json;
  }

  /** Empties what the tests of this package write, and creates one account a role. */
  void reset() {
    while (!emptied()) {
      // A request of the test before was still at work, and Postgres chose it to go on.
    }
    accounts.create("vera", PASSWORD, "viewer");
    accounts.create("rita", PASSWORD, "reviewer");
    accounts.create("rob", PASSWORD, "reviewer");
    accounts.create("olga", PASSWORD, "owner");
  }

  /** Whether everything is gone; not where somebody who reads waits for us as we do for them. */
  private boolean emptied() {
    try {
      jdbi.useHandle(
          handle ->
              handle.execute(
                  "truncate decision, review_lease, analysis_step, analysis, inbox, account,"
                      + " outbox, training_run, training_loss, adapter, adapter_file,"
                      + " adapter_alias, adapter_release, dataset, dataset_item cascade"));
      return true;
    } catch (UnableToExecuteStatementException e) {
      if (e.getCause() instanceof SQLException s && DEADLOCK.equals(s.getSQLState())) {
        return false;
      }
      throw e;
    }
  }

  UUID add(String title, Evidence evidence, String chain, double confidence) {
    return add(title, "dev.reckoner.filing.excerpt.v1", "target", evidence, chain, confidence);
  }

  /** Stores an analysis with the verdicts that the verifier gives. */
  UUID add(
      String title,
      String type,
      String subject,
      Evidence evidence,
      String chain,
      double confidence) {
    List<Line> lines = new ArrayList<>();
    for (Verifier.Line line : new Verifier().verifyText(evidence, chain)) {
      lines.add(
          new Line(
              line.step() == null ? "infer" : kind(line.step()),
              line.text().strip(),
              line.verdict().kind().text(),
              line.verdict().reason(),
              line.verdict().passed(),
              line.verdict().places().stream().map(Place::address).toList()));
    }
    String answer = lines.isEmpty() ? "" : lines.getLast().text().replaceFirst(".*= ", "");
    return store(title, type, subject, evidence, chain.strip(), answer, confidence, lines);
  }

  /** Stores a chain of so many inferences, longer than any that the grammar allows. */
  UUID addLong(String title, int steps) {
    List<Line> lines =
        IntStream.range(0, steps)
            .mapToObj(
                i ->
                    new Line(
                        "infer",
                        "infer a : Line " + i + " follows from the total of fiscal 2023.",
                        Verdict.Kind.GROUNDED.text(),
                        "Every premise is there.",
                        true,
                        List.of("r8c1")))
            .toList();
    String chain = String.join("\n", lines.stream().map(Line::text).toList());
    return store(
        title, "dev.reckoner.filing.excerpt.v1", "target", TARGET, chain, "none", 0.1, lines);
  }

  /** A run under way with its loss so far, and two adapters of earlier ones. */
  void addRuns() {
    jdbi.useTransaction(
        h -> {
          h.execute(
              """
              insert into dataset (hash, samples, preferences, rejections, replay, card, created_by)
              values (?, 184, 37, 12, 184, '{}', 'olga')
              """,
              "5e1d".repeat(16));
          UUID ended = UUID.randomUUID();
          UUID active = UUID.randomUUID();
          h.execute(
              """
              insert into training_run (id, status, promote_if_passed, recipe, dataset_hash, adapter_id,
                backend, step, steps, loss, message, started_by, created_at, started_at, finished_at)
              values (?, 'refused', false, '{}', ?, 'adapter-07', 'cpu/nf4', 240, 240, 0.412,
                'refused by the gate: slice earnings lost too much', 'olga', now() - interval '2 d',
                now() - interval '2 d', now() - interval '47 h')
              """,
              ended,
              "5e1d".repeat(16));
          h.execute(
              """
              insert into training_run (id, status, promote_if_passed, recipe, dataset_hash, backend,
                step, steps, loss, message, worker, heartbeat_at, started_by, started_at)
              values (?, 'training', false, '{}', ?, 'cpu/nf4', 60, 240, 0.871,
                'step 60 of 240, loss 0.8710', 'elsewhere', now() + interval '1 d', 'olga', now())
              """,
              active,
              "5e1d".repeat(16));
          for (int step = 1; step <= 60; step++) {
            h.execute(
                "insert into training_loss (run_id, step, loss, learning_rate) values (?, ?, ?, ?)",
                active,
                step,
                0.6 + 1.9 * Math.exp(-step / 18.0) + 0.05 * Math.sin(step * 1.7),
                1e-4);
          }
          h.execute(
              "insert into training_log (run_id, line) values (?, 'training: loading the base"
                  + " model')",
              active);
          h.execute(
              "insert into training_log (run_id, line) values (?, 'base on synthetic')", ended);
          adapter(h, "adapter-06", null, true);
          adapter(h, "adapter-07", ended, false);
          h.execute(
              "insert into adapter_alias (slot, alias, adapter_id, changed_by) values"
                  + " ('default', 'champion', 'adapter-06', 'olga'),"
                  + " ('default', 'shadow', 'adapter-07', 'olga')");
        });
  }

  private static void adapter(org.jdbi.v3.core.Handle h, String id, UUID run, boolean passed) {
    h.execute(
        "insert into adapter (id, sha256, base_model_hash, run_id, dataset_hash, gate, passed)"
            + " values (?, ?, ?, ?, ?, ?::jsonb, ?)",
        id,
        "a7c3".repeat(16),
        "9f2c".repeat(16),
        run,
        "5e1d".repeat(16),
        """
        {"checks":[{"suite":"synthetic","text":"execution accuracy: lower end of the improvement %s, must be above +0.0000","passed":%s}],
         "measurements":[
          {"suite":"synthetic","model":"base","problems":60,"metrics":{"execution_accuracy":{"estimate":0.55,"low":0.42,"high":0.67},"wrong_figures":{"estimate":0.08,"low":0.04,"high":0.13}}},
          {"suite":"synthetic","model":"NAME","problems":60,"metrics":{"execution_accuracy":{"estimate":0.63,"low":0.51,"high":0.75},"wrong_figures":{"estimate":0.05,"low":0.02,"high":0.09}}}],
         "comparisons":[{"suite":"synthetic","incumbent":"base","candidate":"NAME","differences":
          {"execution_accuracy":{"estimate":0.08,"low":0.021,"high":0.15},"wrong_figures":{"estimate":-0.03,"low":-0.07,"high":0.01}}}],"notes":[]}
        """
            .replace("NAME", id)
            .formatted(passed ? "+0.0210" : "-0.0120", passed),
        passed);
  }

  private record Line(
      String kind,
      String text,
      String verdict,
      String reason,
      boolean passed,
      List<String> places) {}

  private UUID store(
      String title,
      String type,
      String subject,
      Evidence evidence,
      String chain,
      String answer,
      double confidence,
      List<Line> lines) {
    UUID id = UUID.randomUUID();
    int failed = (int) lines.stream().filter(l -> !l.passed()).count();
    jdbi.useTransaction(
        handle -> {
          handle.execute(
              "insert into inbox (event_key, event_id, event_source, event_type, subject, origin,"
                  + " raw, data, raw_sha256, status) values (?, ?, '/test', ?, ?, 'test', '', '{}',"
                  + " repeat('0', 64), 'done')",
              "/test#" + id,
              id.toString(),
              type,
              subject);
          handle.execute(
              """
              insert into analysis (id, event_key, event_type, subject, title, evidence, chain,
                answer, confidence, verified_steps, failed_steps, base_model_hash, adapter_id,
                adapter_hash, prompt_version, grammar_version, sampler, seed, engine_build, backend,
                prompt_tokens, generated_tokens, millis)
              values (?, ?, ?, ?, ?, ?::jsonb, ?, ?, ?, ?, ?, ?, 'base', '', 'p1-2f5c91', 'g1-88ac02',
                '{"temperature":0}', 42, '0.1.0', 'cpu', 412, 96, 1840)
              """,
              id,
              "/test#" + id,
              type,
              subject,
              title,
              write(evidence),
              chain,
              answer,
              confidence,
              lines.size() - failed,
              failed,
              "9f2c".repeat(16));
          for (int i = 0; i < lines.size(); i++) {
            Line line = lines.get(i);
            handle.execute(
                "insert into analysis_step (analysis_id, position, kind, text, verdict, reason,"
                    + " places) values (?, ?, ?, ?, ?, ?, ?::jsonb)",
                id,
                i,
                line.kind(),
                line.text(),
                line.verdict(),
                line.reason(),
                write(line.places()));
          }
        });
    return id;
  }

  private String write(Object value) {
    try {
      return json.writeValueAsString(value);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  private static String kind(Step step) {
    return step.getClass().getSimpleName().toLowerCase(Locale.ROOT);
  }
}
