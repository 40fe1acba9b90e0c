package dev.reckoner.teacher;

import dev.reckoner.corpus.Answers;
import dev.reckoner.corpus.ChainBuilder;
import dev.reckoner.corpus.Problem;
import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.ChainSyntaxException;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Figure;
import dev.reckoner.reasoning.Figures;
import dev.reckoner.reasoning.Outcome;
import dev.reckoner.reasoning.Place;
import dev.reckoner.reasoning.Recalculation;
import dev.reckoner.reasoning.Step;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads what a teacher wrote and decides whether it may be learned from: every step verifies, the
 * decoding grammar could have written it, and it concludes the gold answer. Nothing that is wrong
 * is put right; only what the teacher is asked to leave out (units, results) is filled in.
 */
final class Judge {

  private static final Pattern STEP = Pattern.compile("(?:cite|compute|infer|conclude) .+");
  private static final Pattern CITE =
      Pattern.compile("cite ([a-z]) = (\\(?-?[0-9][0-9,]*(?:\\.[0-9]+)?\\)?) @ (\\S+)");
  private static final Pattern OPEN_COMPUTE = Pattern.compile("compute [a-z] = [^=]+");
  private static final Pattern OPEN_CONCLUDE = Pattern.compile("conclude [a-z](?: ;.*)?");

  private Judge() {}

  /** What came of an answer. */
  sealed interface Judgement {

    /** It may be learned from. */
    record Accepted(Chain chain) implements Judgement {}

    /** It may not; a short reason that rejections are counted by. */
    record Rejected(String reason) implements Judgement {}
  }

  /** Judges the text of an answer. */
  static Judgement judge(Problem problem, String text) {
    List<String> lines = new ArrayList<>();
    for (String line : text.split("\\R")) {
      String stripped = line.strip().replaceAll(" {2,}", " ");
      if (STEP.matcher(stripped).matches()) {
        lines.add(cited(problem.evidence(), stripped));
      }
    }
    if (lines.isEmpty()) {
      return new Judgement.Rejected("no chain");
    }
    Chain chain;
    try {
      chain = Chain.parse(Figures.of(problem.evidence()).labelled(completed(lines)));
    } catch (ChainSyntaxException e) {
      return new Judgement.Rejected("no chain of the format");
    }
    Optional<Step.Conclude> conclusion = chain.conclusion();
    if (conclusion.isEmpty()) {
      return new Judgement.Rejected("no conclusion");
    }
    Optional<String> flaw = new ChainBuilder(problem.evidence()).flaw(chain);
    if (flaw.isPresent()) {
      return new Judgement.Rejected(flaw.get());
    }
    Outcome answer = conclusion.get().answer();
    return Answers.matches(problem.gold(), answer)
        ? new Judgement.Accepted(chain)
        : new Judgement.Rejected("another answer than the gold one");
  }

  /** The line with the page's own text for a figure that is given by its number alone. */
  private static String cited(Evidence evidence, String line) {
    Matcher m = CITE.matcher(line);
    if (!m.matches()) {
      return line;
    }
    Place place;
    try {
      place = Place.parse(m.group(3));
    } catch (IllegalArgumentException e) {
      return line;
    }
    BigDecimal number = number(m.group(2));
    return Figures.of(evidence).at(place).stream()
        .map(Figures.Found::figure)
        .filter(figure -> figure.value().compareTo(number) == 0)
        .map(Figure::text)
        .distinct()
        .reduce((one, other) -> "")
        // Where a place holds the number twice with two meanings, it does not say which.
        .filter(figure -> !figure.isEmpty())
        .map(figure -> "cite " + m.group(1) + " = " + figure + " @ " + m.group(3))
        .orElse(line);
  }

  private static BigDecimal number(String digits) {
    BigDecimal plain = new BigDecimal(digits.replaceAll("[(),]", ""));
    return digits.startsWith("(") ? plain.negate() : plain;
  }

  /** The lines with the results that were left out; a result that was written stays. */
  private static String completed(List<String> lines) {
    List<String> open = new ArrayList<>();
    for (String line : lines) {
      open.add(line.replaceFirst(" = \\?$", ""));
    }
    List<String> computed = Recalculation.of(String.join("\n", open)).lines().toList();
    List<String> all = new ArrayList<>();
    for (int i = 0; i < open.size(); i++) {
      boolean left =
          OPEN_COMPUTE.matcher(open.get(i)).matches()
              || OPEN_CONCLUDE.matcher(open.get(i)).matches();
      all.add(left ? computed.get(i) : open.get(i));
    }
    return String.join("\n", all);
  }
}
