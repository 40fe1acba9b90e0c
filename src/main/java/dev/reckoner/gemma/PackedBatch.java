package dev.reckoner.gemma;

/**
 * A micro-batch of packed training sequences.
 *
 * @param tokens all sequences behind one another
 * @param starts sequence s owns tokens {@code [starts[s], starts[s+1])}; positions restart in each
 * @param rows places whose next token is learned
 * @param targets that next token, one a row
 * @param weights weight of each row's loss
 */
public record PackedBatch(int[] tokens, int[] starts, int[] rows, int[] targets, float[] weights) {
  public PackedBatch {
    if (starts[0] != 0
        || starts[starts.length - 1] != tokens.length
        || rows.length != targets.length
        || rows.length != weights.length) {
      throw new IllegalArgumentException("inconsistent batch");
    }
  }

  /** Tokens of the longest sequence. */
  int longest() {
    int longest = 0;
    for (int s = 0; s + 1 < starts.length; s++) {
      longest = Math.max(longest, starts[s + 1] - starts[s]);
    }
    return longest;
  }

  /** Position of each token in its sequence. */
  int[] positions() {
    int[] positions = new int[tokens.length];
    for (int s = 0; s + 1 < starts.length; s++) {
      for (int t = starts[s]; t < starts[s + 1]; t++) {
        positions[t] = t - starts[s];
      }
    }
    return positions;
  }
}
