package dev.reckoner.evaluation;

/**
 * An estimate with its 95% interval. All three are NaN where there was nothing to measure.
 *
 * @param low the 2.5th percentile
 * @param high the 97.5th percentile
 */
public record Interval(double estimate, double low, double high) {

  static final Interval NOTHING = new Interval(Double.NaN, Double.NaN, Double.NaN);

  /** Whether something was measured. */
  public boolean defined() {
    return !Double.isNaN(estimate) && !Double.isNaN(low) && !Double.isNaN(high);
  }

  /** Whether the interval leaves zero out, on either side. */
  public boolean excludesZero() {
    return low > 0 || high < 0;
  }
}
