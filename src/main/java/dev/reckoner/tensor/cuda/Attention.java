package dev.reckoner.tensor.cuda;

import dev.reckoner.tensor.cuda.Kernels.Kernel;
import java.util.ArrayList;
import java.util.List;

/**
 * Launches of {@code kernels/attention.cu}, which is compiled for each head size, and of {@code
 * kernels/attention_hopper.cu}, which takes two query heads at a time.
 */
final class Attention {
  private static final String FILE = "attention";
  private static final String HOPPER_FILE = "attention_hopper";
  private static final int HOPPER_HEAD = 256;

  /** Where the Hopper kernels' tiles begin in shared memory. */
  private static final int ALIGNMENT = 1024;

  private static final int TILE = CudaIndices.TILE;
  private static final int LARGEST_HEAD = 256;

  /**
   * Bytes of score gradients kept between the halves of the gradient; beyond, in long sequences,
   * the second half makes them again.
   */
  private static final long MOST_KEPT = 256L << 20;

  private final Device device;
  private final Kernels kernels;

  Attention(Device device, Kernels kernels) {
    this.device = device;
    this.kernels = kernels;
  }

  private Kernel kernel(String name, int headDim, CudaTensor... operands) {
    return kernel(name, headDim, 1, operands);
  }

  /** Compiled for clusters of so many blocks, where more than one. */
  private Kernel kernel(String name, int headDim, int cluster, CudaTensor... operands) {
    if (headDim > LARGEST_HEAD) {
      throw new CudaException(
          "heads of %d are not supported on the GPU (at most %d): use --backend cpu"
              .formatted(headDim, LARGEST_HEAD));
    }
    int vector = isVector(headDim, operands) ? 1 : 0;
    return kernels.get(FILE, defines(cluster, "D=" + headDim, "VECTOR=" + vector), name);
  }

  private static List<String> defines(int cluster, String... others) {
    List<String> defines = new ArrayList<>(List.of(others));
    if (cluster > 1) {
      defines.add("PARTS=" + cluster);
    }
    return List.copyOf(defines);
  }

  private static boolean isVector(int headDim, CudaTensor... operands) {
    boolean vector = headDim % 8 == 0;
    for (CudaTensor t : operands) {
      vector &= t.isVector();
    }
    return vector;
  }

  private boolean forHopper(int headDim, int group, CudaTensor... operands) {
    return device.hasWarpgroupProducts()
        && headDim == HOPPER_HEAD
        && group % 2 == 0
        && isVector(headDim, operands);
  }

  private Kernel hopper(String name, int cluster) {
    return kernels.get(HOPPER_FILE, defines(cluster, "D=" + HOPPER_HEAD), name);
  }

  /** Bytes of {@code tiles} shared tiles of a head and {@code products} of 64 by 64. */
  private static int hopperBytes(int tiles, int products) {
    return ALIGNMENT + 2 * TILE * (tiles * HOPPER_HEAD + products * TILE);
  }

  private Kernels forward(boolean hopper, int headDim, CudaTensor... operands) {
    return kernels.call(hopper ? hopper("attention", 1) : kernel("attention", headDim, operands));
  }

  private static void launchForward(
      Kernels call, boolean hopper, int tiles, int heads, int headDim) {
    if (hopper) {
      call.launch(tiles, heads / 2, 256, hopperBytes(7, 0));
    } else {
      call.launch(tiles, heads, 128, sharedBytes(headDim, 3, 0));
    }
  }

  private static int padded(int headDim) {
    return (headDim + 63) / 64 * 64;
  }

  /** Bytes of {@code tiles} shared tiles of a head and {@code products} of 64 by 64. */
  private static int sharedBytes(int headDim, int tiles, int products) {
    int padded = padded(headDim) + 8;
    return 2 * TILE * (tiles * padded + products * (TILE + 8));
  }

  void forward(
      CudaTensor q,
      CudaTensor k,
      CudaTensor v,
      CudaIndices sequences,
      int headDim,
      int window,
      float scale,
      CudaTensor out,
      CudaTensor logSumExp) {
    int heads = q.columns() / headDim;
    int group = heads * headDim / k.columns();
    CudaIndices tiles = sequences.queryTiles();
    boolean hopper = forHopper(headDim, group, q, k, v, out);
    Kernels call =
        forward(hopper, headDim, q, k, v, out)
            .t(q)
            .t(k)
            .t(v)
            .p(0)
            .i(0)
            .p(tiles.address())
            .i(heads)
            .i(group)
            .i(window)
            .f(scale)
            .t(out)
            .p(logSumExp == null ? 0 : logSumExp.address());
    launchForward(call, hopper, tiles.size() / 4, heads, headDim);
  }

  void cached(
      CudaCacheBatch batch,
      int layer,
      CudaTensor q,
      int headDim,
      int window,
      float scale,
      CudaTensor out) {
    int heads = q.columns() / headDim;
    int group = heads * headDim / batch.width();
    boolean hopper = forHopper(headDim, group, q, out);
    Kernels call =
        forward(hopper, headDim, q, out)
            .t(q)
            .p(0)
            .i(batch.width())
            .p(0)
            .i(batch.width())
            .p(batch.table().address())
            .i(layer)
            .p(batch.tiles().address())
            .i(heads)
            .i(group)
            .i(window)
            .f(scale)
            .t(out)
            .p(0);
    launchForward(call, hopper, batch.tiles().size() / 4, heads, headDim);
  }

  void append(CudaCacheBatch batch, int layer, CudaTensor k, CudaTensor v) {
    kernels
        .call("elementwise", "append_keys_values")
        .t(k)
        .t(v)
        .p(batch.rows().address())
        .p(batch.table().address())
        .i(layer)
        .i(batch.width())
        .launch(batch.rows().size() / 4, 1, 128, 0);
  }

  void gradient(
      CudaTensor dOut,
      CudaTensor q,
      CudaTensor k,
      CudaTensor v,
      CudaTensor out,
      CudaTensor logSumExp,
      CudaIndices sequences,
      int headDim,
      int window,
      float scale,
      CudaTensor dq,
      CudaTensor dk,
      CudaTensor dv) {
    int heads = q.columns() / headDim;
    int kvHeads = k.columns() / headDim;
    CudaTensor[] all = {dOut, q, k, v, out, dq, dk, dv};
    try (CudaTensor delta = CudaTensor.allocate(device, q.rows(), heads, true)) {
      long items = (long) q.rows() * heads;
      kernels
          .call(kernel("attention_delta", headDim, all))
          .t(dOut)
          .t(out)
          .p(delta.address())
          .i(q.rows())
          .i(heads)
          .launch((int) ((items + 7) / 8), 1, 256, 0);
      int shared = sharedBytes(headDim, padded(headDim) > 128 ? 6 : 4, 2);
      // Tiles of keys that a tile of queries sees.
      int slots = (sequences.longest() + TILE - 1) / TILE;
      if (window > 0) {
        slots = Math.min(slots, (window + TILE - 2) / TILE + 1);
      }
      long scores =
          ((q.rows() - 1L) / TILE + sequences.values().length) * heads * slots * TILE * TILE;
      boolean kept = 2 * scores <= MOST_KEPT;
      long scoreTiles = kept ? device.allocate(2 * scores) : 0;
      CudaIndices tiles = sequences.queryTiles();
      CudaIndices keys = sequences.keyTiles();
      int parts = parts(keys.size() / 4 * kvHeads, heads / kvHeads, dk, dv);
      boolean clustered =
          parts > 1
              && parts <= 8
              && Integer.bitCount(parts) == 1
              && device.hasClusters()
              && headDim % 64 == 0;
      int cluster = clustered ? parts : 1;
      // Both halves alike: how kept scores' gradients lie is the kernels' own affair.
      boolean hopper = forHopper(headDim, heads / kvHeads, all);
      Kernel keysKernel =
          hopper
              ? hopper("attention_gradient_kv", cluster)
              : kernel("attention_gradient_kv", headDim, cluster, all);
      try (CudaTensor partial =
          parts == 1 || clustered
              ? null
              : CudaTensor.allocate(device, parts * 2 * k.rows(), k.columns(), true)) {
        gradient(keysKernel, all)
            .p(logSumExp.address())
            .p(delta.address())
            .p(keys.address())
            .i(heads)
            .i(heads / kvHeads)
            .i(window)
            .f(scale)
            .t(dk)
            .t(dv)
            .p(CudaTensor.addressOf(partial))
            .i(parts)
            .i(k.rows())
            .p(scoreTiles)
            .i(slots)
            .launch(keys.size() / 4, kvHeads * parts, 256, hopper ? hopperBytes(6, 2) : shared);
        if (parts > 1 && !clustered) {
          kernels
              .call(kernel("attention_gradient_sum", headDim, all))
              .p(partial.address())
              .i(parts)
              .i(k.rows())
              .i(k.columns())
              .t(dk)
              .t(dv)
              .launchEach(dk.size() / 2);
        }
      }
      if (kept) {
        String name = "attention_gradient_q_scores";
        kernels
            .call(hopper ? hopper(name, 1) : kernel(name, headDim, all))
            .t(k)
            .p(tiles.address())
            .i(heads)
            .i(heads / kvHeads)
            .i(window)
            .f(scale)
            .p(scoreTiles)
            .i(slots)
            .t(dq)
            .launch(
                tiles.size() / 4,
                hopper ? heads / 2 : heads,
                256,
                hopper ? hopperBytes(4, 8) : sharedBytes(headDim, 2, 2));
        device.free(scoreTiles);
      } else {
        gradient(kernel("attention_gradient_q", headDim, all), all)
            .p(logSumExp.address())
            .p(delta.address())
            .p(tiles.address())
            .i(heads)
            .i(heads / kvHeads)
            .i(window)
            .f(scale)
            .t(dq)
            .launch(tiles.size() / 4, heads, 256, shared);
      }
    }
  }

  /** The arguments that both halves of the gradient begin with: dOut, q, k and v. */
  private Kernels gradient(Kernel kernel, CudaTensor... all) {
    return kernels.call(kernel).t(all[0]).t(all[1]).t(all[2]).t(all[3]);
  }

  /**
   * Into how many parts the query heads of a group are divided, so that there are several blocks
   * for each multiprocessor: their work differs with the queries that see a key, and few large
   * blocks would wait for the longest.
   */
  private int parts(int blocks, int group, CudaTensor dk, CudaTensor dv) {
    if (!dk.isVector() || !dv.isVector() || dk.columns() % 4 != 0) {
      return 1;
    }
    int parts = 1;
    while (parts < group && blocks * parts < 4 * device.multiprocessors()) {
      do {
        parts++;
      } while (group % parts != 0);
    }
    return parts;
  }
}
