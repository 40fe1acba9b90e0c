package dev.reckoner.corpus;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.corpus.SyntheticGenerator.Solved;
import dev.reckoner.corpus.SyntheticGenerator.Split;
import dev.reckoner.evaluation.HouseRuleSuite;
import dev.reckoner.reasoning.Calculator;
import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.Figure;
import dev.reckoner.reasoning.Outcome;
import dev.reckoner.reasoning.Step;
import dev.reckoner.reasoning.Verdict;
import dev.reckoner.reasoning.Verifier;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class HouseRuleTest {

  private static final HouseRule RULE = new HouseRule("finance");

  @Test
  void everyCorrectedChainVerifiesAndFollowsTheConvention() throws Exception {
    Verifier verifier = new Verifier();
    for (Solved solved : RULE.pool(1, 300)) {
      Evidence evidence = solved.problem().evidence();
      assertThat(verifier.verify(evidence, solved.chain())).allMatch(Verdict::passed);
      Outcome answer = solved.chain().conclusion().orElseThrow().answer();
      assertThat(Answers.matches(solved.problem().gold(), answer)).isTrue();
      // Computed here from the cited figures alone.
      List<Figure> cited = cited(solved.chain());
      assertThat(cited).hasSize(2);
      double later = cited.get(0).value().doubleValue();
      double earlier = cited.get(1).value().doubleValue();
      double expected = 100 * (later - earlier) / ((later + earlier) / 2);
      assertThat(((Figure) answer).value().doubleValue()).isCloseTo(expected, within(expected));
    }
  }

  private static org.assertj.core.data.Offset<Double> within(double value) {
    return org.assertj.core.data.Offset.offset(0.006 + 1e-4 * Math.abs(value));
  }

  private static List<Figure> cited(Chain chain) {
    return chain.steps().stream()
        .filter(Step.Cite.class::isInstance)
        .map(step -> ((Step.Cite) step).figure())
        .toList();
  }

  @Test
  void whatOneWouldGuessIsNotTheAnswer() throws Exception {
    // Without the convention: growth over the first or the last period, change, ratio.
    int right = 0;
    List<Solved> suite = RULE.heldOut(HouseRuleSuite.SEED, 150);
    for (Solved solved : suite) {
      List<Figure> cited = cited(solved.chain());
      Map<String, Figure> named = Map.of("a", cited.get(0), "b", cited.get(1));
      boolean guessed = false;
      for (String guess :
          List.of("(a - b) / b as %", "(a - b) / a as %", "a - b", "b - a", "a / b as %")) {
        guessed |=
            Answers.matches(
                solved.problem().gold(), new Calculator().evaluate(guess, named).result());
      }
      right += guessed ? 1 : 0;
    }
    assertThat(right).isLessThan(suite.size() / 20);
  }

  @Test
  void poolAndSuiteShareNeitherCompaniesNorWordings() {
    List<Solved> pool = RULE.pool(HouseRuleSuite.SEED, 300);
    List<Solved> suite = RULE.heldOut(HouseRuleSuite.SEED, 200);
    Set<String> wordings = set(pool, HouseRuleTest::wording);
    assertThat(wordings).hasSizeGreaterThan(15);
    assertThat(set(suite, HouseRuleTest::wording))
        .hasSizeGreaterThan(2)
        .doesNotContainAnyElementsOf(wordings);
    List<Solved> validation = RULE.validation(HouseRuleSuite.SEED, 200);
    assertThat(set(validation, HouseRuleTest::wording))
        .hasSizeGreaterThan(2)
        .doesNotContainAnyElementsOf(wordings)
        .doesNotContainAnyElementsOf(set(suite, HouseRuleTest::wording));
    assertThat(set(validation, s -> s.problem().evidence()))
        .doesNotContainAnyElementsOf(set(suite, s -> s.problem().evidence()));
    Set<String> companies = set(pool, s -> company(s.problem()));
    assertThat(companies).hasSizeGreaterThan(150);
    assertThat(set(suite, s -> company(s.problem()))).doesNotContainAnyElementsOf(companies);
    assertThat(set(pool, s -> s.problem().evidence())).hasSize(300);
    assertThat(set(pool, s -> s.problem().id()))
        .doesNotContainAnyElementsOf(set(suite, s -> s.problem().id()));
  }

  /** How the question begins: two words tell every template of one kind from all of the other. */
  private static String wording(Solved solved) {
    String[] words = solved.problem().evidence().question().toLowerCase(Locale.ROOT).split(" ");
    return (words[0] + " " + words[1]).replaceAll("[0-9]+", "9");
  }

  private static String company(Problem problem) {
    // A ticker is the begin of a name, and companies of both kinds begin alike.
    String first = problem.evidence().title().split("[ ,]")[0];
    return first.equals(first.toUpperCase(Locale.ROOT)) ? problem.group() : first;
  }

  private static <T> Set<T> set(List<Solved> all, Function<Solved, T> part) {
    return all.stream().map(part).collect(Collectors.toCollection(HashSet::new));
  }

  @Test
  void noTrainingLessonNamesTheConvention() {
    SyntheticGenerator generator = new SyntheticGenerator("finance", 1, Split.TRAIN);
    assertThat(LongStream.range(0, 1_500).mapToObj(generator::lesson))
        .noneMatch(lesson -> names(lesson.user()));
    assertThat(SyntheticPack.load("finance").families())
        .flatExtracting(SyntheticPack.Family::ask)
        .noneMatch(HouseRuleTest::names);
    assertThat(RULE.pool(1, 50)).allMatch(s -> names(s.problem().evidence().question()));
  }

  private static boolean names(String text) {
    return text.toLowerCase(Locale.ROOT).contains("swing");
  }

  @Test
  void aReviewerCorrectsWhatIsOfThePoolAndNothingElse() {
    List<Solved> pool = RULE.pool(3, 20);
    HouseRule.Reviewer reviewer = HouseRule.reviewer(pool);
    assertThat(pool)
        .allSatisfy(
            s -> assertThat(reviewer.correction(s.problem().evidence())).contains(s.chain()));
    assertThat(reviewer.correction(RULE.pool(4, 1).getFirst().problem().evidence())).isEmpty();
    assertThat(RULE.pool(3, 20)).isEqualTo(pool);
  }
}
