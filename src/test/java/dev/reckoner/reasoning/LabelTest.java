package dev.reckoner.reasoning;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class LabelTest {

  private static String label(List<List<String>> rows, int row, int column) {
    Evidence evidence =
        new Evidence("", "How much?", List.of(new Evidence.Table("", rows)), List.of());
    return Figures.of(evidence).label(new Place.Cell(0, row, column));
  }

  @Test
  void rowAndColumnAreNamedAsThePromptWritesThem() {
    List<List<String>> rows =
        List.of(List.of("", "2023", "Change | %"), List.of("Net sales", "9,896", "12"));
    assertThat(label(rows, 1, 1)).isEqualTo("Net sales|2023");
    assertThat(label(rows, 1, 2)).isEqualTo("Net sales| Change \\| %");
  }

  @Test
  void linesOfAHeadingAreJoinedAndSpansFilledIn() {
    List<List<String>> rows =
        List.of(
            List.of("", "Year ended June 30,", "", "Change"),
            List.of("", "2023", "2022", ""),
            List.of("Net sales", "9,896", "8,181", "1,715"));
    assertThat(label(rows, 2, 2)).isEqualTo("Net sales| Year ended June 30, 2022");
    assertThat(label(rows, 2, 3)).isEqualTo("Net sales| Change");
    List<List<String>> captioned =
        List.of(
            List.of("", "fiscal year", "", ""),
            List.of("", "2023", "2022", "2021"),
            List.of("Net sales", "9,896", "8,181", "7,000"));
    assertThat(label(captioned, 2, 1)).isEqualTo("Net sales|2023");
  }

  @Test
  void oneOfTheTwoIsEnough() {
    assertThat(label(List.of(List.of("", ""), List.of("Net sales", "9,896")), 1, 1))
        .isEqualTo("Net sales");
    assertThat(label(List.of(List.of("", "2023"), List.of("", "9,896")), 1, 1)).isEqualTo("2023");
    assertThat(label(List.of(List.of("", ""), List.of("", "9,896")), 1, 1)).isEmpty();
  }

  @Test
  void headingsAndRowLabelsHaveNone() {
    List<List<String>> rows = List.of(List.of("", "2023"), List.of("7.5% notes", "9,896"));
    assertThat(label(rows, 0, 1)).isEmpty();
    assertThat(label(rows, 1, 0)).isEmpty();
    assertThat(label(rows, 9, 9)).isEmpty();
  }

  @Test
  void ofLongOnesTheBeginningOfTheRowAndTheEndOfTheHeadingStay() {
    String row =
        "weighted average common shares outstanding for diluted computations of the "
            + "x".repeat(90);
    String heading =
        "significant unobservable inputs and the range of all of them at the date of december 31,"
            + " 2017";
    assertThat(label(List.of(List.of("", heading), List.of(row, "326.5")), 1, 1))
        .isEqualTo(
            "weighted average common shares outstanding for diluted computations of|"
                + " inputs and the range of all of them at the date of december 31, 2017");
  }

  @Test
  void otherCharactersAreFoldedAndOtherScriptsLeftOut() {
    assertThat(label(List.of(List.of("", "€m"), List.of("Café – d’été ®", "5")), 1, 1))
        .isEqualTo("Cafe - d'ete| EURm");
    assertThat(label(List.of(List.of("", "2023"), List.of("売上高", "5")), 1, 1)).isEqualTo("2023");
    assertThat(label(List.of(List.of("", ""), List.of("売上高", "5")), 1, 1)).isEmpty();
  }
}
