package dev.reckoner.corpus;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.reasoning.Chain;
import dev.reckoner.reasoning.Evidence;
import java.math.BigDecimal;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class ProgramSearchTest {

  private final GoldChains chains = new GoldChains();

  private Optional<Chain> chain(String question, String gold, String unit) {
    Evidence evidence =
        new Evidence(
            "V 2008 annual report",
            question,
            List.of(
                new Evidence.Table(
                    "in millions",
                    List.of(
                        List.of("", "2008", "2007", "2006"),
                        List.of("net sales", "$ 9896", "$ 8181", "$ 7000"),
                        List.of("net sales abroad", "3181", "1466", "1000"),
                        List.of("other costs", "412", "230", "8181")))),
            List.of("we repurchased 5.2 million shares for $ 300 million ."));
    return chains.chain(
        new Problem(
            "p",
            "g",
            "finqa",
            evidence,
            new Gold.Number(new BigDecimal(gold), unit, ""),
            null,
            Support.UNKNOWN));
  }

  @Test
  void theOnlyProgramThatGivesTheAnswerIsFound() {
    assertThat(
            chain("what was the percentage change in other costs from 2007 to 2008?", "79.13", "%"))
        .map(Chain::text)
        .contains(
            """
            cite a = other costs|2008 : 412 USD million @ r3c1
            cite b = other costs|2007 : 230 USD million @ r3c2
            compute c = (a - b) / b as % = 79.1304 %
            conclude c = 79.1304 %\
            """);
    assertThat(chains.counts()).containsEntry("kept, the program searched", 1);
  }

  @Test
  void aFormThatTheQuestionDoesNotAskForIsNotTried() {
    assertThat(chain("what were the other costs worth in 2008?", "79.13", "%")).isEmpty();
  }

  @Test
  void figuresOfOtherYearsAreNotUsed() {
    assertThat(chain("what was the total of net sales and other costs in 2008?", "15181", ""))
        .isEmpty();
  }

  @Test
  void whatTwoProgramsGiveIsDropped() {
    // 9896 - 8181 = 3181 - 1466
    assertThat(
            chain(
                "what was the change in net sales, at home or abroad, from 2007 to 2008?",
                "1715",
                ""))
        .isEmpty();
    assertThat(chains.counts()).containsEntry("no program, and the search finds several", 1);
  }

  @Test
  void anAnswerOfFewDigitsIsNotSearched() {
    assertThat(chain("what was the percentage change in other costs from 2007 to 2008?", "79", "%"))
        .isEmpty();
    assertThat(chains.counts())
        .containsEntry("no program, and the answer has too few digits to search", 1);
  }
}
