package dev.reckoner.tensor.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.tensor.CacheBatch;
import dev.reckoner.tensor.KeyValues;
import dev.reckoner.tensor.Tensor;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Sequences that share pages read what each would have in pages of its own. */
class SharedPagesTest {
  private static final int LAYERS = 2;
  private static final int KV_HEADS = 2;
  private static final int HEADS = 4;
  private static final int DIM = 64;
  private static final int WIDTH = KV_HEADS * DIM;
  private static final int CAPACITY = 200;

  private final CpuBackend b = CpuBackend.open(2);

  private static float[] values(int n, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) random.nextDouble(-1, 1);
    }
    return values;
  }

  private KeyValues cache() {
    return b.keyValues(LAYERS, KV_HEADS, DIM, CAPACITY);
  }

  /** Keys and values of tokens {@code [from, to)}, made from {@code seed}. */
  private void append(int from, int to, long seed, KeyValues... caches) {
    int n = to - from;
    int[] starts = new int[caches.length + 1];
    int[] past = new int[caches.length];
    for (int s = 0; s < caches.length; s++) {
      starts[s + 1] = (s + 1) * n;
      past[s] = from;
    }
    CacheBatch batch = b.batch(List.of(caches), starts, past);
    for (int layer = 0; layer < LAYERS; layer++) {
      try (Tensor k = b.floats(caches.length * n, WIDTH);
          Tensor v = b.floats(caches.length * n, WIDTH)) {
        b.upload(values(caches.length * n * WIDTH, 2 * seed + 100 * layer), k);
        b.upload(values(caches.length * n * WIDTH, 2 * seed + 100 * layer + 1), v);
        b.appendKeyValues(batch, layer, k, v);
      }
    }
  }

  /** What a token behind {@code tokens} - 1 others sees, in all layers. */
  private float[] seen(KeyValues cache, int tokens) {
    float[] all = new float[LAYERS * HEADS * DIM];
    CacheBatch batch = b.batch(List.of(cache), new int[] {0, 1}, new int[] {tokens - 1});
    for (int layer = 0; layer < LAYERS; layer++) {
      float[] one = new float[HEADS * DIM];
      try (Tensor q = b.floats(1, HEADS * DIM);
          Tensor out = b.floats(1, HEADS * DIM)) {
        b.upload(values(HEADS * DIM, 7), q);
        b.cachedAttention(batch, layer, q, DIM, 0, 0.125f, out);
        b.download(out, one);
      }
      System.arraycopy(one, 0, all, layer * one.length, one.length);
    }
    return all;
  }

  /** Two whole pages and a part of one. */
  private KeyValues beginning() {
    KeyValues cache = cache();
    append(0, 150, 1, cache);
    return cache;
  }

  private KeyValues copyOf(KeyValues from, int tokens) {
    KeyValues copy = cache();
    b.copyKeyValues(from, copy, tokens);
    return copy;
  }

  @Test
  void eachGoesOnAsIfAlone() {
    KeyValues first = beginning();
    KeyValues second = copyOf(first, 150);
    KeyValues third = copyOf(first, 128);
    append(150, 160, 2, first);
    append(150, 160, 3, second);
    append(128, 160, 4, third);

    KeyValues alone = beginning();
    assertThat(seen(first, 150)).isEqualTo(seen(alone, 150));
    append(150, 160, 3, alone);
    assertThat(seen(second, 160)).isEqualTo(seen(alone, 160)).isNotEqualTo(seen(first, 160));
    append(128, 160, 4, alone);
    assertThat(seen(third, 160)).isEqualTo(seen(alone, 160));
  }

  /** At once, as in a step, on several threads. */
  @Test
  void whoWritesToASharedPageChangesItForNobodyElse() {
    KeyValues first = beginning();
    float[] before = seen(first, 150);
    KeyValues second = copyOf(first, 150);
    KeyValues third = copyOf(second, 140);
    append(70, 71, 5, second, third);
    assertThat(seen(first, 150)).isEqualTo(before);
    assertThat(seen(second, 140)).isNotEqualTo(seen(first, 140)).isNotEqualTo(seen(third, 140));
    append(70, 71, 5, first, third);
    assertThat(seen(first, 140)).isEqualTo(seen(second, 140));
  }

  @Test
  void pagesStayUntilNobodyHoldsThem() {
    KeyValues first = beginning();
    float[] before = seen(first, 150);
    KeyValues second = copyOf(first, 150);
    b.copyKeyValues(second, second, 150);
    b.copyKeyValues(first, second, 150);
    first.close();
    KeyValues other = cache();
    append(0, CAPACITY, 6, other);
    assertThat(seen(second, 150)).isEqualTo(before);
    second.close();
    KeyValues reusing = cache();
    append(0, CAPACITY, 8, reusing);
    KeyValues alone = cache();
    append(0, CAPACITY, 6, alone);
    assertThat(seen(other, CAPACITY)).isEqualTo(seen(alone, CAPACITY));
  }
}
