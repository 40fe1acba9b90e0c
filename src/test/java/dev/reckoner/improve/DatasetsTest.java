package dev.reckoner.improve;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.corpus.Problem;
import dev.reckoner.corpus.SyntheticGenerator;
import dev.reckoner.corpus.SyntheticGenerator.Solved;
import dev.reckoner.corpus.SyntheticGenerator.Split;
import dev.reckoner.improve.ValidatedChain.Use;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class DatasetsTest {

  private static final Instant BEGIN = Instant.parse("2026-01-01T00:00:00Z");

  private final SyntheticGenerator generator = new SyntheticGenerator("finance", 3, Split.TRAIN);

  @Test
  void theNewestTenthJudgesAndWhatIsAlikeToItDoesNotTrain() {
    List<ValidatedChain> train = new ArrayList<>();
    for (int i = 0; i < 30; i++) {
      train.add(chain(i, i, Use.APPROVED));
    }
    ValidatedChain rejected = chain(30, 40, Use.REJECTED);
    ValidatedChain alike = chain(29, 1, Use.APPROVED); // the page of the newest, decided long ago
    train.add(rejected);
    train.add(alike);

    List<Problem> newest = Datasets.newest(train);

    assertThat(newest).hasSize(3);
    assertThat(newest)
        .extracting(Problem::evidence)
        .containsExactlyInAnyOrder(page(27), page(28), page(29));
    // Older ones train, with what was rejected, which is no question.
    assertThat(train).hasSize(28).contains(rejected).doesNotContain(alike);
    assertThat(train)
        .extracting(ValidatedChain::evidence)
        .doesNotContainAnyElementsOf(newest.stream().map(Problem::evidence).toList());
  }

  @Test
  void aQuestionThatWasDecidedAgainOrRejectedBringsNoMoreReplay() {
    assertThat(
            Datasets.questions(
                List.of(
                    chain(1, 1, Use.APPROVED),
                    chain(1, 2, Use.CORRECTED),
                    chain(2, 1, Use.APPROVED),
                    chain(3, 1, Use.REJECTED))))
        .isEqualTo(2);
  }

  @Test
  void aSubjectStaysOnItsSide() {
    long held =
        java.util.stream.IntStream.range(0, 500).filter(i -> Datasets.heldOut("s" + i)).count();
    assertThat(held).isBetween(70L, 130L);
    assertThat(Datasets.heldOut("s7")).isEqualTo(Datasets.heldOut("s7"));
  }

  private dev.reckoner.reasoning.Evidence page(int page) {
    return generator.problem(page).problem().evidence();
  }

  private ValidatedChain chain(int page, int day, Use use) {
    Solved solved = generator.problem(page);
    return new ValidatedChain(
        UUID.randomUUID(),
        use,
        "issuer " + page,
        "t",
        solved.problem().evidence(),
        solved.chain().text(),
        null,
        null,
        "ann",
        BEGIN.plusSeconds(86_400L * day));
  }
}
