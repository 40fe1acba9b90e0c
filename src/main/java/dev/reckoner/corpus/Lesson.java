package dev.reckoner.corpus;

import dev.reckoner.corpus.SyntheticGenerator.Solved;
import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.PromptFormat;
import java.util.List;

/**
 * One piece of training material: what the model is shown and what it shall write.
 *
 * @param id of the problem it comes from, with what was done to its evidence
 * @param group what a split must not cut, see {@link Problem#group}
 * @param origin see {@link Problem#origin}
 * @param system the instruction
 * @param user the evidence as the model reads it
 * @param assistant the chain
 * @param further more questions on the same evidence: a page that is read once teaches several
 *     times
 */
public record Lesson(
    String id,
    String group,
    String origin,
    String system,
    String user,
    String assistant,
    List<Turn> further) {

  /**
   * A further question and its chain.
   *
   * @param user the question's line as {@link PromptFormat} writes it
   */
  public record Turn(String user, String assistant) {}

  public Lesson {
    further = List.copyOf(further);
  }

  /** A lesson of one question. */
  public Lesson(
      String id, String group, String origin, String system, String user, String assistant) {
    this(id, group, origin, system, user, assistant, List.of());
  }

  /** The lesson of a problem and its chain. */
  public static Lesson of(Problem problem, Chain chain) {
    return new Lesson(
        problem.id(),
        problem.group(),
        problem.origin(),
        PromptFormat.INSTRUCTION,
        new PromptFormat().render(problem.evidence()),
        chain.text());
  }

  /** The lesson of several problems on one page. */
  public static Lesson of(List<Solved> page) {
    Lesson first = of(page.getFirst().problem(), page.getFirst().chain());
    return new Lesson(
        first.id,
        first.group,
        first.origin,
        first.system,
        first.user,
        first.assistant,
        page.stream().skip(1).map(s -> new Turn(question(s.problem()), s.chain().text())).toList());
  }

  private static String question(Problem problem) {
    String text = new PromptFormat().render(problem.evidence());
    return text.substring(text.lastIndexOf('\n') + 1);
  }
}
