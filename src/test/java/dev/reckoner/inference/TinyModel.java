package dev.reckoner.inference;

import dev.reckoner.gemma.Gemma3;
import dev.reckoner.gemma.GemmaConfig;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.gemma.LoraSpec;
import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.DType;
import dev.reckoner.tensor.cpu.CpuBackend;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;

/** A Gemma 3 of random weights, both layer kinds, over {@link TinyTokenizer}. */
public final class TinyModel {

  private TinyModel() {}

  static GemmaConfig config(int vocabulary, int positions) {
    return new GemmaConfig(
        vocabulary,
        64,
        128,
        3,
        2,
        1,
        32,
        positions,
        24,
        List.of(false, true, false),
        1e4,
        1e6,
        1,
        1e-6f,
        32);
  }

  static Backend backend() {
    return CpuBackend.open(2);
  }

  /** Writes a checkpoint directory: configuration, tokenizer, weights. */
  public static Path write(Path dir, int positions) throws IOException {
    int vocabulary = TinyTokenizer.write(dir);
    try (Backend backend = backend();
        Gemma3 model = Gemma3.randomTrainable(config(vocabulary, positions), backend, 5)) {
      model.save(dir, DType.BF16, 1 << 20);
    }
    return dir;
  }

  /** An adapter that changes what the model says. */
  public static LoraAdapter adapter(Gemma3 model, String id, long seed) {
    LoraAdapter adapter = LoraAdapter.create(model, id, LoraSpec.allLinear(4, 8), seed);
    SplittableRandom random = new SplittableRandom(seed);
    float[] values = new float[adapter.parameters().size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextDouble(-0.3, 0.3);
    }
    model.backend().upload(values, adapter.parameters().values());
    adapter.refresh();
    return adapter;
  }
}
