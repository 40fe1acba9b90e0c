package dev.reckoner.tuning;

import dev.reckoner.gemma.PackedBatch;
import dev.reckoner.gemma.TrainingPass;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Direct preference optimisation (Rafailov et al., 2023). With {@code m = beta * ((log p(chosen) -
 * its reference) - (log p(rejected) - its reference))} a pair's loss is
 *
 * <pre>
 * -(1 - e) log sigmoid(m) - e log sigmoid(-m) - w log p(chosen) / tokens of chosen
 * </pre>
 *
 * with label smoothing e (conservative DPO, Mitchell 2023) and the weight w of the likelihood of
 * what was chosen (RPO, Pang et al., 2024), which keeps its probability from falling together with
 * that of what was rejected.
 *
 * @param beta how dear it is to leave the reference
 * @param smoothing share of the labels that are taken to be wrong
 * @param nllWeight w
 */
record DirectPreference(double beta, double smoothing, double nllWeight)
    implements Objective<ReferencedPair> {

  static DirectPreference of(Recipe recipe) {
    return new DirectPreference(recipe.beta(), recipe.labelSmoothing(), recipe.nllWeight());
  }

  @Override
  public int units(ReferencedPair pair) {
    return 1;
  }

  @Override
  public void accumulate(
      TrainingPass pass, List<ReferencedPair> group, float share, long dropoutSeed, Tally tally) {
    pass.accumulate(pack(group), dropoutSeed, losses -> measure(group, losses, share, tally));
  }

  @Override
  public void evaluate(TrainingPass pass, List<ReferencedPair> group, Tally tally) {
    measure(group, pass.losses(pack(group)), 1, tally);
  }

  private static PackedBatch pack(List<ReferencedPair> group) {
    return packPairs(group.stream().map(ReferencedPair::pair).toList());
  }

  /** The log-probabilities of the chosen and the rejected continuation of each pair, nats. */
  static double[][] logProbabilities(TrainingPass pass, List<PreferencePair> group) {
    float[] losses = pass.losses(packPairs(group));
    double[][] result = new double[group.size()][2];
    int row = 0;
    for (int p = 0; p < result.length; p++) {
      int chosen = group.get(p).chosen().targets();
      int rejected = group.get(p).rejected().targets();
      result[p][0] = -sum(losses, row, row + chosen);
      result[p][1] = -sum(losses, row + chosen, row + chosen + rejected);
      row += chosen + rejected;
    }
    return result;
  }

  /** Each pair's chosen sequence with its rejected one behind it. */
  private static PackedBatch packPairs(List<PreferencePair> group) {
    List<Sample> sequences = new ArrayList<>();
    for (PreferencePair pair : group) {
      sequences.add(pair.chosen());
      sequences.add(pair.rejected());
    }
    return Packing.pack(sequences, 1);
  }

  /**
   * Adds to the tally.
   *
   * @param losses {@code -log p} of each supervised token
   * @return the derivative of {@code share} times the summed loss by each of them
   */
  private float[] measure(List<ReferencedPair> group, float[] losses, float share, Tally tally) {
    float[] weights = new float[losses.length];
    int row = 0;
    for (ReferencedPair p : group) {
      int chosenTokens = p.pair().chosen().targets();
      int middle = row + chosenTokens;
      int end = middle + p.pair().rejected().targets();
      double chosen = -sum(losses, row, middle);
      double rejected = -sum(losses, middle, end);
      double margin = beta * ((chosen - p.chosenReference()) - (rejected - p.rejectedReference()));
      double loss =
          -(1 - smoothing) * logSigmoid(margin)
              - smoothing * logSigmoid(-margin)
              - nllWeight * chosen / chosenTokens;
      double byMargin = -(1 - smoothing) * sigmoid(-margin) + smoothing * sigmoid(margin);
      float chosenWeight = (float) (share * (nllWeight / chosenTokens - beta * byMargin));
      float rejectedWeight = (float) (share * beta * byMargin);
      Arrays.fill(weights, row, middle, chosenWeight);
      Arrays.fill(weights, middle, end, rejectedWeight);
      tally.add(loss, 1);
      tally.addPair(margin, chosen, rejected);
      row = end;
    }
    return weights;
  }

  private static double sum(float[] values, int from, int to) {
    double sum = 0;
    for (int i = from; i < to; i++) {
      sum += values[i];
    }
    return sum;
  }

  private static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  /** Without overflow. */
  private static double logSigmoid(double x) {
    return Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x)));
  }
}
