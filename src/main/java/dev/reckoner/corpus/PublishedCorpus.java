package dev.reckoner.corpus;

import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.Place;
import dev.reckoner.reasoning.PromptFormat;
import dev.reckoner.reasoning.Step;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * The published data sets of one folder as lessons and as held-out problems. Pages are split by a
 * hash of their name, so that FinQA and ConvFinQA, which share pages, are cut alike.
 */
public final class PublishedCorpus {

  private static final int LONGEST_PROMPT = 7000;

  /** Parts of a page that each problem is shown on, beside the whole page and the gold evidence. */
  private static final int VIEWS = 5;

  /** Training files, and files whose pages are partly held out. Absent ones are left out. */
  private static final Map<String, Boolean> FILES =
      Map.ofEntries(
          Map.entry("finqa/train_partial.jsonl.gz", false),
          Map.entry("finqa/train.json", false),
          Map.entry("finqa/train_evidence_only.jsonl.gz", false),
          Map.entry("finqa/dev.jsonl.gz", true),
          Map.entry("finqa/dev.json", true),
          Map.entry("tatqa/tatqa_dataset_train.json", false),
          Map.entry("tatqa/tatqa_dataset_dev.json", true),
          Map.entry("tatqa/dev.jsonl.gz", true),
          Map.entry("convfinqa/train.json", false),
          Map.entry("convfinqa/dev.jsonl.gz", true),
          Map.entry("convfinqa/dev.json", true),
          Map.entry("tatqa/train_partial.jsonl.gz", false));

  /** Conversations of which only the answers are known; of pages that no other file has. */
  private static final String ANSWERED = "convfinqa/train_partial.jsonl.gz";

  /** How many partial views of a page conversations are made about. */
  private static final int TALKED_VIEWS = 2;

  private final List<Lesson> lessons = new ArrayList<>();
  private final List<Lesson> talks = new ArrayList<>();
  private final List<Problem> answered = new ArrayList<>();
  private final List<Problem> trainingPages = new ArrayList<>();
  private final Map<String, List<Problem>> heldOut = new TreeMap<>();
  private final Map<String, Map<String, Integer>> counts = new TreeMap<>();

  private final Conversations conversations;
  private final SplittableRandom talking;

  private PublishedCorpus(Conversations conversations, long seed) {
    this.conversations = conversations;
    talking = new SplittableRandom(~seed);
  }

  /**
   * Reads what a folder has of the files.
   *
   * @param folder with the folders {@code finqa}, {@code tatqa}, {@code convfinqa}
   * @param heldOutPercent how many percent of the pages of the dev files are held out
   * @param seed of the pages' partial views
   * @param pack whose wordings conversations about the pages are made of
   * @throws CorpusException if the folder has none of them
   */
  public static PublishedCorpus read(Path folder, int heldOutPercent, long seed, String pack)
      throws IOException {
    PublishedCorpus corpus = new PublishedCorpus(new Conversations(pack), seed);
    SplittableRandom random = new SplittableRandom(seed);
    boolean any = false;
    for (String name : new TreeSet<>(FILES.keySet())) {
      Path file = folder.resolve(name);
      if (Files.isRegularFile(file)) {
        any = true;
        corpus.add(file, name, FILES.get(name) ? heldOutPercent : 0, random.split());
      }
    }
    if (!any) {
      throw new CorpusException(
          folder + ": none of " + String.join(", ", new TreeSet<>(FILES.keySet())));
    }
    if (Files.isRegularFile(folder.resolve(ANSWERED))) {
      corpus.addAnswered(folder.resolve(ANSWERED), random.split());
    }
    return corpus;
  }

  /** Chains on full pages, on parts of pages, and on gold evidence. */
  public List<Lesson> lessons() {
    return List.copyOf(lessons);
  }

  /** Conversations of ours about what the lessons of published questions cite. */
  public List<Lesson> talks() {
    return List.copyOf(talks);
  }

  /** Conversations of the training files, with or without chains: turns with their answers. */
  public List<Problem> conversations() {
    return Stream.concat(
            trainingPages.stream().filter(p -> p.origin().equals("convfinqa")), answered.stream())
        .toList();
  }

  /** Every problem that is not held out, with or without a chain: pages to ask more about. */
  public List<Problem> trainingPages() {
    return List.copyOf(trainingPages);
  }

  /** Held-out problems by suite: gold evidence and full page of each data set. */
  public Map<String, List<Problem>> heldOut() {
    return heldOut;
  }

  /** By file: how many chains were kept and how many dropped for which reason. */
  public Map<String, Map<String, Integer>> counts() {
    return counts;
  }

  /** Whether a page is held out. */
  static boolean isHeldOut(String group, int percent) {
    return Math.floorMod(group.hashCode() * 0x9E3779B1, 100) < percent;
  }

  private void add(Path file, String name, int heldOutPercent, SplittableRandom random)
      throws IOException {
    GoldChains chains = new GoldChains();
    for (Problem problem : FilingFile.read(file)) {
      if (isHeldOut(problem.group(), heldOutPercent)) {
        hold(problem);
      } else {
        trainingPages.add(problem);
        teach(problem, chains, random);
      }
    }
    counts.put(name, chains.counts());
  }

  /** Conversations whose turns have answers and no programs: {@link ConversationSearch}. */
  private void addAnswered(Path file, SplittableRandom random) throws IOException {
    GoldChains chains = new GoldChains();
    Map<String, List<Problem>> byConversation = new LinkedHashMap<>();
    for (Problem problem : FilingFile.read(file)) {
      answered.add(problem);
      byConversation
          .computeIfAbsent(problem.id().replaceFirst("#.*", ""), c -> new ArrayList<>())
          .add(problem);
    }
    for (List<Problem> turns : byConversation.values()) {
      List<String> asked = new ArrayList<>();
      String before = "";
      for (Problem turn : turns) {
        String question = turn.evidence().question();
        asked.add(question.substring(before.length()));
        before = question;
      }
      Map<Integer, Program> programs = ConversationSearch.programs(turns, asked);
      programs.forEach(
          (t, program) -> {
            Problem turn = turns.get(t);
            teach(
                new Problem(
                    turn.id(),
                    turn.group(),
                    turn.origin(),
                    turn.evidence(),
                    turn.gold(),
                    program,
                    turn.support()),
                chains,
                random);
          });
    }
    counts.put(ANSWERED, chains.counts());
  }

  private void hold(Problem problem) {
    if (problem.gold() == null || problem.program() == null) {
      return;
    }
    boolean lastTurn = !problem.origin().equals("convfinqa") || lastOfConversation(problem);
    if (lastTurn) {
      suite(problem.origin() + "-page").add(problem);
      if (problem.support().known()) {
        suite(problem.origin() + "-gold").add(problem.focused());
      }
    }
  }

  /** A later turn of the same conversation replaces an earlier one. */
  private boolean lastOfConversation(Problem problem) {
    String conversation = problem.id().replaceFirst("#.*", "#");
    heldOut.values().forEach(list -> list.removeIf(p -> p.id().startsWith(conversation)));
    return true;
  }

  private List<Problem> suite(String name) {
    return heldOut.computeIfAbsent(name, n -> new ArrayList<>());
  }

  private void teach(Problem problem, GoldChains chains, SplittableRandom random) {
    Optional<Chain> whole = chains.chain(problem);
    if (whole.isEmpty()) {
      return;
    }
    if (new PromptFormat().render(problem.evidence()).length() <= LONGEST_PROMPT) {
      lessons.add(Lesson.of(problem, whole.get()));
      talk(problem, problem.id(), whole.get());
    }
    Problem supported = problem.support().known() ? problem : citing(problem, whole.get());
    GoldChains views = new GoldChains();
    view(supported.focused(), "gold", true, views);
    for (int v = 1; v <= VIEWS; v++) {
      view(partly(supported, random), "part-" + v, v <= TALKED_VIEWS, views);
    }
  }

  /** The problem with its support as the chain cites it. */
  private static Problem citing(Problem problem, Chain chain) {
    Set<Place.Cell> cells = new HashSet<>();
    Set<Integer> sentences = new HashSet<>();
    for (Step step : chain.steps()) {
      if (step instanceof Step.Cite cite) {
        switch (cite.place()) {
          case Place.Cell cell when cell.table() == 0 -> cells.add(cell);
          case Place.Sentence sentence -> sentences.add(sentence.index());
          default -> {}
        }
      }
    }
    return new Problem(
        problem.id(),
        problem.group(),
        problem.origin(),
        problem.evidence(),
        problem.gold(),
        problem.program(),
        new Support(Set.of(), cells, sentences));
  }

  /** A conversation about what a chain cites, shown as the lesson is. */
  private void talk(Problem problem, String id, Chain chain) {
    if (!problem.origin().equals("convfinqa")) {
      conversations
          .about(problem, chain, talking)
          .map(solved -> Lesson.of(solved.problem(), solved.chain()))
          .filter(lesson -> lesson.user().length() <= LONGEST_PROMPT)
          .ifPresent(
              lesson ->
                  talks.add(
                      new Lesson(
                          id + "/talk",
                          lesson.group(),
                          lesson.origin() + "/conversation",
                          lesson.system(),
                          lesson.user(),
                          lesson.assistant())));
    }
  }

  private void view(Problem part, String name, boolean talked, GoldChains chains) {
    chains
        .chain(part)
        .ifPresent(
            chain -> {
              if (talked) {
                talk(part, part.id() + "/" + name, chain);
              }
              Lesson lesson = Lesson.of(part, chain);
              if (lesson.user().length() <= LONGEST_PROMPT) {
                lessons.add(
                    new Lesson(
                        part.id() + "/" + name,
                        lesson.group(),
                        lesson.origin(),
                        lesson.system(),
                        lesson.user(),
                        lesson.assistant()));
              }
            });
  }

  /** The gold evidence among some of the other rows and sentences. */
  private static Problem partly(Problem problem, SplittableRandom random) {
    TreeSet<Integer> rows = problem.support().allRows();
    if (!problem.evidence().tables().isEmpty()) {
      int all = problem.evidence().tables().getFirst().rows().size();
      int share = 30 + random.nextInt(70);
      for (int r = 0; r < all; r++) {
        if (random.nextInt(100) < share) {
          rows.add(r);
        }
      }
    }
    TreeSet<Integer> sentences = new TreeSet<>(problem.support().sentences());
    int all = problem.evidence().sentences().size();
    for (int extra = random.nextInt(5); extra > 0 && all > 0; extra--) {
      sentences.add(random.nextInt(all));
    }
    return problem.keeping(rows, sentences);
  }
}
