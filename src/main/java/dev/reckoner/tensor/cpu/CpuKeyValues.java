package dev.reckoner.tensor.cpu;

import dev.reckoner.tensor.KeyValues;

/**
 * One sequence's cache. Per layer and kv head: keys as panels {@code [token/32][headDim][32]},
 * values as panels {@code [headDim/32][token][32]}; zeros behind the last token.
 */
final class CpuKeyValues implements KeyValues {
  static final int W = Tile.WIDTH;

  final int layers;
  final int kvHeads;
  final int headDim;
  final int capacity;
  final float[][] keys;
  final float[][] values;
  private final int paddedDim;

  CpuKeyValues(int layers, int kvHeads, int headDim, int capacity) {
    this.layers = layers;
    this.kvHeads = kvHeads;
    this.headDim = headDim;
    this.capacity = (capacity + W - 1) / W * W;
    paddedDim = (headDim + W - 1) / W * W;
    keys = new float[layers][kvHeads * headDim * this.capacity];
    values = new float[layers][kvHeads * paddedDim * this.capacity];
  }

  /** Where kv head {@code g}'s keys begin. */
  int keyBase(int g) {
    return g * headDim * capacity;
  }

  int valueBase(int g) {
    return g * paddedDim * capacity;
  }

  /** Stores token number {@code token}. */
  void put(int layer, int token, float[] k, int kAt, float[] v, int vAt) {
    for (int g = 0; g < kvHeads; g++) {
      int to = keyBase(g) + token / W * headDim * W + token % W;
      for (int d = 0; d < headDim; d++) {
        keys[layer][to + d * W] = k[kAt + g * headDim + d];
      }
      for (int d = 0; d < headDim; d += W) {
        System.arraycopy(
            v,
            vAt + g * headDim + d,
            values[layer],
            valueBase(g) + (d / W * capacity + token) * W,
            Math.min(W, headDim - d));
      }
    }
  }

  void copyFrom(CpuKeyValues from, int tokens) {
    int whole = (tokens + W - 1) / W * W;
    for (int l = 0; l < layers; l++) {
      for (int g = 0; g < kvHeads; g++) {
        System.arraycopy(from.keys[l], from.keyBase(g), keys[l], keyBase(g), whole * headDim);
        for (int p = 0; p * W < headDim; p++) {
          System.arraycopy(
              from.values[l],
              from.valueBase(g) + p * from.capacity * W,
              values[l],
              valueBase(g) + p * capacity * W,
              tokens * W);
        }
      }
    }
  }

  @Override
  public int capacity() {
    return capacity;
  }

  @Override
  public long bytes() {
    return 4L * layers * kvHeads * (headDim + paddedDim) * capacity;
  }

  @Override
  public void close() {}
}
