package dev.reckoner.review;

import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.ChainSyntaxException;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Place;
import dev.reckoner.reasoning.Recalculation;
import dev.reckoner.reasoning.Step;
import dev.reckoner.reasoning.Verdict;
import dev.reckoner.reasoning.Verifier;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * A chain as a person edits it: results are computed again, so that correcting one step carries
 * into those that stand on it, and every line is verified whether or not the whole is a chain yet.
 *
 * @param lines the non-blank lines in order
 * @param problem why the text is not a chain; {@code null} if it is one
 * @param problemStep position of the first line that cannot be read, from 0; -1 if there is none
 */
record ChainDraft(List<Line> lines, String problem, int problemStep) {

  /**
   * One line.
   *
   * @param step {@code null} if the line cannot be read
   * @param verdict never {@code null}; a line that cannot be read has no basis
   */
  record Line(String text, Step step, Verdict verdict) {}

  /** A verdict as it is stored and published. */
  record StepVerdict(String text, String verdict, String reason, List<String> places) {}

  static ChainDraft of(Evidence evidence, String text) {
    String recomputed = Recalculation.of(text);
    List<Line> lines =
        new Verifier()
            .verifyText(evidence, recomputed).stream()
                .map(l -> new Line(l.text().strip(), l.step(), l.verdict()))
                .toList();
    try {
      Chain chain = Chain.parse(recomputed);
      return chain.conclusion().isPresent()
          ? new ChainDraft(lines, null, -1)
          : new ChainDraft(lines, "The chain has no conclusion yet", lines.size() - 1);
    } catch (ChainSyntaxException e) {
      int at = Math.max(0, Math.min(e.line(), lines.size()) - 1);
      return new ChainDraft(
          lines, "Step " + (at + 1) + ", column " + e.column() + ": " + e.problem(), at);
    }
  }

  /** Whether it is a chain with a conclusion. */
  boolean readable() {
    return problem == null;
  }

  String text() {
    return String.join("\n", lines.stream().map(Line::text).toList());
  }

  /** How many lines failed verification. */
  long failed() {
    return lines.stream().filter(l -> !l.verdict().passed()).count();
  }

  List<StepVerdict> verdicts() {
    return lines.stream()
        .map(
            l ->
                new StepVerdict(
                    l.text(),
                    l.verdict().kind().text(),
                    l.verdict().reason(),
                    l.verdict().places().stream().map(Place::address).toList()))
        .toList();
  }

  /** Position of the first step of {@code original} that is not the same here, or {@code null}. */
  Integer firstChanged(List<ReviewItem.StoredStep> original) {
    int shared = Math.min(original.size(), lines.size());
    for (int i = 0; i < shared; i++) {
      if (!Objects.equals(original.get(i).text(), lines.get(i).text())) {
        return i;
      }
    }
    return original.size() == lines.size()
        ? null
        : Integer.valueOf(Math.min(shared, original.size() - 1));
  }

  /** The step that a line is, if it can be read. */
  static Optional<Step> parse(String line) {
    try {
      return Optional.of(Chain.parse(line).steps().getFirst());
    } catch (ChainSyntaxException e) {
      return Optional.empty();
    }
  }
}
