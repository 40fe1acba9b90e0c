package dev.reckoner.corpus;

import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.PromptFormat;

/**
 * One piece of training material: what the model is shown and what it shall write.
 *
 * @param id of the problem it comes from, with what was done to its evidence
 * @param group what a split must not cut, see {@link Problem#group}
 * @param origin see {@link Problem#origin}
 * @param system the instruction
 * @param user the evidence as the model reads it
 * @param assistant the chain
 */
public record Lesson(
    String id, String group, String origin, String system, String user, String assistant) {

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
}
