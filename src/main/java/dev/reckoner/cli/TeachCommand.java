package dev.reckoner.cli;

import dev.reckoner.corpus.DatasetCard;
import dev.reckoner.corpus.FilingFile;
import dev.reckoner.corpus.LeakFilter;
import dev.reckoner.corpus.Lesson;
import dev.reckoner.corpus.LessonFile;
import dev.reckoner.corpus.Problem;
import dev.reckoner.evaluation.Grader;
import dev.reckoner.evaluation.SuiteFile;
import dev.reckoner.reasoning.PromptFormat;
import dev.reckoner.teacher.Teacher;
import dev.reckoner.teacher.TeacherException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Lessons from a larger model, as {@link Teacher} keeps them. */
@Command(
    name = "teach",
    mixinStandardHelpOptions = true,
    description = {
      "Has a larger model write chains for problems with known answers, over any endpoint of the"
          + " OpenAI protocol, and keeps those whose every step verifies and whose conclusion is"
          + " the known answer.",
      "The API key is read from the environment variable RECKONER_TEACHER_API_KEY and from nowhere"
          + " else. What was interrupted, or reached its budget, goes on when the same command is"
          + " given again."
    })
public final class TeachCommand implements Callable<Integer> {

  @Option(
      names = "--url",
      required = true,
      paramLabel = "URL",
      description = "Base address of the endpoint, for example https://HOST/v1.")
  private String url;

  @Option(
      names = "--model",
      required = true,
      paramLabel = "NAME",
      description = "The model's name there.")
  private String model;

  @Option(
      names = "--data",
      required = true,
      paramLabel = "FILE",
      description =
          "Problems: FinQA, TAT-QA or ConvFinQA as distributed, or problems as suites are written;"
              + " may be repeated.")
  private List<Path> data;

  @Option(
      names = "--held-out",
      paramLabel = "FILE|DIR",
      description =
          "Suites whose pages must not be learned from, as corpus writes them; may be repeated.")
  private List<Path> heldOut = List.of();

  @Option(names = "--out", required = true, paramLabel = "DIR", description = "Where to write.")
  private Path out;

  @Option(
      names = "--limit",
      defaultValue = "2147483647",
      paramLabel = "N",
      description = "The first N problems.")
  private int limit;

  @Option(
      names = "--gold-evidence",
      description = "Only the rows and sentences that the answer needs, where the data say which.")
  private boolean goldEvidence;

  @Option(
      names = "--samples",
      defaultValue = "4",
      description = "Answers a problem at most (default: ${DEFAULT-VALUE}).")
  private int samples;

  @Option(
      names = "--keep",
      defaultValue = "1",
      description = "Different chains a problem at most (default: ${DEFAULT-VALUE}).")
  private int keep;

  @Option(
      names = "--concurrency",
      defaultValue = "4",
      description = "Problems in work at once (default: ${DEFAULT-VALUE}).")
  private int concurrency;

  @Option(
      names = "--max-requests",
      defaultValue = "10000",
      description = "Budget of the folder: requests, repetitions included (default: 10000).")
  private long maxRequests;

  @Option(
      names = "--max-tokens",
      defaultValue = "20000000",
      description = "Budget of the folder: tokens of questions and answers (default: 20000000).")
  private long maxTokens;

  @Option(
      names = "--answer-tokens",
      defaultValue = "1024",
      description = "Longest answer (default: ${DEFAULT-VALUE}).")
  private int answerTokens;

  @Option(
      names = "--temperature",
      defaultValue = "0.7",
      description = "Of sampling (default: ${DEFAULT-VALUE}).")
  private double temperature;

  @Option(
      names = "--timeout",
      defaultValue = "120s",
      converter = DurationConverter.class,
      description = "Of one request (default: ${DEFAULT-VALUE}).")
  private Duration timeout;

  @Option(
      names = "--retries",
      defaultValue = "6",
      description =
          "How often a request is repeated, after pauses that double or that the endpoint names"
              + " (default: ${DEFAULT-VALUE}).")
  private int retries;

  /** Runs without the rest of the program: {@code java -cp … dev.reckoner.cli.TeachCommand}. */
  public static void main(String... args) {
    System.exit(PlainMain.execute(new TeachCommand(), args));
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    String key = System.getenv(Teacher.KEY_VARIABLE);
    Teacher teacher =
        new Teacher(
            new Teacher.Endpoint(
                url,
                key == null || key.isBlank() ? null : key.strip(),
                model,
                temperature,
                answerTokens,
                timeout,
                retries,
                Duration.ofSeconds(1)),
            new Teacher.Limits(samples, keep, concurrency, maxRequests, maxTokens));
    List<String> notes = new ArrayList<>();
    List<Problem> problems = problems(notes);
    if (problems.isEmpty()) {
      throw new UserException(
          "no problem is left: all are held out or have no answer that can be graded");
    }
    Teacher.Outcome outcome;
    try (Progress progress = new Progress(System.err, false)) {
      progress.phase("asking", problems.size());
      outcome =
          teacher.teach(
              problems,
              out,
              done -> {
                synchronized (progress) {
                  progress.at(done);
                }
              });
    } catch (TeacherException e) {
      throw new UserException(e.getMessage(), e);
    }
    notes.add(model + " at " + url + ", temperature " + temperature);
    Path lessons = out.resolve("lessons.jsonl");
    Map<String, Integer> counts = new java.util.TreeMap<>(outcome.rejections());
    counts.put("kept", outcome.kept());
    Files.writeString(
        out.resolve("CARD.md"),
        DatasetCard.of(
            out.getFileName().toString(),
            LessonFile.read(lessons),
            List.of(lessons),
            Map.of("answers of the teacher", counts),
            notes));
    System.out.printf(
        "%d of %d problems finished: %d answers, %d chains kept in %s%n",
        outcome.finished(), outcome.problems(), outcome.answers(), outcome.kept(), lessons);
    outcome.rejections().forEach((reason, n) -> System.out.printf("  %6d  %s%n", n, reason));
    System.out.printf("%d requests, %,d tokens%n", outcome.requests(), outcome.tokens());
    if (outcome.budgetSpent()) {
      System.out.println(
          "the budget is spent; raise --max-requests or --max-tokens and run it again to go on");
    }
    return 0;
  }

  /** The problems that may be learned from. */
  private List<Problem> problems(List<String> notes) throws IOException {
    List<Problem> all = new ArrayList<>();
    for (Path file : data) {
      List<Problem> read =
          SuiteFile.is(file) ? SuiteFile.read(file).problems() : FilingFile.read(file);
      read.stream()
          .filter(Grader::gradable)
          .map(problem -> goldEvidence ? problem.focused() : problem)
          .forEach(all::add);
    }
    LeakFilter filter = new LeakFilter();
    for (Path suite : suites()) {
      filter.holdOut(SuiteFile.read(suite).problems());
    }
    if (heldOut.isEmpty()) {
      notes.add(
          "no suites were held out: what is trained on this may have seen any of their pages");
    }
    Set<String> free =
        filter
            .filter(
                all.stream()
                    .map(
                        p ->
                            new Lesson(
                                p.id(),
                                p.group(),
                                p.origin(),
                                "",
                                new PromptFormat().render(p.evidence()),
                                ""))
                    .toList())
            .stream()
            .map(Lesson::id)
            .collect(Collectors.toCollection(HashSet::new));
    notes.add(filter.leaks() + " problems left out that share a page or their text with a suite");
    return all.stream().filter(p -> free.remove(p.id())).limit(limit).toList();
  }

  private List<Path> suites() throws IOException {
    List<Path> files = new ArrayList<>();
    for (Path path : heldOut) {
      if (Files.isDirectory(path)) {
        try (Stream<Path> inside = Files.list(path)) {
          inside.filter(file -> file.toString().endsWith(".jsonl")).sorted().forEach(files::add);
        }
      } else if (Files.isRegularFile(path)) {
        files.add(path);
      } else {
        throw new UserException("there is no suite " + path);
      }
    }
    return files;
  }
}
