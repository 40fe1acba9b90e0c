package dev.reckoner.inference;

import dev.reckoner.gemma.Gemma3;
import dev.reckoner.gemma.KvCache;
import dev.reckoner.gemma.LoraAdapter;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Keys and values of prompt beginnings that requests share, the least recently used dropped first.
 * They depend on the adapter, so each adapter has its own. Engine thread only.
 */
final class PrefixCache implements AutoCloseable {

  /** A beginning of prompts under one adapter ({@code null} for none), adapters by identity. */
  static final class Key {
    private final LoraAdapter adapter;
    private final int[] tokens;
    private final int hash;

    Key(LoraAdapter adapter, int[] prompt, int length) {
      this.adapter = adapter;
      this.tokens = Arrays.copyOf(prompt, length);
      this.hash = 31 * System.identityHashCode(adapter) + Arrays.hashCode(tokens);
    }

    int length() {
      return tokens.length;
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Key key
          && key.adapter == adapter
          && Arrays.equals(key.tokens, tokens);
    }

    @Override
    public int hashCode() {
      return hash;
    }
  }

  private final Gemma3 model;
  private final int capacity;
  private final Map<Key, KvCache> entries = new LinkedHashMap<>(16, 0.75f, true);

  PrefixCache(Gemma3 model, int capacity) {
    this.model = model;
    this.capacity = capacity;
  }

  boolean holds(Key key) {
    return entries.containsKey(key);
  }

  /** Copies a held beginning into {@code cache}. */
  void restore(Key key, KvCache cache) {
    cache.copyPrefix(entries.get(key), key.length());
  }

  /** Keeps the beginning of {@code cache}. */
  void keep(Key key, KvCache cache) {
    KvCache copy = model.newCache(key.length());
    copy.copyPrefix(cache, key.length());
    entries.put(key, copy);
    if (entries.size() > capacity) {
      Iterator<KvCache> eldest = entries.values().iterator();
      eldest.next().close();
      eldest.remove();
    }
  }

  /** Drops what was computed under an adapter that serves no more. */
  void forget(LoraAdapter adapter) {
    entries
        .entrySet()
        .removeIf(
            entry -> {
              boolean its = entry.getKey().adapter == adapter;
              if (its) {
                entry.getValue().close();
              }
              return its;
            });
  }

  @Override
  public void close() {
    entries.values().forEach(KvCache::close);
    entries.clear();
  }
}
