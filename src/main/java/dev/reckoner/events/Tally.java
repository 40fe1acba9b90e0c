package dev.reckoner.events;

/**
 * What became of a number of published records.
 *
 * @param open how many are not settled yet: not served, or what they led to is not published
 */
public record Tally(
    int published,
    int analyzed,
    int deadLettered,
    int duplicates,
    int open,
    long verifiedSteps,
    long failedSteps) {

  /** Whether every record is settled. */
  public boolean drained() {
    return open == 0;
  }

  /** How many are settled. */
  public int settled() {
    return published - open;
  }
}
