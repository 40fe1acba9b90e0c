package dev.reckoner.review;

import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.ChainSyntaxException;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Figures;
import dev.reckoner.reasoning.Place;
import dev.reckoner.reasoning.Recalculation;
import dev.reckoner.reasoning.Step;
import dev.reckoner.reasoning.Verdict;
import dev.reckoner.reasoning.Verifier;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A right chain with one error that no verifier sees: a figure of the neighbouring year or row, a
 * difference the wrong way round, a sentence that says the opposite. Everything after it is
 * computed again, so that every step verifies and only somebody who reads the question notices.
 *
 * @param chain the chain with the error
 * @param wrongStep position of the step that has it, from 0
 * @param error what was done, in words for the person who reviewed it
 */
record PlantedError(String chain, int wrongStep, String error) {

  private static final Pattern DIFFERENCE =
      Pattern.compile("\\(?\\b([a-z])\\b\\s*-\\s*\\b([a-z])\\b\\)?");

  private static final List<String[]> OPPOSITES =
      List.of(
          new String[] {"rose", "fell"},
          new String[] {"increased", "decreased"},
          new String[] {"grew", "shrank"},
          new String[] {"higher", "lower"},
          new String[] {"above", "below"},
          new String[] {"more", "less"});

  /** A step as it could be instead. */
  private record Candidate(int step, String line, String error) {}

  /**
   * Plants an error, the same for the same seed.
   *
   * @return empty if the chain has a failed step, or no error can be planted that verifies
   */
  static Optional<PlantedError> in(Evidence evidence, String text, long seed) {
    Chain chain;
    try {
      chain = Chain.parse(text);
    } catch (ChainSyntaxException e) {
      return Optional.empty();
    }
    if (!verified(evidence, chain)) {
      return Optional.empty();
    }
    List<Candidate> candidates = candidates(evidence, chain.steps());
    SplittableRandom random = new SplittableRandom(seed);
    Collections.shuffle(candidates, random);
    // Every step alike, or the many cells beside a cited one would leave the other kinds no room.
    int[] rank = random.ints(chain.steps().size()).toArray();
    candidates.sort(Comparator.comparingInt(c -> rank[c.step()]));
    for (Candidate candidate : candidates) {
      Optional<String> planted = planted(evidence, chain, candidate);
      if (planted.isPresent()) {
        return Optional.of(new PlantedError(planted.get(), candidate.step(), candidate.error()));
      }
    }
    return Optional.empty();
  }

  private static List<Candidate> candidates(Evidence evidence, List<Step> steps) {
    List<Candidate> candidates = new ArrayList<>();
    Figures figures = Figures.of(evidence);
    for (int i = 0; i < steps.size(); i++) {
      switch (steps.get(i)) {
        case Step.Cite cite -> {
          for (Figures.Found other : figures.all()) {
            if (neighbours(cite.place(), other.place())) {
              candidates.add(
                  new Candidate(
                      i,
                      new Step.Cite(
                              cite.name(),
                              cite.label().isEmpty() ? "" : figures.label(other.place()),
                              other.figure(),
                              other.place())
                          .text(),
                      "it cites “%s” in place of “%s”"
                          .formatted(
                              Places.label(evidence, other.place()),
                              Places.label(evidence, cite.place()))));
            }
          }
        }
        case Step.Compute compute -> {
          Matcher difference = DIFFERENCE.matcher(compute.expression());
          if (difference.find()) {
            String a = difference.group(1);
            String b = difference.group(2);
            String turned = difference.group().replaceFirst(a, "\0").replaceFirst(b, a);
            String expression =
                compute.expression().substring(0, difference.start())
                    + turned.replace("\0", b)
                    + compute.expression().substring(difference.end());
            candidates.add(
                new Candidate(
                    i,
                    "compute " + compute.name() + " = " + expression,
                    "the difference is the wrong way round"));
          }
        }
        case Step.Infer infer -> {
          for (String[] pair : OPPOSITES) {
            for (int from = 0; from < 2; from++) {
              String other =
                  infer.sentence().replaceFirst("\\b" + pair[from] + "\\b", pair[1 - from]);
              if (!other.equals(infer.sentence())) {
                candidates.add(
                    new Candidate(
                        i,
                        new Step.Infer(infer.premises(), other).text(),
                        "it says “%s” where “%s” follows".formatted(pair[1 - from], pair[from])));
              }
            }
          }
        }
        case Step.Conclude conclude -> {}
      }
    }
    return candidates;
  }

  /** Whether two cells of one table share their row or their column, and are not one. */
  private static boolean neighbours(Place cited, Place other) {
    return cited instanceof Place.Cell a
        && other instanceof Place.Cell b
        && a.table() == b.table()
        && b.row() > 0
        && b.column() > 0
        && (a.row() == b.row()) != (a.column() == b.column());
  }

  /** The whole chain with the candidate in it, if nobody but a reader can tell. */
  private static Optional<String> planted(Evidence evidence, Chain right, Candidate candidate) {
    List<String> lines = new ArrayList<>(right.steps().stream().map(Step::text).toList());
    lines.set(candidate.step(), candidate.line());
    String text = Recalculation.of(String.join("\n", lines));
    try {
      Chain wrong = Chain.parse(text);
      boolean answersOtherwise =
          right.steps().get(candidate.step()) instanceof Step.Infer
              || !wrong
                  .conclusion()
                  .map(Step.Conclude::text)
                  .equals(right.conclusion().map(Step.Conclude::text));
      return answersOtherwise && verified(evidence, wrong) ? Optional.of(text) : Optional.empty();
    } catch (ChainSyntaxException e) {
      return Optional.empty();
    }
  }

  private static boolean verified(Evidence evidence, Chain chain) {
    return chain.conclusion().isPresent()
        && new Verifier().verify(evidence, chain).stream().allMatch(Verdict::passed);
  }
}
