package dev.reckoner.tensor.cuda;

import dev.reckoner.tensor.Indices;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * Integers on the host and the device, and what kernels want to know about them, made when first
 * asked for: attention tiles of sequence starts, places of each distinct id.
 */
final class CudaIndices implements Indices {
  /** Rows of an attention tile. */
  static final int TILE = 64;

  /** Device arrays: distinct ids, where each one's places begin, the places. */
  record Places(CudaIndices distinct, CudaIndices starts, CudaIndices order) {}

  private final Device device;
  private final int[] values;
  private final long address;
  private CudaIndices queryTiles;
  private CudaIndices keyTiles;
  private Places places;
  private boolean closed;

  CudaIndices(Device device, int[] values) {
    this.device = device;
    this.values = values;
    address = device.allocate(values.length * 4L);
    device.send(values, address);
  }

  /** Other values at the same place. */
  void assign(int[] other) {
    if (other.length != values.length) {
      throw new IllegalArgumentException("%d values for %d".formatted(other.length, values.length));
    }
    System.arraycopy(other, 0, values, 0, other.length);
    device.send(values, address);
  }

  @Override
  public int[] values() {
    return values;
  }

  long address() {
    if (closed) {
      throw new IllegalStateException("indices are closed");
    }
    return address;
  }

  static CudaIndices of(Indices i) {
    return (CudaIndices) i;
  }

  /** {@code {first row, rows, position, sequence}} of each tile of queries; most work first. */
  CudaIndices queryTiles() {
    if (queryTiles == null) {
      List<int[]> tiles = new ArrayList<>();
      for (int s = 0; s + 1 < values.length; s++) {
        for (int at = values[s]; at < values[s + 1]; at += TILE) {
          tiles.add(new int[] {at, Math.min(TILE, values[s + 1] - at), at - values[s], s});
        }
      }
      tiles.sort(Comparator.comparingInt((int[] t) -> -t[2]));
      queryTiles = new CudaIndices(device, flat(tiles));
    }
    return queryTiles;
  }

  /**
   * {@code {first row, rows + 256 * sequence, position, sequence length}} of each tile of keys;
   * most work first.
   */
  CudaIndices keyTiles() {
    if (keyTiles == null) {
      List<int[]> tiles = new ArrayList<>();
      for (int s = 0; s + 1 < values.length; s++) {
        int length = values[s + 1] - values[s];
        for (int at = values[s]; at < values[s + 1]; at += TILE) {
          int rows = Math.min(TILE, values[s + 1] - at);
          tiles.add(new int[] {at, rows + (s << 8), at - values[s], length});
        }
      }
      tiles.sort(Comparator.comparingInt((int[] t) -> t[2] - t[3]));
      keyTiles = new CudaIndices(device, flat(tiles));
    }
    return keyTiles;
  }

  /** Of the sequences whose starts these are. */
  int longest() {
    int longest = 0;
    for (int s = 0; s + 1 < values.length; s++) {
      longest = Math.max(longest, values[s + 1] - values[s]);
    }
    return longest;
  }

  static int[] flat(List<int[]> tiles) {
    int[] flat = new int[tiles.size() * 4];
    for (int i = 0; i < tiles.size(); i++) {
      System.arraycopy(tiles.get(i), 0, flat, i * 4, 4);
    }
    return flat;
  }

  /** The places of each distinct value, in ascending order. */
  Places places() {
    if (places == null) {
      long[] sorted = new long[values.length];
      for (int i = 0; i < values.length; i++) {
        sorted[i] = (long) values[i] << 32 | i;
      }
      Arrays.sort(sorted);
      int[] order = new int[values.length];
      int[] distinct = new int[values.length];
      int[] starts = new int[values.length + 1];
      int n = 0;
      for (int i = 0; i < sorted.length; i++) {
        int value = (int) (sorted[i] >> 32);
        order[i] = (int) sorted[i];
        if (n == 0 || distinct[n - 1] != value) {
          distinct[n] = value;
          starts[n++] = i;
        }
      }
      starts[n] = values.length;
      places =
          new Places(
              new CudaIndices(device, Arrays.copyOf(distinct, n)),
              new CudaIndices(device, Arrays.copyOf(starts, n + 1)),
              new CudaIndices(device, order));
    }
    return places;
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    device.free(address);
    if (queryTiles != null) {
      queryTiles.close();
    }
    if (keyTiles != null) {
      keyTiles.close();
    }
    if (places != null) {
      places.distinct().close();
      places.starts().close();
      places.order().close();
    }
  }
}
