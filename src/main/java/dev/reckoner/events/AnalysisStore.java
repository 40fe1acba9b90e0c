package dev.reckoner.events;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.reckoner.agent.Analysis;
import dev.reckoner.agent.FinancialEvent;
import dev.reckoner.agent.Lineage;
import dev.reckoner.improve.Ledger;
import dev.reckoner.improve.Outbox;
import dev.reckoner.reasoning.Place;
import dev.reckoner.reasoning.Step;
import dev.reckoner.reasoning.Verdict;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.List;
import java.util.Locale;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;
import org.jdbi.v3.core.statement.PreparedBatch;

/**
 * Keeps an analysis: its row, its steps, the message that announces it, its ledger entry and the
 * end of the event's work, all in one transaction.
 */
@ApplicationScoped
class AnalysisStore {

  static final String TOPIC = "analyses";
  static final String EVENT_TYPE = "dev.reckoner.analysis.completed.v1";

  /** The adapter of an analysis that the bare base model wrote. */
  private static final String BASE = "base";

  private final Jdbi jdbi;
  private final ObjectMapper json;
  private final Inbox inbox;
  private final Outbox outbox;
  private final Ledger ledger;

  AnalysisStore(Jdbi jdbi, ObjectMapper json, Inbox inbox, Outbox outbox, Ledger ledger) {
    this.jdbi = jdbi;
    this.json = json;
    this.inbox = inbox;
    this.outbox = outbox;
    this.ledger = ledger;
  }

  /**
   * Saves it and ends the work on its event.
   *
   * @throws LeaseLostException if this process no longer holds the event; then nothing is saved
   */
  void save(Analysis analysis) {
    jdbi.useTransaction(
        handle -> {
          inbox.done(handle, analysis.event().key());
          insert(handle, analysis);
          insertSteps(handle, analysis);
          outbox.announce(handle, TOPIC, EVENT_TYPE, analysis.event().subject(), message(analysis));
          ledger.append(
              handle,
              Ledger.Kind.INFERENCE,
              "reckoner",
              analysis.id().toString(),
              ledgerEntry(handle, analysis));
        });
  }

  private void insert(Handle handle, Analysis analysis) {
    Lineage lineage = analysis.lineage();
    handle
        .createUpdate(
            """
            insert into analysis (id, event_key, event_type, subject, title, evidence, chain, answer, confidence,
                                  verified_steps, failed_steps, base_model_hash, adapter_id, adapter_hash,
                                  prompt_version, grammar_version, sampler, seed, engine_build, backend,
                                  prompt_tokens, generated_tokens, millis)
            values (:id, :eventKey, :eventType, :subject, :title, cast(:evidence as jsonb), :chain, :answer, :confidence,
                    :verified, :failed, :baseModelHash, :adapterId, :adapterHash,
                    :promptVersion, :grammarVersion, cast(:sampler as jsonb), :seed, :engineBuild, :backend,
                    :promptTokens, :generatedTokens, :millis)
            """)
        .bind("id", analysis.id())
        .bind("eventKey", analysis.event().key())
        .bind("eventType", analysis.event().type())
        .bind("subject", analysis.event().subject())
        .bind("title", analysis.evidence().title())
        .bind("evidence", text(json.valueToTree(analysis.evidence())))
        .bind("chain", analysis.chainText())
        .bind("answer", analysis.answer())
        .bind("confidence", analysis.confidence())
        .bind("verified", verified(analysis))
        .bind("failed", analysis.verdicts().size() - verified(analysis))
        .bind("baseModelHash", lineage.baseModelHash())
        .bind("adapterId", adapterId(lineage))
        .bind("adapterHash", adapterHash(lineage))
        .bind("promptVersion", lineage.promptVersion())
        .bind("grammarVersion", lineage.grammarVersion())
        .bind("sampler", lineage.sampler())
        .bind("seed", lineage.seed())
        .bind("engineBuild", lineage.engineBuild())
        .bind("backend", lineage.backend())
        .bind("promptTokens", lineage.promptTokens())
        .bind("generatedTokens", lineage.generatedTokens())
        .bind("millis", analysis.took().toMillis())
        .execute();
  }

  private void insertSteps(Handle handle, Analysis analysis) {
    PreparedBatch batch =
        handle.prepareBatch(
            """
            insert into analysis_step (analysis_id, position, kind, text, verdict, reason, places)
            values (:analysis, :position, :kind, :text, :verdict, :reason, cast(:places as jsonb))
            """);
    List<Step> steps = analysis.chain().steps();
    for (int i = 0; i < steps.size(); i++) {
      Verdict verdict = analysis.verdicts().get(i);
      batch
          .bind("analysis", analysis.id())
          .bind("position", i)
          .bind("kind", kind(steps.get(i)))
          .bind("text", steps.get(i).text())
          .bind("verdict", verdict.kind().text())
          .bind("reason", verdict.reason())
          .bind("places", text(places(verdict)))
          .add();
    }
    batch.execute();
  }

  /** The payload on {@code analyses}; {@code schemas/analysis-completed.v1.schema.json}. */
  private ObjectNode message(Analysis analysis) {
    FinancialEvent event = analysis.event();
    ObjectNode message = json.createObjectNode();
    message.put("id", analysis.id().toString());
    message
        .putObject("event")
        .put("id", event.id())
        .put("source", event.source())
        .put("type", event.type())
        .put("subject", event.subject())
        .put("time", event.time() == null ? null : event.time().toString());
    message.set("evidence", json.valueToTree(analysis.evidence()));
    message.put("answer", analysis.answer());
    message.put("confidence", analysis.confidence());
    message.put("verifiedSteps", verified(analysis));
    message.put("failedSteps", analysis.verdicts().size() - verified(analysis));
    message.put("chain", analysis.chainText());
    ArrayNode steps = message.putArray("steps");
    for (int i = 0; i < analysis.chain().steps().size(); i++) {
      Step step = analysis.chain().steps().get(i);
      Verdict verdict = analysis.verdicts().get(i);
      ObjectNode node = steps.addObject();
      node.put("kind", kind(step)).put("text", step.text());
      node.put("verdict", verdict.kind().text()).put("reason", verdict.reason());
      node.set("places", places(verdict));
    }
    message.set("lineage", lineage(analysis));
    return message;
  }

  private ObjectNode lineage(Analysis analysis) {
    Lineage lineage = analysis.lineage();
    ObjectNode node = json.createObjectNode();
    node.put("baseModelHash", lineage.baseModelHash());
    node.put("adapterId", adapterId(lineage)).put("adapterHash", adapterHash(lineage));
    node.put("promptVersion", lineage.promptVersion());
    node.put("grammarVersion", lineage.grammarVersion());
    node.set("sampler", parse(lineage.sampler()));
    node.put("seed", lineage.seed());
    node.put("engineBuild", lineage.engineBuild()).put("backend", lineage.backend());
    node.put("promptTokens", lineage.promptTokens());
    node.put("generatedTokens", lineage.generatedTokens());
    node.put("millis", analysis.took().toMillis());
    return node;
  }

  private ObjectNode ledgerEntry(Handle handle, Analysis analysis) {
    ObjectNode entry = lineage(analysis);
    entry.put("eventKey", analysis.event().key());
    entry.put(
        "eventSha256",
        handle
            .createQuery("select raw_sha256 from inbox where event_key = ?")
            .bind(0, analysis.event().key())
            .mapTo(String.class)
            .one());
    entry.put("chain", analysis.chainText());
    entry.put("answer", analysis.answer());
    return entry;
  }

  private static int verified(Analysis analysis) {
    return (int) analysis.verdicts().stream().filter(Verdict::passed).count();
  }

  private static String adapterId(Lineage lineage) {
    return lineage.adapterId() == null ? BASE : lineage.adapterId();
  }

  private static String adapterHash(Lineage lineage) {
    return lineage.adapterHash() == null ? "" : lineage.adapterHash();
  }

  private static String kind(Step step) {
    return step.getClass().getSimpleName().toLowerCase(Locale.ROOT);
  }

  private ArrayNode places(Verdict verdict) {
    ArrayNode places = json.createArrayNode();
    verdict.places().stream().map(Place::address).forEach(places::add);
    return places;
  }

  private JsonNode parse(String text) {
    try {
      return json.readTree(text);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("the sampler of a lineage is no JSON: " + text, e);
    }
  }

  private String text(JsonNode node) {
    try {
      return json.writeValueAsString(node);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }
}
