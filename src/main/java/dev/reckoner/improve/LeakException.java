package dev.reckoner.improve;

import dev.reckoner.evaluation.LeakScan.Leak;
import java.util.List;
import java.util.stream.Collectors;

/** Training material that a suite also asks about: the dataset is not built. */
final class LeakException extends RuntimeException {

  private static final long serialVersionUID = 1L;
  private static final int NAMED = 3;

  LeakException(List<Leak> leaks) {
    super(
        "the dataset would leak into the gate: "
            + leaks.stream().limit(NAMED).map(Leak::text).collect(Collectors.joining("; "))
            + (leaks.size() > NAMED ? "; and " + (leaks.size() - NAMED) + " more" : ""));
  }
}
