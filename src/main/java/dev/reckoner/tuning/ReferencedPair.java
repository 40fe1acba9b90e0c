package dev.reckoner.tuning;

/**
 * A pair with what the reference policy thinks of it.
 *
 * @param chosenReference log-probability of the chosen continuation before training, nats
 * @param rejectedReference that of the rejected one
 */
record ReferencedPair(PreferencePair pair, double chosenReference, double rejectedReference)
    implements Example {
  @Override
  public int length() {
    return pair.length();
  }

  @Override
  public int targets() {
    return pair.targets();
  }

  @Override
  public int[] prompt() {
    return pair.prompt();
  }
}
