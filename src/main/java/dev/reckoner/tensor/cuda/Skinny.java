package dev.reckoner.tensor.cuda;

import dev.reckoner.tensor.Backend.WeightGradient;
import java.util.List;

/** Launches of {@code kernels/skinny.cu}: several weight gradients with few ranks on one side. */
final class Skinny {
  /** Gradients of one launch. */
  static final int MOST = 8;

  private static final int ENTRY_WORDS = 14;
  private static final int MOST_RANKS = 48;
  private static final int COLUMNS = 128;
  private static final int TOKENS = 64;

  /** Blocks that a multiprocessor holds. */
  private static final int RESIDENT = 4;

  private final Device device;
  private final Kernels kernels;

  Skinny(Device device, Kernels kernels) {
    this.device = device;
    this.kernels = kernels;
  }

  private static boolean ofA(WeightGradient g) {
    return g.dy().columns() < g.x().columns();
  }

  static boolean takes(WeightGradient g) {
    CudaTensor dy = CudaTensor.activation(g.dy());
    CudaTensor x = CudaTensor.activation(g.x());
    int ranks = Math.min(dy.columns(), x.columns());
    int wide = Math.max(dy.columns(), x.columns());
    return ranks <= MOST_RANKS
        && ranks % 8 == 0
        && wide % 8 == 0
        && wide > ranks
        && dy.rows() == x.rows()
        && dy.isVector()
        && x.isVector()
        && g.dw().rows() == dy.columns()
        && g.dw().columns() == x.columns();
  }

  void run(List<WeightGradient> gradients) {
    int[] entries = new int[MOST * ENTRY_WORDS];
    int strips = 0;
    int size = 0;
    for (int i = 0; i < gradients.size(); i++) {
      WeightGradient g = gradients.get(i);
      boolean ofA = ofA(g);
      CudaTensor wide = CudaTensor.of(ofA ? g.x() : g.dy());
      CudaTensor ranks = CudaTensor.of(ofA ? g.dy() : g.x());
      int at = i * ENTRY_WORDS;
      CudaCacheBatch.put(entries, at, wide.address());
      CudaCacheBatch.put(entries, at + 2, ranks.address());
      CudaCacheBatch.put(entries, at + 4, CudaTensor.floats(g.dw()).address());
      entries[at + 6] = wide.stride();
      entries[at + 7] = ranks.stride();
      entries[at + 8] = wide.columns();
      entries[at + 9] = ranks.columns();
      entries[at + 10] = strips;
      entries[at + 11] = size;
      entries[at + 12] = ofA ? 1 : 0;
      entries[at + 13] = Float.floatToRawIntBits(g.alpha());
      strips += (wide.columns() + COLUMNS - 1) / COLUMNS;
      size += wide.columns() * ranks.columns();
    }
    int rows = gradients.getFirst().x().rows();
    int tiles = (rows + TOKENS - 1) / TOKENS;
    int shares = Math.clamp(RESIDENT * device.multiprocessors() / strips, 1, tiles);
    try (CudaTensor partial = CudaTensor.allocate(device, shares, size, true)) {
      kernels
          .call("skinny", "skinny_gradients")
          .i(rows)
          .p(partial.address())
          .i(size)
          .i(gradients.size())
          .last(entries)
          .launch(strips, shares, 256, 0);
      kernels
          .call("skinny", "skinny_sums")
          .p(partial.address())
          .i(size)
          .i(shares)
          .i(gradients.size())
          .last(entries)
          .launchEach(size);
    }
  }
}
