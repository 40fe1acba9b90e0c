package dev.reckoner.tensor.cuda;

import dev.reckoner.tensor.DecoderStack;
import dev.reckoner.tensor.LowRankRows;
import dev.reckoner.tensor.Tensor;
import java.util.List;

/**
 * A step of one new token a sequence, in five operations a layer: q|k|v, attention, o with the
 * norms behind it, gate|up, down with the norms behind it. Who makes a layer's input makes the
 * ranks of that layer's adapters too, after having told the layer that its input is there. What
 * they add comes with the layer's output: of q|k|v and gate|up in it, of o and down as one part
 * more, made beside the product.
 */
final class Decoding {
  /** Parts of the visible keys; never fewer in a larger batch. */
  private static final int SPLITS = 8;

  /** Outputs that a block of attention has room for in shared memory. */
  private static final int MOST_SHARED = 2048;

  private static final int MOST_HIDDEN = 4096;
  private static final int MOST_GROUPED = 8;

  /**
   * Of a norm that have columns of a row, those that only ask for copies, and those that fetch
   * ahead.
   */
  private static final int LEAST_NORM_THREADS = 128;

  private static final int MOST_NORM_THREADS = 192;
  private static final int COPIERS = 128;
  private static final int FETCHERS = 32;

  /** Shared memory beside what a norm has declared, of one row and of several. */
  private static final int MOST_HELD = 198 << 10;

  private static final int MOST_HELD_OF_ROWS = 190 << 10;

  /** Columns of several rows with adapters that have room beside that. */
  private static final int MOST_COLUMNS_OF_ROWS = 1536;

  /** A larger batch leaves multiprocessors to the products if norms have several rows a block. */
  private static final int MOST_SINGLE_ROWS = 24;

  /** Of all caches, what one layer's keys and values may take of the cache of the device. */
  private static final int MOST_FETCHED = 24 << 20;

  /**
   * What a norm adds to the residual stream.
   *
   * @param sums {@code [splits * rows, hidden]}; behind them what adapters add, if there are any
   * @param weight of its own norm
   */
  private record Branch(CudaTensor sums, int splits, CudaLowRankRows adapters, Tensor weight) {
    static final Branch NONE = new Branch(null, 0, null, null);
  }

  /**
   * Who reads what a norm makes.
   *
   * @param u where its adapters' ranks go
   * @param ready counter of the blocks that have left h there, before u
   * @param fetched layer whose keys and values are fetched meanwhile, -1 for none
   */
  private record Reader(
      Tensor weight,
      Product.Input h,
      CudaLowRankRows adapters,
      CudaTensor u,
      long ready,
      int fetched) {}

  private final Device device;
  private final Kernels kernels;
  private final Product product;

  Decoding(Device device, Kernels kernels, Product product) {
    this.device = device;
    this.kernels = kernels;
    this.product = product;
  }

  boolean takes(DecoderStack stack) {
    DecoderStack.Layer one = stack.layers().getFirst();
    int dim = stack.headDim();
    int heads = CudaMatrix.of(one.o()).columns() / dim;
    int kvHeads = (CudaMatrix.of(one.qkv()).rows() / dim - heads) / 2;
    return device.hasClusters()
        && stack.finalNorm().columns() <= MOST_HIDDEN
        && !CudaMatrix.of(stack.embedding()).isNf4()
        && (dim == 64 || dim == 128 || dim == 256)
        && heads / kvHeads <= MOST_GROUPED
        && stack.layers().stream().allMatch(Decoding::takes);
  }

  private static boolean takes(DecoderStack.Layer layer) {
    return Product.takes(CudaMatrix.of(layer.qkv()))
        && Product.takes(CudaMatrix.of(layer.o()))
        && Product.takes(CudaMatrix.of(layer.gateUp()))
        && Product.takes(CudaMatrix.of(layer.down()));
  }

  private static CudaLowRankRows of(LowRankRows adapters) {
    return (CudaLowRankRows) adapters;
  }

  /** Room for what a layer's adapters make of each row, in so many sums; null without adapters. */
  private CudaTensor ranks(List<CudaLowRankRows> adapters, int rows, int sums) {
    int most = adapters.stream().mapToInt(a -> a == null ? 0 : a.ranks()).max().orElse(0);
    // Kernels read four at a time.
    return most == 0 ? null : CudaTensor.allocate(device, rows * sums, (most + 3) / 4 * 4, true);
  }

  void run(DecoderStack stack, CudaIndices ids, CudaCacheBatch batch, CudaTensor h) {
    List<DecoderStack.Layer> layers = stack.layers();
    DecoderStack.Layer one = layers.getFirst();
    int t = h.rows();
    int dim = stack.headDim();
    int heads = CudaMatrix.of(one.o()).columns() / dim;
    int kvHeads = batch.width() / dim;
    int feedForward = CudaMatrix.of(one.down()).columns();
    int oSums = kvHeads * SPLITS;
    int downSums = feedForward / Product.SUMMED;
    int downSplits = Product.splits(CudaMatrix.of(one.down()));
    try (CudaTensor x = CudaTensor.allocate(device, t, h.columns(), false);
        CudaTensor qkv = CudaTensor.allocate(device, t, (heads + 2 * kvHeads) * dim, false);
        Product.Input attended = Product.Input.allocate(device, t, heads * dim, 1);
        Product.Input normed = Product.Input.allocate(device, t, h.columns(), 1);
        Product.Input activated = Product.Input.allocate(device, t, feedForward, downSplits);
        CudaTensor sums = CudaTensor.allocate(device, t * (downSplits + 1), h.columns(), true);
        CudaTensor uQkv = ranks(layers.stream().map(l -> of(l.adapters().qkv())).toList(), t, 1);
        CudaTensor uO = ranks(layers.stream().map(l -> of(l.adapters().o())).toList(), t, oSums);
        CudaTensor uGateUp =
            ranks(layers.stream().map(l -> of(l.adapters().gateUp())).toList(), t, 1);
        CudaTensor uDown =
            ranks(layers.stream().map(l -> of(l.adapters().down())).toList(), t, downSums);
        Signals signals =
            new Signals(device, uQkv != null || uGateUp != null ? layers.size() : 0)) {
      Signals.Signal ready = Signals.Signal.NONE;
      for (int l = 0; l < layers.size(); l++) {
        DecoderStack.Layer w = layers.get(l);
        CudaLowRankRows aQkv = of(w.adapters().qkv());
        CudaLowRankRows aO = of(w.adapters().o());
        CudaLowRankRows aGateUp = of(w.adapters().gateUp());
        CudaLowRankRows aDown = of(w.adapters().down());
        if (l == 0) {
          long counter = signals.counter(0, Signals.Kind.ATTENTION_INPUT);
          Reader first = new Reader(w.inputNorm(), normed, aQkv, uQkv, counter, 0);
          ready = norm(stack, ids, Branch.NONE, x, first, batch);
        }
        product.run(
            CudaMatrix.of(w.qkv()),
            normed,
            1,
            0,
            qkv,
            new Product.Adapters(aQkv, uQkv, ready, null, null));
        attention(stack, w, l, batch, qkv, heads, kvHeads, attended, aO, uO);
        product.partial(CudaMatrix.of(w.o()), attended, sums, 1, adding(aO, uO));
        boolean ends = l + 1 == layers.size();
        // Products of the feed-forward leave the way to memory free for what attention will read.
        ready =
            norm(
                stack,
                null,
                new Branch(sums, 1, aO, w.postAttentionNorm()),
                x,
                new Reader(
                    w.preFeedForwardNorm(),
                    normed,
                    aGateUp,
                    uGateUp,
                    signals.counter(l, Signals.Kind.FEED_FORWARD_INPUT),
                    ends ? -1 : l + 1),
                batch);
        product.geglu(
            CudaMatrix.of(w.gateUp()),
            normed,
            activated,
            new Product.Adapters(aGateUp, uGateUp, ready, aDown, uDown));
        product.partial(CudaMatrix.of(w.down()), activated, sums, downSplits, adding(aDown, uDown));
        ready =
            norm(
                stack,
                null,
                new Branch(sums, downSplits, aDown, w.postFeedForwardNorm()),
                x,
                ends
                    ? new Reader(stack.finalNorm(), Product.Input.of(h), null, null, 0, -1)
                    : new Reader(
                        layers.get(l + 1).inputNorm(),
                        normed,
                        of(layers.get(l + 1).adapters().qkv()),
                        uQkv,
                        signals.counter(l + 1, Signals.Kind.ATTENTION_INPUT),
                        -1),
                batch);
      }
    }
  }

  private static Product.Adapters adding(CudaLowRankRows adapters, CudaTensor u) {
    return new Product.Adapters(adapters, u, Signals.Signal.NONE, null, null);
  }

  /**
   * Adds a branch to the residual stream and norms it, or starts it from the embedding.
   *
   * @param ids null where there is a branch
   * @return what tells the reader, if it has adapters, that its input is there
   */
  private Signals.Signal norm(
      DecoderStack stack,
      CudaIndices ids,
      Branch branch,
      CudaTensor x,
      Reader reader,
      CudaCacheBatch batch) {
    int rows = x.rows();
    int columns = x.columns();
    CudaTensor nextU = reader.u;
    CudaTensor h = reader.h.x();
    int all = columns / 2;
    int pairs = (all + MOST_NORM_THREADS - 1) / MOST_NORM_THREADS;
    int threads = Math.max(LEAST_NORM_THREADS, (all + 32 * pairs - 1) / (32 * pairs) * 32);
    CudaLowRankRows next = reader.adapters;
    int held = next == null ? 0 : heldBytes(columns, nextU);
    int together = rowsTogether(rows, columns, next, held);
    int blocks =
        together == 1 ? rows : next == null ? (rows + together - 1) / together : next.blocks();
    boolean fetches = reader.fetched >= 0;
    List<String> defines =
        List.of(
            "ROWS=" + together,
            "COLUMNS=" + columns,
            "THREADS=" + threads,
            "PAIRS=" + pairs,
            "SPLITS=" + branch.splits,
            "OWN=" + (branch.adapters != null ? 1 : 0),
            "ADAPTED=" + (next != null ? 1 : 0),
            "HELD=" + (held > 0 ? 1 : 0),
            "ORDERED=" + (reader.h.ordered() ? 1 : 0),
            "FETCHING=" + (fetches ? 1 : 0),
            "NEXT_US=" + (nextU == null ? 0 : nextU.columns()),
            "NEXT_RANKS=" + ranks(next));
    kernels
        .call(kernels.get("step", defines, "step_norm"))
        .p(ids == null ? 0 : CudaMatrix.of(stack.embedding()).values())
        .p(ids == null ? 0 : ids.address())
        .f(stack.embeddingScale())
        .p(CudaTensor.addressOf(branch.sums))
        .i(rows)
        .p(together == 1 || next == null ? 0 : next.rowsOfBlocks())
        .p(branch.adapters == null ? 0 : branch.adapters.rows())
        .p(CudaTensor.addressOf(branch.weight))
        .f(stack.eps())
        .t(x)
        .p(CudaTensor.addressOf(reader.weight))
        .t(h)
        .p(next == null ? 0 : next.rows())
        .p(CudaTensor.addressOf(nextU))
        .p(reader.ready)
        .p(batch.table().address())
        .p(batch.rows().address())
        .i(reader.fetched)
        .i(batch.width())
        .i(fetches ? stack.layers().get(reader.fetched).window() : 0)
        .i(MOST_FETCHED / 2 / rows)
        .launch(
            blocks,
            1,
            together * threads + (held > 0 ? COPIERS : 0) + (fetches ? FETCHERS : 0),
            held,
            true);
    return new Signals.Signal(reader.ready, blocks);
  }

  /** Of all parts of each of the adapters; 0 where they differ. */
  private static int ranks(CudaLowRankRows adapters) {
    return adapters == null || adapters.uniform().isEmpty() ? 0 : adapters.ranks();
  }

  /** Rows of a norm's block; a row has the same bits either way. */
  private static int rowsTogether(int rows, int columns, CudaLowRankRows adapters, int held) {
    boolean fits =
        adapters == null
            || held > 0
                && held <= MOST_HELD_OF_ROWS
                && columns <= MOST_COLUMNS_OF_ROWS
                && adapters.blocks() <= rows / 2;
    return rows > MOST_SINGLE_ROWS && fits ? CudaLowRankRows.ROWS_OF_BLOCK : 1;
  }

  /** Bytes of A that a block copies for its rows; 0 where they do not fit. */
  private static int heldBytes(int columns, CudaTensor nextU) {
    int bytes = nextU.columns() * (columns + 8) * 2;
    return bytes <= MOST_HELD ? bytes : 0;
  }

  /**
   * Blocks that share the keys of a sequence: as many as there are splits, fewer where the batch
   * fills the device so.
   */
  private int cluster(int sequences, int kvHeads, int width) {
    int cluster = SPLITS;
    while (cluster > 2
        && sequences * kvHeads * cluster > 2 * device.multiprocessors()
        && width * 2 * SPLITS / cluster <= MOST_SHARED) {
      cluster /= 2;
    }
    return cluster;
  }

  private void attention(
      DecoderStack stack,
      DecoderStack.Layer w,
      int layer,
      CudaCacheBatch batch,
      CudaTensor qkv,
      int heads,
      int kvHeads,
      Product.Input out,
      CudaLowRankRows next,
      CudaTensor nextU) {
    int group = heads / kvHeads;
    int cluster = cluster(batch.segments(), kvHeads, group * stack.headDim());
    List<String> defines =
        List.of(
            "D=" + stack.headDim(),
            "G=" + group,
            "CLUSTER=" + cluster,
            "ORDERED=" + (out.ordered() ? 1 : 0));
    kernels
        .call(kernels.get("decode", defines, "decode_attention"))
        .t(qkv)
        .p(CudaTensor.addressOf(w.qNorm()))
        .p(CudaTensor.addressOf(w.kNorm()))
        .f(stack.eps())
        .p(CudaTensor.addressOf(w.rope()))
        .p(batch.table().address())
        .i(layer)
        .p(batch.rows().address())
        .i(heads)
        .i(kvHeads)
        .i(w.window())
        .f(stack.attentionScale())
        .t(out.x())
        .p(next == null ? 0 : next.rows())
        .p(CudaTensor.addressOf(nextU))
        .i(nextU == null ? 0 : nextU.columns())
        .launch(batch.segments(), kvHeads * cluster, 128, 0, true);
  }
}
