package dev.reckoner.gemma;

import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.CacheBatch;
import dev.reckoner.tensor.DType;
import dev.reckoner.tensor.Indices;
import dev.reckoner.tensor.KeyValues;
import dev.reckoner.tensor.Nf4;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/**
 * A Gemma 3 text model on a backend: weights, and the forward pass that serves it. Training is
 * {@link TrainingPass}. Used by one thread at a time.
 */
public final class Gemma3 implements AutoCloseable {
  /** Smaller checkpoints are quantised in less time than a cache is worth. */
  private static final long CACHED_FROM = 16L << 20;

  /** Elements of an embedding that is served in 8 bits; that of the bundled model is not. */
  private static final long EIGHT_BIT_FROM = 32L << 20;

  /** Rotary tables grow by as many positions. */
  private static final int POSITIONS = 1024;

  private final GemmaConfig config;
  private final Backend backend;
  private final ModelParts parts;
  private final Precision precision;
  private Tensor ropeLocal;
  private Tensor ropeGlobal;
  private final Decoder decoder;
  private String hash;

  private Gemma3(
      GemmaConfig config, Backend backend, ModelParts parts, Precision precision, String hash) {
    this.config = config;
    this.backend = backend;
    this.parts = parts;
    this.precision = precision;
    this.hash = hash;
    decoder = new Decoder(this);
    reach(onCpu(backend) ? Math.min(POSITIONS, config.maxPositions()) : config.maxPositions());
  }

  private static boolean onCpu(Backend backend) {
    return backend.name().equals("cpu");
  }

  /**
   * Makes the rotary tables as long as {@code positions}. On a CPU those of all positions would be
   * a tenth of a small model's memory; a GPU's recorded steps need them to stay where they are.
   */
  void reach(int positions) {
    if (ropeLocal != null && ropeLocal.rows() >= positions) {
      return;
    }
    int rows = Math.min(config.maxPositions(), Math.ceilDiv(positions, POSITIONS) * POSITIONS);
    closeRope();
    ropeLocal = rope(rows, config.ropeThetaLocal(), 1);
    ropeGlobal = rope(rows, config.ropeThetaGlobal(), config.ropeScaling());
  }

  private void closeRope() {
    if (ropeLocal != null) {
      ropeLocal.close();
      ropeGlobal.close();
    }
  }

  private Tensor rope(int rows, double theta, double factor) {
    Tensor table = backend.floats(rows, config.headDim());
    backend.upload(Rope.table(rows, config.headDim(), theta, factor), table);
    return table;
  }

  /**
   * Loads a Hugging Face directory with frozen weights.
   *
   * @throws ModelFormatException or {@link dev.reckoner.tensor.SafetensorsException}, one line that
   *     names file and tensor
   */
  public static Gemma3 load(Path dir, Backend backend, Precision precision) {
    return load(dir, backend, precision, embeddingOf(precision));
  }

  /**
   * The same to be served: on a CPU a large NF4 model's embedding is held in 8 bits, half of what
   * it is distributed in. Logits move by less than 2% of their norm (root mean square).
   */
  public static Gemma3 loadForServing(Path dir, Backend backend, Precision precision) {
    return loadForServing(dir, backend, precision, EIGHT_BIT_FROM);
  }

  static Gemma3 loadForServing(Path dir, Backend backend, Precision precision, long eightBitFrom) {
    GemmaConfig config = GemmaConfig.read(dir);
    boolean eight =
        (long) config.vocabulary() * config.hidden() >= eightBitFrom
            && config.hidden() % Nf4.BLOCK == 0
            && precision == Precision.NF4
            && onCpu(backend);
    return load(dir, backend, precision, eight ? Precision.INT8 : embeddingOf(precision));
  }

  /** The same with a precision of its own for the embedding, which is the head too. */
  public static Gemma3 load(Path dir, Backend backend, Precision precision, Precision embedding) {
    return load(dir, backend, precision, embedding, cacheDirectory(), CACHED_FROM);
  }

  /**
   * The same with a directory for quantised weights.
   *
   * @param cache where an NF4 checkpoint's quantised weights are kept by content hash
   * @param cachedFrom size in bytes from which a checkpoint's weights are kept there
   */
  static Gemma3 load(
      Path dir,
      Backend backend,
      Precision precision,
      Precision embedding,
      Path cache,
      long cachedFrom) {
    GemmaConfig config = GemmaConfig.read(dir);
    try (Checkpoint checkpoint = Checkpoint.open(dir)) {
      if (precision != Precision.NF4 || checkpoint.bytes() < cachedFrom) {
        ModelParts parts = ModelParts.frozen(config, checkpoint, backend, precision, embedding);
        return new Gemma3(config, backend, parts, precision, checkpoint.hash());
      }
      try (Nf4Cache weights = Nf4Cache.of(checkpoint, checkpoint.stamp(), cache)) {
        ModelParts parts = ModelParts.frozen(config, weights, backend, precision, embedding);
        weights.complete();
        return new Gemma3(config, backend, parts, precision, weights.hash());
      }
    }
  }

  /** {@code reckoner.cache.dir}, else {@code $XDG_CACHE_HOME/reckoner} or {@code ~/.cache}. */
  private static Path cacheDirectory() {
    String named = System.getProperty("reckoner.cache.dir", "");
    if (!named.isEmpty()) {
      return Path.of(named);
    }
    String xdg = System.getenv("XDG_CACHE_HOME");
    Path base =
        xdg != null && !xdg.isEmpty()
            ? Path.of(xdg)
            : Path.of(System.getProperty("user.home"), ".cache");
    return base.resolve("reckoner");
  }

  /** Loads a Hugging Face directory so that every parameter can be trained. */
  public static Gemma3 loadTrainable(Path dir, Backend backend) {
    GemmaConfig config = GemmaConfig.read(dir);
    try (Weights weights = Checkpoint.open(dir)) {
      ModelParts parts = ModelParts.trainable(config, weights, backend);
      return new Gemma3(config, backend, parts, Precision.FP32, weights.hash());
    }
  }

  /** A frozen model of that shape with random weights: for benchmarks and tests. */
  public static Gemma3 random(GemmaConfig config, Backend backend, Precision precision, long seed) {
    return random(config, backend, precision, embeddingOf(precision), seed);
  }

  /** The same with a precision of its own for the embedding. */
  public static Gemma3 random(
      GemmaConfig config, Backend backend, Precision precision, Precision embedding, long seed) {
    try (Weights weights = Weights.random(config, seed)) {
      ModelParts parts = ModelParts.frozen(config, weights, backend, precision, embedding);
      return new Gemma3(config, backend, parts, precision, weights.hash());
    }
  }

  /** A model of that shape with random weights, to be trained from scratch. */
  public static Gemma3 randomTrainable(GemmaConfig config, Backend backend, long seed) {
    try (Weights weights = Weights.random(config, seed)) {
      ModelParts parts = ModelParts.trainable(config, weights, backend);
      return new Gemma3(config, backend, parts, Precision.FP32, weights.hash());
    }
  }

  /** The embedding of an NF4 model stays BF16, as bitsandbytes leaves it. */
  private static Precision embeddingOf(Precision precision) {
    return precision == Precision.NF4 ? Precision.BF16 : precision;
  }

  public GemmaConfig config() {
    return config;
  }

  public Backend backend() {
    return backend;
  }

  /** How embedding and head are held. */
  Precision embeddingPrecision() {
    return parts.embedding().precision();
  }

  /** How the linear layers' weights are held. */
  public Precision precision() {
    return precision;
  }

  /** SHA-256 over configuration and weights as loaded, in hexadecimal. */
  public String hash() {
    return hash;
  }

  /** All parameters where the model was made trainable, else null. */
  public Parameters parameters() {
    return parts.parameters();
  }

  /** Bytes of weight matrices that a step reads. */
  public long weightBytes() {
    long bytes = parts.embedding().bytes();
    for (Layer l : parts.layers()) {
      bytes += l.qkv().bytes() + l.o().bytes() + l.gateUp().bytes() + l.down().bytes();
    }
    return bytes;
  }

  /** To be called when {@link #parameters} have changed. */
  public void refresh() {
    hash = "modified";
    parts.refresh(backend);
  }

  ModelParts parts() {
    return parts;
  }

  Tensor rope(int layer) {
    return config.global(layer) ? ropeGlobal : ropeLocal;
  }

  /**
   * Writes {@code config.json} and sharded or single safetensors of a trainable model.
   *
   * @param type F32 or BF16
   * @param shardBytes tensors of one file, at most (unless one tensor alone is larger)
   */
  public void save(Path dir, DType type, long shardBytes) {
    ModelWriter.write(dir, config, parts.parameters(), type, shardBytes);
  }

  /** A cache for a sequence of at most {@code maxTokens} tokens. */
  public KvCache newCache(int maxTokens) {
    if (maxTokens > config.maxPositions()) {
      throw new IllegalArgumentException(
          "the model has %d positions, %d were asked for"
              .formatted(config.maxPositions(), maxTokens));
    }
    reach(maxTokens);
    KeyValues store =
        backend.keyValues(config.layers(), config.kvHeads(), config.headDim(), maxTokens);
    return new KvCache(backend, store);
  }

  /**
   * One inference step: every segment's tokens are appended to its cache, in one pass over the
   * weights. The result for a segment does not depend on the others.
   *
   * @return for each segment its logits, {@code [segment.logits()][vocabulary or candidates]},
   *     whatever it {@linkplain Segment#wanted wants}
   */
  public List<float[][]> forward(List<Segment> segments) {
    List<float[][]> logits = new ArrayList<>();
    List<Segment> plain =
        segments.stream()
            .map(s -> new Segment(s.cache(), s.tokens(), s.adapter(), s.logits(), s.candidates()))
            .toList();
    for (Answer answer : answer(plain)) {
      logits.add(answer instanceof Answer.Logits(float[][] rows) ? rows : new float[0][]);
    }
    return logits;
  }

  /**
   * The same step; of logits only what the segments want need leave the device. Segments of one
   * token may run apart from longer ones.
   */
  public List<Answer> answer(List<Segment> segments) {
    List<Segment> single =
        decoder.works()
            ? segments.stream().filter(s -> s.tokens().length == 1).toList()
            : List.of();
    if (single.isEmpty()) {
      return together(segments);
    }
    Iterator<Answer> ofSingle = decoder.answer(single).iterator();
    if (single.size() == segments.size()) {
      List<Answer> answers = new ArrayList<>();
      ofSingle.forEachRemaining(answers::add);
      return answers;
    }
    Iterator<Answer> ofOthers =
        together(segments.stream().filter(s -> s.tokens().length > 1).toList()).iterator();
    return segments.stream()
        .map(s -> (s.tokens().length == 1 ? ofSingle : ofOthers).next())
        .toList();
  }

  private List<Answer> together(List<Segment> segments) {
    InferencePlan plan = InferencePlan.of(segments);
    try (Indices ids = backend.indices(plan.tokens());
        Indices positions = backend.indices(plan.positions());
        CacheBatch batch = backend.batch(plan.stores(), plan.starts(), plan.past())) {
      int t = plan.tokens().length;
      try (Tensor x = backend.activations(t, config.hidden())) {
        backend.embed(parts.embedding(), ids, config.embeddingScale(), x);
        for (int l = 0; l < config.layers(); l++) {
          layer(l, plan, positions, batch, x);
        }
        plan.segments().forEach(s -> s.cache().appended(s.tokens().length));
        return project(plan, x);
      }
    }
  }

  /** One decoder layer in place on the residual stream x {@code [T, hidden]}. */
  private void layer(int l, InferencePlan plan, Indices positions, CacheBatch batch, Tensor x) {
    Layer w = parts.layers().get(l);
    int t = x.rows();
    int q = config.queryWidth();
    int kv = config.keyWidth();
    float eps = config.normEpsilon();
    try (Tensor h = backend.activations(t, config.hidden());
        Tensor branch = backend.activations(t, config.hidden())) {
      try (Tensor qkv = backend.activations(t, q + 2 * kv);
          Tensor queries = backend.activations(t, q);
          Tensor keys = backend.activations(t, kv);
          Tensor attended = backend.activations(t, q)) {
        backend.rmsNorm(x, w.inputNorm(), eps, h, null);
        plan.linear(backend, w.qkv(), l, Site.QKV, h, qkv);
        backend.qkNormRope(qkv, w.qNorm(), w.kNorm(), eps, positions, rope(l), queries, keys, null);
        backend.appendKeyValues(batch, l, keys, qkv.columns(q + kv, q + 2 * kv));
        backend.cachedAttention(
            batch,
            l,
            queries,
            config.headDim(),
            config.window(l),
            config.attentionScale(),
            attended);
        plan.linear(backend, w.o(), l, Site.O, attended, branch);
      }
      backend.rmsNormAdd(branch, w.postAttentionNorm(), eps, x, x, null);
      try (Tensor gateUp = backend.activations(t, 2 * config.feedForward());
          Tensor activated = backend.activations(t, config.feedForward())) {
        backend.rmsNorm(x, w.preFeedForwardNorm(), eps, h, null);
        plan.linear(backend, w.gateUp(), l, Site.GATE_UP, h, gateUp);
        backend.geglu(gateUp, activated);
        plan.linear(backend, w.down(), l, Site.DOWN, activated, branch);
      }
      backend.rmsNormAdd(branch, w.postFeedForwardNorm(), eps, x, x, null);
    }
  }

  /** Final norm and head, for the wanted rows alone. */
  private List<Answer> project(InferencePlan plan, Tensor x) {
    int rows = plan.logitRows().length;
    List<Answer> answers = new ArrayList<>();
    if (rows == 0) {
      plan.segments().forEach(s -> answers.add(new Answer.None()));
      return plan.inCallersOrder(answers);
    }
    try (Indices wanted = backend.indices(plan.logitRows());
        Tensor last = backend.activations(rows, config.hidden());
        Tensor h = backend.activations(rows, config.hidden())) {
      backend.gatherRows(x, wanted, last);
      backend.rmsNorm(last, parts.finalNorm(), config.normEpsilon(), h, null);
      int row = 0;
      List<Segment> segments = plan.segments();
      for (int s = 0; s < segments.size(); ) {
        int end = s;
        int n = 0;
        do {
          n += segments.get(end++).logits();
        } while (end < segments.size()
            && segments.get(s).candidates() == null
            && segments.get(end).candidates() == null);
        answer(segments.subList(s, end), h, row, row + n, answers);
        row += n;
        s = end;
      }
    }
    return plan.inCallersOrder(answers);
  }

  /** Answers segments without candidates, or one with, from rows {@code [from, to)} of h. */
  private void answer(List<Segment> segments, Tensor h, int from, int to, List<Answer> answers) {
    if (from == to) {
      segments.forEach(s -> answers.add(new Answer.None()));
      return;
    }
    int[] candidates = segments.getFirst().candidates();
    int columns = candidates == null ? config.vocabulary() : candidates.length;
    boolean picking = candidates == null && backend.picks();
    try (Tensor logits = backend.activations(to - from, columns)) {
      if (candidates == null) {
        backend.linear(parts.embedding(), h.rows(from, to), 1, 0, logits);
      } else {
        try (Indices ids = backend.indices(candidates)) {
          backend.linearRows(parts.embedding(), ids, h.rows(from, to), logits);
        }
      }
      float[][] picked = null;
      int at = 0;
      for (Segment s : segments) {
        int next = at + s.logits();
        if (picking && s.logits() > 0 && s.wanted() == Segment.Wanted.MOST_LIKELY) {
          picked = picked == null ? picks(logits) : picked;
          float[] pick = picked[next - 1];
          answers.add(new Answer.MostLikely((int) pick[0], pick[1]));
        } else {
          float[][] rows = s.logits() == 0 ? new float[0][] : values(logits.rows(at, next));
          answers.add(Answer.of(s, rows));
        }
        at = next;
      }
    }
  }

  private float[][] picks(Tensor logits) {
    try (Tensor picks = backend.floats(logits.rows(), 2)) {
      backend.mostLikely(logits, null, picks);
      return values(picks);
    }
  }

  private float[][] values(Tensor t) {
    float[] flat = new float[Math.toIntExact(t.size())];
    backend.download(t, flat);
    if (t.rows() == 1) {
      return new float[][] {flat};
    }
    float[][] values = new float[t.rows()][t.columns()];
    for (int r = 0; r < values.length; r++) {
      System.arraycopy(flat, r * t.columns(), values[r], 0, t.columns());
    }
    return values;
  }

  @Override
  public void close() {
    decoder.close();
    parts.close();
    closeRope();
  }
}
