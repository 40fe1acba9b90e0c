package dev.reckoner.tuning;

/** What is packed as a whole. */
sealed interface Example permits Sample, PreferencePair, ReferencedPair {
  /** Tokens it takes in a micro-batch. */
  int length();

  /** Tokens that carry loss. */
  int targets();
}
