package dev.reckoner.gemma;

import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.LowRank;
import dev.reckoner.tensor.Matrix;
import dev.reckoner.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.apache.commons.codec.digest.DigestUtils;

/**
 * A LoRA adapter in a backend's memory. The A matrices of layers that share an input (q, k, v;
 * gate, up) lie behind one another, so that one product serves them all; every A precedes every B,
 * so that the optimiser can give B a learning rate of its own.
 */
public final class LoraAdapter implements AutoCloseable {

  /** One adapted checkpoint layer within a {@link SiteAdapter}. */
  record Part(
      Target target,
      int fromColumn,
      int toColumn,
      int fromRank,
      int toRank,
      Matrix b,
      Parameters.Entry bEntry) {}

  /** The adapted parts of a fused layer; A is {@code [ranks of all parts, in]}. */
  record SiteAdapter(Matrix a, long aOffset, int ranks, int in, List<Part> parts) {
    LowRank lowRank(float scale) {
      return new LowRank(
          a,
          scale,
          parts.stream()
              .map(
                  p ->
                      new LowRank.Part(
                          p.b(), p.fromColumn(), p.toColumn(), p.fromRank(), p.toRank()))
              .toList());
    }
  }

  private final Backend backend;
  private final String id;
  private final LoraSpec spec;
  private final Parameters parameters;
  private final long bOffset;
  private final List<Map<Site, SiteAdapter>> layers;
  private String hash;

  private LoraAdapter(GemmaConfig config, Backend backend, String id, LoraSpec spec) {
    this.backend = backend;
    this.id = id;
    this.spec = spec;
    Parameters.Layout layout = new Parameters.Layout();
    List<Map<Target, Parameters.Entry>> a = new ArrayList<>();
    List<Map<Target, Parameters.Entry>> b = new ArrayList<>();
    for (int l = 0; l < config.layers(); l++) {
      Map<Target, Parameters.Entry> entries = new EnumMap<>(Target.class);
      for (Target t : spec.targets()) {
        entries.put(t, layout.add(name(l, t, "lora_A"), spec.rank(), t.in(config)));
      }
      a.add(entries);
    }
    for (int l = 0; l < config.layers(); l++) {
      Map<Target, Parameters.Entry> entries = new EnumMap<>(Target.class);
      for (Target t : spec.targets()) {
        entries.put(t, layout.add(name(l, t, "lora_B"), t.out(config), spec.rank()));
      }
      b.add(entries);
    }
    parameters = layout.allocate(backend);
    bOffset = b.getFirst().values().iterator().next().offset();
    layers = new ArrayList<>();
    for (int l = 0; l < config.layers(); l++) {
      layers.add(sites(config, a.get(l), b.get(l)));
    }
  }

  private static String name(int layer, Target target, String half) {
    return "base_model.model.model.layers.%d.%s.%s.weight".formatted(layer, target.path(), half);
  }

  private Map<Site, SiteAdapter> sites(
      GemmaConfig config, Map<Target, Parameters.Entry> a, Map<Target, Parameters.Entry> b) {
    Map<Site, SiteAdapter> sites = new EnumMap<>(Site.class);
    for (Site site : Site.values()) {
      List<Part> parts = new ArrayList<>();
      int column = 0;
      int ranks = 0;
      long aOffset = -1;
      int in = 0;
      for (Target t : site.parts) {
        if (a.containsKey(t)) {
          if (aOffset < 0) {
            aOffset = a.get(t).offset();
            in = t.in(config);
          }
          Parameters.Entry entry = b.get(t);
          Matrix matrix = backend.trainable(parameters.value(entry));
          parts.add(
              new Part(
                  t, column, column + t.out(config), ranks, ranks + spec.rank(), matrix, entry));
          ranks += spec.rank();
        }
        column += t.out(config);
      }
      if (!parts.isEmpty()) {
        Matrix matrix = backend.trainable(parameters.values().slice(aOffset, ranks, in));
        sites.put(site, new SiteAdapter(matrix, aOffset, ranks, in, parts));
      }
    }
    return sites;
  }

  /**
   * A fresh adapter that changes nothing yet: A uniform in ±1/sqrt(in) (kaiming_uniform with a =
   * sqrt 5, as PEFT), B zero.
   */
  public static LoraAdapter create(Gemma3 model, String id, LoraSpec spec, long seed) {
    LoraAdapter adapter = new LoraAdapter(model.config(), model.backend(), id, spec);
    SplittableRandom random = new SplittableRandom(seed);
    for (Parameters.Entry e : adapter.parameters.entries()) {
      if (e.offset() < adapter.bOffset) {
        float bound = (float) (1 / Math.sqrt(e.columns()));
        float[] values = new float[e.size()];
        for (int i = 0; i < values.length; i++) {
          values[i] = (float) random.nextDouble(-bound, bound);
        }
        adapter.parameters.write(e, values);
      }
    }
    adapter.refresh();
    return adapter;
  }

  /**
   * Loads a PEFT directory; the adapter's id is the directory's name.
   *
   * @throws ModelFormatException or {@link dev.reckoner.tensor.SafetensorsException} where it does
   *     not fit the model
   */
  public static LoraAdapter load(Path dir, Gemma3 model) {
    LoraSpec spec = PeftFormat.readConfig(dir);
    String id = dir.toAbsolutePath().normalize().getFileName().toString();
    LoraAdapter adapter = new LoraAdapter(model.config(), model.backend(), id, spec);
    try {
      PeftFormat.readWeights(dir, adapter.parameters);
    } catch (RuntimeException e) {
      adapter.close();
      throw e;
    }
    adapter.refresh();
    return adapter;
  }

  /** Writes {@code adapter_config.json} and {@code adapter_model.safetensors} (fp32). */
  public void save(Path dir, String baseModelName) {
    PeftFormat.write(dir, spec, baseModelName, parameters);
  }

  public String id() {
    return id;
  }

  public LoraSpec spec() {
    return spec;
  }

  public Parameters parameters() {
    return parameters;
  }

  /** Where the B matrices begin in {@link #parameters}; before it are all A matrices. */
  public long bOffset() {
    return bOffset;
  }

  /** The adapter of a fused layer, or null. */
  SiteAdapter at(int layer, Site site) {
    return layers.get(layer).get(site);
  }

  Tensor aGradient(SiteAdapter site) {
    return parameters.gradients().slice(site.aOffset(), site.ranks(), site.in());
  }

  Tensor bGradient(Part part) {
    return parameters.gradient(part.bEntry());
  }

  /** To be called when the parameters have changed. */
  public void refresh() {
    hash = null;
    List<Matrix> all = new ArrayList<>();
    for (Map<Site, SiteAdapter> sites : layers) {
      for (SiteAdapter site : sites.values()) {
        all.add(site.a());
        site.parts().forEach(p -> all.add(p.b()));
      }
    }
    backend.refresh(all);
  }

  /** SHA-256 over rank, scale, names and values, in hexadecimal. */
  public String hash() {
    if (hash == null) {
      MessageDigest sha = DigestUtils.getSha256Digest();
      sha.update(
          "lora %d %s".formatted(spec.rank(), spec.scale()).getBytes(StandardCharsets.UTF_8));
      for (Parameters.Entry e : parameters.entries()) {
        sha.update(e.name().getBytes(StandardCharsets.UTF_8));
        float[] values = parameters.read(e);
        ByteBuffer bytes = ByteBuffer.allocate(values.length * 4).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(values);
        sha.update(bytes);
      }
      hash = HexFormat.of().formatHex(sha.digest());
    }
    return hash;
  }

  @Override
  public void close() {
    for (Map<Site, SiteAdapter> sites : layers) {
      for (SiteAdapter site : sites.values()) {
        site.a().close();
        site.parts().forEach(p -> p.b().close());
      }
    }
    parameters.close();
  }
}
