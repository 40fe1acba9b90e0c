package dev.reckoner.reasoning;

import java.util.Arrays;

/** What the named steps so far came to. Immutable. */
final class Workings {

  static final Workings NONE = new Workings(new Outcome[26], new Quantity[26], 0);

  private final Outcome[] outcomes;
  private final Quantity[] quantities;
  private final int size;

  private Workings(Outcome[] outcomes, Quantity[] quantities, int size) {
    this.outcomes = outcomes;
    this.quantities = quantities;
    this.size = size;
  }

  /**
   * These, and one more.
   *
   * @param plain whether the outcome is a figure known to have no unit, which its text cannot say
   */
  Workings with(String name, Outcome outcome, boolean plain) {
    int index = name.charAt(0) - 'a';
    Outcome[] moreOutcomes = outcomes.clone();
    Quantity[] moreQuantities = quantities.clone();
    moreOutcomes[index] = outcome;
    moreQuantities[index] = outcome instanceof Figure f ? Quantity.of(f, plain) : null;
    return new Workings(moreOutcomes, moreQuantities, size + 1);
  }

  int size() {
    return size;
  }

  /** {@code null} where no step has that name. */
  Outcome outcome(String name) {
    return outcomes[name.charAt(0) - 'a'];
  }

  /** {@code null} where no step has that name or it came to no figure. */
  Quantity quantity(String name) {
    return quantities[name.charAt(0) - 'a'];
  }

  /** The names of the steps that came to a figure, in order. */
  String[] figures() {
    return Arrays.stream(NAMES).filter(n -> quantity(n) != null).toArray(String[]::new);
  }

  /** The names of all steps, in order. */
  String[] names() {
    return Arrays.stream(NAMES).filter(n -> outcome(n) != null).toArray(String[]::new);
  }

  private static final String[] NAMES =
      java.util.stream.IntStream.range(0, 26).mapToObj(Names::of).toArray(String[]::new);
}
