package dev.reckoner.tensor.cpu;

import dev.reckoner.tensor.cpu.AttentionBlock.PanelArray;
import dev.reckoner.tensor.cpu.AttentionBlock.PanelSource;
import dev.reckoner.tensor.cpu.AttentionBlock.Rows;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * Training attention over packed sequences. The backward pass computes the probabilities again from
 * the log-sum-exp (FlashAttention's recipe), once by blocks of queries for dq and once by blocks of
 * keys for dk and dv, so that no two threads add to one element.
 */
final class CpuAttention {
  private static final int W = Tile.WIDTH;
  private static final int BLOCK = 64;

  /** So many sequences and heads a thread are enough to share them out whole. */
  private static final int WHOLE = 4;

  private final Workers workers;
  private final FloatPool pool;
  private final AttentionBlock block;

  CpuAttention(Workers workers, FloatPool pool) {
    this.workers = workers;
    this.pool = pool;
    block = new AttentionBlock(pool);
  }

  /** A block of up to 64 tokens, from token {@code from} of the sequence at rows [start, end). */
  private record Work(int start, int end, int from, int kvHead) {
    int rows() {
      return Math.min(BLOCK, end - start - from);
    }
  }

  /** What all blocks of a call share. */
  private record Shape(int headDim, int group, int window, float scale) {
    /** First key, rounded down to a panel, that the query sees. */
    int firstKey(int query) {
      return AttentionBlock.firstKey(query, window);
    }

    int dimPanels() {
      return (headDim + W - 1) / W;
    }
  }

  private static List<Work> work(int[] sequences, int kvHeads) {
    List<Work> work = new ArrayList<>();
    for (int s = 0; s + 1 < sequences.length; s++) {
      for (int from = 0; from < sequences[s + 1] - sequences[s]; from += BLOCK) {
        for (int g = 0; g < kvHeads; g++) {
          work.add(new Work(sequences[s], sequences[s + 1], from, g));
        }
      }
    }
    return work;
  }

  /** Whole sequences of a head of keys, the longest first: none is waited for at the end. */
  private static List<Work> whole(int[] sequences, int kvHeads) {
    List<Work> work = new ArrayList<>();
    for (int s = 0; s + 1 < sequences.length; s++) {
      for (int g = 0; g < kvHeads; g++) {
        work.add(new Work(sequences[s], sequences[s + 1], 0, g));
      }
    }
    work.sort(Comparator.comparingInt((Work w) -> w.end - w.start).reversed());
    return work;
  }

  private static Shape shape(CpuTensor q, CpuTensor k, int headDim, int window, float scale) {
    return new Shape(headDim, q.columns / k.columns, window, scale);
  }

  void forward(
      CpuTensor q,
      CpuTensor k,
      CpuTensor v,
      int[] sequences,
      int headDim,
      int window,
      float scale,
      CpuTensor out,
      CpuTensor logSumExp) {
    Shape shape = shape(q, k, headDim, window, scale);
    List<Work> work = work(sequences, k.columns / headDim);
    workers.run(
        work.size(),
        task -> {
          Work w = work.get(task);
          int lo = shape.firstKey(w.from);
          int hi = w.from + w.rows();
          PanelArray keys = transposed(k, w, lo, hi, headDim);
          PanelArray values = natural(v, w.start, lo, hi, w.kvHead * headDim, headDim);
          for (int h = w.kvHead * shape.group; h < (w.kvHead + 1) * shape.group; h++) {
            try (AttentionBlock.Block b =
                block
                .new Block(
                    rows(q, w.start + w.from, h * headDim),
                    w.rows(),
                    w.from,
                    1,
                    keys,
                    values,
                    lo,
                    hi,
                    headDim,
                    window,
                    scale,
                    rows(out, w.start + w.from, h * headDim))) {
              b.attend(rows(logSumExp, w.start + w.from, h));
            }
          }
          pool.give(keys.data());
          pool.give(values.data());
        });
  }

  private static Rows rows(CpuTensor t, int row, int column) {
    return new Rows(t.data, t.row(row) + column, t.stride);
  }

  /** Keys {@code [lo, hi)} of the work's head as panels {@code [key/32][headDim][32]}. */
  private PanelArray transposed(CpuTensor t, Work w, int lo, int hi, int headDim) {
    int n = hi - lo;
    float[] panels = pool.take((long) (n + W - 1) / W * W * headDim);
    int off = t.row(w.start + lo) + w.kvHead * headDim;
    for (int p = 0; p * W < n; p++) {
      Packing.packPanel(t.data, off, 1, t.stride, headDim, p * W, n, panels, p * headDim * W);
    }
    return new PanelArray(panels, 0, headDim * W);
  }

  /** Tokens {@code [lo, hi)} as panels {@code [headDim/32][token][32]}. */
  private PanelArray natural(CpuTensor t, int start, int lo, int hi, int column, int headDim) {
    int n = hi - lo;
    int panels = (headDim + W - 1) / W;
    float[] packed = pool.take((long) panels * n * W);
    Packing.packRows(t.data, t.row(start + lo) + column, t.stride, n, headDim, packed);
    return new PanelArray(packed, 0, n * W);
  }

  void backward(
      CpuTensor dOut,
      CpuTensor q,
      CpuTensor k,
      CpuTensor v,
      CpuTensor out,
      CpuTensor logSumExp,
      int[] sequences,
      int headDim,
      int window,
      float scale,
      CpuTensor dq,
      CpuTensor dk,
      CpuTensor dv) {
    Shape shape = shape(q, k, headDim, window, scale);
    int heads = q.columns / headDim;
    float[] delta = pool.take((long) q.rows * heads);
    CpuRows.parallel(
        workers,
        q.rows,
        q.columns,
        t -> {
          float[] lanes = new float[VectorMath.L];
          for (int h = 0; h < heads; h++) {
            int a = dOut.row(t) + h * headDim;
            int b = out.row(t) + h * headDim;
            delta[t * heads + h] = Norms.dot(dOut.data, a, out.data, b, headDim, lanes);
          }
        });
    List<Work> whole = whole(sequences, k.columns / headDim);
    if (whole.size() >= WHOLE * workers.size()) {
      workers.run(
          whole.size(),
          task -> {
            try (Recomputed r = new Recomputed(shape, q, dOut, logSumExp, delta, heads)) {
              gradients(shape, whole.get(task), r, k, v, dq, dk, dv);
            }
          });
      pool.give(delta);
      return;
    }
    List<Work> work = work(sequences, k.columns / headDim);
    workers.run(
        work.size() * 2,
        task -> {
          Work w = work.get(task / 2);
          try (Recomputed r = new Recomputed(shape, q, dOut, logSumExp, delta, heads)) {
            if (task % 2 == 0) {
              queryGradient(shape, w, r, k, v, dq);
            } else {
              keyValueGradient(shape, w, r, k, v, dk, dv, null);
            }
          }
        });
    pool.give(delta);
  }

  /**
   * Probabilities and score gradients of a block of queries, and their q and dOut, all as panels
   * {@code [rows][32]}. Used by one task, block after block.
   */
  private final class Recomputed implements AutoCloseable {
    private final Shape shape;
    private final CpuTensor q;
    private final CpuTensor dOut;
    private final CpuTensor logSumExp;
    private final float[] delta;
    private final int heads;
    private float[] p = {};
    private float[] ds = {};
    private float[] qRows = {};
    private float[] dRows = {};

    Recomputed(
        Shape shape, CpuTensor q, CpuTensor dOut, CpuTensor logSumExp, float[] delta, int heads) {
      this.shape = shape;
      this.q = q;
      this.dOut = dOut;
      this.logSumExp = logSumExp;
      this.delta = delta;
      this.heads = heads;
    }

    /**
     * For queries [from, from + rows) of the sequence at {@code start} against keys [lo, hi):
     * {@code p = exp(scale * q k - lse)}, {@code ds = p * (dOut v - delta) * scale}.
     */
    void compute(
        int start, int from, int rows, int lo, int hi, int h, PanelSource keys, PanelSource vT) {
      int n = hi - lo;
      int panels = (n + W - 1) / W;
      int d = shape.headDim;
      int size = shape.dimPanels() * rows * W;
      qRows = atLeast(qRows, size);
      dRows = atLeast(dRows, size);
      p = atLeast(p, panels * rows * W);
      ds = atLeast(ds, panels * rows * W);
      Packing.packRows(q.data, q.row(start + from) + h * d, q.stride, rows, d, qRows);
      AttentionBlock.product(qRows, rows, d, keys, n, p);
      int first = dOut.row(start + from) + h * d;
      Packing.packRows(dOut.data, first, dOut.stride, rows, d, dRows);
      AttentionBlock.product(dRows, rows, d, vT, n, ds);
      for (int i = 0; i < rows; i++) {
        int query = from + i;
        float lse = logSumExp.data[logSumExp.row(start + query) + h];
        float dlt = delta[(start + query) * heads + h];
        float newest = Math.min(query, hi - 1) - lo;
        float oldest = shape.window == 0 ? -1 : query - shape.window - lo;
        for (int panel = 0; panel < panels; panel++) {
          probabilities(
              p, ds, (panel * rows + i) * W, panel * W, newest, oldest, shape.scale, lse, dlt);
        }
      }
    }

    private float[] atLeast(float[] array, int size) {
      if (array.length >= size) {
        return array;
      }
      pool.give(array);
      return pool.take(size);
    }

    @Override
    public void close() {
      pool.give(p);
      pool.give(ds);
      pool.give(qRows);
      pool.give(dRows);
    }
  }

  /** One row of a panel of scores to p, of dOut v to ds; keys are numbered from {@code key}. */
  private static void probabilities(
      float[] p,
      float[] ds,
      int at,
      int key,
      float newest,
      float oldest,
      float scale,
      float lse,
      float delta) {
    FloatVector zero = FloatVector.zero(VectorMath.S);
    for (int j = 0; j < W; j += VectorMath.L) {
      FloatVector index = AttentionBlock.LANES.add(key + j);
      VectorMask<Float> visible =
          index.compare(VectorOperators.LE, newest).and(index.compare(VectorOperators.GT, oldest));
      FloatVector score = FloatVector.fromArray(VectorMath.S, p, at + j).mul(scale).sub(lse);
      FloatVector prob = zero.blend(VectorMath.exp(score), visible);
      prob.intoArray(p, at + j);
      FloatVector dProb = FloatVector.fromArray(VectorMath.S, ds, at + j).sub(delta);
      prob.mul(dProb).mul(scale).intoArray(ds, at + j);
    }
  }

  /**
   * All gradients of a sequence and a head of keys by one thread, which computes the probabilities
   * once. The same sums in the same order as {@link #queryGradient} and {@link #keyValueGradient}.
   */
  private void gradients(
      Shape s,
      Work w,
      Recomputed r,
      CpuTensor k,
      CpuTensor v,
      CpuTensor dq,
      CpuTensor dk,
      CpuTensor dv) {
    int d = s.headDim;
    int length = w.end - w.start;
    int size = s.dimPanels() * W; // of a token
    float[] accQ = pool.take((long) s.group * length * size);
    java.util.Arrays.fill(accQ, 0, s.group * length * size, 0f);
    for (int lo = 0; lo < length; lo += BLOCK) {
      Work block = new Work(w.start, w.end, lo, w.kvHead);
      int hi = lo + block.rows();
      PanelArray keyRows = natural(k, w.start, lo, hi, w.kvHead * d, d);
      keyValueGradient(s, block, r, k, v, dk, dv, new Queries(keyRows, accQ));
      pool.give(keyRows.data());
    }
    for (int h = 0; h < s.group; h++) {
      for (int from = 0; from < length; from += BLOCK) {
        int rows = Math.min(BLOCK, length - from);
        int column = (w.kvHead * s.group + h) * d;
        writeOut(accQ, (h * length + from) * size, rows, rows, d, dq, w.start + from, column);
      }
    }
    pool.give(accQ);
  }

  /**
   * Where a block of keys adds its part of dq.
   *
   * @param acc {@code [head of the group][block of queries][headDim/32][query][32]}
   */
  private record Queries(PanelArray keyRows, float[] acc) {}

  private void queryGradient(
      Shape s, Work w, Recomputed r, CpuTensor k, CpuTensor v, CpuTensor dq) {
    int d = s.headDim;
    int lo = s.firstKey(w.from);
    int hi = w.from + w.rows();
    PanelArray keys = transposed(k, w, lo, hi, d);
    PanelArray keyRows = natural(k, w.start, lo, hi, w.kvHead * d, d);
    PanelArray vT = transposed(v, w, lo, hi, d);
    float[] acc = pool.take((long) s.dimPanels() * w.rows() * W);
    for (int h = w.kvHead * s.group; h < (w.kvHead + 1) * s.group; h++) {
      r.compute(w.start, w.from, w.rows(), lo, hi, h, keys, vT);
      java.util.Arrays.fill(acc, 0, s.dimPanels() * w.rows() * W, 0f);
      AttentionBlock.productOfPanels(r.ds, w.rows(), hi - lo, keyRows, d, acc, 0);
      writeOut(acc, 0, w.rows(), w.rows(), d, dq, w.start + w.from, h * d);
    }
    pool.give(acc);
    pool.give(keys.data());
    pool.give(keyRows.data());
    pool.give(vT.data());
  }

  /**
   * @param queries null where dq is computed elsewhere
   */
  private void keyValueGradient(
      Shape s,
      Work w,
      Recomputed r,
      CpuTensor k,
      CpuTensor v,
      CpuTensor dk,
      CpuTensor dv,
      Queries queries) {
    int d = s.headDim;
    int lo = w.from;
    int n = w.rows();
    int hi = lo + n;
    int length = w.end - w.start;
    // whole blocks of queries, as dq is laid out; what a query does not see adds nothing
    int seen = s.window == 0 ? length : hi - 1 + s.window;
    int last = Math.min(length, Math.ceilDiv(seen, BLOCK) * BLOCK);
    PanelArray keys = transposed(k, w, lo, hi, d);
    PanelArray vT = transposed(v, w, lo, hi, d);
    int padded = Math.ceilDiv(n, PanelTile.TRANSPOSED) * PanelTile.TRANSPOSED;
    int size = s.dimPanels() * padded * W;
    float[] accK = pool.take(size);
    float[] accV = pool.take(size);
    java.util.Arrays.fill(accK, 0, size, 0f);
    java.util.Arrays.fill(accV, 0, size, 0f);
    for (int h = w.kvHead * s.group; h < (w.kvHead + 1) * s.group; h++) {
      for (int from = lo; from < last; from += BLOCK) {
        int rows = Math.min(BLOCK, last - from);
        r.compute(w.start, from, rows, lo, hi, h, keys, vT);
        addTransposed(r.p, r.dRows, rows, padded, d, accV);
        addTransposed(r.ds, r.qRows, rows, padded, d, accK);
        if (queries != null) {
          int to = ((h - w.kvHead * s.group) * length + from) * s.dimPanels() * W;
          AttentionBlock.productOfPanels(r.ds, rows, n, queries.keyRows, d, queries.acc, to);
        }
      }
    }
    writeOut(accK, 0, padded, n, d, dk, w.start + lo, w.kvHead * d);
    writeOut(accV, 0, padded, n, d, dv, w.start + lo, w.kvHead * d);
    pool.give(accK);
    pool.give(accV);
    pool.give(keys.data());
    pool.give(vT.data());
  }

  /**
   * {@code acc += P^T X}: P is panels {@code [rows][32]} of keys, X panels {@code [rows][32]} of a
   * head, acc panels {@code [n][32]}. Keys beyond a block's have zeros in P.
   */
  private static void addTransposed(float[] p, float[] x, int rows, int n, int d, float[] acc) {
    for (int dp = 0; dp * W < d; dp++) {
      for (int j = 0; j < n; j += PanelTile.TRANSPOSED) {
        int from = j / W * rows * W + j % W;
        PanelTile.multiplyTransposed(rows, p, from, x, dp * rows * W, acc, (dp * n + j) * W);
      }
    }
  }

  /** Panels of {@code height} rows that begin at {@code at}, the first {@code rows} of each. */
  private static void writeOut(
      float[] acc, int at, int height, int rows, int headDim, CpuTensor to, int row, int column) {
    for (int i = 0; i < rows; i++) {
      for (int d = 0; d < headDim; d += W) {
        System.arraycopy(
            acc,
            at + (d / W * height + i) * W,
            to.data,
            to.row(row + i) + column + d,
            Math.min(W, headDim - d));
      }
    }
  }
}
