package dev.reckoner.corpus;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.corpus.Program.Language;
import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.Evidence;
import java.math.BigDecimal;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class GoldChainsTest {

  private static final Evidence PAGE =
      new Evidence(
          "V 2008 annual report",
          "what was the percentage change in net sales from 2007 to 2008?",
          List.of(
              new Evidence.Table(
                  "in millions",
                  List.of(
                      List.of("", "2008", "2007", "2006"),
                      List.of("net sales", "$ 9896", "$ 8181", "$ 7000"),
                      List.of("other", "-12", "30", "8181")))),
          List.of("we repurchased 5.2 million shares for $ 300 million ."));

  private final GoldChains chains = new GoldChains();

  private Optional<Chain> chain(Language language, String program, String gold, String unit) {
    return chains.chain(
        new Problem(
            "p",
            "g",
            "finqa",
            PAGE,
            new Gold.Number(new BigDecimal(gold), unit, ""),
            new Program(language, program),
            new Support(Set.of(1, 2), Set.of(), Set.of())));
  }

  @Test
  void aFinQaProgramBecomesOneExpressionOverCitedFigures() {
    assertThat(chain(Language.FINQA, "subtract(9896, 8181), divide(#0, 8181)", "0.20963", ""))
        .map(Chain::text)
        .contains(
            """
            cite a = net sales|2008 : 9896 USD million @ r1c1
            cite b = net sales|2007 : 8181 USD million @ r1c2
            compute c = (a - b) / b as % = 20.9632 %
            conclude c = 20.9632 %\
            """);
  }

  @Test
  void aFigureThatOccursTwiceIsCitedWhereTheQuestionPoints() {
    assertThat(chain(Language.FINQA, "subtract(9896, 8181)", "1715", ""))
        .map(Chain::text)
        .hasValueSatisfying(text -> assertThat(text).contains("8181 USD million @ r1c2"));
  }

  @Test
  void aPositiveFigureOfTheProgramMayBeNegativeOnThePage() {
    assertThat(chain(Language.FINQA, "add(9896, 12)", "9908", ""))
        .map(Chain::text)
        .hasValueSatisfying(text -> assertThat(text).contains("= a - b = 9,908 USD million"));
  }

  @Test
  void aTableOperationCitesTheWholeRow() {
    assertThat(chain(Language.FINQA, "table_average(net sales, none)", "8359", ""))
        .map(Chain::text)
        .hasValueSatisfying(text -> assertThat(text).contains("avg(a, b, c) = 8,359 USD million"));
  }

  @Test
  void derivationsOfTheOtherDataSetsAreReadToo() {
    assertThat(chain(Language.TATQA, "[(9,896 + 8,181)/2] - 30", "9008.5", "")).isPresent();
    assertThat(chain(Language.CONVFINQA, "x0 = 9896 - 8181; ans = x0 / 8181", "0.20963", ""))
        .isPresent();
    assertThat(chain(Language.FINQA, "divide(9896, const_5)", "1979.2", "")).isPresent();
  }

  @Test
  void whatDoesNotGiveTheGoldAnswerIsDroppedAndCounted() {
    assertThat(chain(Language.FINQA, "subtract(9896, 8181)", "1716", "")).isEmpty();
    assertThat(chain(Language.FINQA, "subtract(9896, 123456)", "1", "")).isEmpty();
    assertThat(chain(Language.FINQA, "frobnicate(9896, 8181)", "1", "")).isEmpty();
    assertThat(chain(Language.FINQA, "table_max(no such row, none)", "1", "")).isEmpty();
    assertThat(chains.counts())
        .containsEntry("the gold answer is not reproduced", 1)
        .containsEntry("a number of the program is not on the page", 1)
        .containsEntry("the row of a table operation is not on the page", 1)
        .containsEntry("the program cannot be read", 1);
  }
}
