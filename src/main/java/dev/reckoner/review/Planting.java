package dev.reckoner.review;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Place;
import dev.reckoner.reasoning.Step;
import dev.reckoner.reasoning.Verifier;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.UUID;
import org.jdbi.v3.core.Handle;
import org.jdbi.v3.core.Jdbi;
import org.jdbi.v3.core.statement.PreparedBatch;

/**
 * Puts right chains with one error into a reviewer's way, to learn how much they miss. To them it
 * is an analysis like any other, in its place of the queue; nobody else finds it there, and while
 * it waits they do not find the chain that it was made from. It is never announced, exported or
 * learned from.
 */
@ApplicationScoped
public class Planting {

  /** How many approved chains are looked at to plant an error in one. */
  private static final int SOURCES = 200;

  private final Jdbi jdbi;
  private final ObjectMapper json;
  private final Drawing drawing;

  Planting(Jdbi jdbi, ObjectMapper json, Drawing drawing) {
    this.jdbi = jdbi;
    this.json = json;
    this.drawing = drawing;
  }

  /**
   * A planted error.
   *
   * @param wrongStep where it is, from 0
   * @param error what it is, in words
   */
  record Planted(int wrongStep, String error) {

    /** What somebody is told who has decided about it. */
    String told(Decision.Kind decided) {
      return "%s: step %d had a planted error, %s."
          .formatted(
              decided == Decision.Kind.APPROVE ? "You missed it" : "You noticed it",
              wrongStep + 1,
              error);
    }
  }

  private record Source(UUID id, Evidence evidence, String chain) {}

  Optional<Planted> find(Handle handle, UUID analysisId) {
    return handle
        .createQuery("select wrong_step, error from planted where analysis_id = ?")
        .bind(0, analysisId)
        .map((rs, ctx) -> new Planted(rs.getInt(1), rs.getString(2)))
        .findOne();
  }

  /** The chain that a planted one was made from; empty where nothing was planted. */
  Optional<UUID> source(UUID analysisId) {
    return jdbi.withHandle(
        h ->
            h.createQuery("select source_id from planted where analysis_id = ?")
                .bind(0, analysisId)
                .mapTo(UUID.class)
                .findOne());
  }

  /** The chains whose planted copies wait for somebody, who would see the error beside them. */
  List<UUID> sourcesInUse(Handle handle, String reviewer) {
    return handle
        .createQuery(
            "select p.source_id from planted p join analysis a on a.id = p.analysis_id"
                + " where p.made_for = ? and a.status = 'pending'")
        .bind(0, reviewer)
        .mapTo(UUID.class)
        .list();
  }

  /** What has waited so long for somebody that it does not come up by itself. */
  Optional<UUID> overdue(Handle handle, String reviewer, List<UUID> skipped) {
    return handle
        .createQuery(
            """
            select a.id from planted p join analysis a on a.id = p.analysis_id
            where p.made_for = :reviewer and a.status = 'pending' and a.id <> all(:skipped)
              and p.created_at < now() - interval '1 hour'
              and not exists (select 1 from review_lease l where l.analysis_id = a.id
                              and l.lease_until > now() and l.holder <> :reviewer)
            order by p.created_at limit 1
            """)
        .bind("reviewer", reviewer)
        .bindArray("skipped", UUID.class, skipped.toArray())
        .mapTo(UUID.class)
        .findOne();
  }

  /** Plants an error for somebody whose turn it is, unless one waits for them already. */
  void maybe(String reviewer) {
    if (!drawing.plants()) {
      return;
    }
    jdbi.useTransaction(
        handle -> {
          long decisions =
              handle
                  .createQuery(
                      "select count(*) from decision where reviewer = ? and kind <> 'undo'")
                  .bind(0, reviewer)
                  .mapTo(Long.class)
                  .one();
          if (drawing.plantedError(reviewer, decisions)
              && sourcesInUse(handle, reviewer).isEmpty()) {
            plant(handle, reviewer, drawing.seed(reviewer + "/" + decisions));
          }
        });
  }

  /**
   * Plants an error in a recently approved chain that this person has not seen.
   *
   * @return the new item, or empty if no chain takes an error
   */
  Optional<UUID> plant(Handle handle, String reviewer, long seed) {
    List<Source> sources = new ArrayList<>(sources(handle, reviewer));
    Collections.shuffle(sources, new SplittableRandom(seed));
    for (Source source : sources) {
      Optional<PlantedError> error = PlantedError.in(source.evidence(), source.chain(), seed);
      if (error.isPresent()) {
        return Optional.of(insert(handle, source, error.get(), reviewer));
      }
    }
    return Optional.empty();
  }

  private List<Source> sources(Handle handle, String reviewer) {
    return handle
        .createQuery(
            """
            select a.id, a.evidence, a.chain from analysis a
            where a.status = 'approved' and a.failed_steps = 0
              and not exists (select 1 from planted p where p.analysis_id = a.id
                              or p.source_id = a.id and p.made_for = :reviewer)
              and not exists (select 1 from decision d
                              where d.analysis_id = a.id and d.reviewer = :reviewer)
            order by a.created_at desc limit :most
            """)
        .bind("reviewer", reviewer)
        .bind("most", SOURCES)
        .map(
            (rs, ctx) ->
                new Source(
                    rs.getObject("id", UUID.class),
                    evidence(rs.getString("evidence")),
                    rs.getString("chain")))
        .list();
  }

  private UUID insert(Handle handle, Source source, PlantedError error, String reviewer) {
    UUID id = UUID.randomUUID();
    List<Verifier.Line> lines = new Verifier().verifyText(source.evidence(), error.chain());
    String answer = ((Step.Conclude) lines.getLast().step()).answer().text();
    String chain = error.chain().strip() + ending(source.chain());
    // An event of its own, which no later one can have. The page shows the source's.
    handle
        .createUpdate(
            """
            insert into inbox (event_key, event_id, event_source, event_type, subject, data, origin,
                               raw, raw_sha256, status, finished_at)
            select i.event_source || '#' || :id, :id, i.event_source, i.event_type, i.subject, i.data,
                   'planted', i.raw, i.raw_sha256, 'done', now()
            from analysis a join inbox i on i.event_key = a.event_key where a.id = :source
            """)
        .bind("id", id.toString())
        .bind("source", source.id())
        .execute();
    handle
        .createUpdate(
            """
            insert into analysis (id, event_key, event_type, subject, title, evidence, chain, answer,
                                  confidence, verified_steps, failed_steps, base_model_hash, adapter_id,
                                  adapter_hash, prompt_version, grammar_version, sampler, seed,
                                  engine_build, backend, prompt_tokens, generated_tokens, millis,
                                  created_at)
            select :id, i.event_key, a.event_type, a.subject, a.title, a.evidence, :chain, :answer,
                   coalesce(n.confidence * (1 - random() / 1000), a.confidence), :steps, 0, a.base_model_hash, a.adapter_id,
                   a.adapter_hash, a.prompt_version, a.grammar_version, a.sampler, a.seed,
                   a.engine_build, a.backend, a.prompt_tokens, a.generated_tokens, a.millis,
                   coalesce(n.created_at - random() * interval '1 minute', now())
            from analysis a cross join inbox i left join (
              select confidence, created_at from analysis q
              where q.status = 'pending' and not q.disputed and q.failed_steps = 0
              order by (not q.disputed), (-q.failed_steps), q.confidence, q.created_at, q.id
              limit 1) n on true
            where a.id = :source and i.event_id = :event and i.origin = 'planted'
            """)
        .bind("id", id)
        .bind("event", id.toString())
        .bind("source", source.id())
        .bind("chain", chain)
        .bind("answer", answer)
        .bind("steps", lines.size())
        .execute();
    insertSteps(handle, id, lines);
    handle.execute(
        "insert into planted (analysis_id, source_id, wrong_step, error, made_for)"
            + " values (?, ?, ?, ?, ?)",
        id,
        source.id(),
        error.wrongStep(),
        error.error(),
        reviewer);
    return id;
  }

  /** The white space at the end, which a model writes or does not. */
  private static String ending(String text) {
    return text.substring(text.stripTrailing().length());
  }

  private void insertSteps(Handle handle, UUID id, List<Verifier.Line> lines) {
    PreparedBatch batch =
        handle.prepareBatch(
            """
            insert into analysis_step (analysis_id, position, kind, text, verdict, reason, places)
            values (:analysis, :position, :kind, :text, :verdict, :reason, cast(:places as jsonb))
            """);
    for (int i = 0; i < lines.size(); i++) {
      Verifier.Line line = lines.get(i);
      batch
          .bind("analysis", id)
          .bind("position", i)
          .bind("kind", line.step().getClass().getSimpleName().toLowerCase(Locale.ROOT))
          .bind("text", line.text().strip())
          .bind("verdict", line.verdict().kind().text())
          .bind("reason", line.verdict().reason())
          .bind("places", write(line.verdict().places().stream().map(Place::address).toList()))
          .add();
    }
    batch.execute();
  }

  private Evidence evidence(String text) {
    try {
      return json.readValue(text, Evidence.class);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("A stored analysis cannot be read: " + e.getMessage(), e);
    }
  }

  private String write(List<String> places) {
    try {
      return json.writeValueAsString(places);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }
}
