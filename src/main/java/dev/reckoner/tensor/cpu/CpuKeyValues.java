package dev.reckoner.tensor.cpu;

import dev.reckoner.tensor.KeyValues;
import dev.reckoner.tensor.cpu.AttentionBlock.PanelSource;
import java.util.Arrays;

/**
 * One sequence's cache, in pages of 64 tokens that are taken from the pool when the sequence
 * reaches them. A page of keys is {@code [kvHeads][token/32][headDim][32]}, one of values {@code
 * [kvHeads][headDim/32][token][32]}; what stands behind the last token is undefined.
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
  private final float[][][] keys;
  private final float[][][] values;

  CpuKeyValues(FloatPool pool, int layers, int kvHeads, int headDim, int capacity) {
    this.pool = pool;
    this.layers = layers;
    this.kvHeads = kvHeads;
    this.headDim = headDim;
    this.capacity = (capacity + W - 1) / W * W;
    paddedDim = (headDim + W - 1) / W * W;
    int pages = Math.ceilDiv(capacity, PAGE);
    keys = new float[layers][pages][];
    values = new float[layers][pages][];
  }

  /** Keys of head {@code g} from token {@code lo} on, a multiple of 32. */
  PanelSource keys(int layer, int g, int lo) {
    float[][] pages = keys[layer];
    int head = g * headDim * PAGE;
    return new PanelSource() {
      @Override
      public float[] data(int panel, int from) {
        return pages[(lo + panel * W) / PAGE];
      }

      @Override
      public int at(int panel, int from) {
        return head + (lo + panel * W) % PAGE * headDim;
      }
    };
  }

  /** Values of head {@code g} from token {@code lo} on, a multiple of 32. */
  PanelSource values(int layer, int g, int lo) {
    float[][] pages = values[layer];
    int head = g * paddedDim * PAGE;
    return new PanelSource() {
      @Override
      public float[] data(int panel, int from) {
        return pages[(lo + from) / PAGE];
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

  private void reach(int layer, int page) {
    if (keys[layer][page] == null) {
      keys[layer][page] = pool.keep((long) kvHeads * headDim * PAGE);
      values[layer][page] = pool.keep((long) kvHeads * paddedDim * PAGE);
    }
  }

  /** Stores token number {@code token}. */
  void put(int layer, int token, float[] k, int kAt, float[] v, int vAt) {
    int page = token / PAGE;
    int in = token % PAGE;
    reach(layer, page);
    float[] keyPage = keys[layer][page];
    float[] valuePage = values[layer][page];
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

  void copyFrom(CpuKeyValues from, int tokens) {
    for (int l = 0; l < layers; l++) {
      for (int page = 0; page * PAGE < tokens; page++) {
        if (from.keys[l][page] == null) {
          continue; // nothing was put there
        }
        reach(l, page);
        copy(from.keys[l][page], keys[l][page], kvHeads * headDim * PAGE);
        copy(from.values[l][page], values[l][page], kvHeads * paddedDim * PAGE);
      }
    }
  }

  private static void copy(float[] from, float[] to, int length) {
    System.arraycopy(from, 0, to, 0, length);
  }

  @Override
  public int capacity() {
    return capacity;
  }

  @Override
  public long bytes() {
    long pages = 0;
    for (float[][] layer : keys) {
      pages += Arrays.stream(layer).filter(page -> page != null).count();
    }
    return 4L * pages * kvHeads * (headDim + paddedDim) * PAGE;
  }

  @Override
  public void close() {
    giveBack(keys);
    giveBack(values);
  }

  private void giveBack(float[][][] pages) {
    for (float[][] layer : pages) {
      for (int page = 0; page < layer.length; page++) {
        if (layer[page] != null) {
          pool.give(layer[page]);
          layer[page] = null;
        }
      }
    }
  }
}
