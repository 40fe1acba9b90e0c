package dev.reckoner.tensor.cuda;

import dev.reckoner.tensor.LowRank;
import dev.reckoner.tensor.LowRankRows;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/**
 * {@code LowRankGroup} of {@code kernels/common.cuh}, one for each adapter, on the device; behind
 * them the group of each row, -1 for none, the groups of each 16 rows, {@code RowAdapter} of each
 * row, and blocks of rows that have the same adapter.
 */
final class CudaLowRankRows implements LowRankRows {
  private static final int WORDS = 26;
  private static final int WORDS_OF_ROW = 8;
  private static final int MOST_PARTS = 3;
  private static final int MOST_RANKS = 512;

  /**
   * Rows that {@code kernels/step.cu} and {@code addAdapters} of {@code product.cu} take together.
   */
  static final int ROWS_OF_BLOCK = 4;

  /** Columns of the widest block of {@code kernels/product.cu}. */
  private static final int MOST_COLUMNS = 64;

  /** Where a part of an adapter is. */
  record Place(int fromColumn, int toColumn, int fromRank, int toRank) {
    int rank() {
      return toRank - fromRank;
    }
  }

  private final CudaIndices table;
  private final int groups;
  private final int ranks;
  private final int mostRank;
  private final int rowsAt;
  private final int blocksAt;
  private final int blocks;
  private final boolean inFours;
  private final List<Place> uniform;

  CudaLowRankRows(Device device, List<LowRank> adapters, int[] starts) {
    List<int[]> rows = new ArrayList<>();
    int[] groupOf = new int[starts[adapters.size()]];
    Arrays.fill(groupOf, -1);
    int most = 0;
    int ofPart = 0;
    boolean fours = true;
    for (int i = 0; i < adapters.size(); i++) {
      LowRank adapter = adapters.get(i);
      if (adapter != null) {
        Arrays.fill(groupOf, starts[i], starts[i + 1], rows.size());
        rows.add(words(adapter, starts[i], starts[i + 1]));
        most = Math.max(most, adapter.ranks());
        for (LowRank.Part part : adapter.parts()) {
          ofPart = Math.max(ofPart, part.toRank() - part.fromRank());
          fours &= part.fromRank() % 4 == 0 && part.toRank() % 4 == 0;
        }
      }
    }
    groups = rows.size();
    ranks = most;
    mostRank = ofPart;
    inFours = fours;
    uniform = uniform(adapters.stream().filter(Objects::nonNull).toList());
    rows.add(groupOf);
    rows.add(ranges(groupOf));
    int length = rows.stream().mapToInt(r -> r.length).sum();
    rowsAt = (length + 3) / 4 * 4;
    rows.add(new int[rowsAt - length]);
    for (int i = 0; i < adapters.size(); i++) {
      int[] one = ofRow(adapters.get(i));
      for (int row = starts[i]; row < starts[i + 1]; row++) {
        rows.add(one);
      }
    }
    List<int[]> ofBlocks = blocks(starts);
    blocksAt = rowsAt + WORDS_OF_ROW * groupOf.length;
    blocks = ofBlocks.size();
    rows.addAll(ofBlocks);
    table = new CudaIndices(device, rows.stream().flatMapToInt(Arrays::stream).toArray());
  }

  /** First row and how many. */
  private static List<int[]> blocks(int[] starts) {
    List<int[]> blocks = new ArrayList<>();
    for (int i = 0; i + 1 < starts.length; i++) {
      for (int row = starts[i]; row < starts[i + 1]; row += ROWS_OF_BLOCK) {
        blocks.add(new int[] {row, Math.min(ROWS_OF_BLOCK, starts[i + 1] - row)});
      }
    }
    return blocks;
  }

  private static List<Place> uniform(List<LowRank> adapters) {
    List<List<Place>> all = adapters.stream().map(CudaLowRankRows::places).distinct().toList();
    if (all.size() != 1) {
      return List.of();
    }
    int column = 0;
    for (Place place : all.getFirst()) {
      if (place.fromColumn != column
          || place.toColumn % MOST_COLUMNS != 0
          || place.rank() % 16 != 0
          || place.rank() != all.getFirst().getFirst().rank()) {
        return List.of();
      }
      column = place.toColumn;
    }
    return all.getFirst();
  }

  private static List<Place> places(LowRank adapter) {
    return adapter.parts().stream()
        .map(p -> new Place(p.fromColumn(), p.toColumn(), p.fromRank(), p.toRank()))
        .toList();
  }

  private static int[] words(LowRank adapter, int fromRow, int toRow) {
    if (adapter.ranks() > MOST_RANKS || adapter.parts().size() > MOST_PARTS) {
      throw new CudaException(
          "an adapter of rank %d in all is not served on the GPU (at most %d for layers that share an input): use --backend cpu"
              .formatted(adapter.ranks(), MOST_RANKS));
    }
    int[] w = new int[WORDS];
    CudaCacheBatch.put(w, 0, CudaMatrix.of(adapter.a()).values());
    w[8] = Float.floatToRawIntBits(adapter.scale());
    w[9] = adapter.parts().size();
    w[10] = fromRow;
    w[11] = toRow;
    w[12] = adapter.ranks();
    for (int p = 0; p < adapter.parts().size(); p++) {
      LowRank.Part part = adapter.parts().get(p);
      CudaCacheBatch.put(w, 2 + 2 * p, CudaMatrix.of(part.b()).values());
      w[13 + p] = part.fromColumn();
      w[16 + p] = part.toColumn();
      w[19 + p] = part.fromRank();
      w[22 + p] = part.toRank();
    }
    return w;
  }

  /** First group of each 16 rows, and the one behind the last. */
  private static int[] ranges(int[] groupOf) {
    int[] ranges = new int[2 * ((groupOf.length + 15) / 16)];
    for (int row = groupOf.length - 1; row >= 0; row--) {
      if (groupOf[row] >= 0) {
        int at = row / 16 * 2;
        ranges[at] = groupOf[row];
        ranges[at + 1] = Math.max(ranges[at + 1], groupOf[row] + 1);
      }
    }
    return ranges;
  }

  /** {@code RowAdapter} of {@code kernels/common.cuh}. */
  private static int[] ofRow(LowRank adapter) {
    int[] w = new int[WORDS_OF_ROW];
    if (adapter != null) {
      CudaCacheBatch.put(w, 0, CudaMatrix.of(adapter.a()).values());
      CudaCacheBatch.put(w, 2, CudaMatrix.of(adapter.parts().getFirst().b()).values());
      w[4] = adapter.ranks();
      w[5] = Float.floatToRawIntBits(adapter.scale());
    }
    return w;
  }

  long address() {
    return table.address();
  }

  /** Of the group of each row. */
  long groupOf() {
    return table.address() + 4L * WORDS * groups;
  }

  /** Of the adapter of each row. */
  long rows() {
    return table.address() + 4L * rowsAt;
  }

  /** Of the first row of each block and how many it has. */
  long rowsOfBlocks() {
    return table.address() + 4L * blocksAt;
  }

  int blocks() {
    return blocks;
  }

  int groups() {
    return groups;
  }

  int ranks() {
    return ranks;
  }

  /** Most ranks of one part. */
  int mostRank() {
    return mostRank;
  }

  /**
   * The parts of every adapter, where all have the same, one behind the other from the first column
   * on, with as many ranks in each, a multiple of 16; else none.
   */
  List<Place> uniform() {
    return uniform;
  }

  /** Whether the ranks of all parts begin and end at multiples of 4. */
  boolean inFours() {
    return inFours;
  }

  @Override
  public void close() {
    table.close();
  }
}
