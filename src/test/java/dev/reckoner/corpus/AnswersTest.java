package dev.reckoner.corpus;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.reasoning.Figure;
import dev.reckoner.reasoning.Outcome;
import java.math.BigDecimal;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AnswersTest {

  /** What may be learned is what is right, and right digits whose unit the page does not show. */
  @ParameterizedTest
  @CsvSource({
    "20.96, %, '', 20.96 %, true, true",
    "20.96, %, '', 0.2096, true, true",
    "1.25, %, '', 1.25, false, true",
    "1.25, %, '', 1.25 USD, false, false",
    "64509, '', thousand, 64509 USD, false, true",
    "64509, '', thousand, 64509, true, true",
    "64509, '', thousand, 64.509 USD million, true, true",
    "64509, '', thousand, 64509 USD million, false, false",
    "0.375, '', '', 37.5 %, true, true",
    "1715, '', '', 1716, false, false",
    "-3.2, '', '', 3.2, false, false",
  })
  void figuresAreComparedByUnitAndScale(
      String value, String unit, String scale, String answer, boolean right, boolean learned) {
    Gold gold = new Gold.Number(new BigDecimal(value), unit, scale);
    Outcome figure = Figure.parse(answer);
    assertThat(Answers.right(gold, figure)).isEqualTo(right);
    assertThat(Answers.matches(gold, figure)).isEqualTo(learned);
  }

  @Test
  void noConclusionIsNoAnswerAndWordsAreCompared() {
    Gold yes = new Gold.Text(List.of("Yes"));
    assertThat(Answers.right(yes, Outcome.Word.YES)).isTrue();
    assertThat(Answers.right(yes, Outcome.Word.NO)).isFalse();
    assertThat(Answers.right(yes, null)).isFalse();
    assertThat(Answers.matches(new Gold.Number(BigDecimal.ONE, "", ""), null)).isFalse();
  }
}
