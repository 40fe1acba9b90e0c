package dev.reckoner.tensor.cpu;

import dev.reckoner.tensor.KeyValues;
import dev.reckoner.tensor.cpu.AttentionBlock.PanelSource;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * One sequence's cache, in pages of 64 tokens that are taken from the pool when the sequence
 * reaches them. A page's keys are {@code [kvHeads][token/32][headDim][32]}, its values {@code
 * [kvHeads][headDim/32][token][32]}; what stands behind the last token is undefined.
 *
 * <p>Sequences that begin alike share the pages that their beginnings fill: there is one of each in
 * memory and in the processor's cache. Who writes to a shared page makes it its own before.
 */
final class CpuKeyValues implements KeyValues {
  static final int W = Tile.WIDTH;

  /** Tokens of a page, a multiple of 32. */
  static final int PAGE = 64;

  final int layers;
  final int kvHeads;
  final int headDim;
  private final int capacity;
  private final int paddedDim;
  private final FloatPool pool;
  private final Page[][] pages;

  /** Of one layer. */
  private static final class Page {
    private final float[] keys;
    private final float[] values;
    private final AtomicInteger holders = new AtomicInteger(1);

    Page(float[] keys, float[] values) {
      this.keys = keys;
      this.values = values;
    }
  }

  CpuKeyValues(FloatPool pool, int layers, int kvHeads, int headDim, int capacity) {
    this.pool = pool;
    this.layers = layers;
    this.kvHeads = kvHeads;
    this.headDim = headDim;
    this.capacity = (capacity + W - 1) / W * W;
    paddedDim = (headDim + W - 1) / W * W;
    pages = new Page[layers][Math.ceilDiv(capacity, PAGE)];
  }

  /** Keys of head {@code g} from token {@code lo} on, a multiple of 32. */
  PanelSource keys(int layer, int g, int lo) {
    Page[] ofLayer = pages[layer];
    int head = g * headDim * PAGE;
    return new PanelSource() {
      @Override
      public float[] data(int panel, int from) {
        return ofLayer[(lo + panel * W) / PAGE].keys;
      }

      @Override
      public int at(int panel, int from) {
        return head + (lo + panel * W) % PAGE * headDim;
      }
    };
  }

  /** Values of head {@code g} from token {@code lo} on, a multiple of 32. */
  PanelSource values(int layer, int g, int lo) {
    Page[] ofLayer = pages[layer];
    int head = g * paddedDim * PAGE;
    return new PanelSource() {
      @Override
      public float[] data(int panel, int from) {
        return ofLayer[(lo + from) / PAGE].values;
      }

      @Override
      public int at(int panel, int from) {
        return head + (panel * PAGE + (lo + from) % PAGE) * W;
      }

      @Override
      public int run(int from) {
        return PAGE - (lo + from) % PAGE;
      }
    };
  }

  /** A page to write to. */
  private Page own(int layer, int page) {
    Page there = pages[layer][page];
    if (there != null && there.holders.get() == 1) {
      return there;
    }
    Page own =
        new Page(
            pool.keep((long) kvHeads * headDim * PAGE),
            pool.keep((long) kvHeads * paddedDim * PAGE));
    if (there != null) {
      copy(there, own);
      release(there);
    }
    pages[layer][page] = own;
    return own;
  }

  private void release(Page page) {
    if (page.holders.decrementAndGet() == 0) {
      pool.give(page.keys);
      pool.give(page.values);
    }
  }

  /** Stores token number {@code token}. */
  void put(int layer, int token, float[] k, int kAt, float[] v, int vAt) {
    int page = token / PAGE;
    int in = token % PAGE;
    Page own = own(layer, page);
    float[] keyPage = own.keys;
    float[] valuePage = own.values;
    for (int g = 0; g < kvHeads; g++) {
      int to = g * headDim * PAGE + in / W * headDim * W + in % W;
      for (int d = 0; d < headDim; d++) {
        keyPage[to + d * W] = k[kAt + g * headDim + d];
      }
      for (int d = 0; d < headDim; d += W) {
        System.arraycopy(
            v,
            vAt + g * headDim + d,
            valuePage,
            (g * paddedDim / W * PAGE + d / W * PAGE + in) * W,
            Math.min(W, headDim - d));
      }
    }
  }

  /** Becomes the first {@code tokens} of another; whole pages are shared. */
  void copyFrom(CpuKeyValues from, int tokens) {
    for (int l = 0; l < layers; l++) {
      for (int page = 0; page * PAGE < tokens; page++) {
        Page there = from.pages[l][page];
        if (there == null || there == pages[l][page]) {
          continue; // nothing was put there, or it is shared already
        }
        if ((page + 1) * PAGE > tokens) {
          copy(there, own(l, page));
          continue;
        }
        if (pages[l][page] != null) {
          release(pages[l][page]);
        }
        there.holders.incrementAndGet();
        pages[l][page] = there;
      }
    }
  }

  private void copy(Page from, Page to) {
    System.arraycopy(from.keys, 0, to.keys, 0, kvHeads * headDim * PAGE);
    System.arraycopy(from.values, 0, to.values, 0, kvHeads * paddedDim * PAGE);
  }

  @Override
  public int capacity() {
    return capacity;
  }

  @Override
  public long bytes() {
    long held = 0;
    for (Page[] layer : pages) {
      held += Arrays.stream(layer).filter(page -> page != null).count();
    }
    return 4L * held * kvHeads * (headDim + paddedDim) * PAGE;
  }

  @Override
  public void close() {
    for (Page[] layer : pages) {
      for (int page = 0; page < layer.length; page++) {
        if (layer[page] != null) {
          release(layer[page]);
          layer[page] = null;
        }
      }
    }
  }
}
