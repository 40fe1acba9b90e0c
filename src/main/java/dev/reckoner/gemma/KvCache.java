package dev.reckoner.gemma;

import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.KeyValues;

/** The keys and values of one sequence and how many tokens they cover. */
public final class KvCache implements AutoCloseable {
  private final Backend backend;
  private final KeyValues store;
  private int length;

  KvCache(Backend backend, KeyValues store) {
    this.backend = backend;
    this.store = store;
  }

  KeyValues store() {
    return store;
  }

  /** Tokens held. */
  public int length() {
    return length;
  }

  /** Tokens it can hold. */
  public int capacity() {
    return store.capacity();
  }

  /** Bytes of backend memory held. */
  public long bytes() {
    return store.bytes();
  }

  void appended(int tokens) {
    length += tokens;
  }

  /** Forgets all but the first {@code tokens} tokens. */
  public void truncate(int tokens) {
    if (tokens < 0 || tokens > length) {
      throw new IllegalArgumentException("%d of %d tokens".formatted(tokens, length));
    }
    length = tokens;
  }

  /** Becomes a copy of the first {@code tokens} tokens of {@code other}: a shared prefix. */
  public void copyPrefix(KvCache other, int tokens) {
    if (tokens > other.length || tokens > capacity()) {
      throw new IllegalArgumentException(
          "%d tokens of %d into %d".formatted(tokens, other.length, capacity()));
    }
    backend.copyKeyValues(other.store, store, tokens);
    length = tokens;
  }

  @Override
  public void close() {
    store.close();
  }
}
