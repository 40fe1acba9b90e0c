package dev.reckoner.tensor.cpu;

import dev.reckoner.tensor.cpu.AttentionBlock.Rows;
import java.util.ArrayList;
import java.util.List;

/** Attention of an inference step over the caches of its segments. */
final class CachedAttention {
  private static final int W = Tile.WIDTH;
  private static final int BLOCK = 32;

  /** Of a share of keys or columns: nobody waits long for the last. */
  private static final int PARTS = 2;

  private record Work(int segment, int from, int tokens, int head, int heads) {}

  private final Workers workers;
  private final AttentionBlock block;

  CachedAttention(Workers workers, FloatPool pool) {
    this.workers = workers;
    block = new AttentionBlock(pool);
  }

  void append(CpuBatch batch, int layer, CpuTensor k, CpuTensor v) {
    workers.run(
        batch.segments(),
        s -> {
          CpuKeyValues cache = batch.caches().get(s);
          for (int i = 0; i < batch.rows(s); i++) {
            int row = batch.starts()[s] + i;
            cache.put(layer, batch.past()[s] + i, k.data, k.row(row), v.data, v.row(row));
          }
        });
  }

  void attend(
      CpuBatch batch, int layer, CpuTensor q, int headDim, int window, float scale, CpuTensor out) {
    int heads = q.columns / headDim;
    List<Work> work = work(batch, heads);
    int shares = Math.ceilDiv(workers.size(), Math.max(1, work.size()));
    if (shares > 1 && work.stream().allMatch(w -> w.tokens == 1)) {
      attendShared(work, shares, batch, layer, q, headDim, window, scale, out);
      return;
    }
    workers.run(
        work.size(),
        task -> {
          Work w = work.get(task);
          CpuKeyValues cache = batch.caches().get(w.segment);
          int g = w.head / (heads / cache.kvHeads);
          int row = batch.starts()[w.segment] + w.from;
          int first = batch.past()[w.segment] + w.from;
          int lo = firstKey(first, window);
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

  /** First key, rounded down to a panel, that the token at {@code place} sees. */
  private static int firstKey(int place, int window) {
    return window == 0 ? 0 : Math.max(0, place - window + 1) / W * W;
  }

  /** Fewer heads of keys than threads, and one token each. */
  private void attendShared(
      List<Work> work,
      int shares,
      CpuBatch batch,
      int layer,
      CpuTensor q,
      int headDim,
      int window,
      float scale,
      CpuTensor out) {
    List<AttentionBlock.Shared> shared = new ArrayList<>();
    try {
      for (Work w : work) {
        CpuKeyValues cache = batch.caches().get(w.segment);
        int g = w.head / w.heads;
        int row = batch.starts()[w.segment];
        int first = batch.past()[w.segment];
        int lo = firstKey(first, window);
        shared.add(
            block
            .new Shared(
                new Rows(q.data, q.row(row) + w.head * headDim, headDim),
                w.heads,
                first,
                cache.keys(layer, g, lo),
                cache.values(layer, g, lo),
                lo,
                first + 1,
                headDim,
                window,
                scale,
                new Rows(out.data, out.row(row) + w.head * headDim, headDim)));
      }
      int parts = PARTS * shares;
      int n = shared.size();
      workers.run(n * parts, task -> shared.get(task / parts).scores(task % parts, parts));
      int heads = work.getFirst().heads;
      workers.run(n * heads, task -> shared.get(task / heads).weights(task % heads));
      workers.run(n * parts, task -> shared.get(task / parts).values(task % parts, parts));
    } finally {
      shared.forEach(AttentionBlock.Shared::close);
    }
  }

  /** Several tokens of one head, or all heads of one token that read the same keys. */
  private static List<Work> work(CpuBatch batch, int heads) {
    List<Work> work = new ArrayList<>();
    for (int s = 0; s < batch.segments(); s++) {
      int group = heads / batch.caches().get(s).kvHeads;
      for (int from = 0; from < batch.rows(s); from += BLOCK) {
        int tokens = Math.min(BLOCK, batch.rows(s) - from);
        int n = tokens == 1 ? group : 1;
        for (int h = 0; h < heads; h += n) {
          work.add(new Work(s, from, tokens, h, n));
        }
      }
    }
    return work;
  }
}
