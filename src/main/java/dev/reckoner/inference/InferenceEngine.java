package dev.reckoner.inference;

import dev.reckoner.gemma.Answer;
import dev.reckoner.gemma.Gemma3;
import dev.reckoner.gemma.GemmaTokenizer;
import dev.reckoner.gemma.KvCache;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.gemma.Segment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.WeakHashMap;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Semaphore;
import java.util.function.Function;

/**
 * Serves one model. One thread owns it and runs it in steps; a step appends tokens to many requests
 * at once, each with its own adapter: one token where a request is being written, a chunk where a
 * prompt or forced text is read. Requests join and leave between two steps.
 *
 * <p>A request's tokens do not depend on what else is in the batch: the model's result for a token
 * does not, and each request has its own random stream.
 */
public final class InferenceEngine implements AutoCloseable {

  /**
   * What the engine takes on.
   *
   * @param batch most requests written at the same time
   * @param queued most requests waiting beyond those; more are refused
   * @param chunk most prompt tokens read in one step, over all requests: larger is faster, smaller
   *     keeps those being written flowing
   * @param prefixes how many shared prompt beginnings are kept
   */
  public record Limits(int batch, int queued, int chunk, int prefixes) {
    public static final Limits DEFAULT = new Limits(8, 256, 256, 4);

    public Limits {
      if (batch < 1 || queued < 1 || chunk < 1 || prefixes < 1) {
        throw new IllegalArgumentException("limits must be positive");
      }
    }
  }

  /**
   * What the engine has done since it started.
   *
   * @param steps passes over the weights
   * @param tokens tokens computed: prompts, forced text and picks
   * @param reusedPromptTokens prompt tokens taken from the prefix cache instead
   * @param picks tokens the model chose
   * @param active requests in the last step
   */
  public record Counters(
      long steps, long tokens, long reusedPromptTokens, long picks, int active) {}

  private record Waiting(Request request, Ticket ticket, long submittedNanos) {}

  private final Gemma3 model;
  private final Vocabulary vocabulary;
  private final Limits limits;
  private final ConfidenceMap calibration;
  private final BlockingQueue<Waiting> waiting;
  private final Queue<Runnable> tasks = new ConcurrentLinkedQueue<>();
  private final Semaphore work = new Semaphore(0);
  private final PrefixCache prefixes;
  private final List<ActiveSequence> active = new ArrayList<>();
  private final Queue<LoraAdapter> retiring = new ConcurrentLinkedQueue<>();
  private final Set<LoraAdapter> retired = Collections.newSetFromMap(new WeakHashMap<>());
  private final Thread thread;
  private long reused;
  private volatile boolean closed;
  private volatile InferenceException ending = new InferenceException.Closed();
  private volatile Counters counters = new Counters(0, 0, 0, 0, 0);

  /**
   * Starts the engine. The model belongs to the engine's thread from now on: whoever wants to use
   * it otherwise does so through {@link #between}.
   */
  public InferenceEngine(Gemma3 model, GemmaTokenizer tokenizer, Limits limits) {
    this(model, tokenizer, limits, ConfidenceMap.IDENTITY);
  }

  /** The same with a model whose confidences are calibrated. */
  public InferenceEngine(
      Gemma3 model, GemmaTokenizer tokenizer, Limits limits, ConfidenceMap calibration) {
    this.model = model;
    this.vocabulary = new Vocabulary(tokenizer);
    this.limits = limits;
    this.calibration = calibration;
    this.waiting = new ArrayBlockingQueue<>(limits.queued());
    this.prefixes = new PrefixCache(model, limits.prefixes());
    this.thread = Thread.ofPlatform().daemon().name("reckoner-engine").start(this::run);
  }

  public GemmaTokenizer tokenizer() {
    return vocabulary.tokenizer();
  }

  /** Most tokens of prompt and answer together. */
  public int maxTokens() {
    return model.config().maxPositions();
  }

  public Counters counters() {
    return counters;
  }

  /**
   * Writes one text and waits for it. An interrupt cancels.
   *
   * @throws InferenceException.Busy if too many requests wait already
   * @throws InferenceException if the request cannot be served
   */
  public Generation generate(Request request) throws InterruptedException {
    return submit(request, null).await();
  }

  /**
   * Hands in a request and returns at once.
   *
   * @param listener follows the generation; may be {@code null}
   * @throws InferenceException.Busy if too many requests wait already
   * @throws InferenceException.TooLong if it asks for more tokens than the model has positions
   */
  public Ticket submit(Request request, GenerationListener listener) {
    if (request.prompt().length + request.maxTokens() > maxTokens()) {
      throw new InferenceException.TooLong(
          request.prompt().length, request.maxTokens(), maxTokens());
    }
    if (closed) {
      throw ending;
    }
    Ticket ticket = new Ticket(listener);
    if (!waiting.offer(new Waiting(request, ticket, System.nanoTime()))) {
      throw new InferenceException.Busy(limits.queued());
    }
    ticket.follow();
    work.release();
    if (closed) {
      refuseWaiting();
    }
    return ticket;
  }

  /**
   * Runs {@code use} on the engine's thread between two steps and returns its result: the way to
   * load an adapter, or to ask the model for anything, while requests are served.
   */
  public <T> T between(Function<Gemma3, T> use) {
    if (Thread.currentThread() == thread) {
      return use.apply(model);
    }
    if (closed) {
      throw ending;
    }
    CompletableFuture<T> done = new CompletableFuture<>();
    tasks.add(
        () -> {
          try {
            done.complete(use.apply(model));
          } catch (RuntimeException | Error e) {
            done.completeExceptionally(e);
          }
        });
    work.release();
    if (closed) {
      done.completeExceptionally(ending);
    }
    try {
      return done.join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof RuntimeException failure) {
        throw failure;
      }
      throw e;
    }
  }

  /**
   * Closes an adapter once no request under way uses it. Requests that name it afterwards fail, so
   * the caller stops offering it first.
   */
  public void retire(LoraAdapter adapter) {
    retiring.add(adapter);
    work.release();
  }

  private void run() {
    try {
      while (!closed) {
        if (active.isEmpty() && waiting.isEmpty() && tasks.isEmpty() && retiring.isEmpty()) {
          work.acquire();
          work.drainPermits();
          continue;
        }
        runTasks();
        admit();
        closeRetired();
        if (!active.isEmpty()) {
          step();
        }
      }
    } catch (InterruptedException | Error e) {
      // An interrupt is nobody's to send; an error (a kernel that does not link) is no request's.
      ending = new InferenceException("the inference engine has stopped: " + e, e);
    } finally {
      closed = true;
      active.forEach(sequence -> sequence.fail(ending));
      active.clear();
      refuseWaiting();
      runTasks();
      prefixes.close();
    }
  }

  private void runTasks() {
    for (Runnable task = tasks.poll(); task != null; task = tasks.poll()) {
      task.run();
    }
  }

  private void refuseWaiting() {
    for (Waiting next = waiting.poll(); next != null; next = waiting.poll()) {
      next.ticket().fail(ending);
    }
  }

  private void admit() {
    while (active.size() < limits.batch()) {
      Waiting next = waiting.poll();
      if (next == null) {
        return;
      }
      Request request = next.request();
      KvCache cache = null;
      try {
        if (request.adapter() != null && retired.contains(request.adapter())) {
          throw new InferenceException("the adapter " + request.adapter().id() + " is retired");
        }
        cache = model.newCache(request.prompt().length + request.maxTokens() + 1);
        ActiveSequence sequence =
            new ActiveSequence(
                request, next.ticket(), cache, vocabulary, calibration, next.submittedNanos());
        FinishReason already = sequence.transcriptEnd();
        if (already != null) {
          sequence.finish(already);
        } else {
          active.add(sequence);
        }
      } catch (RuntimeException | OutOfMemoryError e) {
        if (cache != null) {
          cache.close();
        }
        next.ticket().fail(failure("the request could not be taken up", e));
      }
    }
  }

  private void closeRetired() {
    retiring.removeIf(
        adapter -> {
          if (active.stream().anyMatch(sequence -> sequence.request().adapter() == adapter)
              || waiting.stream().anyMatch(next -> next.request().adapter() == adapter)) {
            return false;
          }
          prefixes.forget(adapter);
          retired.add(adapter);
          adapter.close();
          return true;
        });
  }

  private void step() {
    active.removeIf(
        sequence -> {
          FinishReason end =
              sequence.ticket().cancelled()
                  ? FinishReason.CANCELLED
                  : sequence.outOfTime() ? FinishReason.TIME : null;
          if (end != null) {
            sequence.finish(end);
          }
          return end != null;
        });
    List<ActiveSequence> taking = new ArrayList<>();
    List<Segment> segments = new ArrayList<>();
    plan(taking, segments);
    if (segments.isEmpty()) {
      return;
    }
    List<Answer> answers;
    try {
      answers = model.answer(segments);
    } catch (RuntimeException | OutOfMemoryError e) {
      RuntimeException failure = failure("the model failed", e);
      taking.forEach(sequence -> sequence.fail(failure));
      active.removeAll(taking);
      return;
    }
    int written = 0;
    List<Runnable> endings = new ArrayList<>();
    for (int i = 0; i < taking.size(); i++) {
      ActiveSequence sequence = taking.get(i);
      Request request = sequence.request();
      if (request.sharedPrefix() > 0 && sequence.cache().length() >= request.sharedPrefix()) {
        PrefixCache.Key key = key(request);
        if (!prefixes.holds(key)) {
          prefixes.keep(key, sequence.cache());
        }
      }
      if (segments.get(i).logits() == 0) {
        continue;
      }
      Runnable told = end(sequence, answers.get(i));
      written++;
      if (told != null) {
        endings.add(told);
        active.remove(sequence);
      }
    }
    // Counted before anybody is told, so that who has an answer also sees its steps.
    count(segments, written);
    endings.forEach(Runnable::run);
  }

  /** Picks a token; what tells the caller if that was the last, else null. */
  private static Runnable end(ActiveSequence sequence, Answer answer) {
    try {
      FinishReason end = sequence.pick(answer);
      return end == null ? null : () -> sequence.finish(end);
    } catch (RuntimeException e) {
      return () -> sequence.fail(failure("the request failed", e));
    }
  }

  /**
   * Chooses who takes part in the next step and with how many tokens: whoever is being written
   * always moves on, prompts share the chunk in the order of their arrival.
   */
  private void plan(List<ActiveSequence> taking, List<Segment> segments) {
    int room = limits.chunk();
    Set<PrefixCache.Key> underWay = new HashSet<>();
    for (ActiveSequence sequence : active) {
      int n = sequence.pending();
      if (sequence.inPrompt()) {
        if (sequence.inSharedPrefix() && !takeOverPrefix(sequence, underWay)) {
          continue;
        }
        n = Math.min(sequence.pending(), room);
        room -= n;
      }
      if (n > 0) {
        taking.add(sequence);
        segments.add(sequence.segment(n));
      }
    }
  }

  /**
   * Copies the shared beginning if it is kept.
   *
   * @return false while another request is computing it: worth waiting for
   */
  private boolean takeOverPrefix(ActiveSequence sequence, Set<PrefixCache.Key> underWay) {
    PrefixCache.Key key = key(sequence.request());
    if (sequence.cache().length() > 0 || !prefixes.holds(key)) {
      return underWay.add(key);
    }
    prefixes.restore(key, sequence.cache());
    sequence.reused(key.length());
    reused += key.length();
    return true;
  }

  private static PrefixCache.Key key(Request request) {
    return new PrefixCache.Key(request.adapter(), request.prompt(), request.sharedPrefix());
  }

  private void count(List<Segment> segments, int written) {
    int read = segments.stream().mapToInt(segment -> segment.tokens().length).sum();
    Counters before = counters;
    counters =
        new Counters(
            before.steps() + 1,
            before.tokens() + read,
            reused,
            before.picks() + written,
            active.size());
  }

  private static RuntimeException failure(String what, Throwable cause) {
    return cause instanceof InferenceException known
        ? known
        : new InferenceException(what + ": " + cause.getMessage(), cause);
  }

  /** Ends requests under way with {@link InferenceException.Closed}; the model stays open. */
  @Override
  public void close() {
    closed = true;
    work.release();
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
