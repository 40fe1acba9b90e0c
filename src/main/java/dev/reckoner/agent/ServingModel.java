package dev.reckoner.agent;

import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.inference.BundledModel;
import dev.reckoner.inference.Generation;
import dev.reckoner.inference.GenerationListener;
import dev.reckoner.inference.InferenceEngine;
import dev.reckoner.inference.Reasoner;
import dev.reckoner.inference.Request;
import dev.reckoner.inference.Sampler;
import dev.reckoner.inference.Ticket;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.backends.Backends;
import jakarta.annotation.PreDestroy;
import jakarta.enterprise.context.ApplicationScoped;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Function;

/** The model of this process, loaded at its first use, and the adapter it serves with. */
@ApplicationScoped
public class ServingModel implements AdapterSlot {

  /** The adapter of one request, from its submission to its end; {@code null}s for the base. */
  record Slot(LoraAdapter adapter, Serving serving) {
    static final Slot BASE = new Slot(null, null);
  }

  private final ModelConfig config;
  private Reasoner reasoner;
  private final ReadWriteLock swapping = new ReentrantReadWriteLock();
  private volatile Slot slot = Slot.BASE;

  public ServingModel(ModelConfig config) {
    this.config = config;
  }

  ModelConfig config() {
    return config;
  }

  /** The checkpoint that serves, for whoever wants to load it a second time, to train. */
  public Path directory() {
    return config.dir().orElseGet(() -> BundledModel.directory(config.cacheDir()));
  }

  /** What the lineage of an analysis calls this program. */
  public String build() {
    return config.build();
  }

  /** Another backend of the configured kind; the caller closes it. */
  public Backend openBackend() {
    return Backends.open(config.backend(), config.threads());
  }

  /**
   * The loaded model.
   *
   * @throws RuntimeException with one clear line if it cannot be loaded; the next call tries again
   */
  public synchronized Reasoner reasoner() {
    if (reasoner == null) {
      Reasoner opened =
          Reasoner.open(
              directory(),
              openBackend(),
              precision(config.precision()),
              new InferenceEngine.Limits(
                  config.batch(),
                  config.queue(),
                  InferenceEngine.Limits.DEFAULT.chunk(),
                  InferenceEngine.Limits.DEFAULT.prefixes()));
      try {
        if (slot == Slot.BASE && config.adapter().isPresent()) {
          Path adapter = config.adapter().get();
          slot = load(opened, adapter, adapter.getFileName().toString());
        }
      } catch (RuntimeException e) {
        opened.close();
        throw e;
      }
      reasoner = opened;
    }
    return reasoner;
  }

  private static Precision precision(String name) {
    return Arrays.stream(Precision.values())
        .filter(precision -> precision.name().equals(name.toUpperCase(Locale.ROOT)))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "reckoner.model.precision must be nf4, bf16 or fp32, not " + name));
  }

  private static Slot load(Reasoner reasoner, Path directory, String id) {
    LoraAdapter adapter = reasoner.load(directory);
    return new Slot(adapter, new Serving(id, adapter.hash()));
  }

  /** What the configuration says about how texts are written. */
  public Reasoner.Options options() {
    return new Reasoner.Options(
        config.temperature() == 0
            ? Sampler.GREEDY
            : new Sampler(config.temperature(), 0, 1, config.seed()),
        config.maxTokens(),
        config.timeLimit());
  }

  /** A request handed in, and the adapter it is served with to its end. */
  record Submission(Ticket ticket, Slot slot) {}

  /**
   * Hands in a request with the adapter that serves now. The adapter cannot be retired between the
   * choice and the hand-in, and no longer afterwards.
   *
   * @param listener may be {@code null}
   */
  Submission submit(Function<Slot, Request> request, GenerationListener listener) {
    InferenceEngine engine = reasoner().engine();
    swapping.readLock().lock();
    try {
      Slot current = slot;
      return new Submission(engine.submit(request.apply(current), listener), current);
    } finally {
      swapping.readLock().unlock();
    }
  }

  /**
   * Writes a chain about evidence with the adapter that serves now, as an analysis does.
   *
   * @throws dev.reckoner.inference.InferenceException if the model could not serve
   */
  public Generation generate(Evidence evidence) throws InterruptedException {
    return submit(current -> reasoner().request(evidence, current.adapter(), options()), null)
        .ticket()
        .await();
  }

  @Override
  public Optional<Serving> current() {
    return Optional.ofNullable(slot.serving());
  }

  @Override
  public Serving swap(Path directory, String id) {
    Reasoner serving = reasoner();
    Slot loaded = load(serving, directory, id);
    replace(loaded);
    return loaded.serving();
  }

  @Override
  public void clear() {
    if (slot != Slot.BASE) {
      replace(Slot.BASE);
    }
  }

  private void replace(Slot next) {
    InferenceEngine engine = reasoner().engine();
    swapping.writeLock().lock();
    try {
      Slot before = slot;
      slot = next;
      if (before.adapter() != null) {
        engine.retire(before.adapter());
      }
    } finally {
      swapping.writeLock().unlock();
    }
  }

  @PreDestroy
  public synchronized void close() {
    if (reasoner != null) {
      reasoner.close();
      reasoner = null;
    }
  }
}
