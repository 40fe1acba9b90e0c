package dev.reckoner.improve;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.improve.Shadow.ChainDifference;
import dev.reckoner.reasoning.Evidence;
import java.util.List;
import org.junit.jupiter.api.Test;

class ShadowTest {

  private static final Evidence EVIDENCE =
      new Evidence(
          "Acme",
          "What are net sales?",
          List.of(
              new Evidence.Table(
                  "USD million",
                  List.of(List.of("", "2023", "2022"), List.of("Net sales", "120", "100")))),
          List.of());

  private static final String BARE =
      "cite a = 120 USD million @ r1c1\nconclude a = 120 USD million";
  private static final String LABELLED =
      "cite a = Net sales|2023 : 120 USD million @ r1c1\nconclude a = 120 USD million";

  @Test
  void aLabelThatOneOfTwoLeavesOutIsNoDifference() {
    assertThat(ChainDifference.of(EVIDENCE, BARE + "\n", LABELLED).none()).isTrue();
    assertThat(ChainDifference.of(EVIDENCE, LABELLED, BARE).none()).isTrue();
  }

  @Test
  void anotherPlaceAnotherAnswerOrNoChainIsOne() {
    String other = LABELLED.replace("2023", "2022").replace("120", "100").replace("c1", "c2");
    ChainDifference difference = ChainDifference.of(EVIDENCE, BARE, other);
    assertThat(difference.firstStep()).isZero();
    assertThat(difference.sameAnswer()).isFalse();
    ChainDifference longer =
        ChainDifference.of(
            EVIDENCE, BARE, LABELLED.replace("conclude", "compute b = a * 1 = 120\nconclude"));
    assertThat(longer.firstStep()).isEqualTo(1);
    assertThat(longer.sameAnswer()).isTrue();
    assertThat(ChainDifference.of(EVIDENCE, BARE, "").none()).isFalse();
  }
}
