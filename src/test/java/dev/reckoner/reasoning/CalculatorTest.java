package dev.reckoner.reasoning;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigDecimal;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CalculatorTest {

  private static final Map<String, Figure> NAMES =
      Map.of(
          "a", Figure.parse("9,896 USD million"),
          "b", Figure.parse("8,181 USD million"),
          "c", Figure.parse("1.2 USD billion"),
          "d", Figure.parse("5 %"),
          "e", Figure.parse("250 million shares"),
          "f", Figure.parse("63.10 USD"),
          "g", Figure.parse("7442"),
          "h", Figure.parse("300 EUR million"),
          "i", Figure.parse("20 bps"),
          "j", Figure.parse("0.6 billion"));

  private final Calculator calculator = new Calculator();

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "a - b; 1,715 USD million",
        "(a - b) / b; 0.209632",
        "(a - b) / b as %; 20.9632 %",
        "(a - b) / b as bps; 2,096.32 bps",
        "c + b; 9.381 USD billion",
        "b + c; 9,381 USD million",
        "c / a; 0.121261",
        "a * d; 494.8 USD million",
        "a / d; 197,920 USD million",
        "d + i; 5.2 %",
        "1 + d; 105 %",
        "1 - d; 95 %",
        "100% - d; 95 %",
        "2 * d; 10 %",
        "d / d; 1",
        "a * (1 + d); 10,390.8 USD million",
        "e * f; 15,775 USD million",
        "a / e; 39.584 USD",
        "b / j; 13.635 USD",
        "a + g; 17,338 USD million",
        "a / g as %; 132.975 %",
        "a / 2; 4,948 USD million",
        "g / 4; 1,860.5",
        "a as billion; 9.896 USD billion",
        "avg(a, b); 9,038.5 USD million",
        "sum(a, b) - max(a, b); 8,181 USD million",
        "min(a, c); 1.2 USD billion",
        "a > b; yes",
        "a < c; no",
        "c > 1; yes",
        "(a / b) ^ (1 / 2) - 1 as %; 9.98327 %",
        "2 ^ 3 ^ 2; 512",
        "-2 ^ 2; -4",
        "10 - 2 - 3; 5",
        "12 / 2 / 3; 2",
        "2 + 3 * 4; 14",
        "1 / 3; 0.333333",
        "2000000 / 3; 666,666.67",
        "1 / 70000; 0.0000142857",
        "0.1 + 0.2; 0.3",
        "a / (b - b); undefined",
        "(0 - 4) ^ 0.5; undefined",
        "4 ^ -1; 0.25",
        "10 ^ 30; undefined",
        "1000000000 * 1000000000 * 1000000000; undefined",
      })
  void anExpressionComesTo(String expression, String expected) throws Exception {
    Calculator.Evaluation evaluation = calculator.evaluate(expression, NAMES);
    assertEquals(expected, evaluation.result().text());
    assertEquals(java.util.List.of(), evaluation.unitProblems());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "j + d; cannot be added",
        "j - d; cannot be subtracted",
        "a + h; USD million and EUR million cannot be added",
        "a - e; USD million and million shares cannot be subtracted",
        "a > h; USD million and EUR million cannot be compared",
        "a * b; USD million times USD million has no meaning",
        "a ^ 2; USD million cannot be raised to a power",
        "a as %; the result cannot be stated as %",
        "d as million; the result cannot be stated as million",
      })
  void whatUnitsForbidIsSaid(String expression, String problem) throws Exception {
    Calculator.Evaluation evaluation = calculator.evaluate(expression, NAMES);
    assertFalse(evaluation.unitProblems().isEmpty());
    assertTrue(
        evaluation.unitProblems().getFirst().contains(problem),
        evaluation.unitProblems()::toString);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "a +; 4",
        "a + z; 5",
        "(a; 3",
        "a b; 3",
        "a ? b; 3",
        "mean(a, b); 1",
        "1.2.3; 1",
        "a as dollars; 6",
        "a > b > c; 7",
        "''; 1",
      })
  void aMistakeIsReportedAtItsCharacter(String expression, int position) {
    ExpressionException e =
        assertThrows(ExpressionException.class, () -> calculator.evaluate(expression, NAMES));
    assertEquals(position, e.position(), e.getMessage());
  }

  @Test
  void rubbishNeverThrowsAnythingElse() {
    Random random = new Random(11);
    String alphabet = "abcdj 0129.%+-*/^()<>,=asmxinvg";
    for (int n = 0; n < 20_000; n++) {
      StringBuilder text = new StringBuilder();
      for (int i = random.nextInt(25); i > 0; i--) {
        text.append(alphabet.charAt(random.nextInt(alphabet.length())));
      }
      try {
        calculator.evaluate(text.toString(), NAMES);
      } catch (ExpressionException e) {
        assertTrue(e.position() >= 1);
      }
    }
  }

  @Test
  void deepNestingAndLongInputAreRefused() {
    assertThrows(
        ExpressionException.class,
        () -> calculator.evaluate("(".repeat(100) + "1" + ")".repeat(100)));
    assertThrows(ExpressionException.class, () -> calculator.evaluate("-".repeat(300) + "1"));
    assertThrows(ExpressionException.class, () -> calculator.evaluate("1 +".repeat(300)));
  }

  @Test
  void sixDigitsAreEnoughForExecutionAccuracy() throws Exception {
    Random random = new Random(3);
    for (int n = 0; n < 2000; n++) {
      BigDecimal p = BigDecimal.valueOf(1 + random.nextInt(1_000_000), random.nextInt(4));
      BigDecimal q = BigDecimal.valueOf(1 + random.nextInt(1_000_000), random.nextInt(4));
      Figure result =
          (Figure) calculator.evaluate(p.toPlainString() + " / " + q.toPlainString()).result();
      double exact = p.doubleValue() / q.doubleValue();
      assertEquals(exact, result.value().doubleValue(), Math.max(1e-5 * exact, 1e-10));
    }
  }

  @Test
  void powersAgreeWithTheLibraryOfDoubles() {
    Random random = new Random(5);
    for (int n = 0; n < 200; n++) {
      double base = Math.exp(random.nextDouble() * 20 - 10);
      double exponent = random.nextDouble() * 6 - 3;
      double exact = Math.pow(base, exponent);
      BigDecimal power = Decimals.power(BigDecimal.valueOf(base), BigDecimal.valueOf(exponent));
      assertEquals(1.0, power.doubleValue() / exact, 1e-12);
    }
  }
}
