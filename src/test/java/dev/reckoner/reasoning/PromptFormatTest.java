package dev.reckoner.reasoning;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PromptFormatTest {

  private final PromptFormat format = new PromptFormat();

  @Test
  void aPromptIsCompactAndEveryRowBeginsWithItsAddress() {
    assertEquals(
        """
        # Northwind and Southwind
        t0 Northwind, € thousands
        r0 |2019|2018
        r1 Revenue|700|0
        t1 Southwind ($ in millions)
        t1.r0 |2019
        t1.r1 Revenue|700
        t1.r2 Staff|12
        q Which issuer had the higher revenue in 2019, assuming 20 % growth?""",
        format.render(Samples.twoTables()));
  }

  @Test
  void aStanceAskedForIsPartOfThePrompt() throws Exception {
    String prompt = format.render(Samples.earnings());
    assertTrue(prompt.contains("\nq! By how much"));
    assertTrue(format.parse(prompt).stance());
  }

  @Test
  void whateverTheCellsHoldComesBack() throws Exception {
    Random random = new Random(1);
    String[] odd = {
      "",
      " ",
      "|",
      "\\",
      "\n",
      "\r\n",
      " a",
      "a ",
      "a|b",
      "\\n",
      "\\|",
      "é",
      "Net sales",
      "—",
      "q no question",
      "r0 a",
      "s0 b",
      "t0 c",
      "# d",
      "\u2028",
      "1,234",
      "| x",
      "\\ ",
      "😀"
    };
    for (int n = 0; n < 3000; n++) {
      List<Evidence.Table> tables = new ArrayList<>();
      for (int t = random.nextInt(4); t > 0; t--) {
        List<List<String>> rows = new ArrayList<>();
        for (int r = random.nextInt(4); r > 0; r--) {
          rows.add(some(random, odd, 4));
        }
        tables.add(new Evidence.Table(odd[random.nextInt(odd.length)], rows));
      }
      Evidence evidence =
          new Evidence(
              odd[random.nextInt(odd.length)],
              "why" + odd[random.nextInt(odd.length)],
              tables,
              some(random, odd, 4),
              random.nextBoolean());
      String prompt = format.render(evidence);
      assertEquals(evidence, format.parse(prompt), prompt);
      assertTrue(format.isEvidence(prompt));
    }
  }

  private static List<String> some(Random random, String[] from, int most) {
    List<String> all = new ArrayList<>();
    for (int i = random.nextInt(most); i > 0; i--) {
      all.add(from[random.nextInt(from.length)]);
    }
    return all;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "Hello, what is 2 + 2?",
        "# A Markdown heading\nand text",
        "# title",
        "# title\nq ",
        "# title\nq why?\nmore",
        "# title\nr1 a|b\nq why?",
        "# title\ns1 a\nq why?",
        "# title\ns0 a\nr0 b\nq why?",
        "# title\nr0 a\\x\nq why?",
        "# title\nr0 a\\",
        "# title\nt5 caption\nq why?",
        "# title\nt1.r0 a\nq why?",
      })
  void anythingElseIsNoEvidence(String message) {
    assertFalse(format.isEvidence(message));
    assertThrows(EvidenceSyntaxException.class, () -> format.parse(message));
  }

  @Test
  void theAddressesOfThePromptAreThoseOfTheChain() {
    String prompt = format.render(Samples.twoTables());
    for (Figures.Found found : Figures.of(Samples.twoTables()).all()) {
      String address = found.place().address();
      assertEquals(found.place(), Place.parse(address));
      String line = address.replaceAll("c\\d+$", "");
      assertTrue(prompt.contains("\n" + line + " "), line);
    }
  }
}
