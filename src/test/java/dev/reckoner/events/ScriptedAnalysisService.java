package dev.reckoner.events;

import dev.reckoner.agent.Analysis;
import dev.reckoner.agent.AnalysisService;
import dev.reckoner.agent.DomainPack;
import dev.reckoner.agent.FinancialEvent;
import dev.reckoner.agent.Lineage;
import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.ChainSyntaxException;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Verdict;
import dev.reckoner.reasoning.Verifier;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.inject.Alternative;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Stands in for the model in tests of how events travel: what happens during an analysis is a
 * script for each event id.
 */
@Alternative
@ApplicationScoped
public class ScriptedAnalysisService implements AnalysisService {

  private final DomainPack pack = DomainPack.load("finance");
  private final Map<String, Script> scripts = new ConcurrentHashMap<>();
  private final Map<String, AtomicInteger> calls = new ConcurrentHashMap<>();

  /** Runs before the analysis of an event is returned; {@code call} counts from 1. */
  interface Script {
    void run(FinancialEvent event, int call) throws InterruptedException;
  }

  void script(String eventId, Script script) {
    scripts.put(eventId, script);
  }

  int calls(String eventId) {
    return calls.getOrDefault(eventId, new AtomicInteger()).get();
  }

  @Override
  public Analysis analyze(FinancialEvent event) throws InterruptedException {
    int call = calls.computeIfAbsent(event.id(), id -> new AtomicInteger()).incrementAndGet();
    Script script = scripts.get(event.id());
    if (script != null) {
      script.run(event, call);
    }
    try {
      Evidence evidence = pack.evidence(event);
      Chain chain = Chain.parse("conclude not stated");
      List<Verdict> verdicts = new Verifier().verify(evidence, chain);
      return new Analysis(
          UUID.randomUUID(),
          event,
          evidence,
          chain.text(),
          chain,
          verdicts,
          chain.answer(),
          0.5,
          List.of(0.5),
          new Lineage("0", null, null, "p", "g", "{\"kind\":\"greedy\"}", 0, "test", "none", 1, 1),
          Duration.ofMillis(1));
    } catch (ChainSyntaxException e) {
      throw new IllegalStateException(e);
    }
  }
}
