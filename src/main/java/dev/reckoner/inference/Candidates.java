package dev.reckoner.inference;

/**
 * The tokens a pick is made among, with their scores.
 *
 * @param ids ascending
 * @param logits one an id
 */
record Candidates(int[] ids, float[] logits) {

  /** The tokens {@code ids} out of the logits of the whole vocabulary. */
  static Candidates of(int[] ids, float[] all) {
    float[] logits = new float[ids.length];
    for (int i = 0; i < ids.length; i++) {
      logits[i] = all[ids[i]];
    }
    return new Candidates(ids, logits);
  }
}
