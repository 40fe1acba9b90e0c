package dev.reckoner.review;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class LineAlignmentTest {

  private static final List<String> BEFORE =
      List.of("cite a = 1 @ r1c1", "compute b = a * 2 = 2", "conclude b = 2");

  @Test
  void aChangedLineKeepsItsOrigin() {
    assertThat(
            LineAlignment.origins(
                BEFORE, List.of("cite a = 3 @ r1c2", "compute b = a * 2 = 6", "conclude b = 6")))
        .containsExactly(0, 1, 2);
  }

  @Test
  void anInsertedLineHasNone() {
    assertThat(
            LineAlignment.origins(
                BEFORE,
                List.of(
                    "cite a = 1 @ r1c1",
                    "compute b = a * 2 = 2",
                    "infer b : It doubled.",
                    "conclude b = 2")))
        .containsExactly(0, 1, -1, 2);
  }

  @Test
  void aRemovedLineLeavesTheOthersWhereTheyWere() {
    assertThat(LineAlignment.origins(BEFORE, List.of("cite a = 1 @ r1c1", "conclude a = 1")))
        .containsExactly(0, 2);
  }
}
