package dev.reckoner.tuning;

/** What is packed as a whole. */
public sealed interface Example permits Sample, PreferencePair, ReferencedPair {
  /** Tokens it takes in a micro-batch. */
  int length();

  /** Tokens that carry loss. */
  int targets();

  /** The tokens before the first that carries loss; all where everything does. */
  int[] prompt();
}
