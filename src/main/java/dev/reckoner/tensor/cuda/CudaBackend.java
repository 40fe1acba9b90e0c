package dev.reckoner.tensor.cuda;

import dev.reckoner.tensor.AdamW;
import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.Bf16;
import dev.reckoner.tensor.CacheBatch;
import dev.reckoner.tensor.DecoderStack;
import dev.reckoner.tensor.Indices;
import dev.reckoner.tensor.KeyValues;
import dev.reckoner.tensor.LowRank;
import dev.reckoner.tensor.LowRankRows;
import dev.reckoner.tensor.Matrix;
import dev.reckoner.tensor.Nf4;
import dev.reckoner.tensor.Nf4Tensor;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.Tensor;
import dev.reckoner.tensor.WeightSource;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * The operations on one NVIDIA GPU. Activations are bf16, sums fp32, matrix products cuBLAS's; NF4
 * weights are dequantised to bf16 scratch for each product. Everything runs in order on one stream,
 * except what is run {@link #beside}, and only {@link #download}, {@link #sumOfSquares} and {@link
 * #synchronize} wait for it.
 *
 * <p>A matrix asked for in fp32 is held in bf16. In decoding, a sequence of one new token gives the
 * same bits alone and together with up to 15 others, and with up to 63 where the vocabulary is
 * small. Beyond that, and where prompts are read together, a token's result can depend on what else
 * is in the batch, in the last bits: cuBLAS chooses its kernel, and so the order of its sums, by
 * shape.
 */
public final class CudaBackend implements Backend {
  private static final int NORM_WARPS = 8;
  private static final int SUM_BLOCKS = 1024;

  private static final int HEAD_ROWS = 100_000;

  // kernels/adapted.cu
  private static final int WIDEST_RANK = 32;
  private static final int ADAPTED_COLUMNS = 128;
  private static final int ADAPTED_TOKENS = 32;

  /** Into how many shares a row of logits is divided to find its largest. */
  private static final int SHARES = 32;

  private static final int LARGEST_SHARED = 200 << 10;
  private static final int MOST_CHUNKS = 10;

  /** What a cluster of four blocks holds of a row of logits: {@code kernels/training.cu}. */
  private static final int HELD_COLUMNS = 4 * 1024 * 8 * 9;

  /** Layers that share an input: q, k and v. */
  private static final int MOST_PARTS = 3;

  private final Device device;
  private final Kernels kernels;
  private final Cublas cublas;
  private final Attention attention;
  private final Product product;
  private final Decoding decoding;
  private final Map<Object, Recording> recordings = new HashMap<>();
  private final Lanes lanes;
  private final Ahead ahead;

  private CudaBackend(Device device) {
    this.device = device;
    kernels = new Kernels(device);
    cublas = new Cublas(device);
    attention = new Attention(device, kernels);
    product = new Product(device, kernels);
    decoding = new Decoding(device, kernels, product);
    lanes = new Lanes(device);
    ahead = new Ahead(device);
  }

  /** GPUs on this machine; 0 where there is no driver for one. */
  public static int devices() {
    return Device.count();
  }

  /**
   * The backend on GPU number {@code ordinal}.
   *
   * @throws CudaException in one line where there is no usable GPU, driver or library
   */
  public static CudaBackend open(int ordinal) {
    Device device = Device.open(ordinal);
    try {
      return new CudaBackend(device);
    } catch (RuntimeException e) {
      device.close();
      throw e;
    }
  }

  @Override
  public String name() {
    return "cuda";
  }

  @Override
  public String description() {
    return "%s, %.0f GiB, %d multiprocessors, %s, driver CUDA %d.%d"
        .formatted(
            device.name(),
            device.totalMemory() / (double) (1L << 30),
            device.multiprocessors(),
            device.architecture(),
            device.driver().version() / 1000,
            device.driver().version() % 1000 / 10);
  }

  /** The most bytes of device memory in use since {@link #resetPeakMemory}. */
  public long peakMemory() {
    return device.peakMemory();
  }

  public void resetPeakMemory() {
    device.resetPeak();
  }

  // ---- memory

  @Override
  public Tensor activations(int rows, int columns) {
    return CudaTensor.allocate(device, rows, columns, false);
  }

  @Override
  public Tensor floats(int rows, int columns) {
    CudaTensor t = CudaTensor.allocate(device, rows, columns, true);
    device.clear(t.address(), 4 * t.size());
    return t;
  }

  @Override
  public Indices indices(int[] values) {
    return new CudaIndices(device, values);
  }

  @Override
  public void upload(float[] from, Tensor to) {
    CudaTensor t = CudaTensor.of(to);
    requireSize(from, t);
    if (t.isFloat() && t.isContiguous()) {
      device.send(from, 0, from.length, t.address());
      return;
    }
    int rowsAtATime = Math.max(1, Device.TRANSFER / 4 / Math.max(1, t.columns()));
    for (int row = 0; row < t.rows(); row += rowsAtATime) {
      int n = Math.min(rowsAtATime, t.rows() - row);
      try (CudaTensor scratch = CudaTensor.allocate(device, n, t.columns(), true)) {
        device.send(from, row * t.columns(), n * t.columns(), scratch.address());
        copy(scratch, t.rows(row, row + n));
      }
    }
  }

  @Override
  public void download(Tensor from, float[] to) {
    CudaTensor t = CudaTensor.of(from);
    requireSize(to, t);
    if (t.isFloat() && t.isContiguous()) {
      device.receive(t.address(), to, 0, to.length);
      return;
    }
    int rowsAtATime = Math.max(1, Device.TRANSFER / 4 / Math.max(1, t.columns()));
    for (int row = 0; row < t.rows(); row += rowsAtATime) {
      int n = Math.min(rowsAtATime, t.rows() - row);
      try (CudaTensor scratch = CudaTensor.allocate(device, n, t.columns(), true)) {
        copy(t.rows(row, row + n), scratch);
        device.receive(scratch.address(), to, row * t.columns(), n * t.columns());
      }
    }
  }

  private static void requireSize(float[] host, CudaTensor t) {
    if (host.length != t.size()) {
      throw new IllegalArgumentException("%d values for %s".formatted(host.length, t));
    }
  }

  /** 8 where every row of every operand can be moved 8 elements at a time, else 1. */
  private static int width(int columns, CudaTensor... operands) {
    boolean vector = columns % 8 == 0;
    for (CudaTensor t : operands) {
      vector &= t.isVector();
    }
    return vector ? 8 : 1;
  }

  private static String type(CudaTensor t) {
    return t.isFloat() ? "f" : "b";
  }

  private static void requireSameShape(CudaTensor a, CudaTensor b) {
    if (a.rows() != b.rows() || a.columns() != b.columns()) {
      throw new IllegalArgumentException("shapes differ: %s and %s".formatted(a, b));
    }
  }

  @Override
  public void fill(Tensor tensor, float value) {
    CudaTensor t = CudaTensor.of(tensor);
    if (value == 0 && t.isContiguous()) {
      device.clear(t.address(), t.size() * t.elementBytes());
      return;
    }
    int width = width(t.columns(), t);
    kernels
        .call("elementwise", "fill_" + type(t) + width)
        .t(t)
        .i(t.rows())
        .i(t.columns())
        .f(value)
        .launchEach(t.size() / width);
  }

  @Override
  public void copy(Tensor from, Tensor to) {
    CudaTensor x = CudaTensor.of(from);
    CudaTensor y = CudaTensor.of(to);
    if (x.isFloat() == y.isFloat() && x.isContiguous() && y.isContiguous()) {
      requireSameShape(x, y);
      device.copy(y.address(), x.address(), x.size() * x.elementBytes());
    } else {
      pairwise("copy_", x, y);
    }
  }

  @Override
  public void add(Tensor x, Tensor y) {
    pairwise("add_", CudaTensor.of(x), CudaTensor.of(y));
  }

  private void pairwise(String kernel, CudaTensor x, CudaTensor y) {
    requireSameShape(x, y);
    int width = width(x.columns(), x, y);
    kernels
        .call("elementwise", kernel + type(x) + type(y) + width)
        .t(x)
        .t(y)
        .i(x.rows())
        .i(x.columns())
        .launchEach(x.size() / width);
  }

  @Override
  public void gatherRows(Tensor from, Indices rows, Tensor out) {
    CudaTensor to = CudaTensor.of(out);
    move("gather_", CudaTensor.of(from), rows, to, to.columns());
  }

  @Override
  public void scatterRows(Tensor from, Indices rows, Tensor out) {
    CudaTensor x = CudaTensor.of(from);
    move("scatter_", x, rows, CudaTensor.of(out), x.columns());
  }

  private void move(String kernel, CudaTensor x, Indices rows, CudaTensor y, int columns) {
    if (x.isFloat() != y.isFloat() || x.columns() != y.columns()) {
      throw new IllegalArgumentException("rows differ: %s and %s".formatted(x, y));
    }
    int width = width(columns, x, y);
    kernels
        .call("elementwise", kernel + type(x) + width)
        .t(x)
        .p(CudaIndices.of(rows).address())
        .t(y)
        .i(rows.size())
        .i(columns)
        .launchEach((long) rows.size() * columns / width);
  }

  // ---- weights

  @Override
  public Matrix nf4(List<Nf4Tensor> stacked) {
    int rows = stacked.stream().mapToInt(Nf4Tensor::rows).sum();
    int columns = stacked.getFirst().columns();
    long size = (long) rows * columns;
    long codes = device.allocate(size / 2);
    long scales = device.allocate(size / Nf4.BLOCK * 4);
    long done = 0;
    for (Nf4Tensor part : stacked) {
      device.send(part.codes(), codes + done / 2);
      int blocks = part.absmax().length;
      float[] values = new float[blocks];
      for (int b = 0; b < blocks; b++) {
        values[b] = part.scale(b);
      }
      device.send(values, 0, blocks, scales + done / Nf4.BLOCK * 4);
      done += (long) part.rows() * columns;
    }
    return new CudaMatrix(device, rows, columns, codes, scales, null);
  }

  @Override
  public Matrix dense(List<WeightSource> stacked, Precision precision) {
    int rows = stacked.stream().mapToInt(WeightSource::rows).sum();
    int columns = stacked.getFirst().columns();
    long values = device.allocate(2L * rows * columns);
    int rowsAtATime = Math.max(1, Device.TRANSFER / 2 / columns);
    long to = values;
    for (WeightSource source : stacked) {
      for (int from = 0; from < source.rows(); from += rowsAtATime) {
        int first = from;
        int n = Math.min(rowsAtATime, source.rows() - from);
        MemorySegment staged = device.stage(n * columns * 2);
        IntStream.range(0, n)
            .parallel()
            .forEach(
                i -> {
                  float[] row = new float[columns];
                  source.read(first + i, row, 0);
                  for (int c = 0; c < columns; c++) {
                    staged.setAtIndex(
                        ValueLayout.JAVA_SHORT, (long) i * columns + c, Bf16.fromFloat(row[c]));
                  }
                });
        device.send(staged, to);
        to += 2L * n * columns;
      }
    }
    return new CudaMatrix(device, rows, columns, values, 0, null);
  }

  @Override
  public Matrix trainable(Tensor master) {
    CudaTensor own = CudaTensor.floats(master);
    long values = device.allocate(2 * own.size());
    CudaMatrix matrix = new CudaMatrix(device, own.rows(), own.columns(), values, 0, own);
    refresh(matrix);
    return matrix;
  }

  @Override
  public void refresh(Matrix trainable) {
    CudaMatrix m = CudaMatrix.of(trainable);
    if (m.master() == null) {
      throw new IllegalArgumentException("a frozen matrix has no master values");
    }
    copy(m.master(), dense(m, m.values()));
  }

  @Override
  public void refresh(List<Matrix> trainable) {
    int[] words = new int[trainable.size() * 6];
    int largest = 0;
    for (int i = 0; i < trainable.size(); i++) {
      CudaMatrix m = CudaMatrix.of(trainable.get(i));
      if (m.master() == null) {
        throw new IllegalArgumentException("a frozen matrix has no master values");
      }
      int size = Math.multiplyExact(m.rows(), m.columns());
      CudaCacheBatch.put(words, i * 6, m.master().address());
      CudaCacheBatch.put(words, i * 6 + 2, m.values());
      CudaCacheBatch.put(words, i * 6 + 4, size);
      largest = Math.max(largest, size);
    }
    try (CudaIndices table = new CudaIndices(device, words)) {
      kernels
          .call("elementwise", "to_bf16_all")
          .p(table.address())
          .launch(trainable.size(), Math.clamp(largest / 4096, 1, 64), 256, 0);
    }
  }

  private static CudaTensor dense(CudaMatrix m, long address) {
    return new CudaTensor(null, address, m.rows(), m.columns(), m.columns(), false);
  }

  /** The matrix's values in bf16: its own, or scratch to be given to {@link #giveBack}. */
  private long borrow(CudaMatrix m) {
    if (!m.isNf4()) {
      return m.values();
    }
    long scratch = ahead.take(m, null, false);
    if (scratch == 0) {
      scratch = device.allocate(2L * m.rows() * m.columns());
      dense(m, dense(m, scratch));
    }
    return scratch;
  }

  /** {@link #widen} in scratch to be freed. */
  private long borrowWidened(CudaMatrix m, LowRank adapter) {
    long scratch = ahead.take(m, adapter, true);
    if (scratch == 0) {
      scratch = device.allocate(widenedBytes(m, adapter));
      widen(m, adapter, scratch);
    }
    return scratch;
  }

  /** {@link #extend} in scratch to be freed. */
  private long borrowExtended(CudaMatrix m, LowRank adapter) {
    long scratch = ahead.take(m, adapter, false);
    if (scratch == 0) {
      scratch = device.allocate(extendedBytes(m, adapter));
      extend(m, adapter, scratch);
    }
    return scratch;
  }

  @Override
  public void prepare(Matrix w, LowRank adapter, boolean behindInputs) {
    CudaMatrix m = CudaMatrix.of(w);
    if (!m.isNf4()) {
      return;
    }
    if (adapter == null) {
      ahead.make(m, null, false, 2L * m.rows() * m.columns(), to -> dense(m, dense(m, to)));
    } else if (fusible(m, adapter) && behindInputs) {
      ahead.make(m, adapter, true, widenedBytes(m, adapter), to -> widen(m, adapter, to));
    } else if (fusible(m, adapter)) {
      ahead.make(m, adapter, false, extendedBytes(m, adapter), to -> extend(m, adapter, to));
    }
  }

  @Override
  public void beside(Runnable operations) {
    lanes.run(operations);
  }

  @Override
  public void join() {
    lanes.join();
    ahead.giveUp();
  }

  private static long widenedBytes(CudaMatrix m, LowRank adapter) {
    return 2L * m.rows() * (m.columns() + adapter.ranks());
  }

  private static long extendedBytes(CudaMatrix m, LowRank adapter) {
    return 2L * (m.rows() + adapter.ranks()) * m.columns();
  }

  /**
   * {@code [W | scale * B]} of an adapted matrix, {@code [out, in + ranks]}, at {@code scratch}; B
   * is zero where rows and ranks belong to different parts.
   */
  private void widen(CudaMatrix m, LowRank adapter, long scratch) {
    int ranks = adapter.ranks();
    int stride = m.columns() + ranks;
    if (m.isNf4() && adapter.parts().size() <= MOST_PARTS) {
      long sixteens = (long) m.rows() * m.columns() / 16;
      Kernels call =
          kernels
              .call("elementwise", "nf4_widen")
              .p(m.values())
              .p(m.scales())
              .p(scratch)
              .i(stride)
              .i(m.columns() / 16)
              .l(sixteens)
              .i(ranks)
              .f(adapter.scale());
      for (int i = 0; i < MOST_PARTS; i++) {
        LowRank.Part part = i < adapter.parts().size() ? adapter.parts().get(i) : null;
        call.p(part == null ? 0 : CudaMatrix.of(part.b()).values())
            .i(part == null ? 0 : part.toColumn())
            .i(part == null ? 0 : part.fromRank())
            .i(part == null ? 0 : part.toRank() - part.fromRank());
      }
      call.launchEach(sixteens + (long) m.rows() * ranks / 8);
      return;
    }
    dense(m, new CudaTensor(null, scratch, m.rows(), m.columns(), stride, false));
    for (LowRank.Part part : adapter.parts()) {
      int rows = part.toColumn() - part.fromColumn();
      kernels
          .call("elementwise", "low_rank_columns")
          .p(CudaMatrix.of(part.b()).values())
          .i(part.toRank() - part.fromRank())
          .i(part.fromRank())
          .f(adapter.scale())
          .p(scratch + 2L * ((long) part.fromColumn() * stride + m.columns()))
          .i(stride)
          .i(rows)
          .i(ranks)
          .launchEach((long) rows * ranks / 8);
    }
  }

  /** {@code [W ; A]} of an adapted matrix, {@code [out + ranks, in]}, at {@code scratch}. */
  private void extend(CudaMatrix m, LowRank adapter, long scratch) {
    long size = (long) m.rows() * m.columns();
    if (m.isNf4()) {
      long sixteens = size / 16;
      long extra = (long) adapter.ranks() * m.columns() / 16;
      kernels
          .call("elementwise", "nf4_extend")
          .p(m.values())
          .p(m.scales())
          .p(scratch)
          .i(m.columns())
          .i(m.columns() / 16)
          .l(sixteens)
          .p(CudaMatrix.of(adapter.a()).values())
          .l(extra)
          .launchEach(sixteens + extra);
      return;
    }
    dense(m, dense(m, scratch));
    device.copy(
        scratch + 2 * size,
        CudaMatrix.of(adapter.a()).values(),
        2L * adapter.ranks() * m.columns());
  }

  /** The matrix's values in bf16, into {@code to}. */
  private void dense(CudaMatrix m, CudaTensor to) {
    if (!m.isNf4()) {
      copy(dense(m, m.values()), to);
      return;
    }
    long sixteens = (long) m.rows() * m.columns() / 16;
    kernels
        .call("elementwise", "nf4_dequantise")
        .p(m.values())
        .p(m.scales())
        .t(to)
        .i(m.columns() / 16)
        .l(sixteens)
        .launchEach(sixteens);
  }

  private void giveBack(CudaMatrix m, long borrowed) {
    if (m.isNf4()) {
      device.free(borrowed);
    }
  }

  // ---- embedding

  @Override
  public void embed(Matrix table, Indices ids, float scale, Tensor out) {
    CudaMatrix m = CudaMatrix.of(table);
    long values = borrow(m);
    CudaTensor from = dense(m, values);
    CudaTensor to = CudaTensor.activation(out);
    int width = width(m.columns(), from, to);
    kernels
        .call("elementwise", "embed_" + width)
        .t(from)
        .p(CudaIndices.of(ids).address())
        .f(scale)
        .t(to)
        .i(ids.size())
        .i(m.columns())
        .launchEach((long) ids.size() * m.columns() / width);
    giveBack(m, values);
  }

  @Override
  public void embedGradient(Tensor dOut, Indices ids, float scale, Tensor dTable) {
    CudaTensor d = CudaTensor.activation(dOut);
    CudaIndices.Places places = CudaIndices.of(ids).places();
    kernels
        .call("elementwise", "embed_gradient")
        .t(d)
        .p(places.distinct().address())
        .p(places.starts().address())
        .p(places.order().address())
        .f(scale)
        .t(CudaTensor.floats(dTable))
        .i(d.columns())
        .launch(places.distinct().size(), 1, Math.min(256, (d.columns() + 31) / 32 * 32), 0);
  }

  // ---- linear

  @Override
  public void linear(Matrix w, Tensor x, float alpha, float beta, Tensor y) {
    CudaMatrix m = CudaMatrix.of(w);
    CudaTensor in = CudaTensor.activation(x);
    CudaTensor out = CudaTensor.of(y);
    requireProduct(m, in, out);
    if (isFew(m, in) && !out.isFloat()) {
      product.run(m, Product.Input.of(in), alpha, beta, out, Product.Adapters.NONE);
      return;
    }
    long values = borrow(m);
    cublas.xWt(values, m.columns(), in, alpha, beta, out);
    giveBack(m, values);
  }

  private boolean isFew(CudaMatrix m, CudaTensor in) {
    // Of a whole large vocabulary cuBLAS is faster from there on.
    boolean head = m.rows() > HEAD_ROWS && in.rows() > 16;
    return device.hasClusters() && Product.takes(m, in) && !head;
  }

  @Override
  public void linearInputGradient(Matrix w, Tensor dy, float alpha, float beta, Tensor dx) {
    CudaMatrix m = CudaMatrix.of(w);
    CudaTensor dOut = CudaTensor.activation(dy);
    CudaTensor dIn = CudaTensor.of(dx);
    requireProduct(m, dIn, dOut);
    long values = borrow(m);
    cublas.dyW(values, m.columns(), dOut, alpha, beta, dIn);
    giveBack(m, values);
  }

  /** Whether u lies behind x in the same rows, so that both are one operand. */
  private static boolean joined(CudaTensor x, CudaTensor u) {
    return x.stride() == u.stride() && u.address() == x.address() + 2L * x.columns();
  }

  private static CudaTensor join(CudaTensor x, CudaTensor u) {
    return new CudaTensor(
        null, x.address(), x.rows(), x.columns() + u.columns(), x.stride(), false);
  }

  /** Whether every output has its part, and the widths suit 16-byte accesses. */
  private static boolean fusible(CudaMatrix m, LowRank adapter) {
    int column = 0;
    for (LowRank.Part part : adapter.parts()) {
      if (part.fromColumn() != column || (part.toRank() - part.fromRank()) % 8 != 0) {
        return false;
      }
      column = part.toColumn();
    }
    return column == m.rows() && m.columns() % 64 == 0 && adapter.ranks() % 8 == 0;
  }

  @Override
  public void linear(Matrix w, LowRank adapter, Tensor x, Tensor u, Tensor y) {
    CudaMatrix m = CudaMatrix.of(w);
    CudaTensor in = CudaTensor.activation(x);
    CudaTensor ranks = CudaTensor.activation(u);
    CudaTensor out = CudaTensor.activation(y);
    requireProduct(m, in, out);
    if (!fusible(m, adapter)) {
      Backend.super.linear(w, adapter, x, u, y);
    } else if (joined(in, ranks)) {
      linear(adapter.a(), x, 1, 0, u);
      long wide = borrowWidened(m, adapter);
      cublas.xWt(wide, m.columns() + adapter.ranks(), join(in, ranks), 1, 0, out);
      device.free(wide);
    } else if (joined(out, ranks)) {
      long extended = borrowExtended(m, adapter);
      cublas.xWt(extended, m.columns(), in, 1, 0, join(out, ranks));
      device.free(extended);
      addLowRank(adapter, u, y);
    } else {
      Backend.super.linear(w, adapter, x, u, y);
    }
  }

  @Override
  public void linearInputGradient(Matrix w, LowRank adapter, Tensor dy, Tensor du, Tensor dx) {
    CudaMatrix m = CudaMatrix.of(w);
    CudaTensor dOut = CudaTensor.activation(dy);
    CudaTensor ranks = CudaTensor.activation(du);
    CudaTensor dIn = CudaTensor.activation(dx);
    requireProduct(m, dIn, dOut);
    if (!fusible(m, adapter)) {
      Backend.super.linearInputGradient(w, adapter, dy, du, dx);
    } else if (joined(dIn, ranks)) {
      long wide = borrowWidened(m, adapter);
      cublas.dyW(wide, m.columns() + adapter.ranks(), dOut, 1, 0, join(dIn, ranks));
      device.free(wide);
      linearInputGradient(adapter.a(), du, 1, 1, dx);
    } else if (joined(dOut, ranks)) {
      for (LowRank.Part part : adapter.parts()) {
        linearInputGradient(
            part.b(),
            dy.columns(part.fromColumn(), part.toColumn()),
            adapter.scale(),
            0,
            du.columns(part.fromRank(), part.toRank()));
      }
      long extended = borrowExtended(m, adapter);
      cublas.dyW(extended, m.columns(), join(dOut, ranks), 1, 0, dIn);
      device.free(extended);
    } else {
      Backend.super.linearInputGradient(w, adapter, dy, du, dx);
    }
  }

  /** Enough rows to fill the device, in about a GiB of logits. */
  @Override
  public int headRows(int vocabulary) {
    return Math.clamp((512L << 20) / vocabulary, 16, 8192);
  }

  private static void requireProduct(CudaMatrix w, CudaTensor in, CudaTensor out) {
    if (in.columns() != w.columns() || out.columns() != w.rows() || in.rows() != out.rows()) {
      throw new IllegalArgumentException(
          "W [%d, %d] does not take %s to %s".formatted(w.rows(), w.columns(), in, out));
    }
  }

  @Override
  public void linearWeightGradient(Tensor dy, Tensor x, float alpha, Tensor dw) {
    CudaTensor dOut = CudaTensor.activation(dy);
    CudaTensor in = CudaTensor.activation(x);
    CudaTensor gradient = CudaTensor.floats(dw);
    if (dOut.rows() != in.rows()
        || gradient.rows() != dOut.columns()
        || gradient.columns() != in.columns()) {
      throw new IllegalArgumentException("%s and %s do not make %s".formatted(dOut, in, gradient));
    }
    cublas.dyTx(dOut, in, alpha, 1, gradient);
  }

  /** Two parts of equal size at a time where they are neighbours: k and v; gate and up. */
  @Override
  public void lowRankGradient(LowRank adapter, Tensor dy, Tensor u, List<Tensor> gradients) {
    int n = gradients.size();
    for (int i = 0; i < n; i++) {
      LowRank.Part part = adapter.parts().get(i);
      CudaTensor dOut = CudaTensor.activation(dy.columns(part.fromColumn(), part.toColumn()));
      CudaTensor in = CudaTensor.activation(u.columns(part.fromRank(), part.toRank()));
      CudaTensor gradient = CudaTensor.floats(gradients.get(i));
      CudaTensor second = i + 1 < n ? CudaTensor.floats(gradients.get(i + 1)) : null;
      if (second != null
          && second.rows() == gradient.rows()
          && second.columns() == gradient.columns()
          && adapter.parts().get(i + 1).fromColumn() == part.toColumn()
          && adapter.parts().get(i + 1).fromRank() == part.toRank()) {
        long apart = (second.address() - gradient.address()) / 4;
        cublas.dyTxTwice(dOut, in, adapter.scale(), gradient, apart);
        i++;
      } else {
        linearWeightGradient(dOut, in, adapter.scale(), gradient);
      }
    }
  }

  /** Where cuBLAS makes {@link #linear}, equal to its columns within rounding only. */
  @Override
  public void linearRows(Matrix w, Indices rows, Tensor x, Tensor y) {
    CudaMatrix m = CudaMatrix.of(w);
    CudaTensor in = CudaTensor.activation(x);
    if (!m.isNf4() && isFew(m, in)) {
      product.rows(m, CudaIndices.of(rows), in, CudaTensor.activation(y));
      return;
    }
    long values = borrow(m);
    try (CudaTensor chosen = CudaTensor.allocate(device, rows.size(), m.columns(), false)) {
      gatherRows(dense(m, values), rows, chosen);
      cublas.xWt(
          chosen.address(), m.columns(), CudaTensor.activation(x), 1, 0, CudaTensor.activation(y));
    }
    giveBack(m, values);
  }

  // ---- norms

  @Override
  public void rmsNorm(Tensor x, Tensor weight, float eps, Tensor out, Tensor rstd) {
    norm(x, weight, eps, null, out, rstd);
  }

  @Override
  public void rmsNormAdd(
      Tensor x, Tensor weight, float eps, Tensor residual, Tensor out, Tensor rstd) {
    norm(x, weight, eps, CudaTensor.activation(residual), out, rstd);
  }

  @Override
  public void rmsNormAddNorm(
      Tensor x,
      Tensor weight,
      float eps,
      Tensor residual,
      Tensor out,
      Tensor rstd,
      Tensor next,
      Tensor h,
      Tensor nextRstd) {
    CudaTensor in = CudaTensor.activation(x);
    CudaTensor old = CudaTensor.activation(residual);
    CudaTensor sum = CudaTensor.activation(out);
    CudaTensor to = CudaTensor.activation(h);
    CudaTensor w = CudaTensor.floats(weight);
    CudaTensor w2 = CudaTensor.floats(next);
    int chunks = (in.columns() + 255) / 256;
    boolean vector =
        width(in.columns(), in, old, sum, to) == 8
            && (w.address() & 15) == 0
            && (w2.address() & 15) == 0;
    if (!vector || chunks > MOST_CHUNKS) {
      Backend.super.rmsNormAddNorm(x, weight, eps, residual, out, rstd, next, h, nextRstd);
      return;
    }
    rowKernel("norm_twice", true, in.columns(), true)
        .t(in)
        .p(w.address())
        .f(eps)
        .t(old)
        .t(sum)
        .p(CudaTensor.addressOf(rstd))
        .p(w2.address())
        .t(to)
        .p(CudaTensor.addressOf(nextRstd))
        .i(in.rows())
        .i(in.columns())
        .launch((in.rows() + NORM_WARPS - 1) / NORM_WARPS, 1, NORM_WARPS * 32, 0);
  }

  @Override
  public void rmsNormGradients(
      Tensor dOut,
      Tensor x,
      Tensor weight,
      Tensor rstd,
      Tensor dx,
      Tensor dWeight,
      Tensor nextX,
      Tensor next,
      Tensor nextRstd,
      Tensor out,
      Tensor dNext) {
    CudaTensor d = CudaTensor.activation(dOut);
    CudaTensor in = CudaTensor.activation(x);
    CudaTensor dIn = CudaTensor.activation(dx);
    CudaTensor in2 = CudaTensor.activation(nextX);
    CudaTensor to = CudaTensor.activation(out);
    CudaTensor w = CudaTensor.floats(weight);
    CudaTensor w2 = CudaTensor.floats(next);
    int chunks = (in.columns() + 255) / 256;
    boolean vector =
        width(in.columns(), d, in, dIn, in2, to) == 8
            && (w.address() & 15) == 0
            && (w2.address() & 15) == 0;
    if (dWeight != null || dNext != null || !vector || chunks > MOST_CHUNKS) {
      Backend.super.rmsNormGradients(
          dOut, x, weight, rstd, dx, dWeight, nextX, next, nextRstd, out, dNext);
      return;
    }
    rowKernel("norm_gradient_twice", true, in.columns(), true)
        .t(d)
        .t(in)
        .p(w.address())
        .p(CudaTensor.addressOf(rstd))
        .t(dIn)
        .t(in2)
        .p(w2.address())
        .p(CudaTensor.addressOf(nextRstd))
        .t(to)
        .i(in.rows())
        .i(in.columns())
        .launch((in.rows() + NORM_WARPS - 1) / NORM_WARPS, 1, NORM_WARPS * 32, 0);
  }

  private void norm(
      Tensor x, Tensor weight, float eps, CudaTensor residual, Tensor out, Tensor rstd) {
    CudaTensor in = CudaTensor.activation(x);
    CudaTensor w = CudaTensor.floats(weight);
    CudaTensor to = CudaTensor.activation(out);
    requireSameShape(in, to);
    boolean vector =
        width(in.columns(), in, to) == 8
            && (w.address() & 15) == 0
            && (residual == null || residual.isVector());
    rowKernel("norm", vector, in.columns(), true)
        .t(in)
        .p(w.address())
        .f(eps)
        .p(residual == null ? 0 : residual.address())
        .i(residual == null ? 0 : residual.stride())
        .t(to)
        .p(CudaTensor.addressOf(rstd))
        .i(in.rows())
        .i(in.columns())
        .launch((in.rows() + NORM_WARPS - 1) / NORM_WARPS, 1, NORM_WARPS * 32, 0);
  }

  /** The kernel that keeps a row of {@code n} in registers where it can, else one that loops. */
  private Kernels rowKernel(String name, boolean vector, int n, boolean registers) {
    int chunks = (n + 255) / 256;
    if (vector && registers && chunks <= MOST_CHUNKS) {
      return kernels.call(kernels.get("norm", List.of("CHUNKS=" + chunks), name + "_row"));
    }
    return kernels.call("norm", name + (vector ? "_8" : "_1"));
  }

  @Override
  public void rmsNormGradient(
      Tensor dOut, Tensor x, Tensor weight, Tensor rstd, float beta, Tensor dx, Tensor dWeight) {
    CudaTensor d = CudaTensor.activation(dOut);
    CudaTensor in = CudaTensor.activation(x);
    CudaTensor w = CudaTensor.floats(weight);
    CudaTensor to = CudaTensor.activation(dx);
    requireSameShape(d, in);
    requireSameShape(in, to);
    int n = in.columns();
    boolean vector = width(n, d, in, to) == 8 && (w.address() & 15) == 0;
    int warps = NORM_WARPS;
    while (warps > 1 && warps * n * 4 > LARGEST_SHARED / 2) {
      warps /= 2;
    }
    int all = (in.rows() + warps - 1) / warps;
    int blocks = dWeight == null ? all : Math.min(all, device.multiprocessors() * 2);
    try (CudaTensor partial =
        dWeight == null ? null : CudaTensor.allocate(device, blocks, n, true)) {
      rowKernel("norm_gradient", vector, n, partial == null)
          .t(d)
          .t(in)
          .p(w.address())
          .p(CudaTensor.addressOf(rstd))
          .f(beta)
          .t(to)
          .i(in.rows())
          .i(n)
          .p(partial == null ? 0 : partial.address())
          .launch(blocks, 1, warps * 32, partial == null ? 0 : warps * n * 4);
      if (partial != null) {
        addColumnSums(partial.address(), blocks, n, n, dWeight);
      }
    }
  }

  private void addColumnSums(long partial, int rows, int stride, int n, Tensor out) {
    if (rows > 0) {
      kernels
          .call("norm", "column_sums")
          .p(partial)
          .i(rows)
          .i(stride)
          .i(n)
          .p(CudaTensor.floats(out).address())
          .launch((n + 31) / 32, 1, 256, 0);
    }
  }

  // ---- attention

  /** Neighbours of a half head that a lane moves at once: as many as keep 32 lanes at work. */
  private static int headWidth(int dim, Tensor qWeight, Tensor kWeight, CudaTensor... moved) {
    int width = dim % 256 == 0 ? 4 : dim % 128 == 0 ? 2 : 1;
    boolean vector = ((CudaTensor.addressOf(qWeight) | CudaTensor.addressOf(kWeight)) & 15) == 0;
    for (CudaTensor t : moved) {
      vector &= t.isVector();
    }
    return vector ? width : 1;
  }

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
    CudaTensor in = CudaTensor.activation(qkv);
    int dim = rope.columns();
    int heads = q.columns() / dim;
    int kvHeads = k.columns() / dim;
    long items = (long) in.rows() * (heads + kvHeads);
    int width = headWidth(dim, qWeight, kWeight, in, CudaTensor.of(q), CudaTensor.of(k));
    kernels
        .call("norm", "qk_norm_rope_" + width)
        .t(in)
        .p(CudaTensor.addressOf(qWeight))
        .p(CudaTensor.addressOf(kWeight))
        .f(eps)
        .p(CudaIndices.of(positions).address())
        .p(CudaTensor.addressOf(rope))
        .t(CudaTensor.activation(q))
        .t(CudaTensor.activation(k))
        .p(CudaTensor.addressOf(rstd))
        .i(in.rows())
        .i(heads)
        .i(kvHeads)
        .i(dim)
        .launch((int) ((items + NORM_WARPS - 1) / NORM_WARPS), 1, NORM_WARPS * 32, 0);
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
    CudaTensor in = CudaTensor.activation(qkv);
    int dim = rope.columns();
    int heads = dq.columns() / dim;
    int kvHeads = dk.columns() / dim;
    CudaTensor[] moved = {in, CudaTensor.of(dq), CudaTensor.of(dk), CudaTensor.of(dQkv)};
    int width = headWidth(dim, qWeight, kWeight, moved);
    boolean weights = dqWeight != null || dkWeight != null;
    long items = (long) in.rows() * (heads + kvHeads);
    int all = (int) ((items + NORM_WARPS - 1) / NORM_WARPS);
    int blocks = weights ? Math.min(all, device.multiprocessors() * 4) : all;
    try (CudaTensor partial = weights ? CudaTensor.allocate(device, blocks, 2 * dim, true) : null) {
      kernels
          .call("norm", "qk_norm_rope_gradient_" + width)
          .t(CudaTensor.activation(dq))
          .t(CudaTensor.activation(dk))
          .t(in)
          .p(CudaTensor.addressOf(qWeight))
          .p(CudaTensor.addressOf(kWeight))
          .p(CudaIndices.of(positions).address())
          .p(CudaTensor.addressOf(rope))
          .p(CudaTensor.addressOf(rstd))
          .t(CudaTensor.activation(dQkv))
          .i(in.rows())
          .i(heads)
          .i(kvHeads)
          .i(dim)
          .p(partial == null ? 0 : partial.address())
          .launch(blocks, 1, NORM_WARPS * 32, weights ? NORM_WARPS * 2 * dim * 4 : 0);
      if (dqWeight != null) {
        addColumnSums(partial.address(), blocks, 2 * dim, dim, dqWeight);
      }
      if (dkWeight != null) {
        addColumnSums(partial.address() + 4L * dim, blocks, 2 * dim, dim, dkWeight);
      }
    }
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
        CudaTensor.activation(q),
        CudaTensor.activation(k),
        CudaTensor.activation(v),
        CudaIndices.of(sequences),
        headDim,
        window,
        scale,
        CudaTensor.activation(out),
        logSumExp == null ? null : CudaTensor.floats(logSumExp));
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
    attention.gradient(
        CudaTensor.activation(dOut),
        CudaTensor.activation(q),
        CudaTensor.activation(k),
        CudaTensor.activation(v),
        CudaTensor.activation(out),
        CudaTensor.floats(logSumExp),
        CudaIndices.of(sequences),
        headDim,
        window,
        scale,
        CudaTensor.activation(dq),
        CudaTensor.activation(dk),
        CudaTensor.activation(dv));
  }

  // ---- cached attention

  @Override
  public KeyValues keyValues(int layers, int kvHeads, int headDim, int capacity) {
    return new CudaKeyValues(device, layers, kvHeads * headDim, capacity);
  }

  @Override
  public void copyKeyValues(KeyValues from, KeyValues to, int tokens) {
    ((CudaKeyValues) from).copyTo((CudaKeyValues) to, tokens);
  }

  @Override
  public CacheBatch batch(List<KeyValues> caches, int[] starts, int[] past) {
    return new CudaCacheBatch(device, caches, starts, past);
  }

  @Override
  public void appendKeyValues(CacheBatch batch, int layer, Tensor k, Tensor v) {
    attention.append(
        (CudaCacheBatch) batch, layer, CudaTensor.activation(k), CudaTensor.activation(v));
  }

  @Override
  public void cachedAttention(
      CacheBatch batch, int layer, Tensor q, int headDim, int window, float scale, Tensor out) {
    attention.cached(
        (CudaCacheBatch) batch,
        layer,
        CudaTensor.activation(q),
        headDim,
        window,
        scale,
        CudaTensor.activation(out));
  }

  // ---- steps of one token

  @Override
  public void repeat(Object key, Runnable operations) {
    recordings.computeIfAbsent(key, k -> new Recording(device)).run(operations);
  }

  @Override
  public void forget(Object key) {
    Recording recording = recordings.remove(key);
    if (recording != null) {
      device.synchronize();
      recording.close();
    }
  }

  @Override
  public LowRankRows lowRankRows(List<LowRank> adapters, int[] starts) {
    return new CudaLowRankRows(device, adapters, starts);
  }

  @Override
  public void assign(Indices indices, int[] values) {
    CudaIndices.of(indices).assign(values);
  }

  @Override
  public void assign(CacheBatch batch, List<KeyValues> caches, int[] past) {
    ((CudaCacheBatch) batch).assign(caches, past);
  }

  @Override
  public void mostLikely(Tensor logits, Indices mask, Tensor picks) {
    CudaTensor z = CudaTensor.activation(logits);
    requirePicks(z, picks);
    long tops = device.allocate(12L * SHARES * z.rows());
    kernels
        .call("step", "step_tops")
        .t(z)
        .i(z.columns())
        .p(mask == null ? 0 : CudaIndices.of(mask).address())
        .p(tops)
        .launch(SHARES, z.rows(), 256, 0, true);
    kernels
        .call("step", "step_pick")
        .p(tops)
        .i(SHARES)
        .p(CudaTensor.floats(picks).address())
        .launch(z.rows(), 1, 32, 0, true);
    device.free(tops);
  }

  @Override
  public void mostLikelyAmong(Tensor scores, Indices starts, Tensor picks) {
    CudaTensor z = CudaTensor.activation(scores);
    requirePicks(z, picks);
    kernels
        .call("step", "step_among")
        .t(z)
        .p(CudaIndices.of(starts).address())
        .p(CudaTensor.floats(picks).address())
        .launch(z.rows(), 1, 256, 0);
  }

  private static void requirePicks(CudaTensor z, Tensor picks) {
    if (picks.rows() != z.rows() || picks.columns() != 2) {
      throw new IllegalArgumentException("%s takes no picks of %s".formatted(picks, z));
    }
  }

  @Override
  public void likely(Tensor logits, Tensor pick, float reach, Tensor found) {
    CudaTensor z = CudaTensor.activation(logits);
    kernels
        .call("step", "step_likely")
        .p(z.address())
        .i(z.columns())
        .p(CudaTensor.addressOf(pick))
        .f(reach)
        .p(CudaTensor.floats(found).address())
        .i((found.columns() - 2) / 2)
        .launch(SHARES, 1, 256, 0);
  }

  @Override
  public int mostDecoded(DecoderStack stack) {
    return decoding.takes(stack) ? Product.MOST_ROWS : 0;
  }

  @Override
  public void decode(DecoderStack stack, Indices ids, CacheBatch batch, Tensor h) {
    decoding.run(stack, CudaIndices.of(ids), (CudaCacheBatch) batch, CudaTensor.activation(h));
  }

  // ---- feed-forward

  @Override
  public void geglu(Tensor gateUp, Tensor out) {
    CudaTensor in = CudaTensor.activation(gateUp);
    CudaTensor to = CudaTensor.activation(out);
    int width = width(to.columns(), in, to);
    kernels
        .call("elementwise", "geglu_" + width)
        .t(in)
        .t(to)
        .i(to.rows())
        .i(to.columns())
        .launchEach(to.size() / width);
  }

  @Override
  public void gegluGradient(Tensor dOut, Tensor gateUp, Tensor dGateUp) {
    gegluGradient(dOut, gateUp, dGateUp, null);
  }

  @Override
  public void gegluGradient(Tensor dOut, Tensor gateUp, Tensor dGateUp, Tensor activated) {
    CudaTensor d = CudaTensor.activation(dOut);
    CudaTensor in = CudaTensor.activation(gateUp);
    CudaTensor to = CudaTensor.activation(dGateUp);
    CudaTensor again = activated == null ? null : CudaTensor.activation(activated);
    int width =
        again == null ? width(d.columns(), d, in, to) : width(d.columns(), d, in, to, again);
    kernels
        .call("elementwise", "geglu_gradient_" + width)
        .t(d)
        .t(in)
        .t(to)
        .p(again == null ? 0 : again.address())
        .i(again == null ? 0 : again.stride())
        .i(d.rows())
        .i(d.columns())
        .launchEach(d.size() / width);
  }

  @Override
  public void adaptedGegluGradient(
      Tensor dOut,
      Tensor gateUp,
      Tensor dGateUp,
      LowRank gateUpAdapter,
      Tensor gateUpU,
      List<Tensor> bGradients,
      Tensor downDu,
      Tensor aGradient) {
    CudaTensor d = CudaTensor.activation(dOut);
    CudaTensor in = CudaTensor.activation(gateUp);
    CudaTensor to = CudaTensor.activation(dGateUp);
    CudaTensor u = CudaTensor.activation(gateUpU);
    CudaTensor du = CudaTensor.activation(downDu);
    int columns = d.columns();
    int rank = du.columns();
    boolean halves =
        bGradients.size() == 2
            && bGradients.stream().allMatch(b -> b.rows() == columns && b.columns() == rank);
    if (!halves || rank % 8 != 0 || rank > WIDEST_RANK || width(columns, d, in, to, u, du) == 1) {
      Backend.super.adaptedGegluGradient(
          dOut, gateUp, dGateUp, gateUpAdapter, gateUpU, bGradients, downDu, aGradient);
      return;
    }
    int strips = (columns + ADAPTED_COLUMNS - 1) / ADAPTED_COLUMNS;
    int tiles = (d.rows() + ADAPTED_TOKENS - 1) / ADAPTED_TOKENS;
    int shares = Math.clamp(3 * device.multiprocessors() / strips, 1, tiles);
    // Two tiles: one is worked on, the other on its way.
    int shared = 2 * 2 * ADAPTED_TOKENS * (3 * (ADAPTED_COLUMNS + 8) + 3 * rank + 8);
    List<String> defines = List.of("RANK=" + rank);
    try (CudaTensor partial = CudaTensor.allocate(device, shares * 3 * columns, rank, true)) {
      kernels
          .call(kernels.get("adapted", defines, "adapted_geglu_gradient"))
          .t(d)
          .t(in)
          .t(to)
          .t(u)
          .t(du)
          .p(partial.address())
          .i(d.rows())
          .i(columns)
          .launch(strips, shares, 256, shared);
      kernels
          .call(kernels.get("adapted", defines, "adapted_geglu_sums"))
          .p(partial.address())
          .i(shares)
          .i(columns)
          .f(gateUpAdapter.scale())
          .p(CudaTensor.addressOf(bGradients.get(0)))
          .p(CudaTensor.addressOf(bGradients.get(1)))
          .p(CudaTensor.addressOf(aGradient))
          .launchEach(3L * columns * rank);
    }
  }

  @Override
  public void dropout(Tensor x, float p, long seed, float beta, Tensor out) {
    CudaTensor in = CudaTensor.of(x);
    CudaTensor to = CudaTensor.of(out);
    requireSameShape(in, to);
    if (in.isFloat() != to.isFloat()) {
      throw new IllegalArgumentException("types differ: %s and %s".formatted(in, to));
    }
    int width = width(in.columns(), in, to);
    kernels
        .call("elementwise", "dropout_" + type(in) + width)
        .t(in)
        .t(to)
        .i(in.rows())
        .i(in.columns())
        .l(seed)
        .l((long) (p * 4294967296.0))
        .f(1 / (1 - p))
        .f(beta)
        .launchEach(in.size() / width);
  }

  // ---- loss and optimiser

  @Override
  public void crossEntropy(Tensor logits, Indices targets, Tensor weights, Tensor losses) {
    CudaTensor z = CudaTensor.activation(logits);
    int width = width(z.columns(), z);
    boolean clustered =
        device.hasClusters()
            && width == 8
            && z.columns() > HELD_COLUMNS / 2
            && z.columns() <= HELD_COLUMNS;
    if (clustered) {
      kernels
          .call("training", "cross_entropy_cluster")
          .t(z)
          .p(CudaIndices.of(targets).address())
          .p(CudaTensor.addressOf(weights))
          .p(CudaTensor.addressOf(losses))
          .i(z.columns())
          .launch(4 * z.rows(), 1, 1024, 0);
      return;
    }
    kernels
        .call("training", "cross_entropy_" + width)
        .t(z)
        .p(CudaIndices.of(targets).address())
        .p(CudaTensor.addressOf(weights))
        .p(CudaTensor.addressOf(losses))
        .i(z.columns())
        .launch(z.rows(), 1, z.columns() >= 4096 ? 512 : 128, 0);
  }

  @Override
  public double sumOfSquares(Tensor tensor) {
    CudaTensor t = CudaTensor.floats(tensor);
    int blocks = (int) Math.min(SUM_BLOCKS, (t.size() + 255) / 256);
    long partial = device.allocate(8L * (blocks + 1));
    kernels
        .call("training", "sum_of_squares")
        .p(t.address())
        .l(t.size())
        .p(partial)
        .launch(blocks, 1, 256, 0);
    long sum = partial + 8L * blocks;
    kernels.call("training", "sum_doubles").p(partial).i(blocks).p(sum).launch(1, 1, 256, 0);
    double value = device.receiveDouble(sum);
    device.free(partial);
    return value;
  }

  @Override
  public void adamW(
      Tensor parameters, Tensor gradients, Tensor m, Tensor v, AdamW step, float gradientScale) {
    CudaTensor p = CudaTensor.floats(parameters);
    kernels
        .call("training", "adamw")
        .p(p.address())
        .p(CudaTensor.addressOf(gradients))
        .p(CudaTensor.addressOf(m))
        .p(CudaTensor.addressOf(v))
        .l(p.size())
        .f(step.learningRate())
        .f(step.beta1())
        .f(step.beta2())
        .f(step.epsilon())
        .f(step.weightDecay())
        .f(step.correction1())
        .f(step.correction2())
        .f(gradientScale)
        .launchEach(p.size());
  }

  @Override
  public void synchronize() {
    device.synchronize();
  }

  @Override
  public void close() {
    device.synchronize();
    recordings.values().forEach(Recording::close);
    kernels.close();
    cublas.close();
    lanes.close();
    ahead.close();
    device.close();
  }
}
