package dev.reckoner.tensor.cuda;

import dev.reckoner.tensor.CacheBatch;
import dev.reckoner.tensor.KeyValues;
import java.util.ArrayList;
import java.util.List;

/**
 * The caches of an inference step: a table {@code {keys, values, layer stride}} a segment, and
 * {@code {row, rows, position, segment}} of every query tile and of every row.
 */
final class CudaCacheBatch implements CacheBatch {
  private final int segments;
  private final int width;
  private final boolean singleRows;
  private final CudaIndices table;
  private final CudaIndices tiles;
  private final CudaIndices rows;

  CudaCacheBatch(Device device, List<KeyValues> caches, int[] starts, int[] past) {
    segments = caches.size();
    width = ((CudaKeyValues) caches.getFirst()).width();
    table = new CudaIndices(device, table(caches));
    List<int[]> tileList = new ArrayList<>();
    List<int[]> rowList = new ArrayList<>();
    for (int s = 0; s < segments; s++) {
      for (int row = starts[s]; row < starts[s + 1]; row++) {
        int position = past[s] + row - starts[s];
        rowList.add(new int[] {row, 1, position, s});
        if ((row - starts[s]) % CudaIndices.TILE == 0) {
          int n = Math.min(CudaIndices.TILE, starts[s + 1] - row);
          tileList.add(new int[] {row, n, position, s});
        }
      }
    }
    singleRows = rowList.size() == segments;
    rows = new CudaIndices(device, CudaIndices.flat(rowList));
    tiles = singleRows ? rows : new CudaIndices(device, CudaIndices.flat(tileList));
  }

  private static int[] table(List<KeyValues> caches) {
    int[] words = new int[caches.size() * 6];
    for (int s = 0; s < caches.size(); s++) {
      CudaKeyValues c = (CudaKeyValues) caches.get(s);
      put(words, s * 6, c.keys());
      put(words, s * 6 + 2, c.values());
      put(words, s * 6 + 4, c.layerStride());
    }
    return words;
  }

  /** Other caches and positions at the same place; each segment has one row. */
  void assign(List<KeyValues> caches, int[] past) {
    if (!singleRows || caches.size() != segments) {
      throw new IllegalArgumentException("a batch of %d single rows".formatted(segments));
    }
    table.assign(table(caches));
    int[] flat = new int[segments * 4];
    for (int s = 0; s < segments; s++) {
      flat[s * 4] = s;
      flat[s * 4 + 1] = 1;
      flat[s * 4 + 2] = past[s];
      flat[s * 4 + 3] = s;
    }
    rows.assign(flat);
  }

  /** Whether each segment adds one token. */
  boolean singleRows() {
    return singleRows;
  }

  static void put(int[] words, int at, long value) {
    words[at] = (int) value;
    words[at + 1] = (int) (value >>> 32);
  }

  @Override
  public int segments() {
    return segments;
  }

  /** kvHeads * headDim. */
  int width() {
    return width;
  }

  CudaIndices table() {
    return table;
  }

  CudaIndices tiles() {
    return tiles;
  }

  CudaIndices rows() {
    return rows;
  }

  @Override
  public void close() {
    table.close();
    if (tiles != rows) {
      tiles.close();
    }
    rows.close();
  }
}
