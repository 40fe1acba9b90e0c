package dev.reckoner.review;

import dev.reckoner.agent.Continuations;
import dev.reckoner.inference.Reasoned;
import dev.reckoner.reasoning.Step;
import dev.reckoner.reasoning.Verdict;
import dev.reckoner.review.ReviewException.Problem;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.jboss.logging.Logger;

/** What the model writes instead when a step is marked wrong: other ways from the steps before. */
@ApplicationScoped
public class Suggestions {

  private static final Logger LOG = Logger.getLogger(Suggestions.class);

  private static final int DRAWS = 6;
  private static final int MOST = 4;

  private final Analyses analyses;
  private final Continuations continuations;

  Suggestions(Analyses analyses, Continuations continuations) {
    this.analyses = analyses;
    this.continuations = continuations;
  }

  /**
   * A chain that begins like the original and goes on otherwise.
   *
   * @param chain the whole chain
   * @param lines the steps from the wrong one on
   * @param answer what it concludes
   * @param verified whether every step passed
   */
  public record Suggestion(
      int number, String chain, List<SuggestedStep> lines, String answer, boolean verified) {}

  /** A step with what verification says of it. */
  public record SuggestedStep(String text, String verdict, boolean passed) {}

  /**
   * Draws suggestions; takes as long as the model does.
   *
   * @param firstWrong position of the first wrong step, from 0
   * @return at most four, verified ones first, none with the wrong step in it
   * @throws ReviewException if there is no such step, or the model cannot answer
   */
  public List<Suggestion> from(UUID analysisId, int firstWrong) throws InterruptedException {
    ReviewItem item = analyses.get(analysisId);
    if (firstWrong < 0 || firstWrong >= item.steps().size()) {
      throw new ReviewException(
          Problem.INVALID, "The chain has no step " + (firstWrong + 1) + " to go on from");
    }
    List<String> kept =
        item.steps().subList(0, firstWrong).stream().map(ReviewItem.StoredStep::text).toList();
    String wrong = item.steps().get(firstWrong).text();
    List<Suggestion> suggestions = new ArrayList<>();
    for (Reasoned reasoned : draw(item, String.join("\n", kept))) {
      List<Step> steps = reasoned.chain().steps();
      if (suggestions.size() == MOST
          || steps.size() <= firstWrong
          || steps.get(firstWrong).text().equals(wrong)) {
        continue;
      }
      List<SuggestedStep> lines = new ArrayList<>();
      for (int i = firstWrong; i < steps.size(); i++) {
        Verdict verdict = reasoned.verdicts().get(i);
        lines.add(new SuggestedStep(steps.get(i).text(), verdict.kind().text(), verdict.passed()));
      }
      suggestions.add(
          new Suggestion(
              suggestions.size() + 1,
              reasoned.chain().text(),
              lines,
              reasoned.answer(),
              reasoned.verified()));
    }
    return suggestions;
  }

  private List<Reasoned> draw(ReviewItem item, String prefix) throws InterruptedException {
    try {
      return continuations.from(item.evidence(), prefix, DRAWS);
    } catch (RuntimeException e) {
      LOG.warnf("No suggestions for %s: %s", item.id(), e.getMessage());
      throw new ReviewException(
          Problem.UNAVAILABLE, "The model cannot suggest anything now: " + e.getMessage());
    }
  }
}
