package dev.reckoner.tensor.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * Attention of a block of queries of one head over keys and values held as panels. Keys are {@code
 * [key/32][headDim][32]}, values {@code [headDim/32][key][32]}, both beginning at a multiple of 32
 * keys of their sequence; invisible keys get weight 0 exactly, so that neither the block's size nor
 * where it begins changes a query's result.
 */
final class AttentionBlock {
  private static final int W = Tile.WIDTH;
  private static final int L = VectorMath.L;
  static final FloatVector LANES = FloatVector.zero(VectorMath.S).addIndex(1);

  /** Panels {@code [k][32]} of keys or values. */
  interface PanelSource {
    /** The array that holds panel {@code panel} from its row {@code from} on, 32 rows or more. */
    float[] data(int panel, int from);

    /** Where that row begins. */
    int at(int panel, int from);

    /** So many rows of a panel follow one another from {@code from} on, a multiple of 32. */
    default int run(int from) {
      return W;
    }
  }

  /** All in one array: panel p begins at {@code at + p * step}. */
  record PanelArray(float[] data, int at, int step) implements PanelSource {
    @Override
    public float[] data(int panel, int from) {
      return data;
    }

    @Override
    public int at(int panel, int from) {
      return at + panel * step + from * W;
    }

    @Override
    public int run(int from) {
      return Gemm.KC;
    }
  }

  /** A strided block of rows. */
  record Rows(float[] data, int at, int stride) {}

  private final FloatPool pool;

  AttentionBlock(FloatPool pool) {
    this.pool = pool;
  }

  /** {@code out = A B}: A and out as panels {@code [rows][32]}, those of B are {@code [k][32]}. */
  static void product(float[] a, int rows, int k, PanelSource b, int n, float[] out) {
    product(a, rows, k, b, 0, (n + W - 1) / W, out);
  }

  /** The same for panels {@code [begin, end)} of B and out. */
  static void product(float[] a, int rows, int k, PanelSource b, int begin, int end, float[] out) {
    java.util.Arrays.fill(out, begin * rows * W, end * rows * W, 0f);
    for (int p = begin; p < end; p++) {
      float[] data = b.data(p, 0);
      int at = b.at(p, 0);
      PanelTile.multiply(rows, k, a, 0, rows * W, data, at, out, p * rows * W);
    }
  }

  /**
   * {@code out += A B} where A, too, is panels {@code [rows][32]}, of k keys in all.
   *
   * @param to where {@code out} begins
   */
  static void productOfPanels(
      float[] a, int rows, int k, PanelSource b, int n, float[] out, int to) {
    productOfPanels(a, rows, k, b, 0, (n + W - 1) / W, out, to);
  }

  private static void productOfPanels(
      float[] a, int rows, int k, PanelSource b, int begin, int end, float[] out, int to) {
    for (int k0 = 0, kc; k0 < k; k0 += kc) {
      kc = Math.min(b.run(k0), k - k0);
      for (int p = begin; p < end; p++) {
        float[] data = b.data(p, k0);
        int at = b.at(p, k0);
        int from = to + p * rows * W;
        PanelTile.multiply(rows, kc, a, k0 * rows, rows * W, data, at, out, from);
      }
    }
  }

  /** First key, rounded down to a panel, that the token at {@code place} sees. */
  static int firstKey(int place, int window) {
    return window == 0 ? 0 : Math.max(0, place - window + 1) / W * W;
  }

  /**
   * One block, whose steps several threads may share: each takes some of the keys for all rows,
   * then some of the rows, then some columns of the values, so that none is read twice. How it is
   * shared out changes no bit.
   */
  final class Block implements AutoCloseable {
    private final int rows;
    private final int first;
    private final int step;
    private final PanelSource keys;
    private final PanelSource values;
    private final int lo;
    private final int n;
    private final int headDim;
    private final int window;
    private final float scale;
    private final Rows out;
    private final float[] packed;
    private final float[] scores;
    private final float[] sums;
    private final int keyPanels;
    private final int dimPanels;

    /**
     * @param first place in the sequence of the first query
     * @param step places from one row's query to the next: 1, or 0 where rows are heads of one
     *     token
     * @param lo first key of the panels, a multiple of 32; {@code hi} the end of the keys
     */
    Block(
        Rows q,
        int rows,
        int first,
        int step,
        PanelSource keys,
        PanelSource values,
        int lo,
        int hi,
        int headDim,
        int window,
        float scale,
        Rows out) {
      this.rows = rows;
      this.first = first;
      this.step = step;
      this.keys = keys;
      this.values = values;
      this.lo = lo;
      this.n = hi - lo;
      this.headDim = headDim;
      this.window = window;
      this.scale = scale;
      this.out = out;
      keyPanels = Math.ceilDiv(n, W);
      dimPanels = Math.ceilDiv(headDim, W);
      packed = pool.take((long) dimPanels * rows * W);
      scores = pool.take((long) keyPanels * rows * W);
      sums = new float[rows];
      Packing.packRows(q.data, q.at, q.stride, rows, headDim, packed);
    }

    int rows() {
      return rows;
    }

    /**
     * All of it by one thread.
     *
     * @param logSumExp null or where each query's goes, a row stride apart
     */
    void attend(Rows logSumExp) {
      scores(0, 1);
      float[] lanes = new float[L];
      for (int i = 0; i < rows; i++) {
        float max = weights(i, lanes);
        if (logSumExp != null) {
          logSumExp.data[logSumExp.at + i * logSumExp.stride] = max + (float) Math.log(lanes[0]);
        }
      }
      values(0, 1);
    }

    /** Scores of share {@code i} of so many of the keys. */
    void scores(int i, int shares) {
      int begin = i * keyPanels / shares;
      product(packed, rows, headDim, keys, begin, (i + 1) * keyPanels / shares, scores);
    }

    /**
     * Numerators of row i's weights, when all its scores are there; leaves their sum in {@code
     * lanes[0]} and gives the largest score.
     */
    float weights(int i, float[] lanes) {
      float max =
          softmaxNumerators(scores, rows, i, keyPanels, first + i * step, lo, window, scale, lanes);
      sums[i] = lanes[0];
      return max;
    }

    /** Share {@code i} of so many of the result's columns, when all weights are there. */
    void values(int i, int shares) {
      int begin = i * dimPanels / shares;
      int end = (i + 1) * dimPanels / shares;
      float[] acc = packed; // q is not needed any more
      java.util.Arrays.fill(acc, begin * rows * W, end * rows * W, 0f);
      productOfPanels(scores, rows, n, values, begin, end, acc, 0);
      for (int r = 0; r < rows; r++) {
        float inverse = 1f / sums[r];
        for (int p = begin; p < end; p++) {
          int from = (p * rows + r) * W;
          int to = out.at + r * out.stride + p * W;
          for (int d = 0; d < Math.min(W, headDim - p * W); d++) {
            out.data[to + d] = acc[from + d] * inverse;
          }
        }
      }
    }

    @Override
    public void close() {
      pool.give(packed);
      pool.give(scores);
    }
  }

  /**
   * Replaces row i's scores by {@code exp(scale * score - max)}, 0 where invisible; leaves their
   * sum in {@code lanes[0]} and gives the maximum.
   */
  private static float softmaxNumerators(
      float[] scores,
      int rows,
      int i,
      int panels,
      int query,
      int lo,
      int window,
      float scale,
      float[] lanes) {
    float newest = query - lo;
    float oldest = window == 0 ? -1 : query - window - lo;
    FloatVector max = FloatVector.broadcast(VectorMath.S, Float.NEGATIVE_INFINITY);
    for (int p = 0; p < panels; p++) {
      int at = (p * rows + i) * W;
      for (int j = 0; j < W; j += L) {
        FloatVector index = LANES.add(p * W + j);
        VectorMask<Float> visible =
            index
                .compare(VectorOperators.LE, newest)
                .and(index.compare(VectorOperators.GT, oldest));
        FloatVector s =
            FloatVector.broadcast(VectorMath.S, Float.NEGATIVE_INFINITY)
                .blend(FloatVector.fromArray(VectorMath.S, scores, at + j).mul(scale), visible);
        s.intoArray(scores, at + j);
        max = max.max(s);
      }
    }
    float m = VectorMath.max(max);
    FloatVector sum = FloatVector.zero(VectorMath.S);
    for (int p = 0; p < panels; p++) {
      int at = (p * rows + i) * W;
      for (int j = 0; j < W; j += L) {
        FloatVector e = VectorMath.exp(FloatVector.fromArray(VectorMath.S, scores, at + j).sub(m));
        e.intoArray(scores, at + j);
        sum = sum.add(e);
      }
    }
    VectorMath.sum(sum, lanes);
    return m;
  }
}
