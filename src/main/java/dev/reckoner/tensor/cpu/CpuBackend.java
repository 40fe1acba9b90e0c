package dev.reckoner.tensor.cpu;

import dev.reckoner.tensor.AdamW;
import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.CacheBatch;
import dev.reckoner.tensor.Dropout;
import dev.reckoner.tensor.Indices;
import dev.reckoner.tensor.KeyValues;
import dev.reckoner.tensor.LowRank;
import dev.reckoner.tensor.Matrix;
import dev.reckoner.tensor.Nf4Tensor;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.Tensor;
import dev.reckoner.tensor.WeightSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** fp32 on all cores with the JDK's Vector API; the reference for other backends. */
public final class CpuBackend implements Backend {
  private static final System.Logger LOG = System.getLogger(CpuBackend.class.getName());
  private static final int W = Tile.WIDTH;

  /** Fewest lanes of the vectors that weights are unpacked in; more are used where there are. */
  private static final int WANTED = 8;

  /** Bytes of weights from which garbage is looked after. */
  private static final long LARGE = 256L << 20;

  private record Ids(int[] values) implements Indices {
    @Override
    public void close() {}
  }

  private final Workers workers;
  private final FloatPool pool;
  private final Gemm gemm;
  private final NarrowingProduct narrowing;
  private final Norms norms;
  private final QkNormRope qkNormRope;
  private final CpuAttention attention;
  private final CachedAttention cachedAttention;
  private final FeedForward feedForward;
  private final Loss loss;
  private final Picks picks;
  private final Optimiser optimiser;
  private long weightBytes;
  private OldGeneration oldGeneration;

  /** A backend on all processors. */
  public static CpuBackend open() {
    return open(Runtime.getRuntime().availableProcessors());
  }

  /**
   * A backend on {@code threads} threads; results do not depend on their number. Where the
   * processor's vectors are narrower than the kernels are written for, a warning and {@link
   * #description} say so.
   *
   * @throws IllegalStateException where the JVM runs without the Vector API; the message says what
   *     to do
   */
  public static CpuBackend open(int threads) {
    if (ModuleLayer.boot().findModule("jdk.incubator.vector").isEmpty()) {
      throw new IllegalStateException(
          "the Vector API is missing: start Java with --add-modules jdk.incubator.vector");
    }
    if (VectorMath.L < WANTED) {
      LOG.log(System.Logger.Level.WARNING, narrowVectors());
    }
    return new CpuBackend(threads);
  }

  /**
   * Begins to have the kernels that read a prompt compiled, beside whatever the caller does next,
   * for all backends of this process. Results never depend on it.
   *
   * @return done when they are compiled, or after a second or so
   */
  public static CompletableFuture<Void> warmUp() {
    return WarmUp.begin(new CpuBackend(1));
  }

  private static String narrowVectors() {
    return "Java's vectors have only %d bits here, the kernels are written for %d or more: several times slower; use a processor with AVX2 or AVX-512, or a GPU"
        .formatted(VectorMath.L * Float.SIZE, WANTED * Float.SIZE);
  }

  private CpuBackend(int threads) {
    workers = new Workers(threads);
    pool = new FloatPool();
    gemm = new Gemm(workers, pool);
    narrowing = new NarrowingProduct(workers, pool);
    norms = new Norms(workers);
    qkNormRope = new QkNormRope(workers, pool);
    attention = new CpuAttention(workers, pool);
    cachedAttention = new CachedAttention(workers, pool);
    feedForward = new FeedForward(workers);
    loss = new Loss(workers);
    picks = new Picks(workers);
    optimiser = new Optimiser(workers);
  }

  @Override
  public String name() {
    return "cpu";
  }

  @Override
  public String description() {
    String what = "CPU, %d threads, %d-bit vectors".formatted(workers.size(), VectorMath.L * 32);
    return VectorMath.L < WANTED ? what + " (" + narrowVectors() + ")" : what;
  }

  private static CpuTensor cpu(Tensor t) {
    return (CpuTensor) t;
  }

  private static CpuMatrix cpu(Matrix m) {
    return (CpuMatrix) m;
  }

  // ---- memory

  @Override
  public Tensor activations(int rows, int columns) {
    return new CpuTensor(pool, pool.take((long) rows * columns), rows, columns);
  }

  @Override
  public Tensor floats(int rows, int columns) {
    CpuTensor t = new CpuTensor(pool, pool.keep((long) rows * columns), rows, columns);
    fill(t, 0);
    return t;
  }

  @Override
  public Indices indices(int[] values) {
    return new Ids(values.clone());
  }

  @Override
  public void upload(float[] from, Tensor to) {
    CpuTensor t = cpu(to);
    for (int r = 0; r < t.rows; r++) {
      System.arraycopy(from, r * t.columns, t.data, t.row(r), t.columns);
    }
  }

  @Override
  public void download(Tensor from, float[] to) {
    CpuTensor t = cpu(from);
    for (int r = 0; r < t.rows; r++) {
      System.arraycopy(t.data, t.row(r), to, r * t.columns, t.columns);
    }
  }

  @Override
  public void fill(Tensor tensor, float value) {
    CpuTensor t = cpu(tensor);
    if (t.contiguous()) {
      Arrays.fill(t.data, t.offset, t.offset + Math.toIntExact(t.size()), value);
    } else {
      for (int r = 0; r < t.rows; r++) {
        Arrays.fill(t.data, t.row(r), t.row(r) + t.columns, value);
      }
    }
  }

  @Override
  public void copy(Tensor from, Tensor to) {
    CpuTensor a = cpu(from);
    CpuTensor b = cpu(to);
    for (int r = 0; r < a.rows; r++) {
      System.arraycopy(a.data, a.row(r), b.data, b.row(r), a.columns);
    }
  }

  @Override
  public void add(Tensor x, Tensor y) {
    CpuTensor a = cpu(x);
    CpuTensor b = cpu(y);
    CpuRows.parallel(
        workers,
        a.rows,
        a.columns,
        r -> {
          int from = a.row(r);
          int to = b.row(r);
          for (int c = 0; c < a.columns; c++) {
            b.data[to + c] += a.data[from + c];
          }
        });
  }

  @Override
  public void gatherRows(Tensor from, Indices rows, Tensor out) {
    CpuTensor a = cpu(from);
    CpuTensor b = cpu(out);
    for (int i = 0; i < rows.size(); i++) {
      System.arraycopy(a.data, a.row(rows.values()[i]), b.data, b.row(i), a.columns);
    }
  }

  @Override
  public void scatterRows(Tensor from, Indices rows, Tensor out) {
    CpuTensor a = cpu(from);
    CpuTensor b = cpu(out);
    for (int i = 0; i < rows.size(); i++) {
      System.arraycopy(a.data, a.row(i), b.data, b.row(rows.values()[i]), a.columns);
    }
  }

  // ---- weights

  @Override
  public Matrix nf4(List<Nf4Tensor> stacked) {
    return counted(new Nf4Matrix(stacked, workers));
  }

  @Override
  public Matrix dense(List<WeightSource> stacked, Precision precision) {
    int columns = stacked.getFirst().columns();
    int rows = stacked.stream().mapToInt(WeightSource::rows).sum();
    return counted(dense(stacked, rows, columns, precision));
  }

  private Matrix dense(List<WeightSource> stacked, int rows, int columns, Precision precision) {
    return switch (precision) {
      case FP32 -> {
        PackedMatrix m = new PackedMatrix(rows, columns, workers, pool);
        readPanels(stacked, rows, columns, m::fillPanel);
        yield m;
      }
      case BF16 -> {
        Bf16Matrix m = new Bf16Matrix(rows, columns);
        readPanels(stacked, rows, columns, m::fillPanel);
        yield m;
      }
      case INT8 -> {
        Int8Matrix m = new Int8Matrix(rows, columns);
        readPanels(stacked, rows, columns, m::fillPanel);
        yield m;
      }
      case NF4 -> throw new IllegalArgumentException("NF4 weights come as Nf4Tensor");
    };
  }

  private Matrix counted(Matrix weights) {
    weightBytes += weights.bytes();
    checkGarbage();
    return weights;
  }

  /** Where memory grows: by weights and by requests. Small models leave the JVM's own ways. */
  private void checkGarbage() {
    if (weightBytes > LARGE) {
      if (oldGeneration == null) {
        oldGeneration = new OldGeneration();
      }
      oldGeneration.check();
    }
  }

  private interface PanelSink {
    void fill(int panel, float[] rowMajor, int count);
  }

  private void readPanels(List<WeightSource> stacked, int rows, int columns, PanelSink sink) {
    workers.run(
        (rows + W - 1) / W,
        p -> {
          int count = Math.min(W, rows - p * W);
          float[] values = pool.take((long) W * columns);
          for (int j = 0; j < count; j++) {
            int row = p * W + j;
            int s = 0;
            while (row >= stacked.get(s).rows()) {
              row -= stacked.get(s++).rows();
            }
            stacked.get(s).read(row, values, j * columns);
          }
          sink.fill(p, values, count);
          pool.give(values);
        });
  }

  @Override
  public Matrix trainable(Tensor master) {
    return new PackedMatrix(cpu(master), workers, pool);
  }

  @Override
  public void refresh(Matrix trainable) {
    ((PackedMatrix) trainable).invalidate();
  }

  // ---- tokens

  @Override
  public boolean picks() {
    return true;
  }

  @Override
  public void mostLikely(Tensor logits, Indices mask, Tensor picks) {
    if (mask != null) {
      throw new UnsupportedOperationException("the CPU has no masks of tokens");
    }
    this.picks.mostLikely(cpu(logits), cpu(picks));
  }

  // ---- embedding

  @Override
  public void embed(Matrix table, Indices ids, float scale, Tensor out) {
    CpuTensor o = cpu(out);
    CpuMatrix m = cpu(table);
    CpuRows.parallel(
        workers,
        o.rows,
        o.columns,
        t -> {
          int at = o.row(t);
          m.row(ids.values()[t], o.data, at);
          for (int c = 0; c < o.columns; c++) {
            o.data[at + c] *= scale;
          }
        });
  }

  @Override
  public void embedGradient(Tensor dOut, Indices ids, float scale, Tensor dTable) {
    CpuTensor d = cpu(dOut);
    CpuTensor table = cpu(dTable);
    int width = 64;
    workers.run(
        (d.columns + width - 1) / width,
        task -> {
          int c0 = task * width;
          int c1 = Math.min(d.columns, c0 + width);
          for (int t = 0; t < d.rows; t++) {
            int from = d.row(t);
            int to = table.row(ids.values()[t]);
            for (int c = c0; c < c1; c++) {
              table.data[to + c] += scale * d.data[from + c];
            }
          }
        });
  }

  // ---- linear

  @Override
  public void linear(Matrix w, Tensor x, float alpha, float beta, Tensor y) {
    Gemm.Left left = Gemm.Left.of(cpu(x));
    if (x.rows() == 1 && w.precision() != Precision.FP32 && Gemm.decodes()) {
      gemm.decode(cpu(w), cpu(x), alpha, beta, cpu(y));
      return;
    }
    switch (cpu(w)) {
      case BlockMatrix m when x.rows() > 1 && x.rows() <= SmallBatchKernel.MOST && Gemm.decodes() ->
          gemm.multiplyFew(cpu(x), m, alpha, beta, cpu(y));
      case BlockMatrix m -> gemm.multiplyBlocks(left, m, alpha, beta, cpu(y));
      case CpuMatrix m -> gemm.multiply(left, m.forward(), alpha, beta, cpu(y));
    }
  }

  @Override
  public void linearInputGradient(Matrix w, Tensor dy, float alpha, float beta, Tensor dx) {
    gemm.multiply(Gemm.Left.of(cpu(dy)), cpu(w).backward(), alpha, beta, cpu(dx));
  }

  @Override
  public void linearWeightGradient(Tensor dy, Tensor x, float alpha, Tensor dw) {
    if (x.columns() < dy.columns() && x.columns() <= W) {
      gemm.addTransposed(Gemm.Left.transposed(cpu(x)), rows(cpu(dy)), alpha, cpu(dw));
    } else {
      gemm.multiply(Gemm.Left.transposed(cpu(dy)), rows(cpu(x)), alpha, 1, cpu(dw));
    }
  }

  private static Panels rows(CpuTensor t) {
    return Panels.strided(t.data, t.offset, t.stride, 1, t.rows, t.columns);
  }

  /** Packs x once for both products, and adds the adapter's while y is in the cache. */
  @Override
  public void linear(Matrix w, LowRank adapter, Tensor x, Tensor u, Tensor y) {
    if (x.rows() <= SmallBatchKernel.MOST || !(adapter.a() instanceof PackedMatrix a)) {
      Backend.super.linear(w, adapter, x, u, y);
      return;
    }
    boolean whole = adapter.parts().stream().allMatch(part -> part.fromColumn() % W == 0);
    if (whole && narrowing.suits(x.rows(), x.columns(), y.columns())) {
      narrowingLinear(w, adapter, a, cpu(x), cpu(u), cpu(y));
      return;
    }
    Gemm.Packed packed = gemm.packSlices(Gemm.Left.of(cpu(x)), x.columns());
    gemm.multiply(packed, 0, a.forward(), 1, 0, cpu(u));
    List<Gemm.Addend> addends = whole ? addends(adapter, u) : List.of();
    switch (cpu(w)) {
      case BlockMatrix m -> gemm.multiplyBlocks(packed, m, 1, 0, cpu(y), addends);
      case CpuMatrix m -> gemm.multiply(packed, 0, m.forward(), 1, 0, cpu(y), addends);
    }
    gemm.release(packed);
    addends.forEach(addend -> gemm.release(addend.u()));
    if (!whole) {
      addLowRank(adapter, u, y);
    }
  }

  private void narrowingLinear(
      Matrix w, LowRank adapter, CpuMatrix a, CpuTensor x, CpuTensor u, CpuTensor y) {
    List<NarrowingProduct.Addend> addends = new ArrayList<>();
    for (LowRank.Part part : adapter.parts()) {
      CpuTensor ranks = cpu(u.columns(part.fromRank(), part.toRank()));
      Panels b = cpu(part.b()).forward();
      addends.add(new NarrowingProduct.Addend(ranks, b, adapter.scale(), part.fromColumn()));
    }
    List<NarrowingProduct.Ranks> ranks = List.of(new NarrowingProduct.Ranks(a.forward(), 1, 0, u));
    switch (cpu(w)) {
      case BlockMatrix m -> narrowing.multiply(x, m, y, ranks, addends);
      case CpuMatrix m -> narrowing.multiply(x, m.forward(), y, ranks, addends);
    }
  }

  private List<Gemm.Addend> addends(LowRank adapter, Tensor u) {
    List<Gemm.Addend> addends = new ArrayList<>();
    for (LowRank.Part part : adapter.parts()) {
      Gemm.Left ranks = Gemm.Left.of(cpu(u.columns(part.fromRank(), part.toRank())));
      Panels b = cpu(part.b()).forward();
      addends.add(new Gemm.Addend(gemm.pack(ranks, b.k()), b, adapter.scale(), part.fromColumn()));
    }
    return addends;
  }

  /** Packs dy once for all products, and adds the adapter's while dx is in the cache. */
  @Override
  public void linearInputGradient(Matrix w, LowRank adapter, Tensor dy, Tensor du, Tensor dx) {
    if (narrowing.suits(dy.rows(), dy.columns(), dx.columns())) {
      List<NarrowingProduct.Ranks> ranks = new ArrayList<>();
      for (LowRank.Part part : adapter.parts()) {
        CpuTensor u = cpu(du.columns(part.fromRank(), part.toRank()));
        Panels b = cpu(part.b()).backward();
        ranks.add(new NarrowingProduct.Ranks(b, adapter.scale(), part.fromColumn(), u));
      }
      Panels a = cpu(adapter.a()).backward();
      List<NarrowingProduct.Addend> addend = List.of(new NarrowingProduct.Addend(cpu(du), a, 1, 0));
      narrowing.multiply(cpu(dy), cpu(w).backward(), cpu(dx), ranks, addend);
      return;
    }
    Gemm.Packed packed = gemm.pack(Gemm.Left.of(cpu(dy)), dy.columns());
    for (LowRank.Part part : adapter.parts()) {
      CpuTensor ranks = cpu(du.columns(part.fromRank(), part.toRank()));
      Panels b = cpu(part.b()).backward();
      gemm.multiply(packed, part.fromColumn(), b, adapter.scale(), 0, ranks);
    }
    Gemm.Packed ranks = gemm.pack(Gemm.Left.of(cpu(du)), du.columns());
    List<Gemm.Addend> addend = List.of(new Gemm.Addend(ranks, cpu(adapter.a()).backward(), 1, 0));
    gemm.multiply(packed, 0, cpu(w).backward(), 1, 0, cpu(dx), addend);
    gemm.release(packed);
    gemm.release(ranks);
  }

  @Override
  public void linearRows(Matrix w, Indices rows, Tensor x, Tensor y) {
    gemm.multiplyRows(cpu(w), rows.values(), cpu(x), cpu(y));
  }

  // ---- norms

  @Override
  public void rmsNorm(Tensor x, Tensor weight, float eps, Tensor out, Tensor rstd) {
    norms.forward(cpu(x), cpu(weight), eps, null, cpu(out), cpu(rstd));
  }

  @Override
  public void rmsNormAdd(
      Tensor x, Tensor weight, float eps, Tensor residual, Tensor out, Tensor rstd) {
    norms.forward(cpu(x), cpu(weight), eps, cpu(residual), cpu(out), cpu(rstd));
  }

  @Override
  public void rmsNormGradient(
      Tensor dOut, Tensor x, Tensor weight, Tensor rstd, float beta, Tensor dx, Tensor dWeight) {
    norms.backward(cpu(dOut), cpu(x), cpu(weight), cpu(rstd), beta, cpu(dx), cpu(dWeight));
  }

  // ---- attention

  @Override
  public void qkNormRope(
      Tensor qkv,
      Tensor qWeight,
      Tensor kWeight,
      float eps,
      Indices positions,
      Tensor rope,
      Tensor q,
      Tensor k,
      Tensor rstd) {
    qkNormRope.forward(
        cpu(qkv),
        cpu(qWeight),
        cpu(kWeight),
        eps,
        positions.values(),
        cpu(rope),
        cpu(q),
        cpu(k),
        cpu(rstd));
  }

  @Override
  public void qkNormRopeGradient(
      Tensor dq,
      Tensor dk,
      Tensor qkv,
      Tensor qWeight,
      Tensor kWeight,
      Indices positions,
      Tensor rope,
      Tensor rstd,
      Tensor dQkv,
      Tensor dqWeight,
      Tensor dkWeight) {
    qkNormRope.backward(
        cpu(dq),
        cpu(dk),
        cpu(qkv),
        cpu(qWeight),
        cpu(kWeight),
        positions.values(),
        cpu(rope),
        cpu(rstd),
        cpu(dQkv),
        cpu(dqWeight),
        cpu(dkWeight));
  }

  @Override
  public void attention(
      Tensor q,
      Tensor k,
      Tensor v,
      Indices sequences,
      int headDim,
      int window,
      float scale,
      Tensor out,
      Tensor logSumExp) {
    attention.forward(
        cpu(q),
        cpu(k),
        cpu(v),
        sequences.values(),
        headDim,
        window,
        scale,
        cpu(out),
        cpu(logSumExp));
  }

  @Override
  public void attentionGradient(
      Tensor dOut,
      Tensor q,
      Tensor k,
      Tensor v,
      Tensor out,
      Tensor logSumExp,
      Indices sequences,
      int headDim,
      int window,
      float scale,
      Tensor dq,
      Tensor dk,
      Tensor dv) {
    attention.backward(
        cpu(dOut),
        cpu(q),
        cpu(k),
        cpu(v),
        cpu(out),
        cpu(logSumExp),
        sequences.values(),
        headDim,
        window,
        scale,
        cpu(dq),
        cpu(dk),
        cpu(dv));
  }

  // ---- cached attention

  @Override
  public KeyValues keyValues(int layers, int kvHeads, int headDim, int capacity) {
    checkGarbage();
    return new CpuKeyValues(pool, layers, kvHeads, headDim, capacity);
  }

  @Override
  public void copyKeyValues(KeyValues from, KeyValues to, int tokens) {
    ((CpuKeyValues) to).copyFrom((CpuKeyValues) from, tokens);
  }

  @Override
  public CacheBatch batch(List<KeyValues> caches, int[] starts, int[] past) {
    return new CpuBatch(caches.stream().map(CpuKeyValues.class::cast).toList(), starts, past);
  }

  @Override
  public void appendKeyValues(CacheBatch batch, int layer, Tensor k, Tensor v) {
    cachedAttention.append((CpuBatch) batch, layer, cpu(k), cpu(v));
  }

  @Override
  public void cachedAttention(
      CacheBatch batch, int layer, Tensor q, int headDim, int window, float scale, Tensor out) {
    cachedAttention.attend((CpuBatch) batch, layer, cpu(q), headDim, window, scale, cpu(out));
  }

  // ---- feed-forward and dropout

  @Override
  public void geglu(Tensor gateUp, Tensor out) {
    feedForward.forward(cpu(gateUp), cpu(out));
  }

  @Override
  public void gegluGradient(Tensor dOut, Tensor gateUp, Tensor dGateUp) {
    feedForward.backward(cpu(dOut), cpu(gateUp), cpu(dGateUp), null);
  }

  @Override
  public void gegluGradient(Tensor dOut, Tensor gateUp, Tensor dGateUp, Tensor activated) {
    feedForward.backward(cpu(dOut), cpu(gateUp), cpu(dGateUp), cpu(activated));
  }

  @Override
  public void dropout(Tensor x, float p, long seed, float beta, Tensor out) {
    CpuTensor a = cpu(x);
    CpuTensor b = cpu(out);
    float factor = 1 / (1 - p);
    CpuRows.parallel(
        workers,
        a.rows,
        4 * a.columns,
        r -> {
          int from = a.row(r);
          int to = b.row(r);
          for (int c = 0; c < a.columns; c++) {
            boolean keep = Dropout.keep(seed, (long) r * a.columns + c, p);
            float value = keep ? a.data[from + c] * factor : 0;
            b.data[to + c] = beta == 0 ? value : value + beta * b.data[to + c];
          }
        });
  }

  // ---- loss and optimiser

  @Override
  public void crossEntropy(Tensor logits, Indices targets, Tensor weights, Tensor losses) {
    loss.crossEntropy(cpu(logits), targets.values(), cpu(weights), cpu(losses));
  }

  @Override
  public double sumOfSquares(Tensor t) {
    return optimiser.sumOfSquares(cpu(t));
  }

  @Override
  public void adamW(
      Tensor parameters, Tensor gradients, Tensor m, Tensor v, AdamW step, float gradientScale) {
    optimiser.adamW(cpu(parameters), cpu(gradients), cpu(m), cpu(v), step, gradientScale);
  }

  @Override
  public void synchronize() {}

  @Override
  public void close() {
    workers.close();
  }
}
