package dev.reckoner.tensor.cpu;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * {@code y = x W} for many long rows and few columns. A task packs a slice of its rows, multiplies
 * it by all panels of W and goes on to the next slice: x is read once, and packed it never leaves
 * the cache. What an adapter adds is made on the way. The same sums in the same order as {@link
 * Gemm}'s.
 */
final class NarrowingProduct {
  private static final int W = Tile.WIDTH;

  /** Rows of a task: their sums and a slice of x fill most of a second-level cache of 512 KiB. */
  private static final int ROWS = 6 * Tile.BLOCK;

  /** The most panels of W of which that is so. */
  private static final int PANELS = 16;

  private final Workers workers;
  private final FloatPool pool;

  NarrowingProduct(Workers workers, FloatPool pool) {
    this.workers = workers;
    this.pool = pool;
  }

  /** {@code u = scale * x[from .. from + k of B) B}, B being narrow: on the way through x. */
  record Ranks(Panels b, float scale, int from, CpuTensor u) {
    int panels() {
      return (b.n() + W - 1) / W;
    }
  }

  /** {@code y[from .. from + n of B) += scale * u B}; {@code from} is a multiple of 32. */
  record Addend(CpuTensor u, Panels b, float scale, int from) {}

  /** Whether x {@code [rows, k]} and y {@code [rows, n]} are of the shape this is for. */
  boolean suits(int rows, int k, int n) {
    return k > n && (n + W - 1) / W <= PANELS && rows >= ROWS * workers.size();
  }

  /** Rows of a task, such that each thread has about as many as the others. */
  private int block(int rows) {
    int tasks = Math.ceilDiv(Math.ceilDiv(rows, ROWS), workers.size()) * workers.size();
    return Math.ceilDiv(Math.ceilDiv(rows, tasks), Tile.BLOCK) * Tile.BLOCK;
  }

  /** By a quantised weight. */
  void multiply(CpuTensor x, BlockMatrix w, CpuTensor y, List<Ranks> ranks, List<Addend> addends) {
    run(
        x,
        w.columns(),
        y,
        ranks,
        addends,
        (k0, slice, kc, rows, acc, scratch) -> {
          Gemm.Blocks codes = new Gemm.Blocks(pool);
          for (int p = 0; p * W < w.rows(); p++) {
            codes.unpack(w, p, k0, kc);
            for (int i = 0; i < rows; ) {
              int h = Tile.height(rows - i);
              codes.multiply(h, kc, slice, i * kc, acc, (p * rows + i) * W);
              i += h;
            }
          }
          codes.done(pool);
        });
  }

  /** By panels. */
  void multiply(CpuTensor x, Panels w, CpuTensor y, List<Ranks> ranks, List<Addend> addends) {
    run(
        x,
        w.k(),
        y,
        ranks,
        addends,
        (k0, slice, kc, rows, acc, scratch) -> addPanels(slice, kc, rows, w, k0, acc, scratch));
  }

  private interface Weights {
    /** Adds {@code [rows, kc]} of x times rows {@code [k0, k0 + kc)} of W. */
    void add(int k0, float[] slice, int kc, int rows, float[] acc, float[] scratch);
  }

  private void run(
      CpuTensor x, int k, CpuTensor y, List<Ranks> ranks, List<Addend> addends, Weights weights) {
    int panels = (y.columns + W - 1) / W;
    int block = block(x.rows);
    workers.run(
        Math.ceilDiv(x.rows, block),
        task -> {
          int from = task * block;
          int rows = Math.min(block, x.rows - from);
          float[] slice = pool.take((long) rows * Gemm.KC);
          float[] scratch = pool.take((long) Gemm.KC * W);
          float[] acc = zeros(panels * rows * W);
          List<float[]> rankSums = new ArrayList<>();
          ranks.forEach(r -> rankSums.add(zeros(r.panels() * rows * W)));
          for (int k0 = 0; k0 < k; ) {
            int kc = end(ranks, k0, k) - k0;
            Packing.packA(x.data, x.row(from) + k0, x.stride, 1, rows, kc, slice, 0);
            for (int i = 0; i < ranks.size(); i++) {
              Ranks r = ranks.get(i);
              if (k0 >= r.from && k0 < r.from + r.b.k()) {
                addPanels(slice, kc, rows, r.b, k0 - r.from, rankSums.get(i), scratch);
              }
            }
            weights.add(k0, slice, kc, rows, acc, scratch);
            k0 += kc;
          }
          for (int i = 0; i < ranks.size(); i++) {
            Ranks r = ranks.get(i);
            for (int p = 0; p < r.panels(); p++) {
              Gemm.writeOut(rankSums.get(i), p * rows, rows, r.scale, 0, r.u, from, p * W);
            }
            pool.give(rankSums.get(i));
          }
          for (int p = 0; p < panels; p++) {
            Gemm.writeOut(acc, p * rows, rows, 1, 0, y, from, p * W);
          }
          addends.forEach(addend -> add(addend, from, rows, y, scratch));
          pool.give(slice);
          pool.give(scratch);
          pool.give(acc);
        });
  }

  /**
   * Where the slice that begins at k0 ends: no slice reaches across the end of an adapter's part.
   */
  private static int end(List<Ranks> ranks, int k0, int k) {
    int end = Math.min(k, k0 + Gemm.slice(k));
    for (Ranks r : ranks) {
      int last = r.from + r.b.k();
      if (r.from > k0) {
        end = Math.min(end, r.from);
      } else if (last > k0) {
        end = Math.min(end, last);
      }
    }
    return end;
  }

  private void add(Addend addend, int from, int rows, CpuTensor y, float[] scratch) {
    CpuTensor u = addend.u;
    Panels b = addend.b;
    float[] packed = pool.take((long) rows * b.k());
    float[] sums = pool.take((long) rows * W);
    Packing.packA(u.data, u.row(from), u.stride, 1, rows, b.k(), packed, 0);
    for (int p = 0; p * W < b.n(); p++) {
      Arrays.fill(sums, 0, rows * W, 0f);
      Gemm.addPanel(packed, rows, 0, rows, b, p, scratch, sums);
      Gemm.writeOut(sums, 0, rows, addend.scale, 1, y, from, addend.from + p * W);
    }
    pool.give(packed);
    pool.give(sums);
  }

  /** Adds a packed slice times rows {@code [k0, k0 + kc)} of B. */
  private static void addPanels(
      float[] slice, int kc, int rows, Panels b, int k0, float[] acc, float[] scratch) {
    for (int p = 0; p * W < b.n(); p++) {
      float[] panel = b.panel(p, k0, kc, scratch);
      int first = b.at(p, k0);
      int width = b.n() - p * W;
      for (int i = 0; i < rows; ) {
        int h = Tile.height(rows - i);
        Tile.multiply(h, width, kc, slice, i * kc, panel, first, acc, (p * rows + i) * W);
        i += h;
      }
    }
  }

  private float[] zeros(int size) {
    float[] zeros = pool.take(size);
    Arrays.fill(zeros, 0, size, 0f);
    return zeros;
  }
}
