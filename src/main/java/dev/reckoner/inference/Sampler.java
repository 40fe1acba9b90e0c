package dev.reckoner.inference;

import java.util.Locale;
import java.util.SplittableRandom;

/**
 * How the next token is picked from its logits. A request has a random stream of its own, so what
 * it draws does not depend on what else is being served.
 *
 * @param temperature 0 picks the most likely token; above 0 the logits are divided by it
 * @param topK how many of the most likely tokens stay in the draw; 0 for all
 * @param topP the smallest set of most likely tokens with at least this probability stays in the
 *     draw; 1 for all
 * @param seed start of the random stream; without effect at temperature 0
 */
public record Sampler(double temperature, int topK, double topP, long seed) {

  /** The most likely token, always. */
  public static final Sampler GREEDY = new Sampler(0, 0, 1, 0);

  public Sampler {
    if (!(temperature >= 0) || Double.isInfinite(temperature)) {
      throw new IllegalArgumentException("temperature must be 0 or more: " + temperature);
    }
    if (topK < 0) {
      throw new IllegalArgumentException("topK must be 0 (all) or more: " + topK);
    }
    if (!(topP > 0 && topP <= 1)) {
      throw new IllegalArgumentException("topP must be in (0, 1]: " + topP);
    }
  }

  /** Whether the most likely token is picked, always. */
  boolean greedy() {
    return temperature == 0;
  }

  /** The random stream of one request. */
  SplittableRandom stream() {
    return new SplittableRandom(seed);
  }

  /**
   * Picks one of the first {@code n} candidates. Equal logits: the earlier candidate wins, so that
   * a pick never depends on anything but the logits.
   *
   * @param logits scores, {@code [n]}; not changed
   * @return an index below {@code n}
   */
  int pick(float[] logits, int n, SplittableRandom random) {
    if (temperature == 0 || n == 1) {
      return argmax(logits, n);
    }
    return topK == 0 && topP == 1
        ? drawFromAll(logits, n, random)
        : drawFromMostLikely(logits, n, random);
  }

  private static int argmax(float[] logits, int n) {
    int best = 0;
    for (int i = 1; i < n; i++) {
      if (logits[i] > logits[best]) {
        best = i;
      }
    }
    return best;
  }

  private int drawFromAll(float[] logits, int n, SplittableRandom random) {
    double max = logits[argmax(logits, n)];
    double sum = 0;
    for (int i = 0; i < n; i++) {
      sum += Math.exp((logits[i] - max) / temperature);
    }
    double left = random.nextDouble() * sum;
    int last = 0;
    for (int i = 0; i < n; i++) {
      double p = Math.exp((logits[i] - max) / temperature);
      if (p > 0) {
        last = i;
        left -= p;
        if (left < 0) {
          return i;
        }
      }
    }
    return last;
  }

  private int drawFromMostLikely(float[] logits, int n, SplittableRandom random) {
    long[] order = new long[n];
    for (int i = 0; i < n; i++) {
      int bits = Float.floatToIntBits(logits[i] + 0f);
      int ascending = bits ^ ((bits >> 31) & 0x7fffffff);
      order[i] = ((long) ~ascending << 32) | i;
    }
    java.util.Arrays.sort(order);
    int kept = topK == 0 ? n : Math.min(topK, n);
    double max = logits[(int) order[0]];
    double[] p = new double[kept];
    double sum = 0;
    for (int i = 0; i < kept; i++) {
      p[i] = Math.exp((logits[(int) order[i]] - max) / temperature);
      sum += p[i];
    }
    double within = 0;
    int nucleus = 0;
    while (nucleus < kept && within < topP * sum) {
      within += p[nucleus++];
    }
    double left = random.nextDouble() * within;
    for (int i = 0; i < nucleus; i++) {
      left -= p[i];
      if (left < 0) {
        return (int) order[i];
      }
    }
    return (int) order[nucleus - 1];
  }

  /** {@code log softmax(logits[0..n))[index]}, at temperature 1. */
  static double logProbability(float[] logits, int n, int index) {
    double max = logits[argmax(logits, n)];
    double sum = 0;
    for (int i = 0; i < n; i++) {
      sum += Math.exp(logits[i] - max);
    }
    return logits[index] - max - Math.log(sum);
  }

  /** The sampler as it is recorded with an analysis. */
  public String json() {
    return temperature == 0
        ? "{\"temperature\":0}"
        : String.format(
            Locale.ROOT,
            "{\"temperature\":%s,\"topK\":%d,\"topP\":%s,\"seed\":%d}",
            temperature,
            topK,
            topP,
            seed);
  }
}
