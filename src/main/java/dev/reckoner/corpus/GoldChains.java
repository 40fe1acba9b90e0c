package dev.reckoner.corpus;

import dev.reckoner.reasoning.Chain;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Gold programs as chains. A chain is kept only if it verifies and its conclusion is the gold
 * answer; everything else is dropped and counted by reason.
 */
public final class GoldChains {

  private final Map<String, Integer> counts = new TreeMap<>();

  /** The chain of a problem, or nothing where its program does not give its answer. */
  public Optional<Chain> chain(Problem problem) {
    if (problem.program() == null || problem.gold() == null) {
      return dropped("no program or no answer");
    }
    ChainBuilder builder = new ChainBuilder(problem.evidence());
    List<Plan> plans;
    try {
      plans = ProgramPlanner.plans(problem, builder.figures());
    } catch (IllegalArgumentException e) {
      String reason = e.getMessage() == null ? "" : e.getMessage();
      return dropped(
          reason.startsWith("a number") || reason.startsWith("the row")
              ? reason
              : "the program cannot be read");
    }
    String reason = "";
    for (Plan plan : plans) {
      switch (builder.build(plan)) {
        case ChainBuilder.Built.Done(Chain chain, var answer) -> {
          if (Answers.matches(problem.gold(), answer)) {
            counts.merge("kept", 1, Integer::sum);
            return Optional.of(chain);
          }
          reason = "the gold answer is not reproduced";
        }
        case ChainBuilder.Built.Dropped(String why) -> reason = reason.isEmpty() ? why : reason;
      }
    }
    return dropped(reason);
  }

  private Optional<Chain> dropped(String reason) {
    counts.merge(reason, 1, Integer::sum);
    return Optional.empty();
  }

  /** How many were kept, and how many dropped for which reason. */
  public Map<String, Integer> counts() {
    return Map.copyOf(counts);
  }
}
