package dev.reckoner.tuning;

/** What the examples of a step or an evaluation add up to. */
final class Tally {
  private double loss;
  private long units;
  private long pairs;
  private double margin;
  private long right;
  private double chosen;
  private double rejected;

  void add(double loss, int units) {
    this.loss += loss;
    this.units += units;
  }

  void addPair(double margin, double chosen, double rejected) {
    pairs++;
    this.margin += margin;
    right += margin > 0 ? 1 : 0;
    this.chosen += chosen;
    this.rejected += rejected;
  }

  /** Mean loss of a unit, see {@link Objective#units}. */
  double meanLoss() {
    return loss / Math.max(1, units);
  }

  /** Null where there were no pairs. */
  PreferenceMetrics preferences() {
    return pairs == 0
        ? null
        : new PreferenceMetrics(
            margin / pairs, (double) right / pairs, chosen / pairs, rejected / pairs);
  }
}
