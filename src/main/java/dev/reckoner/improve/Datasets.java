package dev.reckoner.improve;

import dev.reckoner.corpus.Gold;
import dev.reckoner.corpus.Problem;
import dev.reckoner.corpus.Support;
import dev.reckoner.corpus.SyntheticGenerator;
import dev.reckoner.evaluation.LeakScan;
import dev.reckoner.evaluation.Suite;
import dev.reckoner.evaluation.SuiteFile;
import dev.reckoner.evaluation.Suites;
import dev.reckoner.improve.DatasetBuilder.Replay;
import dev.reckoner.improve.ValidatedChain.Use;
import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.ChainSyntaxException;
import dev.reckoner.reasoning.Figure;
import dev.reckoner.reasoning.Outcome;
import dev.reckoner.reasoning.PromptFormat;
import dev.reckoner.reasoning.Scale;
import dev.reckoner.reasoning.Step;
import dev.reckoner.reasoning.Unit;
import jakarta.enterprise.context.ApplicationScoped;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.apache.commons.codec.digest.DigestUtils;
import org.jdbi.v3.core.Jdbi;

/** Splits what was validated into what trains and what judges, and keeps the snapshots. */
@ApplicationScoped
public class Datasets {

  /** Suite of the validated chains that were held out. */
  static final String VALIDATED = "validated";

  /** Suite of the questions that were labelled blind, where champion and shadow disagreed. */
  static final String BLIND = "blind";

  /** Folder of a run with the suites that are made of decisions. */
  private static final String GATE = "gate";

  private static final String DATASETS = "datasets";
  private static final String PACK = "finance";
  private static final long REPLAY_SEED = 7_919;
  private static final int MOST_FURTHER = 5;
  private static final int HELD_OUT_OF = 5;
  private static final int NEWEST_OF = 10;

  /**
   * What a run works with.
   *
   * @param suites what the gate measures on; nothing of it is in the dataset
   */
  record Split(Dataset dataset, List<Suite> suites) {}

  private final Jdbi jdbi;
  private final Ledger ledger;
  private final ValidatedChains chains;
  private final ImproveConfig config;
  private final ReckonerConfig directories;

  Datasets(
      Jdbi jdbi,
      Ledger ledger,
      ValidatedChains chains,
      ImproveConfig config,
      ReckonerConfig directories) {
    this.jdbi = jdbi;
    this.ledger = ledger;
    this.chains = chains;
    this.config = config;
    this.directories = directories;
  }

  /**
   * Splits by subject, so that two questions about one issuer are on one side, and by time, so that
   * the newest decisions judge before they train; and builds.
   *
   * @throws ImprovementException if there is nothing to learn from
   * @throws LeakException if a suite asks about the same page
   */
  Split build() {
    List<ValidatedChain> all = chains.all();
    long positive = all.stream().filter(c -> c.use() != Use.REJECTED).count();
    boolean holdOut = positive >= config.holdOutFrom();
    List<ValidatedChain> train = new ArrayList<>();
    List<Problem> heldOut = new ArrayList<>();
    for (ValidatedChain chain : all) {
      if (holdOut && heldOut(chain.subject())) {
        problem(chain).ifPresent(heldOut::add);
      } else {
        train.add(chain);
      }
    }
    if (holdOut) {
      heldOut.addAll(newest(train));
    }
    List<Suite> suites = new ArrayList<>(blind(train));
    if (train.stream().allMatch(c -> c.use() == Use.REJECTED)) {
      throw new ImprovementException(
          "there is nothing to learn from yet: approve or correct some chains first");
    }
    suites.addAll(configured());
    if (!heldOut.isEmpty()) {
      suites.add(Suite.of(VALIDATED, heldOut));
    }
    int pages =
        (int) Math.max(config.minimumReplay(), Math.round(config.replay() * questions(train)));
    Dataset dataset = new DatasetBuilder().build(train, replay(pages), suites);
    if (dataset.count("samples") == 0) {
      throw new ImprovementException(
          "there is nothing to learn from yet: no validated chain verifies in every step");
    }
    return new Split(dataset, List.copyOf(suites));
  }

  /** How many different questions there are to imitate an answer of, however often decided. */
  static long questions(List<ValidatedChain> train) {
    return train.stream()
        .filter(c -> c.use() != Use.REJECTED)
        .map(ValidatedChain::evidence)
        .distinct()
        .count();
  }

  /**
   * Takes the newest tenth of the decided questions out of {@code train}, and what is alike to
   * them; a later run trains on them, when others are the newest.
   */
  static List<Problem> newest(List<ValidatedChain> train) {
    List<ValidatedChain> byTime =
        train.stream()
            .filter(c -> c.use() != Use.REJECTED)
            .sorted(
                Comparator.comparing(ValidatedChain::decidedAt)
                    .thenComparing(ValidatedChain::analysisId))
            .toList();
    List<Problem> newest =
        byTime.subList(byTime.size() - byTime.size() / NEWEST_OF, byTime.size()).stream()
            .flatMap(c -> problem(c).stream())
            .toList();
    if (newest.isEmpty()) {
      return newest;
    }
    LeakScan scan =
        new LeakScan(List.of(Suite.of(VALIDATED, newest)), DatasetBuilder.LEAK_THRESHOLD);
    train.removeIf(c -> scan.find(c.analysisId().toString(), c.evidence()).isPresent());
    return newest;
  }

  /** The suite of what was labelled blind; whatever is alike to it leaves {@code train}. */
  private List<Suite> blind(List<ValidatedChain> train) {
    List<Problem> labelled = chains.gateItems().stream().flatMap(c -> problem(c).stream()).toList();
    if (labelled.isEmpty()) {
      return List.of();
    }
    Suite blind = Suite.of(BLIND, labelled);
    LeakScan scan = new LeakScan(List.of(blind), DatasetBuilder.LEAK_THRESHOLD);
    // A decision about the same page is nobody's mistake: it does not train, and that is all.
    train.removeIf(c -> scan.find(c.analysisId().toString(), c.evidence()).isPresent());
    return List.of(blind);
  }

  /**
   * What a run that somebody takes up again was working with: decisions that have come since must
   * not change what it learns from, nor put what it learned from among what judges it.
   *
   * @param run directory of the run
   * @return nothing where it is not there, or no longer what it was
   */
  Optional<Split> kept(String hash, Path run) throws IOException {
    Path gate = run.resolve(GATE);
    Optional<Dataset> dataset =
        hash == null || !Files.isDirectory(gate)
            ? Optional.empty()
            : Dataset.read(directories.dataDir().resolve(DATASETS), hash);
    if (dataset.isEmpty()) {
      return Optional.empty();
    }
    List<Suite> suites = new ArrayList<>();
    addKept(gate, BLIND, suites);
    suites.addAll(configured());
    addKept(gate, VALIDATED, suites);
    return Optional.of(new Split(dataset.get(), List.copyOf(suites)));
  }

  private static void addKept(Path gate, String name, List<Suite> suites) throws IOException {
    Path file = gate.resolve(name + ".jsonl");
    if (Files.exists(file)) {
      suites.add(SuiteFile.read(file));
    }
  }

  private List<Suite> configured() {
    return config.suites().stream()
        .map(name -> Suites.open(name, config.suiteProblems(), false))
        .toList();
  }

  /**
   * Keeps a snapshot: files, rows, ledger. Keeping the same content again changes nothing.
   *
   * @param run directory of the run, for the suites that are made of decisions
   */
  void keep(Split split, Path run, String actor) throws IOException {
    Path gate = Files.createDirectories(run.resolve(GATE));
    for (Suite suite : split.suites()) {
      if (suite.name().equals(BLIND) || suite.name().equals(VALIDATED)) {
        SuiteFile.write(gate.resolve(suite.name() + ".jsonl"), suite);
      }
    }
    Dataset dataset = split.dataset();
    Map<String, Object> card = new TreeMap<>();
    card.put("hash", dataset.hash());
    card.put("counts", dataset.counts());
    card.put("promptVersion", PromptFormat.VERSION);
    Map<String, String> suites = new TreeMap<>();
    split.suites().forEach(s -> suites.put(s.name(), s.version()));
    card.put("scannedAgainst", suites);
    card.put("leakThreshold", DatasetBuilder.LEAK_THRESHOLD);
    card.put("replay", Map.of("pack", PACK, "seed", REPLAY_SEED));
    card.put("sources", "decisions of reviewers; synthetic problems of this program");
    String json = CanonicalJson.write(card);
    dataset.write(directories.dataDir().resolve(DATASETS), json);
    jdbi.useTransaction(
        h -> {
          int added =
              h.execute(
                  "insert into dataset (hash, samples, preferences, rejections, replay, card,"
                      + " created_by) values (?, ?, ?, ?, ?, cast(? as jsonb), ?)"
                      + " on conflict (hash) do nothing",
                  dataset.hash(),
                  dataset.count("samples"),
                  dataset.count("preferences"),
                  dataset.count("rejections"),
                  dataset.count("replay"),
                  json,
                  actor);
          if (added == 0) {
            return;
          }
          dataset
              .items()
              .forEach(
                  (analysis, use) ->
                      h.execute(
                          "insert into dataset_item (dataset_hash, analysis_id, use)"
                              + " values (?, ?, ?)",
                          dataset.hash(),
                          analysis,
                          use.column()));
          ledger.append(h, Ledger.Kind.DATASET, actor, dataset.hash(), card);
        });
  }

  /** Half of the pages are asked one question, the others several: read once, they teach more. */
  private static List<Replay> replay(int pages) {
    SyntheticGenerator generator =
        new SyntheticGenerator(PACK, REPLAY_SEED, SyntheticGenerator.Split.TRAIN);
    return IntStream.range(0, pages)
        .mapToObj(n -> new Replay(generator.page(n, n % 2 == 0 ? 1 : 2 + n / 2 % MOST_FURTHER)))
        .toList();
  }

  /** By the subject alone, so that a subject stays on its side from run to run. */
  static boolean heldOut(String subject) {
    int number = Integer.parseInt(DigestUtils.sha256Hex(subject).substring(0, 4), 16);
    return number % HELD_OUT_OF == 0;
  }

  /** A held-out chain as a question with the validated answer. */
  static Optional<Problem> problem(ValidatedChain validated) {
    if (validated.use() == Use.REJECTED) {
      return Optional.empty();
    }
    try {
      Chain chain =
          validated.use() == Use.CORRECTED
              ? validated.corrected()
              : Chain.parse(validated.original());
      return chain
          .conclusion()
          .map(Step.Conclude::answer)
          .map(
              answer ->
                  new Problem(
                      validated.analysisId().toString(),
                      validated.subject(),
                      validated.eventType(),
                      validated.evidence(),
                      gold(answer),
                      null,
                      Support.UNKNOWN));
    } catch (ChainSyntaxException e) {
      return Optional.empty();
    }
  }

  private static Gold gold(Outcome answer) {
    return switch (answer) {
      case Outcome.Word.NOT_STATED -> new Gold.Unanswerable();
      case Outcome.Word word -> new Gold.Text(List.of(word.text()));
      case Figure figure ->
          figure.unit() == Unit.PERCENT
              ? new Gold.Number(figure.value(), "%", "")
              : new Gold.Number(
                  figure.value(), "", figure.scale() == Scale.UNITS ? "" : figure.scale().text());
    };
  }
}
