package dev.reckoner.review;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.ChainSyntaxException;
import dev.reckoner.reasoning.Verdict;
import dev.reckoner.reasoning.Verifier;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class PlantedErrorTest {

  @Test
  void noVerifierSeesIt() throws ChainSyntaxException {
    Set<String> errors = new HashSet<>();
    for (long seed = 0; seed < 60; seed++) {
      PlantedError planted =
          PlantedError.in(ReviewFixture.TARGET, ReviewFixture.RIGHT, seed).orElseThrow();
      errors.add(planted.error().replaceAll("“[^”]*”", "…"));
      Chain wrong = Chain.parse(planted.chain());
      assertThat(new Verifier().verify(ReviewFixture.TARGET, wrong))
          .as(planted.chain())
          .allMatch(Verdict::passed);
      List<String> before = ReviewFixture.RIGHT.strip().lines().toList();
      List<String> after = planted.chain().lines().toList();
      assertThat(after.subList(0, planted.wrongStep()))
          .isEqualTo(before.subList(0, planted.wrongStep()));
      assertThat(after.get(planted.wrongStep())).isNotEqualTo(before.get(planted.wrongStep()));
    }
    assertThat(errors)
        .containsExactlyInAnyOrder(
            "it cites … in place of …",
            "the difference is the wrong way round",
            "it says … where … follows");
  }

  @Test
  void theSameSeedPlantsTheSame() {
    assertThat(PlantedError.in(ReviewFixture.TARGET, ReviewFixture.RIGHT, 5))
        .isEqualTo(PlantedError.in(ReviewFixture.TARGET, ReviewFixture.RIGHT, 5));
  }

  @Test
  void aChainThatIsWrongAlreadyIsLeftAlone() {
    assertThat(PlantedError.in(ReviewFixture.TARGET, ReviewFixture.WRONG, 1)).isEmpty();
    assertThat(PlantedError.in(ReviewFixture.TARGET, "conclude not stated", 1)).isEmpty();
    assertThat(PlantedError.in(ReviewFixture.TARGET, "no chain", 1)).isEmpty();
  }
}
