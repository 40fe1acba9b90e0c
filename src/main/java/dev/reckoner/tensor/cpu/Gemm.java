package dev.reckoner.tensor.cpu;

import dev.reckoner.tensor.Nf4;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** Multi-threaded matrix products. Threads share out the elements of C, never a sum. */
final class Gemm {
  private static final int L = VectorMath.L;

  /** Rows of B per pass at most: a panel of so many by 32 floats is half a first-level cache. */
  static final int KC = L == 16 ? 192 : 128;

  /** Rows of A a task: a slice of them and their sums by {@link #GROUP} panels are in the cache. */
  private static final int MOST_ROWS = 16 * Tile.BLOCK;

  /** Rows that are packed together, or computed at least; blocks of them are multiples. */
  private static final int UNIT = 2 * Tile.BLOCK;

  private static final int W = Tile.WIDTH;
  private static final VectorSpecies<Float> S = VectorMath.S;

  /** Panels of B that share a slice of A. */
  private static final int GROUP = 4;

  /** Tasks a thread, where there are enough: nobody waits long for the last. */
  private static final int TASKS = 4;

  /** Multiply-adds of some microseconds, as an adapter's product of one row has them. */
  private static final long ALONE = 1 << 16;

  private final Workers workers;
  private final FloatPool pool;

  Gemm(Workers workers, FloatPool pool) {
    this.workers = workers;
    this.pool = pool;
  }

  /** A strided left operand {@code [m, k]}: element (i, p) at {@code off + i * rs + p * cs}. */
  record Left(float[] data, int off, int rs, int cs, int m) {
    static Left of(CpuTensor t) {
      return new Left(t.data, t.offset, t.stride, 1, t.rows);
    }

    static Left transposed(CpuTensor t) {
      return new Left(t.data, t.offset, 1, t.stride, t.columns);
    }
  }

  /** Rows of B per pass of k in all: about as many in each, and whole blocks of weights. */
  static int slice(int k) {
    int slices = Math.max(1, Math.ceilDiv(k, KC));
    return Math.ceilDiv(Math.ceilDiv(k, slices), Nf4.BLOCK) * Nf4.BLOCK;
  }

  /**
   * How a product is shared out: a task is a block of rows of A by some panels of B, which take
   * turns on each slice of A while it is in the second-level cache. Tasks of the same rows follow
   * one another.
   */
  private record Tasks(int m, int block, int panels, int group) {
    int groups() {
      return Math.ceilDiv(panels, group);
    }

    int count() {
      return Math.ceilDiv(m, block) * groups();
    }

    /** First row of A. */
    int row(int task) {
      return task / groups() * block;
    }

    int rows(int task) {
      return Math.min(block, m - row(task));
    }

    /** First panel of B. */
    int panel(int task) {
      return task % groups() * group;
    }

    int panels(int task) {
      return Math.min(group, panels - panel(task));
    }
  }

  private Tasks tasks(int m, int panels) {
    int block = rowBlock(m, panels);
    int wanted = TASKS * workers.size();
    int group = Math.clamp((long) Math.ceilDiv(m, block) * panels / wanted, 1, GROUP);
    return new Tasks(m, block, panels, group);
  }

  /**
   * A left operand {@code [m, k]} as {@link Tile} reads it, for one product or several: slices of
   * columns behind one another, in each the tiles of all rows.
   *
   * @param slice columns of all slices but the last
   */
  record Packed(float[] data, int m, int k, int slice) {

    /** Where the tile of {@code h} rows from {@code row} on has column {@code column}. */
    int at(int row, int h, int column) {
      int from = column / slice * slice;
      return from * m + row * Math.min(slice, k - from) + (column - from) * h;
    }
  }

  /** For products that read columns from anywhere on. */
  Packed pack(Left a, int k) {
    return pack(a, k, k);
  }

  /**
   * For products by as many rows of B: a slice of all rows, which they go through again and again,
   * lies in one piece, as memory is read ahead best.
   */
  Packed packSlices(Left a, int k) {
    return pack(a, k, slice(k));
  }

  private Packed pack(Left a, int k, int slice) {
    Packed packed = new Packed(pool.take((long) a.m() * k), a.m(), k, slice);
    packLeft(a, packed);
    return packed;
  }

  void release(Packed a) {
    pool.give(a.data);
  }

  /** {@code C = alpha * A B + beta * C}. */
  void multiply(Left a, Panels b, float alpha, float beta, CpuTensor c) {
    Packed packed = packSlices(a, b.k());
    multiply(packed, 0, b, alpha, beta, c);
    release(packed);
  }

  /**
   * What an adapter adds to some columns of C: {@code scale * U B}. It is added while the product
   * is in the cache, for C itself is too large to be read and written once more.
   *
   * @param from first column of C, a multiple of 32; as many as B has
   */
  record Addend(Packed u, Panels b, float scale, int from) {
    boolean covers(int column) {
      return column >= from && column < from + b.n();
    }
  }

  /**
   * Where one task's tiles go, each as soon as it is complete: so the lines of C, which come from
   * memory, are waited for while the next tile is multiplied. Written in one go afterwards they
   * cost a sixth of a product by 3,072 outputs.
   */
  private final class Output {
    private final float alpha;
    private final float beta;
    private final CpuTensor c;
    private final List<Addend> addends;
    private int column;
    private Addend addend;
    private float[] ranks;
    private int ranksAt;
    private final float[] sums;
    private final float[] scratch;

    Output(float alpha, float beta, CpuTensor c, List<Addend> addends) {
      this.alpha = alpha;
      this.beta = beta;
      this.c = c;
      this.addends = addends;
      int most = addends.stream().mapToInt(a -> a.b.k()).max().orElse(0);
      sums = new float[Tile.TALLEST * W];
      scratch = pool.take((long) most * W);
    }

    /** Tiles of the panel of C that begins at {@code column} follow. */
    void begin(int column) {
      this.column = column;
      addend = null;
      for (Addend a : addends) {
        if (a.covers(column)) {
          addend = a;
          int p = (column - a.from) / W;
          ranks = a.b.panel(p, 0, a.b.k(), scratch);
          ranksAt = a.b.at(p, 0);
        }
      }
    }

    /** Sums {@code [h][32]} of rows {@code [row, row + h)}. */
    void put(float[] acc, int at, int row, int h) {
      int to = c.row(row) + column;
      int width = Math.min(W, c.columns - column);
      if (addend == null) {
        store(acc, at, h, width, alpha, beta, null, 0, c.data, to, c.stride);
        return;
      }
      Packed u = addend.u;
      java.util.Arrays.fill(sums, 0, h * W, 0f);
      Tile.multiply(h, width, u.k, u.data, row * u.k, ranks, ranksAt, sums, 0);
      store(acc, at, h, width, alpha, beta, sums, addend.scale, c.data, to, c.stride);
    }

    void done() {
      pool.give(scratch);
    }
  }

  /**
   * {@code out = alpha * acc + beta * out + scale * more} of {@code [rows][32]} sums.
   *
   * @param more null where nothing more is added
   */
  private static void store(
      float[] acc,
      int at,
      int rows,
      int width,
      float alpha,
      float beta,
      float[] more,
      float scale,
      float[] out,
      int to,
      int stride) {
    for (int i = 0; i < rows; i++) {
      int from = at + i * W;
      int o = to + i * stride;
      int j = 0;
      for (; j + L <= width; j += L) {
        FloatVector v = FloatVector.fromArray(S, acc, from + j).mul(alpha);
        if (beta != 0) {
          v = v.add(FloatVector.fromArray(S, out, o + j).mul(beta));
        }
        if (more != null) {
          v = v.add(FloatVector.fromArray(S, more, i * W + j).mul(scale));
        }
        v.intoArray(out, o + j);
      }
      for (; j < width; j++) {
        float v = alpha * acc[from + j];
        v = beta == 0 ? v : v + beta * out[o + j];
        out[o + j] = more == null ? v : v + scale * more[i * W + j];
      }
    }
  }

  /** The same of A's columns from {@code column} on, as many as B has rows. */
  void multiply(Packed a, int column, Panels b, float alpha, float beta, CpuTensor c) {
    multiply(a, column, b, alpha, beta, c, List.of());
  }

  /** The same, and what {@code addends} add. */
  void multiply(
      Packed a, int column, Panels b, float alpha, float beta, CpuTensor c, List<Addend> addends) {
    int k = b.k();
    int m = a.m();
    if (m == 0 || b.n() == 0) {
      return;
    }
    Tasks tasks = tasks(m, (b.n() + W - 1) / W);
    run(
        (long) m * b.n() * k,
        tasks.count(),
        task -> {
          int from = tasks.row(task);
          int rows = tasks.rows(task);
          int first = tasks.panel(task);
          int panels = tasks.panels(task);
          float[] scratch = pool.take((long) KC * W);
          float[] acc = pool.take((long) panels * rows * W);
          java.util.Arrays.fill(acc, 0, panels * rows * W, 0f);
          Output output = new Output(alpha, beta, c, addends);
          int slice = slice(k);
          for (int k0 = 0; k0 < k; k0 += slice) {
            int kc = Math.min(slice, k - k0);
            boolean last = k0 + kc == k;
            for (int p = 0; p < panels; p++) {
              float[] panel = b.panel(first + p, k0, kc, scratch);
              int at = b.at(first + p, k0);
              int width = b.n() - (first + p) * W;
              if (last) {
                output.begin((first + p) * W);
              }
              for (int i = 0; i < rows; ) {
                int h = Tile.height(m - from - i);
                int left = a.at(from + i, h, column + k0);
                Tile.multiply(h, width, kc, a.data, left, panel, at, acc, (p * rows + i) * W);
                if (last) {
                  output.put(acc, (p * rows + i) * W, from + i, h);
                }
                i += h;
              }
            }
          }
          output.done();
          pool.give(scratch);
          pool.give(acc);
        });
  }

  /**
   * {@code C^T = alpha * A B + C^T}: for few rows of A, which are cheaper to pack than C's rows.
   */
  void addTransposed(Left a, Panels b, float alpha, CpuTensor c) {
    int m = a.m();
    int n = b.n();
    CpuTensor product = new CpuTensor(pool, pool.take((long) m * n), m, n);
    multiply(a, b, alpha, 0, product);
    CpuRows.parallel(
        workers,
        n,
        m,
        j -> {
          int at = c.row(j);
          for (int i = 0; i < m; i++) {
            c.data[at + i] += product.data[i * n + j];
          }
        });
    product.close();
  }

  /** Tasks on this thread alone where waking another one takes longer than the work. */
  private void run(long products, int tasks, IntConsumer task) {
    if (products > ALONE) {
      workers.run(tasks, task);
      return;
    }
    for (int i = 0; i < tasks; i++) {
      task.accept(i);
    }
  }

  /**
   * {@code C = alpha * A W^T + beta * C} for a quantised weight: within a block of 64 inputs the
   * codes' values are summed, then the block's scale is applied once.
   */
  void multiplyBlocks(Left a, BlockMatrix w, float alpha, float beta, CpuTensor c) {
    Packed packed = packSlices(a, w.columns());
    multiplyBlocks(packed, w, alpha, beta, c);
    release(packed);
  }

  void multiplyBlocks(Packed a, BlockMatrix w, float alpha, float beta, CpuTensor c) {
    multiplyBlocks(a, w, alpha, beta, c, List.of());
  }

  /** The same, and what {@code addends} add. */
  void multiplyBlocks(
      Packed a, BlockMatrix w, float alpha, float beta, CpuTensor c, List<Addend> addends) {
    int m = a.m();
    if (m == 0) {
      return;
    }
    Tasks tasks = tasks(m, (w.rows() + W - 1) / W);
    workers.run(
        tasks.count(),
        task -> {
          int from = tasks.row(task);
          int rows = tasks.rows(task);
          int first = tasks.panel(task);
          int panels = tasks.panels(task);
          Blocks codes = new Blocks(pool);
          float[] acc = pool.take((long) panels * rows * W);
          java.util.Arrays.fill(acc, 0, panels * rows * W, 0f);
          Output output = new Output(alpha, beta, c, addends);
          addBlocks(a, from, rows, w, first, panels, codes, acc, output);
          output.done();
          codes.done(pool);
          pool.give(acc);
        });
  }

  /** Adds rows {@code [from, from + rows)} of packed A times panel p to {@code acc [rows][32]}. */
  static void addPanel(
      float[] packed, int m, int from, int rows, Panels b, int p, float[] scratch, float[] acc) {
    int k = b.k();
    int slice = slice(k);
    for (int k0 = 0; k0 < k; k0 += slice) {
      int kc = Math.min(slice, k - k0);
      float[] panel = b.panel(p, k0, kc, scratch);
      int at = b.at(p, k0);
      for (int i = 0; i < rows; ) {
        int h = Tile.height(m - from - i);
        Tile.multiply(h, kc, packed, (from + i) * k + k0 * h, panel, at, acc, i * W);
        i += h;
      }
    }
  }

  /**
   * @param output where a tile goes when it is complete, or null
   */
  private static void addBlocks(
      Packed a,
      int from,
      int rows,
      BlockMatrix w,
      int first,
      int panels,
      Blocks codes,
      float[] acc,
      Output output) {
    int k = w.columns();
    int slice = slice(k);
    for (int k0 = 0; k0 < k; k0 += slice) {
      int kc = Math.min(slice, k - k0);
      boolean last = output != null && k0 + kc == k;
      for (int p = 0; p < panels; p++) {
        codes.unpack(w, first + p, k0, kc);
        if (last) {
          output.begin((first + p) * W);
        }
        for (int i = 0; i < rows; ) {
          int h = Tile.height(a.m - from - i);
          int to = (p * rows + i) * W;
          codes.multiply(h, kc, a.data, a.at(from + i, h, k0), acc, to);
          if (last) {
            output.put(acc, to, from + i, h);
          }
          i += h;
        }
      }
    }
  }

  /** Up to {@link #KC} inputs of a quantised weight's panel, unpacked. */
  static final class Blocks {
    private final float[][] codes = new float[KC / Nf4.BLOCK][];
    private final float[][] scales = new float[codes.length][W];

    Blocks(FloatPool pool) {
      for (int b = 0; b < codes.length; b++) {
        codes[b] = pool.take((long) Nf4.BLOCK * W);
      }
    }

    /** Inputs {@code [k0, k0 + kc)} of panel p. */
    void unpack(BlockMatrix w, int p, int k0, int kc) {
      for (int b = 0; b * Nf4.BLOCK < kc; b++) {
        w.codes(p, k0 / Nf4.BLOCK + b, codes[b], scales[b]);
      }
    }

    /** Adds a tile's product, block after block while its sums are in the first-level cache. */
    void multiply(int h, int kc, float[] a, int ao, float[] acc, int to) {
      for (int b = 0; b * Nf4.BLOCK < kc; b++) {
        int left = ao + b * Nf4.BLOCK * h;
        Tile.multiplyScaled(h, Nf4.BLOCK, a, left, codes[b], 0, scales[b], 0, acc, to);
      }
    }

    void done(FloatPool pool) {
      for (float[] c : codes) {
        pool.give(c);
      }
    }
  }

  /** {@code y[t, j] = x[t] . W[wanted[j]]}: only the panels that hold a wanted row. */
  void multiplyRows(CpuMatrix w, int[] wanted, CpuTensor x, CpuTensor y) {
    int[] starts = new int[(w.rows() + W - 1) / W + 1];
    for (int row : wanted) {
      starts[row / W + 1]++;
    }
    int[] panels = IntStream.range(0, starts.length - 1).filter(p -> starts[p + 1] > 0).toArray();
    for (int p = 0; p + 1 < starts.length; p++) {
      starts[p + 1] += starts[p];
    }
    int[] byPanel = new int[wanted.length]; // places in wanted
    int[] next = starts.clone();
    for (int j = 0; j < wanted.length; j++) {
      byPanel[next[wanted[j] / W]++] = j;
    }
    int m = x.rows;
    int k = w.columns();
    Packed packed = pack(Left.of(x), k);
    Panels dense = w instanceof BlockMatrix ? null : w.forward();
    workers.run(
        panels.length,
        task -> {
          int p = panels[task];
          float[] acc = pool.take((long) m * W);
          java.util.Arrays.fill(acc, 0, m * W, 0f);
          if (w instanceof BlockMatrix b) {
            Blocks codes = new Blocks(pool);
            addBlocks(packed, 0, m, b, p, 1, codes, acc, null);
            codes.done(pool);
          } else {
            float[] scratch = pool.take((long) KC * W);
            addPanel(packed.data, m, 0, m, dense, p, scratch, acc);
            pool.give(scratch);
          }
          for (int at = starts[p]; at < starts[p + 1]; at++) {
            int j = byPanel[at];
            for (int i = 0; i < m; i++) {
              y.data[y.row(i) + j] = acc[i * W + wanted[j] % W];
            }
          }
          pool.give(acc);
        });
    release(packed);
  }

  /** Whether this machine has kernels for {@link #decode}. */
  static boolean decodes() {
    return DecodeKernel.supported() || DecodeKernel256.supported();
  }

  /**
   * {@code y = alpha * W x + beta * y} for one row x. Several panels at a time, a run of them each
   * where there are enough: memory is read ahead best where reads go on behind one another.
   */
  void decode(CpuMatrix w, CpuTensor x, float alpha, float beta, CpuTensor y) {
    int panels = (w.rows() + W - 1) / W;
    int streams = w instanceof Bf16Matrix ? 2 : 4;
    // two at a time where more would leave a thread idle at the end
    int rounds = panels / (streams * workers.size()) * workers.size();
    int[] cuts = cuts(rounds);
    int runs = cuts.length - 1;
    workers.run(
        runs + (panels - streams * rounds + 1) / 2,
        task -> {
          float[] out = pool.take((long) streams * W);
          if (task < runs) {
            int first = cuts[task];
            int length = cuts[task + 1] - first;
            for (int i = 0; i < length; i++) {
              decode(w, streams * first + i, length, streams, x, alpha, beta, y, out);
            }
          } else {
            int p = streams * rounds + 2 * (task - runs);
            decode(w, p, 1, Math.min(2, panels - p), x, alpha, beta, y, out);
          }
          pool.give(out);
        });
  }

  /**
   * Where runs of {@code pieces} of work begin, and the end of the last: each of them half a
   * thread's share of what is left. So most of memory is read in long runs, and nobody waits long
   * for the last, even for a thread whose processor was busy elsewhere.
   */
  int[] cuts(int pieces) {
    int[] cuts = new int[pieces + 1];
    int runs = 0;
    for (int at = 0; at < pieces; cuts[++runs] = at) {
      at += Math.ceilDiv(pieces - at, 2 * workers.size());
    }
    return java.util.Arrays.copyOf(cuts, runs + 1);
  }

  /**
   * How many runs {@code pieces} of equal work are cut into: about {@link #TASKS} a thread, and so
   * many that all threads end together.
   */
  int runs(int pieces) {
    int threads = workers.size();
    int most = Math.min(pieces, TASKS * threads);
    int best = most;
    for (int runs = most; 2 * runs > most; runs--) {
      if (longest(pieces, runs, threads) < longest(pieces, best, threads)) {
        best = runs;
      }
    }
    return best;
  }

  /** Pieces that a thread works on at most, one after another. */
  private static int longest(int pieces, int runs, int threads) {
    return Math.ceilDiv(runs, threads) * Math.ceilDiv(pieces, runs);
  }

  /** Of {@code count} panels, the first p, each {@code step} behind the one before. */
  private static void decode(
      CpuMatrix w,
      int p,
      int step,
      int count,
      CpuTensor x,
      float alpha,
      float beta,
      CpuTensor y,
      float[] out) {
    java.util.Arrays.fill(out, 0, count * W, 0f);
    switch (w) {
      case Nf4Matrix m -> decode(m, p, step, count, x, out);
      case Int8Matrix m -> decode(m, p, step, count, x, out);
      case Bf16Matrix m -> decode(m, p, p + (count - 1) * step, x, out);
      case PackedMatrix _ -> throw new IllegalArgumentException("fp32 needs no unpacking");
    }
    for (int r = 0; r < count; r++) {
      writeOut(out, r, 1, alpha, beta, y, 0, (p + r * step) * W);
    }
  }

  private static void decode(Nf4Matrix m, int p, int step, int count, CpuTensor x, float[] out) {
    int[] w = m.data();
    int at = m.base(p, 0);
    int next = m.base(p + step, 0) - at;
    int blocks = m.blocksPerPanel();
    if (DecodeKernel256.supported()) {
      DecodeKernel256.nf4(w, at, next, count, blocks, x.data, x.offset, out, 0);
    } else if (count == 4) {
      DecodeKernel.nf4Panels4(w, at, next, blocks, x.data, x.offset, out, 0);
    } else {
      DecodeKernel.nf4Panels2(w, at, at + (count - 1) * next, blocks, x.data, x.offset, out, 0);
    }
  }

  private static void decode(Int8Matrix m, int p, int step, int count, CpuTensor x, float[] out) {
    int[] w = m.data();
    int at = m.base(p, 0);
    int next = m.base(p + step, 0) - at;
    int blocks = m.blocksPerPanel();
    if (DecodeKernel256.supported()) {
      DecodeKernel256.int8(w, at, next, count, blocks, x.data, x.offset, out, 0);
    } else if (count == 4) {
      DecodeKernel.int8Panels4(w, at, next, blocks, x.data, x.offset, out, 0);
    } else {
      DecodeKernel.int8Panels2(w, at, at + (count - 1) * next, blocks, x.data, x.offset, out, 0);
    }
  }

  private static void decode(Bf16Matrix m, int p, int q, CpuTensor x, float[] out) {
    if (DecodeKernel256.supported()) {
      DecodeKernel256.bf16(m.data(), m.base(p), m.base(q), m.columns(), x.data, x.offset, out);
    } else {
      DecodeKernel.bf16(m.data(), m.base(p), m.base(q), m.columns(), x.data, x.offset, out);
    }
  }

  /**
   * {@code C = alpha * A W^T + beta * C} for 2 to {@link SmallBatchKernel#MOST} rows: eight at a
   * time, one after another for each panel, which is in the cache after the first.
   */
  void multiplyFew(CpuTensor x, BlockMatrix w, float alpha, float beta, CpuTensor c) {
    int most = SmallBatchKernel.ROWS;
    float[][] packed = new float[Math.ceilDiv(x.rows, most)][];
    for (int i = 0; i < packed.length; i++) {
      packed[i] = packFew((CpuTensor) x.rows(i * most, Math.min(x.rows, (i + 1) * most)));
    }
    int panels = (w.rows() + W - 1) / W;
    int tasks = runs(panels);
    workers.run(
        tasks,
        task -> {
          float[] acc = pool.take((long) most * W);
          for (int p = task * panels / tasks; p < (task + 1) * panels / tasks; p++) {
            for (int i = 0; i < packed.length; i++) {
              int rows = Math.min(most, x.rows - i * most);
              few(packed[i], SmallBatchKernel.height(rows), w, p, acc);
              writeOut(acc, 0, rows, alpha, beta, c, i * most, p * W);
            }
          }
          pool.give(acc);
        });
    for (float[] rows : packed) {
      pool.give(rows);
    }
  }

  /** At most eight rows as {@code [k][height]}, zeros behind the last. */
  private float[] packFew(CpuTensor x) {
    int height = SmallBatchKernel.height(x.rows);
    int k = x.columns;
    float[] packed = pool.take((long) height * k);
    // Here and not in packA: of a prompt's last eight rows it would have to be compiled at the
    // start.
    if (x.rows == 8 && DecodeKernel.supported()) {
      // By all threads: half of what is read lies in the other's cache.
      int blocks = k / Nf4.BLOCK;
      int tasks = Math.min(workers.size(), blocks);
      workers.run(
          tasks,
          task -> {
            int from = task * blocks / tasks * Nf4.BLOCK;
            int to = (task + 1) * blocks / tasks * Nf4.BLOCK;
            PackTile512.pack8(x.data, x.offset + from, x.stride, to - from, packed, from * 8);
          });
      return packed;
    }
    if (x.rows == height) {
      Packing.packA(x.data, x.offset, x.stride, 1, height, k, packed, 0);
      return packed;
    }
    java.util.Arrays.fill(packed, 0, height * k, 0f);
    for (int i = 0; i < x.rows; i++) {
      int from = x.row(i);
      for (int p = 0; p < k; p++) {
        packed[p * height + i] = x.data[from + p];
      }
    }
    return packed;
  }

  /** {@code acc [height][32] = A W^T} for panel p. */
  private static void few(float[] packed, int height, BlockMatrix w, int p, float[] acc) {
    java.util.Arrays.fill(acc, 0, height * W, 0f);
    boolean narrow = DecodeKernel256.supported();
    int blocks = w.columns() / Nf4.BLOCK;
    switch (w) {
      case Nf4Matrix m when narrow ->
          SmallBatchKernel256.nf4(height, m.data(), m.base(p, 0), blocks, packed, acc);
      case Nf4Matrix m -> SmallBatchKernel.nf4(height, m.data(), m.base(p, 0), blocks, packed, acc);
      case Int8Matrix m when narrow ->
          SmallBatchKernel256.int8(height, m.data(), m.base(p, 0), blocks, packed, acc);
      case Int8Matrix m ->
          SmallBatchKernel.int8(height, m.data(), m.base(p, 0), blocks, packed, acc);
    }
  }

  private void packLeft(Left a, Packed packed) {
    int m = a.m();
    if (m <= 8) {
      packRows(a, 0, m, packed);
      return;
    }
    workers.run(
        (m + UNIT - 1) / UNIT,
        task -> packRows(a, task * UNIT, Math.min(UNIT, m - task * UNIT), packed));
  }

  private static void packRows(Left a, int from, int rows, Packed packed) {
    for (int k0 = 0; k0 < packed.k; k0 += packed.slice) {
      int kc = Math.min(packed.slice, packed.k - k0);
      int first = a.off + from * a.rs + k0 * a.cs;
      int to = k0 * packed.m + from * kc;
      Packing.packA(a.data, first, a.rs, a.cs, rows, kc, packed.data, to);
    }
  }

  /** Rows of C a task computes: all, or fewer where there are too few panels for the threads. */
  private int rowBlock(int m, int panels) {
    int wanted = TASKS * workers.size();
    int blocks =
        panels >= wanted || m <= UNIT ? Math.ceilDiv(m, MOST_ROWS) : Math.ceilDiv(wanted, panels);
    int rows = Math.ceilDiv(Math.ceilDiv(m, blocks), UNIT) * UNIT;
    return Math.min(m, Math.clamp(rows, UNIT, MOST_ROWS));
  }

  /** {@code C = alpha * acc + beta * C} of 32 columns or as many as there are. */
  static void writeOut(
      float[] acc,
      int accRow,
      int rows,
      float alpha,
      float beta,
      CpuTensor c,
      int row,
      int column) {
    int width = Math.min(W, c.columns - column);
    int to = c.row(row) + column;
    store(acc, accRow * W, rows, width, alpha, beta, null, 0, c.data, to, c.stride);
  }
}
