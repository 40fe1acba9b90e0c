package dev.reckoner.tuning;

/**
 * Two ways to go on from the same prompt. What the two share is prompt and never scored: with
 * Step-DPO (Lai et al., 2024) that is the question and the steps before the first wrong one.
 *
 * @param chosen prompt and preferred continuation, the latter supervised
 * @param rejected prompt and the other continuation
 */
public record PreferencePair(Sample chosen, Sample rejected) implements Example {
  public PreferencePair {
    if (chosen.targets() == 0 || rejected.targets() == 0) {
      throw new IllegalArgumentException("both continuations of a pair need a token");
    }
  }

  @Override
  public int length() {
    return chosen.length() + rejected.length();
  }

  @Override
  public int targets() {
    return chosen.targets() + rejected.targets();
  }

  @Override
  public int[] prompt() {
    return chosen.prompt();
  }
}
