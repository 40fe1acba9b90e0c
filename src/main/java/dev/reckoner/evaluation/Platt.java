package dev.reckoner.evaluation;

import dev.reckoner.inference.ConfidenceMap;
import java.util.List;

/**
 * Fits a {@link ConfidenceMap}: logistic regression of right and wrong on the log-odds of
 * certainty, by Newton's method, with the targets of Platt (1999) that keep the curve from becoming
 * a step where right and wrong answers do not overlap (the counts plus one and plus two of a
 * Bayesian estimate). Where sure answers are right less often than unsure ones, the map is flat, at
 * the share that is right.
 */
final class Platt {

  /** Fewer answers say nothing about ten shades of confidence. */
  static final int FEWEST = 50;

  private static final int ITERATIONS = 100;
  private static final double RIDGE = 1e-9;

  private Platt() {}

  /**
   * The map that makes confidence the share that is right.
   *
   * @param sets grades of answers whose certainty is known, by set of problems; each set counts the
   *     same, whatever its size; answers without a chain are left out
   * @throws SuiteException if there are too few
   */
  static ConfidenceMap fit(List<List<Grade>> sets, String weights, String problems, long seed) {
    List<List<Grade>> answered =
        sets.stream()
            .map(set -> set.stream().filter(grade -> grade.failure() == null).toList())
            .filter(set -> !set.isEmpty())
            .toList();
    List<Grade> answers = answered.stream().flatMap(List::stream).toList();
    if (answers.size() < FEWEST) {
      throw new SuiteException(
          "%d answers are too few to calibrate by; ask at least %d problems (--limit)"
              .formatted(answers.size(), FEWEST));
    }
    double share = (double) answers.size() / answered.size();
    double[] weight =
        answered.stream()
            .flatMapToDouble(set -> set.stream().mapToDouble(grade -> share / set.size()))
            .toArray();
    double[] x = answers.stream().mapToDouble(g -> ConfidenceMap.logOdds(g.certainty())).toArray();
    double right = 0;
    for (int n = 0; n < weight.length; n++) {
      right += answers.get(n).correct() ? weight[n] : 0;
    }
    double high = (right + 1) / (right + 2);
    double low = 1 / (answers.size() - right + 2);
    double[] t = answers.stream().mapToDouble(g -> g.correct() ? high : low).toArray();
    double prior = Math.log((right + 1) / (answers.size() - right + 1));
    double[] line = newton(x, t, weight, prior);
    var origin =
        new ConfidenceMap.Origin(weights, problems, seed, answers.size(), right / answers.size());
    return line[0] >= 0
        ? new ConfidenceMap(line[0], line[1], origin)
        : new ConfidenceMap(0, prior, origin);
  }

  /** Slope and intercept of least cross-entropy; steps are halved until they lessen it. */
  private static double[] newton(double[] x, double[] t, double[] weight, double prior) {
    double slope = 0;
    double intercept = prior;
    double loss = crossEntropy(x, t, weight, slope, intercept);
    for (int i = 0; i < ITERATIONS; i++) {
      double g0 = 0;
      double g1 = 0;
      double h00 = RIDGE;
      double h01 = 0;
      double h11 = RIDGE;
      for (int n = 0; n < x.length; n++) {
        double p = 1 / (1 + Math.exp(-(slope * x[n] + intercept)));
        double d = weight[n] * (p - t[n]);
        double w = weight[n] * p * (1 - p);
        g0 += d * x[n];
        g1 += d;
        h00 += w * x[n] * x[n];
        h01 += w * x[n];
        h11 += w;
      }
      double determinant = h00 * h11 - h01 * h01;
      double stepSlope = (h11 * g0 - h01 * g1) / determinant;
      double stepIntercept = (h00 * g1 - h01 * g0) / determinant;
      double size = 1;
      double next = Double.NaN;
      while (size > 1e-10) {
        next =
            crossEntropy(x, t, weight, slope - size * stepSlope, intercept - size * stepIntercept);
        if (next < loss) {
          break;
        }
        size /= 2;
      }
      if (!(next < loss)) {
        break;
      }
      slope -= size * stepSlope;
      intercept -= size * stepIntercept;
      loss = next;
    }
    return new double[] {slope, intercept};
  }

  private static double crossEntropy(
      double[] x, double[] t, double[] weight, double slope, double intercept) {
    double sum = 0;
    for (int n = 0; n < x.length; n++) {
      double z = slope * x[n] + intercept;
      // log(1 + e^z) - t z, without overflow
      sum += weight[n] * (Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))) - t[n] * z);
    }
    return sum;
  }
}
