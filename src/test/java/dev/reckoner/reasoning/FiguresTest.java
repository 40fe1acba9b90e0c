package dev.reckoner.reasoning;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FiguresTest {

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "$ 9,896; 9,896 USD",
        "(1,234); -1,234",
        "$ ( 1.4 ); -1.4 USD",
        "($1.4); -1.4 USD",
        "$(9.8) million; -9.8 USD million",
        "-92 ( 92 ); -92",
        "11.6 % ( 11.6 % ); 11.6 %",
        "27% ( 27 % ); 27 %",
        "(0.5)%; -0.5 %",
        "(248%); -248 %",
        "$ 1452.4; 1452.4 USD",
        "-$5; -5 USD",
        "$ -8.7; -8.7 USD",
        "−3.5; -3.5",
        "2.5 million; 2.5 million",
        "$1.2 billion; 1.2 USD billion",
        "€3.4bn; 3.4 EUR billion",
        "£5m; 5 GBP million",
        "US$ 700; 700 USD",
        "HK$12; 12 HKD",
        "CHF 250 million; 250 CHF million",
        "250 million euros; 250 EUR million",
        "12 bps; 12 bps",
        "(55) bps; -55 bps",
        "1.5x; 1.5 x",
        "2.5 million shares; 2.5 million shares",
        "2019; 2019",
        "1,23,456; 1,23,456",
        ".75; 0.75",
        "—; 0",
        "-; 0",
        "- - %; 0 %",
        "1,234 (1); 1,234",
        "1,234(a); 1,234",
        "n/a; ''",
        "''; ''",
        "Q4 FY2019; ''",
        "31-dec-2012; 2012",
      })
  void aCellIsReadAsPublished(String cell, String expected) {
    Evidence evidence =
        new Evidence(
            "",
            "?",
            List.of(new Evidence.Table("", List.of(List.of("", "now"), List.of("item", cell)))),
            List.of());
    String found =
        Figures.of(evidence).at(new Place.Cell(0, 1, 1)).stream()
            .map(f -> f.figure().text())
            .collect(Collectors.joining("; "));
    assertEquals(expected, found);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "compensation was $ 80 million , $ 83 million and $ 111 million in 2007 , 2006 and 2005 ."
            + "|80 USD million, 83 USD million, 111 USD million, 2007, 2006, 2005",
        "net loss was $(9.8) million (2018: $6.6 million).|-9.8 USD million, 2018, 6.6 USD million",
        "( 1 ) visa inc .|''",
        "as of december 31 , 2017 and 1 January 2018|2017, 2018",
        "the company 2019s form 10-k for 201cspecial 201d matters|''",
        "rates between 1.125% ( 1.125 % ) and 1.500% ( 1.500 % )|1.125 %, 1.500 %",
        "held by 65691 common stockholders|65691",
        "a 5-year note at 3 percent|5, 3 %",
        "margin rose 120 basis points to 4.5 times|120 bps, 4.5 x",
        "we repurchased 1.5 million common shares at $ 20.5|1.5 million shares, 20.5 USD",
        "from 2015-2019 sales were 700.|2015, 2019, 700",
      })
  void aSentenceIsReadWithoutDatesAndFootnoteMarks(String sentence, String expected) {
    String found =
        Figures.inText(sentence, new Place.Sentence(0)).stream()
            .map(f -> f.figure().text())
            .collect(Collectors.joining(", "));
    assertEquals(expected, found);
  }

  @Test
  void aFigureKnowsItsTextInThePlace() {
    String sentence = "Sales were $ 9,896 million in all.";
    Figures.Found found = Figures.inText(sentence, new Place.Sentence(0)).getFirst();
    assertEquals("$ 9,896 million", sentence.substring(found.start(), found.end()));
  }

  @Test
  void unitAndScaleComeFromCaptionRowAndColumn() {
    Figures figures = Figures.of(Samples.earnings());
    assertEquals("9,896 USD million", at(figures, 1, 1));
    assertEquals("-1,234 USD million", at(figures, 2, 1), "the dollar sign stands above");
    assertEquals("0 USD million", at(figures, 2, 2), "a dash is nil");
    assertEquals("11.6 %", at(figures, 3, 2));
    assertEquals("2.31 USD", at(figures, 4, 1), "per share is not in millions");
    assertEquals("512.4 million shares", at(figures, 5, 1));
    assertEquals("2023", at(figures, 0, 1), "a heading's year is not in millions");
  }

  @Test
  void aHeadingSpeaksForItsColumnAlone() {
    Figures figures =
        figures(
            "",
            List.of("company", "payments volume ( billions )", "cards ( millions )", "% of total"),
            List.of("visa", "$ 2457", "1592", "61.5"),
            List.of("jcb", "55", "58", "1.4"));
    assertEquals("2457 USD billion", at(figures, 1, 1));
    assertEquals("55 USD billion", at(figures, 2, 1));
    assertEquals("58 million", at(figures, 2, 2));
    assertEquals("1.4 %", at(figures, 2, 3));
  }

  @Test
  void aHeadingSpansTheBlankCellsBesideIt() {
    Figures figures =
        figures(
            "",
            List.of("", "Fiscal 2018", "", "(€m)", ""),
            List.of("", "Sales", "% of Total", "2018", "2017"),
            List.of("APAC", "$479,987", "40.0%", "7", "8"),
            List.of("EMEA", "277,898", "23.1%", "9", "1"));
    assertEquals("277,898 USD", at(figures, 3, 1));
    assertEquals("8 EUR million", at(figures, 2, 4));
  }

  @Test
  void aRowOfCountsInAMoneyTableIsNoMoney() {
    Figures figures =
        figures(
            "Segment data ($ in thousands)",
            List.of("", "2019"),
            List.of("Revenue", "12,500"),
            List.of("Number of stores", "340"),
            List.of("Effective tax rate (%)", "21.4"));
    assertEquals("12,500 USD thousand", at(figures, 1, 1));
    assertEquals("340", at(figures, 2, 1));
    assertEquals("21.4 %", at(figures, 3, 1));
  }

  @Test
  void aScaleThatTheTextStatesHoldsForTheTable() {
    Evidence evidence =
        new Evidence(
            "",
            "?",
            List.of(
                new Evidence.Table(
                    "", List.of(List.of("", "2019"), List.of("Sales", "$ 1,452.4")))),
            List.of("The table presents sales by contract type (in millions):"));
    assertEquals("1,452.4 USD million", at(Figures.of(evidence), 1, 1));
  }

  @Test
  void aColumnOfRatesIsSignedOnceAtItsHead() {
    Figures figures =
        figures(
            "",
            List.of("Years", "2019"),
            List.of("Statutory rate", "21.0%"),
            List.of("State tax", "3.7"));
    assertEquals("3.7 %", at(figures, 2, 1));
  }

  @Test
  void everyFigureOfATextIsThereWhateverSurroundsIt() {
    Random random = new Random(7);
    String[] words = {"sales", "of", "the", "( 1 )", "company", ",", "in", "rose", "$", "%", "—"};
    for (int n = 0; n < 300; n++) {
      StringBuilder text = new StringBuilder();
      List<String> digits = new ArrayList<>();
      for (int i = 0; i < 12; i++) {
        if (random.nextInt(3) == 0) {
          String figure = String.valueOf(1000 + random.nextInt(8000) * 7);
          digits.add(figure);
          text.append(figure).append(" and ");
        } else {
          text.append(words[random.nextInt(words.length)]).append(' ');
        }
      }
      List<Figures.Found> found = Figures.inText(text.toString(), new Place.Question());
      List<String> read = found.stream().map(f -> f.figure().digits()).toList();
      assertTrue(read.containsAll(digits), text + " gave " + read);
    }
  }

  @SafeVarargs
  @SuppressWarnings("varargs")
  private static Figures figures(String caption, List<String>... rows) {
    Evidence.Table table = new Evidence.Table(caption, List.of(rows));
    return Figures.of(new Evidence("", "?", List.of(table), List.of()));
  }

  private static String at(Figures figures, int row, int column) {
    return figures.at(new Place.Cell(0, row, column)).getFirst().figure().text();
  }
}
