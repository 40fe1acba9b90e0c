package dev.reckoner.reasoning;

import static dev.reckoner.reasoning.Verdict.Kind.GROUNDED;
import static dev.reckoner.reasoning.Verdict.Kind.NO_BASIS;
import static dev.reckoner.reasoning.Verdict.Kind.RECOMPUTED;
import static dev.reckoner.reasoning.Verdict.Kind.UNSUPPORTED_FIGURE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class VerifierTest {

  private static final String VALID =
      """
      cite a = 9,896 USD million @ r1c1
      cite b = 8,181 USD million @ r1c2
      compute c = a - b = 1,715 USD million
      compute d = c / b as % = 20.9632 %
      compute e = c > b = no
      infer c,d : Net sales rose by 1,715 USD million or 21 % from 2022 to 2023.
      conclude d = 20.9632 % ; stance positive ; flags none\
      """;

  private final Verifier verifier = new Verifier();

  @Test
  void aRightChainIsGroundedAndRecomputedWithItsPlaces() throws Exception {
    List<Verdict> verdicts = verifier.verify(Samples.earnings(), Chain.parse(VALID));
    assertEquals(
        List.of(GROUNDED, GROUNDED, RECOMPUTED, RECOMPUTED, RECOMPUTED, GROUNDED, RECOMPUTED),
        verdicts.stream().map(Verdict::kind).toList());
    List<Place> both = List.of(new Place.Cell(0, 1, 1), new Place.Cell(0, 1, 2));
    assertEquals(both, verdicts.get(3).places(), "through step c");
    assertEquals(both, verdicts.get(6).places());
    assertEquals("1,715 / 8,181 as % comes to 20.9632 %.", verdicts.get(3).reason());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '"',
      value = {
        "9,869 USD million @ r1c1; UNSUPPORTED_FIGURE;"
            + "r1c1 holds 9,896 USD million, the step says 9,869 USD million.",
        "9,896 USD thousand @ r1c1; WRONG_UNIT_OR_SCALE;"
            + "r1c1 holds 9,896 USD million, the step says 9,896 USD thousand.",
        "9,896 EUR million @ r1c1; WRONG_UNIT_OR_SCALE;"
            + "r1c1 holds 9,896 USD million, the step says 9,896 EUR million.",
        "9.896 USD billion @ r1c1; WRONG_UNIT_OR_SCALE;"
            + "r1c1 holds 9,896 USD million, the step says 9.896 USD billion.",
        "1,234 USD million @ r2c1; UNSUPPORTED_FIGURE;"
            + "r2c1 holds -1,234 USD million, the step says 1,234 USD million.",
        "9,896 USD million @ r1c2; UNSUPPORTED_FIGURE;"
            + "r1c2 holds 8,181 USD million, the step says 9,896 USD million.",
        "9,896 USD million @ r9c1; NO_BASIS; The evidence has no r9c1.",
        "9,896 USD million @ t1.r1c1; NO_BASIS; The evidence has no t1.r1c1.",
        "9,896 USD million @ s7; NO_BASIS; The evidence has no s7.",
        "5 @ r1c0; UNSUPPORTED_FIGURE; \"r1c0 holds no figure, the step says 5.\"",
        "9896 USD million @ r1c1; GROUNDED; r1c1 holds 9896 USD million.",
        "Net sales|2023 : 9896 USD million @ r1c1; GROUNDED; r1c1 holds 9896 USD million.",
        "Net sales|2022 : 9896 USD million @ r1c1; NO_BASIS;"
            + "\"r1c1 is Net sales|2023, the step says Net sales|2022.\"",
        "Shares : 2.5 million shares @ s0; NO_BASIS;"
            + "\"s0 has no label, the step says Shares.\"",
      })
  void aCitationIsHeldAgainstItsPlace(String cited, Verdict.Kind kind, String reason)
      throws Exception {
    Verdict verdict =
        verifier.verify(Samples.earnings(), Chain.parse("cite a = " + cited)).getFirst();
    assertEquals(kind, verdict.kind(), verdict.reason());
    assertEquals(reason, verdict.reason());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "a - b = 1,751 USD million; WRONG_ARITHMETIC;"
            + "9,896 - 8,181 comes to 1,715 USD million, the step says 1,751 USD million.",
        "a - b = 1,715 USD thousand; WRONG_UNIT_OR_SCALE;"
            + "9,896 - 8,181 comes to 1,715 USD million, the step says 1,715 USD thousand.",
        "a - b = 1.715 USD billion; WRONG_UNIT_OR_SCALE;"
            + "9,896 - 8,181 comes to 1,715 USD million, the step says 1.715 USD billion.",
        "a / b = 120.9632 %; WRONG_UNIT_OR_SCALE;"
            + "9,896 / 8,181 comes to 1.20963, the step says 120.9632 %.",
        "a / b as % = 120.96 %; RECOMPUTED; 9,896 / 8,181 as % comes to 120.963 %.",
        "a / b as % = 121 %; WRONG_ARITHMETIC;"
            + "9,896 / 8,181 as % comes to 120.963 %, the step says 121 %.",
        "a > b = no; WRONG_ARITHMETIC; 9,896 > 8,181 comes to yes, the step says no.",
        "a - 700 = 9,196 USD million; UNSUPPORTED_FIGURE;"
            + "700 is neither a step's figure nor one of the constants.",
        "a - z = 5 USD million; NO_BASIS; No earlier step is named z.",
        "2 * 3 = 6; NO_BASIS; The expression uses no figure of an earlier step.",
        "a - = 5; NO_BASIS;"
            + "The expression cannot be read: at character 4: the expression is not finished.",
        "a * b = 80,959,176 USD million; WRONG_UNIT_OR_SCALE;"
            + "In a * b, USD million times USD million has no meaning.",
      })
  void aComputationIsDoneAgain(String computed, Verdict.Kind kind, String reason) throws Exception {
    String cites = "cite a = 9,896 USD million @ r1c1\ncite b = 8,181 USD million @ r1c2\n";
    Chain chain = Chain.parse(cites + "compute c = " + computed);
    Verdict verdict = verifier.verify(Samples.earnings(), chain).getLast();
    assertEquals(kind, verdict.kind(), verdict.reason());
    assertEquals(reason, verdict.reason());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "infer a : Net sales rose by a fifth. => GROUNDED",
        "infer a : Net sales came to 9,896 USD million in 2023. => GROUNDED",
        "infer a : Net sales came to 9.9 USD billion. => GROUNDED",
        "infer a : Net sales came to $9,896 million. => GROUNDED",
        "infer a : Net sales came to 9,896. => GROUNDED",
        "infer a : Net sales came to 9,869 USD million. => UNSUPPORTED_FIGURE",
        "infer a : Net sales came to 9,896 USD thousand. => WRONG_UNIT_OR_SCALE",
        "infer a : Net sales came to 9,896 EUR million. => WRONG_UNIT_OR_SCALE",
        "infer a : Net sales rose in 2021. => UNSUPPORTED_FIGURE",
        "infer b : Net sales rose. => NO_BASIS",
        "conclude a = 9,896 USD million ; stance neutral ; flags none => GROUNDED",
        "conclude a = 9,896 USD million => NO_BASIS",
        "conclude a = 9,895 USD million ; stance neutral ; flags none => UNSUPPORTED_FIGURE",
        "conclude a = 9,896 USD thousand ; stance neutral ; flags none => WRONG_UNIT_OR_SCALE",
        "conclude a = yes ; stance neutral ; flags none => NO_BASIS",
        "conclude b = 9,896 USD million ; stance neutral ; flags none => NO_BASIS",
        "conclude yes ; stance neutral ; flags none => NO_BASIS",
        "conclude not stated ; stance neutral ; flags none => GROUNDED",
      })
  void sentencesAndConclusionsSayNothingThatTheStepsDoNot(String given) throws Exception {
    String line = given.split(" => ")[0];
    Verdict.Kind kind = Verdict.Kind.valueOf(given.split(" => ")[1]);
    Chain chain = Chain.parse("cite a = 9,896 USD million @ r1c1\n" + line);
    Verdict verdict = verifier.verify(Samples.earnings(), chain).getLast();
    assertEquals(kind, verdict.kind(), verdict.reason());
  }

  @Test
  void aStepThatUsesAWrongOneRightlyIsNotBlamedForIt() throws Exception {
    Chain chain =
        Chain.parse(
            """
            cite a = 9,869 USD million @ r1c1
            cite b = 8,181 USD million @ r1c2
            compute c = a - b = 1,688 USD million\
            """);
    assertEquals(
        List.of(UNSUPPORTED_FIGURE, GROUNDED, RECOMPUTED),
        verifier.verify(Samples.earnings(), chain).stream().map(Verdict::kind).toList());
  }

  @Test
  void aCorrectedStepCarriesIntoThoseThatStandOnIt() throws Exception {
    String corrected =
        Recalculation.of(
            """
            cite a = 9,896 USD million @ r1c1

             cite b = 8,181 USD million @ r1c2
            compute c = a / b
            compute d = c - 1 as % = 99 %
            compute e = z + 1 = 5
            conclude d = 99 % ; stance positive ; flags none
            """);
    assertEquals(
        """
        cite a = 9,896 USD million @ r1c1
        cite b = 8,181 USD million @ r1c2
        compute c = a / b = 1.20963
        compute d = c - 1 as % = 20.963 %
        compute e = z + 1 = 5
        conclude d = 20.963 % ; stance positive ; flags none\
        """,
        corrected);
    List<Verdict> verdicts = verifier.verify(Samples.earnings(), Chain.parse(corrected));
    assertEquals(NO_BASIS, verdicts.get(4).kind());
    assertEquals(5, verdicts.stream().filter(Verdict::passed).count());
    for (int seed = 0; seed < 60; seed++) {
      String text = ChainGrammarTest.randomWalk(Samples.twoTables(), new Random(seed));
      assertEquals(text, Recalculation.of(text), "what the grammar wrote is right already");
    }
  }

  @Test
  void rawTextGetsAVerdictALine() {
    List<Verifier.Line> lines =
        verifier.verifyText(
            Samples.earnings(),
            """
            Let me think.
            cite a = 9,896 USD million @ r1c1

            cite a = 8,181 USD million @ r1c2
            conclude a = 9,896 USD million ; stance neutral ; flags none
            compute c = a * 2 = 19,792 USD million\
            """);
    assertEquals(List.of(1, 2, 4, 5, 6), lines.stream().map(Verifier.Line::line).toList());
    assertEquals(
        List.of(NO_BASIS, GROUNDED, NO_BASIS, GROUNDED, NO_BASIS),
        lines.stream().map(l -> l.verdict().kind()).toList());
    assertNull(lines.getFirst().step());
    assertEquals(
        "The line cannot be read: a step begins with cite, compute, infer or conclude.",
        lines.getFirst().verdict().reason());
  }

  @Test
  void noDigitOfAValidChainCanBeChangedUnnoticed() {
    int changed = 0;
    for (int i = 0; i < VALID.length(); i++) {
      char was = VALID.charAt(i);
      // A year may become another that the evidence names too.
      if (!Character.isDigit(was)
          || VALID.substring(0, i).matches("(?s).*from 2022 to \\d*|.*from \\d*")) {
        continue;
      }
      for (char c = '0'; c <= '9'; c++) {
        if (c != was) {
          changed += assertCaught(VALID.substring(0, i) + c + VALID.substring(i + 1));
        }
      }
    }
    assertTrue(changed > 300, "only " + changed);
  }

  @Test
  void noDigitOfARandomChainsOutcomesCanBeChangedUnnoticed() throws Exception {
    Random random = new Random(21);
    int changed = 0;
    for (int seed = 0; seed < 300; seed++) {
      Evidence evidence = Samples.twoTables();
      String text = ChainGrammarTest.randomWalk(evidence, new Random(seed));
      boolean sound =
          verifier.verify(evidence, Chain.parse(text)).stream().allMatch(Verdict::passed);
      String[] lines = text.split("\n");
      int number = random.nextInt(lines.length);
      String line = lines[number];
      int from = line.lastIndexOf(" = ") + 3;
      int to = line.indexOf(" @ ") < 0 ? line.length() : line.indexOf(" @ ");
      if (!sound || from < 3 || line.startsWith("infer")) {
        continue;
      }
      for (int i = from; i < to; i++) {
        if (Character.isDigit(line.charAt(i))) {
          char other = (char) ('0' + (line.charAt(i) - '0' + 1 + random.nextInt(9)) % 10);
          lines[number] = line.substring(0, i) + other + line.substring(i + 1);
          List<Verifier.Line> verdicts = verifier.verifyText(evidence, String.join("\n", lines));
          assertFalse(verdicts.get(number).verdict().passed(), lines[number] + " in\n" + text);
          changed++;
        }
      }
    }
    assertTrue(changed > 100, "only " + changed);
  }

  private int assertCaught(String text) {
    boolean passed =
        verifier.verifyText(Samples.earnings(), text).stream()
            .allMatch(line -> line.verdict().passed());
    assertFalse(passed, text);
    return 1;
  }
}
