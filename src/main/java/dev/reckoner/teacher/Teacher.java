package dev.reckoner.teacher;

import dev.reckoner.corpus.Lesson;
import dev.reckoner.corpus.LessonFile;
import dev.reckoner.corpus.Problem;
import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.ChainSyntaxException;
import dev.reckoner.teacher.Judge.Judgement;
import dev.reckoner.teacher.TeacherEndpoint.Answer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntConsumer;

/**
 * Has a larger model write chains and keeps those that may be learned from (rejection sampling): a
 * problem is asked until {@code keep} different chains of it verify and conclude its gold answer,
 * at most {@code samples} times.
 *
 * <p>The output folder has {@code journal.jsonl}, every answer with what came of it, and {@code
 * lessons.jsonl}, the kept chains as lessons for training. A run that was interrupted, or that used
 * up its budget, goes on when it is started again with the same problems; nothing is asked twice.
 */
public final class Teacher {

  /** The environment variable that holds the API key; never an option, never written anywhere. */
  public static final String KEY_VARIABLE = "RECKONER_TEACHER_API_KEY";

  private static final String PACK = "finance";

  /**
   * How much is asked.
   *
   * @param samples answers a problem at most
   * @param keep different chains a problem at most
   * @param concurrency problems in work at once
   * @param maxRequests in all runs of the folder, repetitions included
   * @param maxTokens of questions and answers, in all runs of the folder
   */
  public record Limits(int samples, int keep, int concurrency, long maxRequests, long maxTokens) {

    public Limits {
      if (samples < 1 || keep < 1 || concurrency < 1 || maxRequests < 1 || maxTokens < 1) {
        throw new TeacherException("samples, keep, concurrency and budgets must be at least 1");
      }
    }
  }

  /**
   * Whom to ask.
   *
   * @param url base address of the protocol, for example {@code https://api.example.com/v1}
   * @param key the API key; {@code null} for an endpoint without
   * @param temperature of sampling; {@code null} for the endpoint's own
   * @param maxAnswerTokens longest answer
   * @param timeout of one request
   * @param retries how often one is repeated
   * @param backOff the pause before the first repetition, which doubles
   */
  public record Endpoint(
      String url,
      String key,
      String model,
      Double temperature,
      int maxAnswerTokens,
      Duration timeout,
      int retries,
      Duration backOff) {

    /**
     * @throws TeacherException if the address is none, or the key would cross a network unencrypted
     */
    public Endpoint {
      URI address;
      try {
        address = URI.create(url);
      } catch (IllegalArgumentException e) {
        throw new TeacherException(url + " is no address; name one such as https://HOST/v1", e);
      }
      String scheme = address.getScheme();
      if (address.getHost() == null || !("https".equals(scheme) || "http".equals(scheme))) {
        throw new TeacherException(url + " is no address; name one such as https://HOST/v1");
      }
      if (key != null && scheme.equals("http") && !isHere(address.getHost())) {
        throw new TeacherException(
            "the API key would cross the network in the clear; use https for " + url);
      }
      if (maxAnswerTokens < 1 || retries < 0 || !timeout.isPositive() || backOff.isNegative()) {
        throw new TeacherException(
            "the longest answer and the time-out must be positive, retries and back-off not"
                + " negative");
      }
    }

    private static boolean isHere(String host) {
      try {
        return InetAddress.getByName(host).isLoopbackAddress();
      } catch (UnknownHostException e) {
        return false;
      }
    }

    /** Without the key. */
    @Override
    public String toString() {
      return model + " at " + url;
    }
  }

  /**
   * What a folder has after a run.
   *
   * @param problems that were to be asked
   * @param finished those that need no further answer
   * @param answers samples of all runs
   * @param kept chains
   * @param rejections samples that were not kept, by reason
   * @param requests sent, repetitions included
   * @param tokens of questions and answers
   * @param budgetSpent whether the run ended because nothing more may be asked
   */
  public record Outcome(
      int problems,
      int finished,
      int answers,
      int kept,
      Map<String, Integer> rejections,
      long requests,
      long tokens,
      boolean budgetSpent) {}

  private final Endpoint endpoint;
  private final Limits limits;
  private final TeacherPrompt prompt = new TeacherPrompt(PACK);

  public Teacher(Endpoint endpoint, Limits limits) {
    this.endpoint = endpoint;
    this.limits = limits;
  }

  /** A problem with what earlier runs have of it. */
  private record Task(Problem problem, int asked, Set<String> chains) {}

  /**
   * Asks, judges and writes.
   *
   * @param problems each with a gold answer; ids are unique
   * @param progress told the number of finished problems, from several threads
   * @throws TeacherException where going on cannot help; what was kept so far is written
   */
  public Outcome teach(List<Problem> problems, Path folder, IntConsumer progress)
      throws IOException, InterruptedException {
    Map<String, Problem> byId = new LinkedHashMap<>();
    for (Problem problem : problems) {
      if (problem.gold() == null) {
        throw new TeacherException("problem " + problem.id() + " has no gold answer");
      }
      if (byId.putIfAbsent(problem.id(), problem) != null) {
        throw new TeacherException("two problems are called " + problem.id());
      }
    }
    var header = new Journal.Header(endpoint.model(), prompt.version(), endpoint.temperature());
    try (Journal journal = Journal.open(folder.resolve("journal.jsonl"), header)) {
      Budget budget = new Budget(limits.maxRequests(), limits.maxTokens());
      List<Task> tasks = tasks(byId, journal.entries(), budget);
      try {
        run(tasks, new TeacherEndpoint(endpoint, budget), budget, journal, progress);
      } finally {
        writeLessons(folder.resolve("lessons.jsonl"), byId, journal.entries());
      }
      return outcome(byId, journal.entries(), budget);
    }
  }

  /** The problems that still need answers. */
  private List<Task> tasks(Map<String, Problem> byId, List<Journal.Entry> entries, Budget budget) {
    Map<String, Task> tasks = new LinkedHashMap<>();
    byId.forEach((id, problem) -> tasks.put(id, new Task(problem, 0, new HashSet<>())));
    for (Journal.Entry entry : entries) {
      Task task = tasks.get(entry.problem());
      if (task == null) {
        throw new TeacherException(
            "the journal has an answer to %s, which is not among the problems; name the same data or another --out"
                .formatted(entry.problem()));
      }
      budget.restore(entry.requests(), entry.tokens());
      if (entry.chain() != null) {
        task.chains().add(entry.chain());
      }
      tasks.put(
          entry.problem(),
          new Task(task.problem(), Math.max(task.asked(), entry.number() + 1), task.chains()));
    }
    return tasks.values().stream().filter(t -> !finished(t.asked(), t.chains().size())).toList();
  }

  private boolean finished(int asked, int kept) {
    return asked >= limits.samples() || kept >= limits.keep();
  }

  private void run(
      List<Task> tasks, TeacherEndpoint model, Budget budget, Journal journal, IntConsumer progress)
      throws InterruptedException {
    Semaphore permits = new Semaphore(limits.concurrency());
    AtomicInteger done = new AtomicInteger();
    AtomicBoolean failed = new AtomicBoolean();
    List<Future<?>> futures = new ArrayList<>();
    try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
      try {
        for (Task task : tasks) {
          permits.acquire();
          if (budget.spent() || failed.get()) {
            break;
          }
          futures.removeIf(f -> f.state() == Future.State.SUCCESS);
          futures.add(
              executor.submit(
                  () -> {
                    try {
                      if (ask(task, model, budget, journal)) {
                        progress.accept(done.incrementAndGet());
                      }
                      return null;
                    } catch (RuntimeException | InterruptedException e) {
                      // Before the permit is free: no further question may be begun.
                      failed.set(true);
                      throw e;
                    } finally {
                      permits.release();
                    }
                  }));
        }
        for (Future<?> future : futures) {
          future.get();
        }
      } catch (ExecutionException e) {
        executor.shutdownNow();
        if (e.getCause() instanceof RuntimeException cause) {
          throw cause;
        }
        throw new IllegalStateException(e.getCause());
      } catch (InterruptedException e) {
        executor.shutdownNow();
        throw e;
      }
    }
  }

  /** Samples of one problem; false where the budget ended before it was finished. */
  private boolean ask(Task task, TeacherEndpoint model, Budget budget, Journal journal)
      throws InterruptedException {
    Problem problem = task.problem();
    Set<String> chains = new HashSet<>(task.chains());
    for (int n = task.asked(); !finished(n, chains.size()); n++) {
      Optional<Answer> answer = model.ask(prompt.messages(problem.evidence()), seed(problem, n));
      if (answer.isEmpty()) {
        return false;
      }
      Journal.Entry entry = judged(problem, n, answer.get(), chains);
      journal.add(entry);
      if (entry.chain() != null) {
        chains.add(entry.chain());
      }
    }
    return true;
  }

  private static int seed(Problem problem, int sample) {
    return (problem.id().hashCode() * 31 + sample) & Integer.MAX_VALUE;
  }

  private static Journal.Entry judged(
      Problem problem, int number, Answer answer, Set<String> chains) {
    String chain = null;
    String rejection = answer.refusal();
    if (rejection == null && answer.cutOff()) {
      rejection = "longer than allowed";
    } else if (rejection == null && answer.text().isBlank()) {
      rejection = "no text";
    } else if (rejection == null) {
      switch (Judge.judge(problem, answer.text())) {
        case Judgement.Rejected(String reason) -> rejection = reason;
        case Judgement.Accepted(Chain accepted) -> {
          if (chains.contains(accepted.text())) {
            rejection = "the same chain again";
          } else {
            chain = accepted.text();
          }
        }
      }
    }
    return new Journal.Entry(
        problem.id(),
        number,
        chain,
        rejection,
        answer.text(),
        answer.requests(),
        answer.inputTokens() + answer.outputTokens());
  }

  /** Replaces the file as a whole, so that a reader never sees a part of it. */
  private static void writeLessons(
      Path file, Map<String, Problem> byId, List<Journal.Entry> entries) throws IOException {
    List<Lesson> lessons = new ArrayList<>();
    for (Journal.Entry entry : inOrder(byId, entries)) {
      if (entry.chain() == null) {
        continue;
      }
      Lesson lesson;
      try {
        lesson = Lesson.of(byId.get(entry.problem()), Chain.parse(entry.chain()));
      } catch (ChainSyntaxException e) {
        throw new TeacherException("the journal's chain of " + entry.problem() + " is broken", e);
      }
      lessons.add(
          new Lesson(
              lesson.id() + "/teacher-" + entry.number(),
              lesson.group(),
              lesson.origin(),
              lesson.system(),
              lesson.user(),
              lesson.assistant()));
    }
    Path next = file.resolveSibling(file.getFileName() + ".next");
    LessonFile.write(next, lessons);
    Files.move(next, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
  }

  /** By problem and sample: the order does not depend on which answer came first. */
  private static List<Journal.Entry> inOrder(
      Map<String, Problem> byId, List<Journal.Entry> entries) {
    Map<String, List<Journal.Entry>> byProblem = new HashMap<>();
    entries.forEach(e -> byProblem.computeIfAbsent(e.problem(), p -> new ArrayList<>()).add(e));
    return byId.keySet().stream()
        .flatMap(id -> byProblem.getOrDefault(id, List.of()).stream())
        .toList();
  }

  private Outcome outcome(Map<String, Problem> byId, List<Journal.Entry> entries, Budget budget) {
    Map<String, Integer> rejections = new TreeMap<>();
    Map<String, Integer> asked = new HashMap<>();
    Map<String, Integer> kept = new HashMap<>();
    for (Journal.Entry entry : entries) {
      asked.merge(entry.problem(), entry.number() + 1, Math::max);
      if (entry.chain() != null) {
        kept.merge(entry.problem(), 1, Integer::sum);
      } else {
        rejections.merge(entry.rejection(), 1, Integer::sum);
      }
    }
    int finished =
        (int)
            byId.keySet().stream()
                .filter(id -> finished(asked.getOrDefault(id, 0), kept.getOrDefault(id, 0)))
                .count();
    return new Outcome(
        byId.size(),
        finished,
        entries.size(),
        kept.values().stream().mapToInt(Integer::intValue).sum(),
        rejections,
        budget.requests(),
        budget.tokens(),
        finished < byId.size() && budget.spent());
  }
}
