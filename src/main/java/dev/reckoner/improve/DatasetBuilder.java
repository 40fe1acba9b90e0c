package dev.reckoner.improve;

import dev.reckoner.corpus.Lesson;
import dev.reckoner.corpus.SyntheticGenerator.Solved;
import dev.reckoner.evaluation.LeakScan;
import dev.reckoner.evaluation.LeakScan.Leak;
import dev.reckoner.evaluation.Suite;
import dev.reckoner.improve.ValidatedChain.Use;
import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.ChainSyntaxException;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Figures;
import dev.reckoner.reasoning.PromptFormat;
import dev.reckoner.reasoning.Step;
import dev.reckoner.reasoning.Verdict;
import dev.reckoner.reasoning.Verifier;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.UUID;

/**
 * Makes a dataset of decided chains. An approved chain is a conversation to imitate; a corrected
 * one is that, and a preference whose prompt ends before the first wrong step; a rejected one is
 * kept and not imitated. Chains with a step that does not verify are left out, whoever approved
 * them, and of several decisions on the same evidence the latest counts.
 *
 * <p>The same decisions, replay and suites give the same bytes.
 */
final class DatasetBuilder {

  /** Evidence that is this much alike counts as the same page. */
  static final double LEAK_THRESHOLD = 0.8;

  /**
   * What the base can already: a page, its questions and their chains.
   *
   * @param page at least one
   */
  record Replay(List<Solved> page) {
    Replay {
      page = List.copyOf(page);
    }
  }

  private final PromptFormat format = new PromptFormat();
  private final Verifier verifier = new Verifier();

  /**
   * Builds.
   *
   * @param replay pages that the base can read already, mixed in so that it stays so
   * @param suites what the gate measures on
   * @throws LeakException if something to train on is also asked by a suite; names the pairs
   */
  Dataset build(List<ValidatedChain> chains, List<Replay> replay, List<Suite> suites) {
    SortedMap<String, Integer> counts = new TreeMap<>();
    List<ValidatedChain> kept = latestPerEvidence(chains, counts);
    StringBuilder train = new StringBuilder();
    StringBuilder preferences = new StringBuilder();
    StringBuilder rejections = new StringBuilder();
    SortedMap<UUID, Use> items = new TreeMap<>();
    List<Leak> leaks = new ArrayList<>();
    LeakScan scan = new LeakScan(suites, LEAK_THRESHOLD);
    for (ValidatedChain chain : kept) {
      String id = "analysis " + chain.analysisId();
      if (chain.use() == Use.REJECTED) {
        line(rejections, record(id, chain.use().column(), chain.evidence(), original(chain)));
        counts.merge("rejections", 1, Integer::sum);
      } else {
        Chain target = target(chain);
        if (target == null || !verifies(chain.evidence(), target)) {
          counts.merge("left out: a step does not verify", 1, Integer::sum);
          continue;
        }
        scan.find(id, chain.evidence()).ifPresent(leaks::add);
        line(train, record(id, chain.use().column(), chain.evidence(), target.text()));
        counts.merge("samples", 1, Integer::sum);
        if (chain.use() == Use.CORRECTED && preference(preferences, id, chain, target)) {
          counts.merge("preferences", 1, Integer::sum);
        }
      }
      items.put(chain.analysisId(), chain.use());
    }
    for (Replay again : replay) {
      Lesson lesson = Lesson.of(again.page());
      String id = "replay " + lesson.id();
      // Replay can be made anew without end, so what is alike to a suite is only left out.
      if (again.page().stream().anyMatch(s -> scan.find(id, s.problem().evidence()).isPresent())) {
        counts.merge("left out: replay alike to a suite", 1, Integer::sum);
      } else {
        line(train, record(id, lesson));
        counts.merge("replay", 1, Integer::sum);
      }
    }
    if (!leaks.isEmpty()) {
      leaks.sort(Comparator.comparingDouble(Leak::similarity).reversed());
      throw new LeakException(leaks);
    }
    SortedMap<String, String> files = new TreeMap<>();
    files.put(Dataset.TRAIN, train.toString());
    files.put(Dataset.PREFERENCES, preferences.toString());
    files.put(Dataset.REJECTIONS, rejections.toString());
    return new Dataset(files, items, counts);
  }

  private List<ValidatedChain> latestPerEvidence(
      List<ValidatedChain> chains, Map<String, Integer> counts) {
    Map<String, ValidatedChain> latest = new LinkedHashMap<>();
    for (ValidatedChain chain : chains) {
      String key = format.render(chain.evidence());
      ValidatedChain other = latest.get(key);
      if (other != null) {
        counts.merge("left out: the same evidence again", 1, Integer::sum);
      }
      if (other == null || chain.decidedAt().isAfter(other.decidedAt())) {
        latest.put(key, chain);
      }
    }
    return latest.values().stream()
        .sorted(Comparator.comparing(ValidatedChain::analysisId))
        .toList();
  }

  /** What to learn, with the labels that a person may leave out; {@code null} for no chain. */
  private static Chain target(ValidatedChain chain) {
    try {
      return Chain.parse(
          chain.use() == Use.CORRECTED
              ? labelled(chain, chain.corrected().text())
              : original(chain));
    } catch (ChainSyntaxException e) {
      return null;
    }
  }

  private static String original(ValidatedChain chain) {
    return labelled(chain, chain.original());
  }

  private static String labelled(ValidatedChain chain, String text) {
    return Figures.of(chain.evidence()).labelled(text);
  }

  private boolean verifies(Evidence evidence, Chain chain) {
    return chain.conclusion().isPresent()
        && verifier.verify(evidence, chain).stream().allMatch(Verdict::passed);
  }

  /** Writes the pair; {@code false} where the correction changed nothing. */
  private boolean preference(StringBuilder out, String id, ValidatedChain chain, Chain corrected) {
    List<String> wrong = original(chain).lines().filter(l -> !l.isBlank()).toList();
    List<String> right = corrected.steps().stream().map(Step::text).toList();
    int same = 0;
    while (same < Math.min(wrong.size(), right.size()) && wrong.get(same).equals(right.get(same))) {
      same++;
    }
    if (same == wrong.size() && same == right.size()) {
      return false;
    }
    // The mark and the text may disagree: the pair must differ in its first line.
    int prefix = chain.firstWrongStep() == null ? same : Math.min(same, chain.firstWrongStep());
    Map<String, Object> pair = record(id, "preference", chain.evidence(), null);
    pair.put("prefix", String.join("\n", right.subList(0, prefix)));
    pair.put("chosen", String.join("\n", right.subList(prefix, right.size())));
    pair.put("rejected", String.join("\n", wrong.subList(prefix, wrong.size())));
    line(out, pair);
    return true;
  }

  private Map<String, Object> record(String id, String use, Evidence evidence, String chain) {
    List<Map<String, String>> messages = new ArrayList<>();
    messages.add(message("system", PromptFormat.INSTRUCTION));
    messages.add(message("user", format.render(evidence)));
    if (chain != null) {
      messages.add(message("assistant", chain));
    }
    return record(id, use, messages);
  }

  private static Map<String, Object> record(String id, Lesson lesson) {
    List<Map<String, String>> messages = new ArrayList<>();
    messages.add(message("system", lesson.system()));
    messages.add(message("user", lesson.user()));
    messages.add(message("assistant", lesson.assistant()));
    for (Lesson.Turn turn : lesson.further()) {
      messages.add(message("user", turn.user()));
      messages.add(message("assistant", turn.assistant()));
    }
    return record(id, "replay", messages);
  }

  private static Map<String, Object> record(
      String id, String use, List<Map<String, String>> messages) {
    Map<String, Object> record = new TreeMap<>();
    record.put("id", id);
    record.put("use", use);
    record.put("messages", messages);
    return record;
  }

  private static Map<String, String> message(String role, String content) {
    return new TreeMap<>(Map.of("role", role, "content", content));
  }

  private static void line(StringBuilder out, Map<String, Object> record) {
    out.append(CanonicalJson.write(record)).append('\n');
  }
}
