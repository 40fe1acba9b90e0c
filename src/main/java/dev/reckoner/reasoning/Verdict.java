package dev.reckoner.reasoning;

import java.util.List;
import java.util.Objects;

/**
 * What the {@link Verifier} says of one step.
 *
 * @param reason one plain sentence with the numbers
 * @param places where the figures of the step come from, through all steps it stands on
 */
public record Verdict(Kind kind, String reason, List<Place> places) {

  public Verdict {
    Objects.requireNonNull(kind, "kind");
    Objects.requireNonNull(reason, "reason");
    places = List.copyOf(places);
  }

  /** Whether the step may stand as it is. */
  public boolean passed() {
    return kind == Kind.RECOMPUTED || kind == Kind.GROUNDED;
  }

  /** The verdicts there are. */
  public enum Kind {
    /** The result was computed again and is right. */
    RECOMPUTED("recomputed"),
    /** Every figure is where the step says. */
    GROUNDED("grounded"),
    /** A figure that neither the evidence nor an earlier step has. */
    UNSUPPORTED_FIGURE("unsupported figure"),
    /** The expression comes to something else. */
    WRONG_ARITHMETIC("wrong arithmetic"),
    /** The number is right; what it counts, or in which power of ten, is not. */
    WRONG_UNIT_OR_SCALE("wrong unit or scale"),
    /** It refers to something that does not exist, or cannot be read. */
    NO_BASIS("no basis");

    private final String text;

    Kind(String text) {
      this.text = text;
    }

    public String text() {
      return text;
    }
  }
}
