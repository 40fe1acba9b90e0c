package dev.reckoner.djl;

import ai.djl.BaseModel;
import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDManager;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.inference.InferenceEngine;
import dev.reckoner.inference.Reasoner;
import dev.reckoner.inference.Sampler;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.backends.Backends;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * A checkpoint directory, and an adapter if one is named, served by an {@link InferenceEngine}.
 *
 * <p>Options of {@code Criteria.optOption}: {@code backend} (cpu, cuda, cuda:N, auto; the default
 * is that of the criteria's device, else auto), {@code precision} (NF4, INT8, BF16, FP32; default
 * NF4), {@code adapter} (directory of a PEFT adapter), {@code maxTokens} (default 512), {@code
 * timeLimit} (seconds, default 120), {@code temperature}, {@code topK}, {@code topP} and {@code
 * seed} (default: the most likely token).
 */
public final class ReckonerModel extends BaseModel {

  private static final Set<String> OPTIONS =
      Set.of(
          "backend",
          "precision",
          "adapter",
          "maxTokens",
          "timeLimit",
          "temperature",
          "topK",
          "topP",
          "seed");

  private final Device device;
  private Reasoner reasoner;
  private LoraAdapter adapter;
  private Reasoner.Options options = Reasoner.Options.DEFAULT;

  ReckonerModel(String name, Device device, NDManager manager) {
    super(name);
    this.device = device;
    this.manager = manager;
    this.manager.setName("reckoner");
  }

  /**
   * @throws MalformedModelException one sentence that says what is wrong with directory or options
   */
  @Override
  public void load(Path directory, String prefix, Map<String, ?> given)
      throws MalformedModelException {
    if (reasoner != null) {
      throw new IllegalStateException("the model is loaded already");
    }
    if (block != null) {
      throw new MalformedModelException(
          "the engine Reckoner brings the model itself: leave optBlock out");
    }
    Map<String, ?> values = given == null ? Map.of() : given;
    try {
      for (String key : values.keySet()) {
        if (!OPTIONS.contains(key)) {
          throw new IllegalArgumentException(
              "no option \"%s\": %s are known"
                  .formatted(key, String.join(", ", OPTIONS.stream().sorted().toList())));
        }
      }
      if (!Files.isDirectory(directory)) {
        throw new IllegalArgumentException(
            directory + " is no directory; name that of a Gemma 3 checkpoint");
      }
      options = options(values);
      Precision precision =
          Precision.valueOf(value(values, "precision", "NF4").toUpperCase(Locale.ROOT));
      reasoner =
          Reasoner.open(
              directory,
              Backends.open(value(values, "backend", backend())),
              precision,
              InferenceEngine.Limits.DEFAULT);
      String adapterDirectory = value(values, "adapter", null);
      adapter = adapterDirectory == null ? null : reasoner.load(Path.of(adapterDirectory));
    } catch (RuntimeException e) {
      release();
      throw new MalformedModelException(e.getMessage(), e);
    }
    setModelDir(directory);
    block = new ReckonerBlock(reasoner);
    wasLoaded = true;
  }

  private static Reasoner.Options options(Map<String, ?> values) {
    Reasoner.Options usual = Reasoner.Options.DEFAULT;
    Sampler sampler =
        new Sampler(
            Double.parseDouble(value(values, "temperature", "0")),
            Integer.parseInt(value(values, "topK", "0")),
            Double.parseDouble(value(values, "topP", "1")),
            Long.parseLong(value(values, "seed", "0")));
    int tokens = Integer.parseInt(value(values, "maxTokens", "" + usual.maxTokens()));
    long seconds = Long.parseLong(value(values, "timeLimit", "" + usual.timeLimit().toSeconds()));
    return new Reasoner.Options(sampler, tokens, Duration.ofSeconds(seconds));
  }

  private static String value(Map<String, ?> values, String key, String usual) {
    Object value = values.get(key);
    return value == null ? usual : value.toString();
  }

  private String backend() {
    if (device == null) {
      return "auto";
    }
    return device.isGpu() ? "cuda:" + device.getDeviceId() : "cpu";
  }

  /** What serves this model. */
  public Reasoner reasoner() {
    if (reasoner == null) {
      throw new IllegalStateException("the model is not loaded, or closed");
    }
    return reasoner;
  }

  /** The adapter that requests are served with, or null. */
  LoraAdapter adapter() {
    return adapter;
  }

  Reasoner.Options options() {
    return options;
  }

  @Override
  public void close() {
    release();
    super.close();
  }

  private void release() {
    if (reasoner != null) {
      if (adapter != null) {
        reasoner.engine().retire(adapter);
        reasoner.engine().between(model -> null);
        adapter = null;
      }
      reasoner.close();
      reasoner = null;
    }
  }
}
