package dev.reckoner.gemma;

/**
 * One sequence's share of an inference step: tokens appended to its cache.
 *
 * @param adapter null for the bare base model
 * @param logits how many of the last tokens are asked about: 0 none, 1 the last
 * @param candidates vocabulary rows to choose from, null for all
 * @param wanted what is to be said about them
 */
public record Segment(
    KvCache cache, int[] tokens, LoraAdapter adapter, int logits, int[] candidates, Wanted wanted) {

  /** What {@link Gemma3#answer} is to say. */
  public enum Wanted {
    /** All logits: {@link Answer.Logits}. */
    LOGITS,
    /** The most likely candidate of the last token: {@link Answer.MostLikely}. */
    MOST_LIKELY,
    /** Those near the most likely, of the whole vocabulary: {@link Answer.Likely}. */
    LIKELY
  }

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
    if (wanted == Wanted.LIKELY && candidates != null) {
      throw new IllegalArgumentException("likely tokens are sought in the whole vocabulary");
    }
  }

  /** Wants logits. */
  public Segment(KvCache cache, int[] tokens, LoraAdapter adapter, int logits, int[] candidates) {
    this(cache, tokens, adapter, logits, candidates, Wanted.LOGITS);
  }

  /** Wants the full logits of the last token. */
  public static Segment of(KvCache cache, int[] tokens, LoraAdapter adapter) {
    return new Segment(cache, tokens, adapter, 1, null);
  }

  /** Asks which token is the most likely behind the last one. */
  public static Segment greedy(KvCache cache, int[] tokens, LoraAdapter adapter) {
    return new Segment(cache, tokens, adapter, 1, null, Wanted.MOST_LIKELY);
  }
}
