package dev.reckoner.evaluation;

/**
 * McNemar's exact test of two models on the same problems: only problems that exactly one of them
 * solves tell them apart, and if the models were equal each would fall to either side like a coin.
 *
 * @param onlyFirst solved by the first model alone
 * @param onlySecond solved by the second model alone
 * @param pValue two-sided: how likely a split at least this uneven is between equal models
 */
public record McNemar(int onlyFirst, int onlySecond, double pValue) {

  /** The test for the two counts of discordant problems. */
  public static McNemar of(int onlyFirst, int onlySecond) {
    int n = onlyFirst + onlySecond;
    int k = Math.min(onlyFirst, onlySecond);
    // Binomial(n, 1/2) tail, in logarithms so that large n does not underflow.
    double logTerm = -n * Math.log(2);
    double tail = 0;
    for (int i = 0; i <= k; i++) {
      tail += Math.exp(logTerm);
      logTerm += Math.log((double) (n - i) / (i + 1));
    }
    return new McNemar(onlyFirst, onlySecond, Math.min(1, 2 * tail));
  }
}
