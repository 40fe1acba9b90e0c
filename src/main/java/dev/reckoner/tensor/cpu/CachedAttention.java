package dev.reckoner.tensor.cpu;

import dev.reckoner.tensor.cpu.AttentionBlock.Rows;
import java.util.ArrayList;
import java.util.List;

/** Attention of an inference step over the caches of its segments. */
final class CachedAttention {
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
    Step step = new Step(batch, layer, q, headDim, window, scale, out);
    List<Work> work = work(batch, q.columns / headDim);
    int shares = Math.ceilDiv(workers.size(), Math.max(1, work.size()));
    if (shares > 1 && work.stream().allMatch(w -> w.tokens == 1)) {
      shareOut(work.stream().map(w -> step.block(block, w)).toList(), PARTS * shares);
      return;
    }
    workers.run(
        work.size(),
        task -> {
          try (AttentionBlock.Block b = step.block(block, work.get(task))) {
            b.attend(null);
          }
        });
  }

  /** Fewer blocks than threads, of as many rows each. */
  private void shareOut(List<AttentionBlock.Block> blocks, int parts) {
    int n = blocks.size();
    int rows = blocks.getFirst().rows();
    try {
      workers.run(n * parts, task -> blocks.get(task / parts).scores(task % parts, parts));
      workers.run(
          n * rows, task -> blocks.get(task / rows).weights(task % rows, new float[VectorMath.L]));
      workers.run(n * parts, task -> blocks.get(task / parts).values(task % parts, parts));
    } finally {
      blocks.forEach(AttentionBlock.Block::close);
    }
  }

  /** What all blocks of a call share. */
  private record Step(
      CpuBatch batch, int layer, CpuTensor q, int headDim, int window, float scale, CpuTensor out) {
    AttentionBlock.Block block(AttentionBlock attention, Work w) {
      CpuKeyValues cache = batch.caches().get(w.segment);
      int g = w.head / (q.columns / headDim / cache.kvHeads);
      int row = batch.starts()[w.segment] + w.from;
      int first = batch.past()[w.segment] + w.from;
      int lo = AttentionBlock.firstKey(first, window);
      boolean oneToken = w.tokens == 1;
      return attention
      .new Block(
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
          new Rows(out.data, out.row(row) + w.head * headDim, oneToken ? headDim : out.stride));
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
