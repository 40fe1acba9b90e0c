package dev.reckoner.cli;

import dev.reckoner.corpus.BpeTrainer;
import dev.reckoner.corpus.DatasetCard;
import dev.reckoner.corpus.HouseRule;
import dev.reckoner.corpus.LeakFilter;
import dev.reckoner.corpus.Lesson;
import dev.reckoner.corpus.LessonFile;
import dev.reckoner.corpus.PageQuestions;
import dev.reckoner.corpus.Problem;
import dev.reckoner.corpus.PublishedCorpus;
import dev.reckoner.corpus.SyntheticGenerator;
import dev.reckoner.corpus.SyntheticGenerator.Split;
import dev.reckoner.corpus.SyntheticGenerator.Topic;
import dev.reckoner.evaluation.Grader;
import dev.reckoner.evaluation.HouseRuleSuite;
import dev.reckoner.evaluation.Suite;
import dev.reckoner.evaluation.SuiteFile;
import dev.reckoner.evaluation.SyntheticSuite;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Makes training material: lessons, held-out suites, a data set card and a tokenizer. */
@Command(
    name = "corpus",
    mixinStandardHelpOptions = true,
    description = "Makes training lessons, held-out suites and a tokenizer.",
    subcommands = TeachCommand.class)
public final class CorpusCommand implements Callable<Integer> {

  /** Of the held-out problems: the same for every training seed. */
  private static final long HELD_OUT_SEED = 20_261_124L;

  private static final int HOUSE_POOL = 400;

  private static final int SUITE_PROBLEMS = 200;

  @Spec private CommandSpec spec;

  @Option(
      names = "--data",
      paramLabel = "DIR",
      description =
          "Folder with finqa, tatqa and convfinqa as distributed; without it, only synthetic"
              + " material.")
  private Path data;

  @Option(names = "--out", paramLabel = "DIR", description = "Where to write.")
  private Path out;

  @Option(
      names = "--pack",
      defaultValue = "finance",
      description = "Domain pack of synthetic material (default: ${DEFAULT-VALUE}).")
  private String pack;

  @Option(
      names = "--synthetic",
      defaultValue = "20000",
      description = "Synthetic lessons (default: ${DEFAULT-VALUE}).")
  private int synthetic;

  @Option(
      names = "--page-questions",
      defaultValue = "10",
      description = "Questions of ours on each published table (default: ${DEFAULT-VALUE}).")
  private int pageQuestions;

  @Option(
      names = "--held-out",
      defaultValue = "50",
      description = "Percent of the dev pages that are held out (default: ${DEFAULT-VALUE}).")
  private int heldOutPercent;

  @Option(
      names = "--held-out-synthetic",
      defaultValue = "300",
      description = "Synthetic held-out problems (default: ${DEFAULT-VALUE}).")
  private int heldOutSynthetic;

  @Option(names = "--seed", defaultValue = "1", description = "Seed (default: ${DEFAULT-VALUE}).")
  private long seed;

  @Option(
      names = "--vocabulary",
      defaultValue = "0",
      description = "Also train a tokenizer of that many pieces; 0 for none.")
  private int vocabulary;

  /** Runs without the rest of the program: {@code java -cp … dev.reckoner.cli.CorpusCommand}. */
  public static void main(String... args) {
    System.exit(PlainMain.execute(new CorpusCommand(), args));
  }

  @Override
  public Integer call() throws IOException {
    if (out == null) {
      // Not required by the parser, which would want it of subcommands too.
      throw new ParameterException(spec.commandLine(), "name a folder to write to with --out");
    }
    Map<String, List<Problem>> suites = new TreeMap<>();
    List<Lesson> published = new ArrayList<>();
    List<Lesson> talks = new ArrayList<>();
    List<Problem> single = new ArrayList<>();
    List<Problem> conversations = new ArrayList<>();
    Map<String, Map<String, Integer>> counts = Map.of();
    if (data != null) {
      PublishedCorpus corpus = PublishedCorpus.read(data, heldOutPercent, seed, pack);
      corpus.heldOut().forEach((name, problems) -> suites.put(name, gradable(problems)));
      counts = corpus.counts();
      published.addAll(corpus.lessons());
      talks.addAll(corpus.talks());
      corpus.trainingPages().stream()
          .filter(p -> p.program() != null && !p.origin().equals("convfinqa"))
          .forEach(single::add);
      corpus.conversations().stream()
          .filter(p -> !p.id().endsWith("#1"))
          .forEach(conversations::add);
      published.addAll(
          new PageQuestions(pack, seed).lessons(corpus.trainingPages(), pageQuestions));
    }
    List<Suite> own = ownSuites();
    LeakFilter filter = new LeakFilter();
    suites.values().forEach(filter::holdOut);
    own.forEach(suite -> filter.holdOut(suite.problems()));
    SyntheticGenerator generator = new SyntheticGenerator(pack, seed, Split.TRAIN);
    List<Lesson> made =
        filter.filter(
            LongStream.range(0, synthetic).parallel().mapToObj(generator::lesson).toList());
    List<Lesson> kept = filter.filter(published);
    List<Lesson> talked = filter.filter(talks);
    List<Path> files = new ArrayList<>();
    Map<Boolean, List<Lesson>> byKind =
        kept.stream().collect(Collectors.partitioningBy(l -> l.origin().equals("convfinqa")));
    write(files, "published.jsonl.gz", byKind.get(false));
    write(files, "conversations.jsonl.gz", byKind.get(true));
    write(files, "talks.jsonl.gz", talked);
    write(files, "synthetic.jsonl.gz", made);
    // Not of the training material: what only reviewers' corrections teach.
    write(
        files,
        "house-rule.jsonl.gz",
        new HouseRule(pack)
            .pool(seed, HOUSE_POOL).stream()
                .map(solved -> Lesson.of(solved.problem(), solved.chain()))
                .toList());
    for (Map.Entry<String, List<Problem>> suite : suites.entrySet()) {
      Path file = Files.createDirectories(out.resolve("suites")).resolve(suite.getKey() + ".jsonl");
      SuiteFile.write(file, suite.getValue());
      files.add(file);
    }
    for (Suite suite : own) {
      Path file = Files.createDirectories(out.resolve("suites")).resolve(suite.name() + ".jsonl");
      SuiteFile.write(file, suite);
      files.add(file);
    }
    // What issuer and year keep out of the lessons, and no suite holds: recipes and the confidence
    // map are chosen by it.
    validation(files, "published", gradable(filter.setAside(single)));
    validation(files, "conversation", gradable(filter.setAside(conversations)));
    List<Lesson> all = new ArrayList<>(kept);
    all.addAll(talked);
    all.addAll(made);
    if (vocabulary > 0) {
      BpeTrainer trainer = new BpeTrainer(vocabulary);
      all.forEach(lesson -> trainer.add(lesson.user() + "\n" + lesson.assistant() + "\n"));
      trainer.train().write(out.resolve("tokenizer"));
    }
    List<String> notes =
        List.of(
            "seed " + seed + ", " + heldOutPercent + "% of the dev pages held out, by page",
            filter.duplicates() + " duplicates left out",
            filter.leaks()
                + " lessons left out that share with a suite "
                + new TreeMap<>(filter.leaksByReason()));
    Files.writeString(
        out.resolve("CARD.md"),
        DatasetCard.of(out.getFileName().toString(), all, files, counts, notes));
    System.out.printf(
        "%d published and %d synthetic lessons, %d suites in %s%n",
        kept.size(), made.size(), suites.size() + own.size(), out);
    return 0;
  }

  private void validation(List<Path> files, String name, List<Problem> problems)
      throws IOException {
    Path folder = Files.createDirectories(out.resolve("validation"));
    Map<String, List<Problem>> views =
        Map.of(
            "gold",
            problems.stream().filter(p -> p.support().known()).map(Problem::focused).toList(),
            "page",
            problems);
    for (String view : List.of("gold", "page")) {
      if (!views.get(view).isEmpty()) {
        Path file = folder.resolve(name + "-validation-" + view + ".jsonl");
        SuiteFile.write(file, views.get(view));
        files.add(file);
      }
    }
  }

  /** The house's convention, and a suite for each topic, with their gold chains. */
  private List<Suite> ownSuites() {
    List<Suite> own = new ArrayList<>();
    if (heldOutSynthetic > 0) {
      own.add(SyntheticSuite.of(pack, HELD_OUT_SEED, heldOutSynthetic));
      own.add(SyntheticSuite.rare(pack, HELD_OUT_SEED, heldOutSynthetic));
    }
    own.add(HouseRuleSuite.of(pack, HouseRuleSuite.SEED, SUITE_PROBLEMS));
    for (Topic topic : Topic.values()) {
      own.add(SyntheticSuite.of(topic, pack, HELD_OUT_SEED, SUITE_PROBLEMS));
    }
    return own;
  }

  private static List<Problem> gradable(List<Problem> problems) {
    return problems.stream().filter(Grader::gradable).toList();
  }

  private void write(List<Path> files, String name, List<Lesson> lessons) throws IOException {
    if (!lessons.isEmpty()) {
      Path file = out.resolve(name);
      LessonFile.write(file, lessons);
      files.add(file);
    }
  }
}
