package dev.reckoner.gemma;

/**
 * One sequence's share of an inference step: tokens appended to its cache.
 *
 * @param adapter null for the bare base model
 * @param logits for how many of the last tokens logits are wanted: 0 none, 1 the last
 * @param candidates vocabulary rows to compute, null for all
 */
public record Segment(
    KvCache cache, int[] tokens, LoraAdapter adapter, int logits, int[] candidates) {
  public Segment {
    if (tokens.length == 0 || logits < 0 || logits > tokens.length) {
      throw new IllegalArgumentException(
          "%d tokens, logits of %d".formatted(tokens.length, logits));
    }
    if (cache.length() + tokens.length > cache.capacity()) {
      throw new IllegalArgumentException(
          "%d + %d tokens do not fit a cache of %d"
              .formatted(cache.length(), tokens.length, cache.capacity()));
    }
  }

  /** Wants the full logits of the last token. */
  public static Segment of(KvCache cache, int[] tokens, LoraAdapter adapter) {
    return new Segment(cache, tokens, adapter, 1, null);
  }
}
