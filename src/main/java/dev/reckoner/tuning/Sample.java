package dev.reckoner.tuning;

import java.util.Arrays;

/**
 * One training sequence.
 *
 * @param supervised whether the token at that place is to be learned; the first never can be
 */
public record Sample(int[] tokens, boolean[] supervised) implements Example {
  public Sample {
    if (tokens.length != supervised.length) {
      throw new IllegalArgumentException(
          "%d tokens, %d marks".formatted(tokens.length, supervised.length));
    }
    if (tokens.length < 2) {
      throw new IllegalArgumentException("a sample needs at least two tokens");
    }
  }

  /** Plain text to be learned throughout. */
  public static Sample text(int[] tokens) {
    boolean[] all = new boolean[tokens.length];
    Arrays.fill(all, true);
    return new Sample(tokens, all);
  }

  @Override
  public int length() {
    return tokens.length;
  }

  @Override
  public int targets() {
    int n = 0;
    for (int i = 1; i < supervised.length; i++) {
      n += supervised[i] ? 1 : 0;
    }
    return n;
  }

  @Override
  public int[] prompt() {
    int at = 1;
    while (at < supervised.length && !supervised[at]) {
      at++;
    }
    return at == 1 ? tokens : Arrays.copyOf(tokens, at);
  }
}
