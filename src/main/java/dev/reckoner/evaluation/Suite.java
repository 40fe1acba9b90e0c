package dev.reckoner.evaluation;

import dev.reckoner.corpus.GoldChains;
import dev.reckoner.corpus.Problem;
import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.PromptFormat;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.commons.codec.digest.DigestUtils;

/**
 * Problems with gold answers that a model is measured on and never trained on.
 *
 * @param version hash over the problems, so that two results are known to be of the same ones
 * @param chains gold chains by id of the problem, where there are any: what steps and program of an
 *     answer are compared with
 */
public record Suite(
    String name, String version, List<Problem> problems, Map<String, Chain> chains) {

  /**
   * A suite of these problems; gold chains are made of their programs.
   *
   * @throws SuiteException as {@link #of(String, List, Map)}
   */
  public static Suite of(String name, List<Problem> problems) {
    return of(name, problems, chains(problems));
  }

  /** The gold chains of those problems that have a program from which one can be made. */
  static Map<String, Chain> chains(List<Problem> problems) {
    GoldChains gold = new GoldChains();
    Map<String, Chain> chains = new HashMap<>();
    for (Problem problem : problems) {
      if (problem.program() != null) {
        gold.chain(problem).ifPresent(chain -> chains.put(problem.id(), chain));
      }
    }
    return chains;
  }

  /**
   * A suite of these problems.
   *
   * @param chains gold chains by id of the problem
   * @throws SuiteException if there are none, if an id occurs twice, or if one cannot be graded
   */
  public static Suite of(String name, List<Problem> problems, Map<String, Chain> chains) {
    if (problems.isEmpty()) {
      throw new SuiteException("suite " + name + " has no problems");
    }
    Set<String> ids = new HashSet<>();
    MessageDigest digest = DigestUtils.getSha256Digest();
    PromptFormat format = new PromptFormat();
    for (Problem problem : problems) {
      if (!ids.add(problem.id())) {
        throw new SuiteException("suite " + name + " has two problems " + problem.id());
      }
      if (!Grader.gradable(problem)) {
        throw new SuiteException(
            "suite " + name + ": " + problem.id() + " has no answer that can be graded");
      }
      digest.update(
          String.join(
                  "\u0000", problem.id(), format.render(problem.evidence()), "" + problem.gold())
              .getBytes(StandardCharsets.UTF_8));
    }
    return new Suite(
        name,
        HexFormat.of().formatHex(digest.digest()).substring(0, 16),
        List.copyOf(problems),
        Map.copyOf(chains));
  }

  /** The first problems; a suite of its own, with its own version. */
  public Suite limited(int limit) {
    return limit >= problems.size() ? this : of(name, problems.subList(0, limit), chains);
  }
}
