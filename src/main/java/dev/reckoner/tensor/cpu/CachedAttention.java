package dev.reckoner.tensor.cpu;

import dev.reckoner.tensor.cpu.AttentionBlock.Rows;
import java.util.ArrayList;
import java.util.List;

/** Attention of an inference step over the caches of its segments. */
final class CachedAttention {
  private static final int W = Tile.WIDTH;
  private static final int BLOCK = 32;

  private record Work(int segment, int from, int tokens, int head, int heads) {}

  private final Workers workers;
  private final AttentionBlock block;

  CachedAttention(Workers workers, FloatPool pool) {
    this.workers = workers;
    block = new AttentionBlock(pool);
  }

  void append(CpuBatch batch, int layer, CpuTensor k, CpuTensor v) {
    for (int s = 0; s < batch.segments(); s++) {
      CpuKeyValues cache = batch.caches().get(s);
      for (int i = 0; i < batch.rows(s); i++) {
        int row = batch.starts()[s] + i;
        cache.put(layer, batch.past()[s] + i, k.data, k.row(row), v.data, v.row(row));
      }
    }
  }

  void attend(
      CpuBatch batch, int layer, CpuTensor q, int headDim, int window, float scale, CpuTensor out) {
    int heads = q.columns / headDim;
    List<Work> work = work(batch, heads);
    workers.run(
        work.size(),
        task -> {
          Work w = work.get(task);
          CpuKeyValues cache = batch.caches().get(w.segment);
          int g = w.head / (heads / cache.kvHeads);
          int row = batch.starts()[w.segment] + w.from;
          int first = batch.past()[w.segment] + w.from;
          int lo = window == 0 ? 0 : Math.max(0, first - window + 1) / W * W;
          boolean oneToken = w.tokens == 1;
          block.attend(
              new Rows(q.data, q.row(row) + w.head * headDim, oneToken ? headDim : q.stride),
              w.tokens * w.heads,
              first,
              oneToken ? 0 : 1,
              cache.keys(layer, g, lo),
              cache.values(layer, g, lo),
              lo,
              first + w.tokens,
              headDim,
              window,
              scale,
              new Rows(out.data, out.row(row) + w.head * headDim, oneToken ? headDim : out.stride),
              null);
        });
  }

  /**
   * Several tokens of one head, or several heads of one token that read the same keys: fewer heads
   * together where threads would be left without work.
   */
  private List<Work> work(CpuBatch batch, int heads) {
    List<Work> work = new ArrayList<>();
    for (int s = 0; s < batch.segments(); s++) {
      int kvHeads = batch.caches().get(s).kvHeads;
      int group = heads / kvHeads;
      int shares = Math.ceilDiv(workers.size(), batch.segments() * kvHeads);
      int together = batch.rows(s) == 1 ? Math.ceilDiv(group, Math.min(group, shares)) : 1;
      for (int from = 0; from < batch.rows(s); from += BLOCK) {
        int tokens = Math.min(BLOCK, batch.rows(s) - from);
        for (int h = 0; h < heads; ) {
          int n = tokens == 1 ? Math.min(together, group - h % group) : 1;
          work.add(new Work(s, from, tokens, h, n));
          h += n;
        }
      }
    }
    return work;
  }
}
