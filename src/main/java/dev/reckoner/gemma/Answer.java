package dev.reckoner.gemma;

import java.util.Arrays;
import java.util.function.Supplier;

/** What a step says about a segment's next token: {@link Segment.Wanted}. */
public sealed interface Answer {

  /** Nothing was asked. */
  record None() implements Answer {}

  /**
   * @param rows {@code [segment.logits()][vocabulary or candidates]}
   */
  record Logits(float[][] rows) implements Answer {}

  /**
   * The largest logit, of equals the first.
   *
   * @param index in the segment's candidates; the token where it has none
   * @param logProbability natural logarithm of its probability among these; not finite where a
   *     logit is not
   */
  record MostLikely(int index, double logProbability) implements Answer {

    static MostLikely of(float[] logits) {
      int best = 0;
      for (int i = 1; i < logits.length; i++) {
        best = logits[i] > logits[best] ? i : best;
      }
      double sum = 0;
      for (float logit : logits) {
        sum += Math.exp(logit - (double) logits[best]);
      }
      return new MostLikely(best, -Math.log(sum));
    }
  }

  /**
   * The tokens whose logit is not below {@code floor}.
   *
   * @param ids ascending
   * @param logits one an id
   * @param floor negative infinity where these are all tokens
   * @param all the logits of the whole vocabulary, to be asked for before the model's next step
   */
  record Likely(int[] ids, float[] logits, float floor, Supplier<float[]> all) implements Answer {

    static Likely of(float[] logits) {
      int[] ids = new int[logits.length];
      Arrays.setAll(ids, i -> i);
      return new Likely(ids, logits, Float.NEGATIVE_INFINITY, () -> logits);
    }
  }

  /** From the logits that the segment asks about. */
  static Answer of(Segment segment, float[][] rows) {
    if (segment.logits() == 0) {
      return new None();
    }
    return switch (segment.wanted()) {
      case LOGITS -> new Logits(rows);
      case MOST_LIKELY -> MostLikely.of(rows[rows.length - 1]);
      case LIKELY -> Likely.of(rows[rows.length - 1]);
    };
  }
}
