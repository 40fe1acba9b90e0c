package dev.reckoner.inference;

import dev.reckoner.gemma.ChatMessage;
import dev.reckoner.gemma.Gemma3;
import dev.reckoner.gemma.GemmaTokenizer;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.reasoning.ChainGrammar;
import dev.reckoner.reasoning.ChainSyntaxException;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.PromptFormat;
import dev.reckoner.reasoning.TextConstraint;
import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.Precision;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * A loaded model that answers: backend, weights, tokenizer and engine, opened and closed together.
 * A plain {@code main} needs nothing else to reason about evidence.
 */
public final class Reasoner implements AutoCloseable {

  /**
   * How one text is written.
   *
   * @param maxTokens most tokens to write
   * @param timeLimit most time in the engine
   */
  public record Options(Sampler sampler, int maxTokens, Duration timeLimit) {
    public static final Options DEFAULT = new Options(Sampler.GREEDY, 512, Duration.ofSeconds(120));
  }

  private static final long LARGE = 256L << 20;

  private final Backend backend;
  private final Gemma3 model;
  private final GemmaTokenizer tokenizer;
  private final InferenceEngine engine;
  private final String modelHash;
  private final String backendName;

  private Reasoner(
      Backend backend,
      Gemma3 model,
      GemmaTokenizer tokenizer,
      InferenceEngine.Limits limits,
      ConfidenceMap calibration) {
    this.backend = backend;
    this.model = model;
    this.tokenizer = tokenizer;
    this.modelHash = model.hash();
    this.backendName = backend.name() + "/" + model.precision().name().toLowerCase(Locale.ROOT);
    this.engine = new InferenceEngine(model, tokenizer, limits, calibration);
  }

  /**
   * Loads a model. The backend belongs to the reasoner from now on, also where this fails.
   *
   * @param directory a Gemma 3 checkpoint as distributed, see {@link BundledModel}
   * @throws RuntimeException with one clear line if the checkpoint cannot be used
   */
  public static Reasoner open(
      Path directory, Backend backend, Precision precision, InferenceEngine.Limits limits) {
    CompletableFuture<GemmaTokenizer> reading =
        CompletableFuture.supplyAsync(() -> GemmaTokenizer.read(directory));
    Gemma3 model = null;
    try {
      model = Gemma3.loadForServing(directory, backend, precision);
      ConfidenceMap calibration = ConfidenceMap.read(directory, model.hash());
      GemmaTokenizer tokenizer = get(reading);
      if (model.weightBytes() > LARGE) {
        // What loading left behind stays resident until a full collection, which is rare here.
        System.gc();
      }
      return new Reasoner(backend, model, tokenizer, limits, calibration);
    } catch (RuntimeException e) {
      RuntimeException failure = e;
      try {
        get(reading).close();
      } catch (RuntimeException unreadable) {
        failure = unreadable;
      }
      if (model != null) {
        model.close();
      }
      backend.close();
      throw failure;
    }
  }

  private static <T> T get(CompletableFuture<T> future) {
    try {
      return future.join();
    } catch (CompletionException e) {
      throw e.getCause() instanceof RuntimeException failure ? failure : e;
    }
  }

  public InferenceEngine engine() {
    return engine;
  }

  public GemmaTokenizer tokenizer() {
    return tokenizer;
  }

  /** SHA-256 over configuration and weights of the base model. */
  public String modelHash() {
    return modelHash;
  }

  /** Where and in which precision it runs, for example {@code cpu/nf4}. */
  public String backendName() {
    return backendName;
  }

  /**
   * Loads a PEFT adapter while requests are served. Give it to {@link InferenceEngine#retire} when
   * it is no longer offered.
   *
   * @throws RuntimeException with one clear line if it does not fit the model
   */
  public LoraAdapter load(Path directory) {
    return engine.between(
        model -> {
          LoraAdapter adapter = LoraAdapter.load(directory, model);
          adapter.hash(); // computed here, on the thread that may read the weights
          return adapter;
        });
  }

  /**
   * A request that continues a conversation.
   *
   * @param turns the conversation, the user's turn last
   * @param constraint what may be written, or {@code null}
   * @param adapter or {@code null} for the bare base model
   */
  public Request request(
      List<ChatMessage> turns, TextConstraint constraint, LoraAdapter adapter, Options options) {
    int[] prompt = tokenizer.chat(turns, true);
    return new Request(
        prompt,
        sharedPrefix(turns, prompt),
        constraint,
        adapter,
        options.sampler(),
        options.maxTokens(),
        options.timeLimit());
  }

  /**
   * How many tokens of the prompt stand before the first word of the user: what every conversation
   * under the same system message begins with. Found by comparison with another first word, because
   * a token may reach over the boundary.
   */
  private int sharedPrefix(List<ChatMessage> turns, int[] prompt) {
    List<ChatMessage> start =
        turns.getFirst().role() == ChatMessage.Role.SYSTEM
            ? List.of(turns.getFirst(), ChatMessage.user("\u00a4"))
            : List.of(ChatMessage.user("\u00a4"));
    int[] other = tokenizer.chat(start, true);
    int same = 0;
    while (same < prompt.length - 1 && same < other.length && prompt[same] == other[same]) {
      same++;
    }
    return same;
  }

  /** A request to reason about evidence in the chain grammar, with the calculator in the loop. */
  public Request request(Evidence evidence, LoraAdapter adapter, Options options) {
    return request(
        List.of(
            ChatMessage.system(PromptFormat.INSTRUCTION),
            ChatMessage.user(new PromptFormat().render(evidence))),
        new ChainGrammar(evidence),
        adapter,
        options);
  }

  /**
   * Reasons about evidence and checks the chain.
   *
   * @param adapter or {@code null} for the bare base model
   * @throws InferenceException if the model could not serve, or did not conclude within the limits
   */
  public Reasoned reason(Evidence evidence, LoraAdapter adapter, Options options)
      throws InterruptedException {
    return reason(evidence, adapter, options, null);
  }

  /**
   * The same, followed.
   *
   * @param listener hears the text as it is written; may be null
   */
  public Reasoned reason(
      Evidence evidence, LoraAdapter adapter, Options options, GenerationListener listener)
      throws InterruptedException {
    Generation generation = engine.submit(request(evidence, adapter, options), listener).await();
    if (generation.finish() != FinishReason.STOP) {
      throw new InferenceException(
          "the model did not conclude (%s) after %d tokens"
              .formatted(generation.finish(), generation.tokens().length));
    }
    try {
      return Reasoned.of(evidence, generation);
    } catch (ChainSyntaxException e) {
      throw new InferenceException("the model wrote no chain: " + e.getMessage(), e);
    }
  }

  @Override
  public void close() {
    engine.close();
    model.close();
    tokenizer.close();
    backend.close();
  }
}
