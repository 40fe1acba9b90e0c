package dev.reckoner.corpus;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.corpus.SyntheticGenerator.Solved;
import dev.reckoner.corpus.SyntheticGenerator.Split;
import dev.reckoner.corpus.SyntheticGenerator.Topic;
import dev.reckoner.reasoning.Figure;
import dev.reckoner.reasoning.Outcome;
import dev.reckoner.reasoning.Step;
import dev.reckoner.reasoning.Verdict;
import dev.reckoner.reasoning.Verifier;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class TopicTest {

  private static List<Solved> problems(Topic topic, int count) {
    SyntheticGenerator generator =
        SyntheticGenerator.of(topic, "finance", 20_261_124L, Split.HELD_OUT);
    return LongStream.range(0, count).mapToObj(generator::problem).toList();
  }

  @ParameterizedTest
  @EnumSource
  void everyGoldChainVerifiesAndConcludesTheAnswer(Topic topic) {
    Verifier verifier = new Verifier();
    List<Solved> all = problems(topic, 150);
    for (Solved solved : all) {
      assertThat(verifier.verify(solved.problem().evidence(), solved.chain()))
          .as(solved.chain().text())
          .allMatch(Verdict::passed);
      Outcome answer = solved.chain().conclusion().orElseThrow().answer();
      assertThat(Answers.matches(solved.problem().gold(), answer)).isTrue();
      assertThat(solved.problem().origin()).startsWith(topic.text() + "/");
    }
    assertThat(problems(topic, 20)).isEqualTo(all.subList(0, 20));
  }

  @Test
  void comparisonsHaveTwoIssuersAndMore() {
    List<Solved> all = problems(Topic.COMPARATIVE, 200);
    Map<Integer, Long> issuers =
        all.stream()
            .map(s -> s.problem().evidence().tables().getFirst().rows().getFirst().size() - 1)
            .collect(Collectors.groupingBy(Function.identity(), Collectors.counting()));
    assertThat(issuers.keySet()).containsExactlyInAnyOrder(2, 3, 4, 5);
    assertThat(issuers.get(2)).isBetween(40L, 160L);
    assertThat(families(all)).hasSizeGreaterThanOrEqualTo(13);
  }

  @Test
  void unitTrapsCiteFiguresOfDifferentScales() {
    List<Solved> all = problems(Topic.UNITS, 200);
    assertThat(families(all)).hasSizeGreaterThanOrEqualTo(10);
    List<Solved> across =
        all.stream().filter(s -> s.problem().origin().endsWith("AcrossScales")).toList();
    assertThat(across).hasSizeGreaterThan(60);
    for (Solved solved : across) {
      assertThat(
              solved.chain().steps().stream()
                  .filter(Step.Cite.class::isInstance)
                  .map(step -> ((Figure) step.outcome()).scale())
                  .distinct())
          .as(solved.chain().text())
          .hasSize(2);
    }
  }

  @Test
  void halfOfTheUnanswerableSuiteHasNoAnswer() {
    List<Solved> all = problems(Topic.UNANSWERABLE, 200);
    assertThat(all.stream().filter(s -> s.problem().gold() instanceof Gold.Unanswerable).count())
        .isBetween(75L, 125L);
    assertThat(families(all)).contains("notStatedRatio", "notStatedGrowth", "notStatedItem");
  }

  private static List<String> families(List<Solved> all) {
    return all.stream().map(s -> s.problem().origin().replaceFirst(".*/", "")).distinct().toList();
  }
}
