package dev.reckoner.corpus;

import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.Place;
import dev.reckoner.reasoning.Step;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * Gold programs as chains; where annotators give the answer alone, the program that {@link
 * ProgramSearch} finds. A chain is kept only if it verifies and its conclusion is the gold answer;
 * everything else is dropped and counted by reason.
 */
public final class GoldChains {

  private final Map<String, Integer> counts = new TreeMap<>();

  /** The chain of a problem, or nothing where its program does not give its answer. */
  public Optional<Chain> chain(Problem problem) {
    if (problem.gold() == null) {
      return dropped("no answer");
    }
    ChainBuilder builder = new ChainBuilder(problem.evidence());
    List<Plan> plans;
    try {
      plans =
          problem.program() == null
              ? List.of(ProgramSearch.plan(problem, builder.figures()))
              : ProgramPlanner.plans(problem, builder.figures());
    } catch (IllegalArgumentException e) {
      String reason = e.getMessage() == null ? "" : e.getMessage();
      return dropped(
          reason.matches("(a number|the row|no program).*")
              ? reason
              : "the program cannot be read");
    }
    String reason = "";
    for (Plan plan : plans) {
      switch (builder.build(plan)) {
        case ChainBuilder.Built.Done(Chain chain, var answer) -> {
          if (Answers.matches(problem.gold(), answer)) {
            if (problem.program() == null) {
              return kept("kept, the program searched", chain);
            }
            return plainer(problem, chain, builder)
                .map(plain -> kept("kept, in a plainer form", plain))
                .orElseGet(() -> kept("kept", chain));
          }
          reason = "the gold answer is not reproduced";
        }
        case ChainBuilder.Built.Dropped(String why) -> reason = reason.isEmpty() ? why : reason;
      }
    }
    return dropped(reason);
  }

  /**
   * The chain that a search finds where it needs fewer of the very figures that the annotators
   * used: their programs also take constants from the page, such as the 1 of {@code a / b - 1} from
   * a footnote, or a number of years from two headers.
   */
  private static Optional<Chain> plainer(Problem problem, Chain chain, ChainBuilder builder) {
    try {
      Plan plan = ProgramSearch.plan(problem, builder.figures());
      return builder.build(plan) instanceof ChainBuilder.Built.Done(Chain other, var answer)
              && Answers.matches(problem.gold(), answer)
              && cited(other).size() < cited(chain).size()
              && cited(chain).containsAll(cited(other))
          ? Optional.of(other)
          : Optional.empty();
    } catch (IllegalArgumentException e) {
      return Optional.empty();
    }
  }

  private static Set<Place> cited(Chain chain) {
    return chain.steps().stream()
        .filter(Step.Cite.class::isInstance)
        .map(step -> ((Step.Cite) step).place())
        .collect(Collectors.toSet());
  }

  private Optional<Chain> kept(String how, Chain chain) {
    counts.merge(how, 1, Integer::sum);
    return Optional.of(chain);
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
