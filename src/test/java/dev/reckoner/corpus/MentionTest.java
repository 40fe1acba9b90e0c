package dev.reckoner.corpus;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.corpus.Grid.Period;
import dev.reckoner.corpus.Grid.Series;
import dev.reckoner.corpus.SyntheticPack.Kind;
import java.math.BigDecimal;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class MentionTest {

  private static final SyntheticPack.Vocabulary VOCABULARY =
      SyntheticPack.load("finance").vocabulary();

  private static Series series(String role, String label) {
    BigDecimal[] values = {BigDecimal.ONE, BigDecimal.TEN};
    return new Series(role, label, Grid.inSentence(label), Kind.MONEY, 1, values, null);
  }

  private static Set<String> mentions(Series asked, Series... others) {
    List<Series> all = Stream.concat(Stream.of(asked), Stream.of(others)).toList();
    List<Period> periods = List.of(new Period("2019", "2019"), new Period("2020", "2020"));
    Grid grid = new Grid("statement", "Page", all, periods, "million");
    Mention mention = new Mention(grid, VOCABULARY, new SplittableRandom(1));
    return Stream.generate(() -> mention.of(asked)).limit(2000).collect(Collectors.toSet());
  }

  @Test
  void aRowIsNamedInFullInPartAndByAnotherName() {
    assertThat(mentions(series("revenue", "Total net sales"), series("cash", "Cash")))
        .contains(
            "total net sales",
            "net sales",
            "revenue",
            "\"Total net sales\"",
            "the total net sales");
  }

  @Test
  void aMentionThatCouldMeanAnotherRowIsNotMade() {
    Series operating = series("generic", "Operating lease payments");
    assertThat(mentions(operating)).contains("lease payments");
    assertThat(mentions(operating, series("generic", "Finance lease payments")))
        .contains("operating lease payments")
        .allMatch(mention -> mention.toLowerCase(java.util.Locale.ROOT).contains("operating"));
  }

  @Test
  void aYearIsNamedAsTheRowOrAsAFiscalYear() {
    Grid grid = new Grid("statement", "Page", List.of(series("cash", "Cash")), List.of(), "");
    Mention mention = new Mention(grid, VOCABULARY, new SplittableRandom(1));
    assertThat(Stream.generate(() -> mention.period("2019")).limit(300))
        .contains("2019", "fiscal 2019", "the year 2019")
        .allMatch(text -> text.endsWith("2019"));
    assertThat(Stream.generate(() -> mention.period("March 31, 2019")).limit(100))
        .containsOnly("March 31, 2019");
  }
}
