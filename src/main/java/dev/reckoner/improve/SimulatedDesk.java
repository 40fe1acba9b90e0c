package dev.reckoner.improve;

import dev.reckoner.agent.AdapterSlot;
import dev.reckoner.agent.ServingModel;
import dev.reckoner.corpus.Problem;
import dev.reckoner.inference.FinishReason;
import dev.reckoner.inference.Generation;
import dev.reckoner.inference.Reasoned;
import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.ChainGrammar;
import dev.reckoner.reasoning.ChainSyntaxException;
import dev.reckoner.reasoning.PromptFormat;
import dev.reckoner.reasoning.Step;
import dev.reckoner.reasoning.Verdict;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import org.apache.commons.codec.digest.DigestUtils;
import org.jdbi.v3.core.Jdbi;

/**
 * Events, their analyses by the model that serves, and decisions about them, as a simulation needs
 * them: rows in the state that the agent and the review leave them in, with their ledger entries.
 * The broker and the page, which only bring events and decisions in, are left out.
 */
final class SimulatedDesk {

  static final String EVENT_TYPE = "dev.reckoner.filing.excerpt.v1";

  /** Questions that are with the engine at once. */
  private static final int IN_FLIGHT = 8;

  /**
   * An analysis on the desk.
   *
   * @param chain as written
   */
  record Item(UUID id, Problem problem, String chain) {

    /** The chain's conclusion; empty where the text is no chain. */
    Optional<Chain> parsed() {
      try {
        return Optional.of(Chain.parse(chain));
      } catch (ChainSyntaxException e) {
        return Optional.empty();
      }
    }
  }

  private final Jdbi jdbi;
  private final Ledger ledger;
  private final ServingModel serving;
  private int events;

  SimulatedDesk(Jdbi jdbi, Ledger ledger, ServingModel serving) {
    this.jdbi = jdbi;
    this.ledger = ledger;
    this.serving = serving;
  }

  void hire(String reviewer) {
    jdbi.useHandle(
        h ->
            h.execute(
                "insert into account (name, password_hash, role) values (?, 'no password',"
                    + " 'reviewer') on conflict do nothing",
                reviewer));
  }

  /**
   * Has the serving model analyse every problem as a new event.
   *
   * @return what concluded, in the order of the problems
   */
  List<Item> analyse(List<Problem> problems) throws InterruptedException {
    Semaphore permits = new Semaphore(IN_FLIGHT);
    List<Future<Generation>> answers = new ArrayList<>();
    try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      for (Problem problem : problems) {
        permits.acquire();
        answers.add(
            executor.submit(
                () -> {
                  try {
                    return serving.generate(problem.evidence());
                  } finally {
                    permits.release();
                  }
                }));
      }
    }
    List<Item> items = new ArrayList<>();
    for (int i = 0; i < problems.size(); i++) {
      Generation generation = get(answers.get(i));
      if (generation.finish() == FinishReason.STOP) {
        place(problems.get(i), generation).ifPresent(items::add);
      }
    }
    return items;
  }

  private static Generation get(Future<Generation> answer) throws InterruptedException {
    try {
      return answer.get();
    } catch (ExecutionException e) {
      throw e.getCause() instanceof RuntimeException cause
          ? cause
          : new IllegalStateException(e.getCause());
    }
  }

  private Optional<Item> place(Problem problem, Generation generation) {
    try {
      Reasoned reasoned = Reasoned.of(problem.evidence(), generation);
      String text = generation.text().strip();
      UUID id = insert(problem, text, reasoned.verdicts(), generation);
      return Optional.of(new Item(id, problem, text));
    } catch (ChainSyntaxException e) {
      return Optional.empty(); // the service would have dead-lettered it
    }
  }

  /** An item whose chain is somebody's own: a planted error. */
  Item plant(Item source, String wrong, int wrongStep, String madeFor) {
    UUID id = insert(source.problem(), wrong, List.of(), null);
    jdbi.useHandle(
        h ->
            h.execute(
                "insert into planted (analysis_id, source_id, wrong_step, error, made_for)"
                    + " values (?, ?, ?, 'the formula is not the house''s', ?)",
                id,
                source.id(),
                wrongStep,
                madeFor));
    return new Item(id, source.problem(), wrong);
  }

  private UUID insert(
      Problem problem, String chain, List<Verdict> verdicts, Generation generation) {
    // By the event, so that the same simulation has the same ids and with them the same data sets.
    String event = problem.id() + "/" + events++;
    UUID id = UUID.nameUUIDFromBytes(event.getBytes(java.nio.charset.StandardCharsets.UTF_8));
    Optional<AdapterSlot.Serving> adapter =
        generation == null ? Optional.empty() : serving.current();
    long failed = verdicts.stream().filter(v -> !v.passed()).count();
    jdbi.useTransaction(
        h -> {
          h.execute(
              "insert into inbox (event_key, event_id, event_source, event_type, subject, data,"
                  + " origin, raw, raw_sha256, status, finished_at) values (?, ?, 'simulation', ?,"
                  + " ?, '{}', ?, ''::bytea, ?, 'done', now())",
              "simulation#" + event,
              event,
              EVENT_TYPE,
              problem.group(),
              generation == null ? "planted" : "simulation",
              DigestUtils.sha256Hex(""));
          h.execute(
              "insert into analysis (id, event_key, event_type, subject, title, evidence, chain,"
                  + " answer, confidence, verified_steps, failed_steps, base_model_hash,"
                  + " adapter_id, adapter_hash, prompt_version, grammar_version, sampler, seed,"
                  + " engine_build, backend, prompt_tokens, generated_tokens, millis)"
                  + " values (?, ?, ?, ?, ?, cast(? as jsonb), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
                  + " '{\"temperature\":0}', 0, ?, ?, ?, ?, ?)",
              id,
              "simulation#" + event,
              EVENT_TYPE,
              problem.group(),
              problem.evidence().title(),
              CanonicalJson.write(problem.evidence()),
              chain,
              answer(chain),
              generation == null ? 1.0 : generation.confidence(),
              verdicts.size() - failed,
              failed,
              serving.reasoner().modelHash(),
              adapter.map(AdapterSlot.Serving::id).orElse(AdapterRelease.BASE),
              adapter.map(AdapterSlot.Serving::hash).orElse(""),
              PromptFormat.VERSION,
              ChainGrammar.VERSION,
              serving.build(),
              serving.reasoner().backendName(),
              generation == null ? 0 : generation.promptTokens(),
              generation == null ? 0 : generation.tokens().length,
              generation == null ? 0 : generation.took().toMillis());
          ledger.append(
              h,
              Ledger.Kind.INFERENCE,
              "simulation",
              id.toString(),
              Map.of(
                  "event",
                  event,
                  "adapter",
                  adapter.map(AdapterSlot.Serving::id).orElse(AdapterRelease.BASE),
                  "chainSha256",
                  DigestUtils.sha256Hex(chain)));
        });
    return id;
  }

  private static String answer(String chain) {
    try {
      return Chain.parse(chain).conclusion().map(Step.Conclude::answer).map(a -> a.text()).get();
    } catch (ChainSyntaxException e) {
      return "";
    }
  }

  void approve(Item item, String reviewer) {
    decide(item, reviewer, "approve", null);
  }

  /** Puts a chain in the place of the model's; approves where it is the same. */
  void correct(Item item, String reviewer, Chain chain) {
    if (chain.text().strip().equals(item.chain())) {
      approve(item, reviewer);
    } else {
      decide(item, reviewer, "correct", chain.text());
    }
  }

  private void decide(Item item, String reviewer, String kind, String chain) {
    UUID decision = UUID.nameUUIDFromBytes(("decision/" + item.id() + kind).getBytes());
    jdbi.useTransaction(
        h -> {
          h.execute(
              "insert into decision (id, analysis_id, reviewer, kind, first_wrong_step, chain,"
                  + " dwell_millis, analysis_version) values (?, ?, ?, ?, ?, ?, 5000, 0)",
              decision,
              item.id(),
              reviewer,
              kind,
              chain == null ? null : firstChanged(item.chain(), chain),
              chain);
          h.execute(
              "update analysis set status = ?, version = version + 1 where id = ?",
              kind.equals("correct") ? "corrected" : "approved",
              item.id());
          ledger.append(
              h,
              Ledger.Kind.DECISION,
              reviewer,
              item.id().toString(),
              Map.of("decision", decision, "kind", kind, "chain", chain == null ? "" : chain));
        });
  }

  /** Takes the decision about an item back. */
  void undo(Item item, String actor) {
    UUID undo = UUID.nameUUIDFromBytes(("undo/" + item.id()).getBytes());
    jdbi.useTransaction(
        h -> {
          UUID standing =
              h.createQuery("select id from standing_decision where analysis_id = ?")
                  .bind(0, item.id())
                  .mapTo(UUID.class)
                  .one();
          h.execute(
              "insert into decision (id, analysis_id, reviewer, kind, undoes, dwell_millis,"
                  + " analysis_version) values (?, ?, ?, 'undo', ?, 0, 1)",
              undo,
              item.id(),
              actor,
              standing);
          h.execute(
              "update analysis set status = 'pending', version = version + 1 where id = ?",
              item.id());
          ledger.append(
              h, Ledger.Kind.DECISION, actor, item.id().toString(), Map.of("undoes", standing));
        });
  }

  private static int firstChanged(String original, String corrected) {
    List<String> before = original.lines().toList();
    List<String> after = corrected.lines().toList();
    int same = 0;
    while (same < before.size() - 1
        && same < after.size()
        && before.get(same).equals(after.get(same))) {
      same++;
    }
    return same;
  }
}
