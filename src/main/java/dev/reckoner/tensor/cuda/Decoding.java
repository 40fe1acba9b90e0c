package dev.reckoner.tensor.cuda;

import dev.reckoner.tensor.DecoderStack;
import dev.reckoner.tensor.LowRankRows;
import dev.reckoner.tensor.Tensor;
import java.util.List;

/**
 * A step of one new token a sequence, in five operations a layer: q|k|v, attention, o with the
 * norms behind it, gate|up, down with the norms behind it. Who makes a layer's input makes the
 * ranks of that layer's adapters too; who reads its output adds what they bring.
 */
final class Decoding {
  /** Parts of the visible keys; never fewer in a larger batch. */
  private static final int SPLITS = 8;

  private static final int MOST_HIDDEN = 4096;
  private static final int MOST_GROUPED = 8;

  /** Of a norm that have columns, and those that only ask for copies. */
  private static final int LEAST_NORM_THREADS = 128;

  private static final int MOST_NORM_THREADS = 320;

  private static final int COPIERS = 128;

  /** Shared memory beside what a norm has declared. */
  private static final int MOST_HELD = 198 << 10;

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
        CudaTensor sums = CudaTensor.allocate(device, t * downSplits, h.columns(), true);
        CudaTensor uQkv = ranks(layers.stream().map(l -> of(l.adapters().qkv())).toList(), t, 1);
        CudaTensor uO = ranks(layers.stream().map(l -> of(l.adapters().o())).toList(), t, oSums);
        CudaTensor uGateUp =
            ranks(layers.stream().map(l -> of(l.adapters().gateUp())).toList(), t, 1);
        CudaTensor uDown =
            ranks(layers.stream().map(l -> of(l.adapters().down())).toList(), t, downSums)) {
      CudaTensor oParts = sums.rows(0, t);
      for (int l = 0; l < layers.size(); l++) {
        DecoderStack.Layer w = layers.get(l);
        CudaLowRankRows aQkv = of(w.adapters().qkv());
        CudaLowRankRows aO = of(w.adapters().o());
        CudaLowRankRows aGateUp = of(w.adapters().gateUp());
        CudaLowRankRows aDown = of(w.adapters().down());
        if (l == 0) {
          norm(stack, ids, null, null, null, null, x, w.inputNorm(), normed, aQkv, uQkv);
        }
        product.run(
            CudaMatrix.of(w.qkv()),
            normed,
            1,
            0,
            qkv,
            new Product.Adapters(aQkv, uQkv, null, null));
        attention(stack, w, l, batch, qkv, heads, kvHeads, attended, aO, uO);
        product.partial(CudaMatrix.of(w.o()), attended, oParts);
        norm(
            stack,
            null,
            oParts,
            aO,
            uO,
            w.postAttentionNorm(),
            x,
            w.preFeedForwardNorm(),
            normed,
            aGateUp,
            uGateUp);
        product.geglu(
            CudaMatrix.of(w.gateUp()),
            normed,
            activated,
            new Product.Adapters(aGateUp, uGateUp, aDown, uDown));
        product.partial(CudaMatrix.of(w.down()), activated, sums);
        boolean ends = l + 1 == layers.size();
        norm(
            stack,
            null,
            sums,
            aDown,
            uDown,
            w.postFeedForwardNorm(),
            x,
            ends ? stack.finalNorm() : layers.get(l + 1).inputNorm(),
            ends ? Product.Input.of(h) : normed,
            ends ? null : of(layers.get(l + 1).adapters().qkv()),
            ends ? null : uQkv);
      }
    }
  }

  /**
   * Adds a branch to the residual stream and norms it, or starts it from the embedding.
   *
   * @param ids null where there is a branch
   * @param sums of the branch, {@code [splits * rows, hidden]}
   */
  private void norm(
      DecoderStack stack,
      CudaIndices ids,
      CudaTensor sums,
      CudaLowRankRows adapters,
      CudaTensor u,
      Tensor weight,
      CudaTensor x,
      Tensor nextWeight,
      Product.Input h,
      CudaLowRankRows next,
      CudaTensor nextU) {
    int rows = x.rows();
    // Small blocks, so that several share a multiprocessor and the next kernel's find room beside
    // them.
    int all = x.columns() / 2;
    int pairs = (all + MOST_NORM_THREADS - 1) / MOST_NORM_THREADS;
    int threads = Math.max(LEAST_NORM_THREADS, (all + 32 * pairs - 1) / (32 * pairs) * 32);
    boolean adapted = adapters != null || next != null;
    int held = heldBytes(x.columns(), adapters, next, nextU);
    List<String> defines =
        List.of(
            "COLUMNS=" + x.columns(),
            "THREADS=" + threads,
            "PAIRS=" + pairs,
            "SPLITS=" + (sums == null ? 0 : sums.rows() / rows),
            "ADAPTED=" + (adapted ? 1 : 0),
            "HELD=" + (held > 0 ? 1 : 0),
            "ORDERED=" + (h.ordered() ? 1 : 0),
            "SUMS=" + (u == null ? 0 : u.rows() / rows),
            "US=" + (u == null ? 0 : u.columns()),
            "NEXT_US=" + (nextU == null ? 0 : nextU.columns()),
            "RANKS=" + ranks(adapters),
            "NEXT_RANKS=" + ranks(next));
    kernels
        .call(kernels.get("step", defines, "step_norm"))
        .p(ids == null ? 0 : CudaMatrix.of(stack.embedding()).values())
        .p(ids == null ? 0 : ids.address())
        .f(stack.embeddingScale())
        .p(CudaTensor.addressOf(sums))
        .p(adapters == null ? 0 : adapters.rows())
        .p(CudaTensor.addressOf(u))
        .p(CudaTensor.addressOf(weight))
        .f(stack.eps())
        .t(x)
        .p(CudaTensor.addressOf(nextWeight))
        .t(h.x())
        .p(next == null ? 0 : next.rows())
        .p(CudaTensor.addressOf(nextU))
        .launch(rows, 1, threads + (held > 0 ? COPIERS : 0), held, true);
  }

  /** Of all parts of each of the adapters; 0 where they differ. */
  private static int ranks(CudaLowRankRows adapters) {
    return adapters == null || adapters.uniform().isEmpty() ? 0 : adapters.ranks();
  }

  /** Bytes that a block copies for the adapters of one row; 0 where they do not fit. */
  private static int heldBytes(
      int columns, CudaLowRankRows adapters, CudaLowRankRows next, CudaTensor nextU) {
    int ofNext = nextU == null ? 0 : nextU.columns() * (columns + 8) * 2;
    int ofOwn = adapters == null ? 0 : adapters.ranks() * columns * 2;
    return (adapters != null || next != null) && ofNext + ofOwn <= MOST_HELD ? ofNext + ofOwn : 0;
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
    List<String> defines =
        List.of("D=" + stack.headDim(), "G=" + group, "ORDERED=" + (out.ordered() ? 1 : 0));
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
        .launch(batch.segments(), kvHeads * SPLITS, 128, 0, true);
  }
}
