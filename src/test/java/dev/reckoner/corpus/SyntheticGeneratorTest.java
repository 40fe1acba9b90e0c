package dev.reckoner.corpus;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.corpus.SyntheticGenerator.Solved;
import dev.reckoner.corpus.SyntheticGenerator.Split;
import dev.reckoner.reasoning.Outcome;
import dev.reckoner.reasoning.PromptFormat;
import dev.reckoner.reasoning.Verdict;
import dev.reckoner.reasoning.Verifier;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class SyntheticGeneratorTest {

  private static List<Solved> problems(long seed, Split split, int count) {
    SyntheticGenerator generator = new SyntheticGenerator("finance", seed, split);
    return LongStream.range(0, count).mapToObj(generator::problem).toList();
  }

  @Test
  void everyChainVerifiesAndConcludesTheGoldAnswer() {
    Verifier verifier = new Verifier();
    for (Solved solved : problems(1, Split.TRAIN, 200)) {
      assertThat(verifier.verify(solved.problem().evidence(), solved.chain()))
          .as(solved.chain().text())
          .allMatch(Verdict::passed);
      Outcome answer = solved.chain().conclusion().orElseThrow().answer();
      assertThat(Answers.matches(solved.problem().gold(), answer)).isTrue();
    }
  }

  @Test
  void aSeedGivesTheSameProblemsAndAnotherSeedOthers() {
    assertThat(problems(7, Split.TRAIN, 20)).isEqualTo(problems(7, Split.TRAIN, 20));
    assertThat(problems(7, Split.TRAIN, 20))
        .doesNotContainAnyElementsOf(problems(8, Split.TRAIN, 20));
  }

  @Test
  void noTrainingQuestionIsOfAReservedTemplateAndEveryHeldOutOneIs() {
    // Figures, names and periods apart, a training question never reads like a held-out one.
    for (SyntheticPack.Family family : SyntheticPack.load("finance").families()) {
      SplittableRandom random = new SplittableRandom(11);
      Set<String> training = new HashSet<>();
      Set<String> heldOut = new HashSet<>();
      for (int i = 0; i < 300; i++) {
        QuestionMaker.template(family, Split.TRAIN, false, random).ifPresent(training::add);
        QuestionMaker.template(family, Split.HELD_OUT, false, random).ifPresent(heldOut::add);
      }
      assertThat(training).as(family.id()).isNotEmpty().doesNotContainAnyElementsOf(heldOut);
      assertThat(heldOut).as(family.id()).isNotEmpty();
    }
  }

  @Test
  void aWholeWordingOfALargeFamilyIsReserved() {
    SyntheticPack.Family growth =
        SyntheticPack.load("finance").families().stream()
            .filter(f -> f.id().equals("growth"))
            .findFirst()
            .orElseThrow();
    String reserved = growth.ask().get(QuestionMaker.Reserve.wording(growth));
    SplittableRandom random = new SplittableRandom(3);
    Set<String> some = new HashSet<>();
    for (int i = 0; i < 300; i++) {
      some.add(Wording.template(reserved, random));
    }
    Set<String> training = new HashSet<>();
    Set<String> heldOut = new HashSet<>();
    for (int i = 0; i < 5000; i++) {
      QuestionMaker.template(growth, Split.TRAIN, false, random).ifPresent(training::add);
      QuestionMaker.template(growth, Split.HELD_OUT, false, random).ifPresent(heldOut::add);
    }
    assertThat(training).doesNotContainAnyElementsOf(some);
    assertThat(heldOut).containsAnyElementsOf(some);
  }

  @Test
  void aPageIsAskedSeveralQuestionsOfWhichTheFirstIsTheProblem() {
    SyntheticGenerator generator = new SyntheticGenerator("finance", 4, Split.TRAIN);
    Verifier verifier = new Verifier();
    int further = 0;
    for (int n = 0; n < 30; n++) {
      List<Solved> page = generator.page(n, 4);
      assertThat(page.getFirst()).isEqualTo(generator.problem(n));
      assertThat(page).hasSizeLessThanOrEqualTo(4);
      for (Solved solved : page) {
        assertThat(solved.problem().evidence().tables())
            .isEqualTo(page.getFirst().problem().evidence().tables());
        assertThat(verifier.verify(solved.problem().evidence(), solved.chain()))
            .allMatch(Verdict::passed);
      }
      Lesson lesson = generator.lesson(n, 4);
      assertThat(lesson.further()).hasSize(page.size() - 1);
      assertThat(lesson.further()).allMatch(turn -> turn.user().startsWith("q"));
      further += lesson.further().size();
    }
    assertThat(further).isGreaterThan(40);
  }

  @Test
  void trainingRowsNeverBearALabelThatIsHeldOut() {
    SyntheticPack.Vocabulary vocabulary = SyntheticPack.load("finance").vocabulary();
    assertThat(vocabulary.items().values())
        .flatExtracting(SyntheticPack.Item::labels)
        .noneMatch(vocabulary::reserved);
    assertThat(problems(1, Split.TRAIN, 300))
        .flatExtracting(s -> s.problem().evidence().tables())
        .flatExtracting(table -> table.rows().stream().flatMap(List::stream).toList())
        .noneMatch(vocabulary::reserved);
    // So that the second half can fail: held-out pages do bear them.
    assertThat(problems(1, Split.HELD_OUT, 30))
        .flatExtracting(s -> s.problem().evidence().tables())
        .flatExtracting(table -> table.rows().stream().flatMap(List::stream).toList())
        .anyMatch(vocabulary::reserved);
  }

  @Test
  void trainingQuestionsAreWordedInManyWays() {
    SplittableRandom random = new SplittableRandom(5);
    Map<String, String> slots = Map.of("x", "revenue", "p", "2019", "q", "2020");
    for (String id : List.of("growth", "change", "averageOfTwo")) {
      SyntheticPack.Family family =
          SyntheticPack.load("finance").families().stream()
              .filter(f -> f.id().equals(id))
              .findFirst()
              .orElseThrow();
      Set<String> questions = new HashSet<>();
      for (int i = 0; i < 1000; i++) {
        questions.add(Wording.expand(Wording.pick(family.ask(), random), slots, random));
      }
      assertThat(questions).as(id).hasSizeGreaterThan(500);
    }
  }

  @Test
  void everyEventShapeAndUnanswerableQuestionsOccur() {
    List<Solved> problems = problems(3, Split.TRAIN, 600);
    PromptFormat format = new PromptFormat();
    List<String> prompts =
        problems.stream().map(s -> format.render(s.problem().evidence())).toList();
    assertThat(prompts)
        .as("earnings released")
        .anyMatch(prompt -> prompt.contains("r0 Metric|") && prompt.contains("| Consensus"));
    assertThat(prompts).as("rating changed").anyMatch(prompt -> prompt.contains(" downgrades "));
    assertThat(prompts)
        .as("price moved")
        .anyMatch(prompt -> prompt.contains("USD per share\nr0 Price|"));
    assertThat(prompts).as("a stance is asked for").anyMatch(prompt -> prompt.contains("\nq! "));
    assertThat(problems).anyMatch(s -> s.problem().gold() instanceof Gold.Unanswerable);
    assertThat(problems)
        .extracting(s -> s.problem().origin())
        .contains("synthetic/comparisonRatio", "synthetic/interestCoverage", "synthetic/growth");
  }
}
