package dev.reckoner.teacher;

/**
 * How much may be asked in all runs of one output folder together. Tokens are known after a request
 * only, so the last one of each worker may go beyond. Safe for use by several threads.
 */
final class Budget {

  private final long maxRequests;
  private final long maxTokens;
  private long requests;
  private long tokens;

  /**
   * @param maxRequests repetitions included
   * @param maxTokens of questions and answers
   */
  Budget(long maxRequests, long maxTokens) {
    this.maxRequests = maxRequests;
    this.maxTokens = maxTokens;
  }

  /** Counts a request; false, and nothing counted, where none may be sent. */
  synchronized boolean takeRequest() {
    if (spent()) {
      return false;
    }
    requests++;
    return true;
  }

  synchronized void spend(long more) {
    tokens += more;
  }

  /** What an earlier run used. */
  synchronized void restore(long earlierRequests, long earlierTokens) {
    requests += earlierRequests;
    tokens += earlierTokens;
  }

  synchronized boolean spent() {
    return requests >= maxRequests || tokens >= maxTokens;
  }

  synchronized long requests() {
    return requests;
  }

  synchronized long tokens() {
    return tokens;
  }
}
