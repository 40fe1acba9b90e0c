package dev.reckoner.tensor.cuda;

import dev.reckoner.tensor.LowRank;
import dev.reckoner.tensor.LowRankRows;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * {@code LowRankGroup} of {@code kernels/common.cuh}, one for each adapter, on the device; behind
 * them the group of each row, -1 for none.
 */
final class CudaLowRankRows implements LowRankRows {
  private static final int WORDS = 26;
  private static final int MOST_PARTS = 3;
  private static final int MOST_RANKS = 512;

  private final CudaIndices table;
  private final int groups;
  private final int ranks;
  private final int mostRank;

  CudaLowRankRows(Device device, List<LowRank> adapters, int[] starts) {
    List<int[]> rows = new ArrayList<>();
    int[] groupOf = new int[starts[adapters.size()]];
    Arrays.fill(groupOf, -1);
    int most = 0;
    int ofPart = 0;
    for (int i = 0; i < adapters.size(); i++) {
      LowRank adapter = adapters.get(i);
      if (adapter != null) {
        Arrays.fill(groupOf, starts[i], starts[i + 1], rows.size());
        rows.add(words(adapter, starts[i], starts[i + 1]));
        most = Math.max(most, adapter.ranks());
        for (LowRank.Part part : adapter.parts()) {
          ofPart = Math.max(ofPart, part.toRank() - part.fromRank());
        }
      }
    }
    groups = rows.size();
    ranks = most;
    mostRank = ofPart;
    rows.add(groupOf);
    table = new CudaIndices(device, rows.stream().flatMapToInt(Arrays::stream).toArray());
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

  long address() {
    return table.address();
  }

  /** Of the group of each row. */
  long groupOf() {
    return table.address() + 4L * WORDS * groups;
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

  @Override
  public void close() {
    table.close();
  }
}
