package dev.reckoner.reasoning;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ChainGrammarTest {

  private static final String LETTERS = "abcdefghijklmnopqrstuvwxyz";
  private static final String ALPHABET =
      "\n !\"#$%&'()*+,-./0123456789:;<=>?@Q^|" + LETTERS + LETTERS.toUpperCase(Locale.ROOT) + "é€";

  private final Verifier verifier = new Verifier();

  @Test
  void aModelChoosesFigureAndExpressionAndEverythingElseIsForced() {
    Writer w = new Writer(Samples.earnings());
    w.write("ci").forced("te a = ");
    w.write("N").forced("et sales|202");
    w.write("3").forced(" : 9,896 USD million @ r1c1\n");
    w.write("ci").forced("te b = ");
    w.write("N").forced("et sales|2022 : 8,181 USD million @ r1c2\n");
    w.write("com").forced("pute c = ");
    w.write("(a - b) / b as %").forced(" = 20.9632 %\n");
    w.write("con").forced("clude ");
    w.write("c").forced(" = 20.9632 % ; stance ");
    w.write("p").forced("ositive ; flags ");
    w.write("none");
    assertTrue(w.state.accepting());
    assertEquals(
        """
        cite a = Net sales|2023 : 9,896 USD million @ r1c1
        cite b = Net sales|2022 : 8,181 USD million @ r1c2
        compute c = (a - b) / b as % = 20.9632 %
        conclude c = 20.9632 % ; stance positive ; flags none\
        """,
        w.text.toString());
  }

  @Test
  void cellsWithTheSameLabelLeaveUnitAndPlaceToTheModel() {
    Writer w = new Writer(Samples.twoTables());
    w.write("cite a = Revenue|2019").forced(" : 700 ");
    w.write("U").forced("SD million @ t1.r1c1\n");
  }

  @Test
  void runningTextAndTheQuestionAreCitedByTheirDigits() {
    Writer w = new Writer(Samples.earnings());
    w.write("cite a = 2.5").forced(" million shares @ s0\n");
    w = new Writer(Samples.twoTables());
    w.write("cite a = 20 ").forced("% @ q\n");
  }

  @Test
  void aFigureThatTheEvidenceLacksCannotBeCited() {
    Writer w = new Writer(Samples.earnings());
    w.write("cite a = 2");
    assertNull(w.state.next('4'));
    assertNotNull(w.state.next('.'));
    w.write("").state = follow(new ChainGrammar(Samples.earnings()).start(), "cite a = Net s");
    assertNull(w.state.next('o'), "a row that the table lacks");
  }

  @Test
  void aPlaceIsCitedOnce() {
    Writer w = new Writer(Samples.earnings());
    w.write("cite a = Net sales|2023 : 9,896 USD million @ r1c1\ncite b = Net sales|202");
    assertNull(w.state.next('3'), "9,896 is cited already");
    assertNotNull(w.state.next('2'), "8,181 is not");
  }

  @Test
  void aKnownZeroIsNoDivisor() {
    Writer w = new Writer(Samples.twoTables());
    w.write(
        "cite a = Revenue|2018 : 0 EUR thousand @ r1c2\n"
            + "cite b = Staff|2019 : 12 @ t1.r2c1\n"
            + "compute c = b / ");
    assertNull(follow(w.state, "a ="), "only the a of avg");
    assertNotNull(follow(w.state, "b ="));
  }

  @Test
  void aDivisorThatComesToZeroIsUndefinedAndCannotBeUsed() {
    Writer w = new Writer(Samples.twoTables());
    w.write("cite a = Staff|2019 : 12 @ t1.r2c1\ncompute b = a / (a - a) =").forced(" undefined\n");
    w.write("conclude ");
    assertNull(w.state.next('b'));
    assertNotNull(w.state.next('n'));
  }

  @Test
  void onlyRatiosBecomePercentages() {
    Writer w = new Writer(Samples.earnings());
    w.write("cite a = Net sales|2023 : 9,896 USD million @ r1c1\ncompute b = a as ");
    assertNull(w.state.next('%'));
    assertNotNull(w.state.next('b'), "billion");
    assertNull(w.state.next('m'), "it is in millions already");
  }

  @Test
  void aSentenceHasNoDigitsButThoseOfTheSteps() {
    Writer w = new Writer(Samples.earnings());
    w.write("cite a = Net sales|2023 : 9,896 USD million @ r1c1\ninfer a : Net sales came to ");
    assertNull(w.state.next('7'));
    w.write("9").forced(",896 USD million");
    w.write(" in 202");
    assertNull(w.state.next('9'), "the evidence does not speak of 2029");
    w.write("3.").forced("\n");
  }

  @Test
  void yesAndNoComeFromAComparisonOrAnInference() {
    Writer w = new Writer(Samples.twoTables());
    w.write("cite a = Staff|2019 : 12 @ t1.r2c1\ncompute b = a > 10 =").forced(" yes\n");
    TextConstraint.State conclude = follow(w.state, "conclude ");
    assertNull(conclude.next('y'));
    assertNotNull(follow(conclude, "b = yes"));
    w.write("infer b : Staff is above ten.\nconclude ");
    assertNotNull(w.state.next('y'));
  }

  @Test
  void aPageWithoutFiguresCanOnlyBeNotStated() {
    Writer w = new Writer(new Evidence("", "Why?", List.of(), List.of("No figures here.")));
    w.write("").forced("conclude not stated");
    assertNull(w.state.next('c'));
  }

  @Test
  void flagsComeInTheOrderOfTheVocabulary() {
    Writer w = new Writer(Samples.earnings());
    w.write("conclude not stated ; stance negative ; flags leverage");
    assertTrue(w.state.accepting());
    assertNull(follow(w.state, ",currency"));
    w.write(",liquidity");
    assertTrue(w.state.accepting());
    assertNull(w.state.next('\n'));
  }

  @Test
  void everyRandomWalkEndsAndVerifies() throws Exception {
    Set<Class<?>> kinds = new HashSet<>();
    int computed = 0;
    for (int seed = 0; seed < 500; seed++) {
      Evidence evidence = seed % 2 == 0 ? Samples.earnings() : Samples.twoTables();
      String text = randomWalk(evidence, new Random(seed));
      Chain chain = Chain.parse(text);
      assertEquals(text, chain.text(), "seed " + seed);
      assertEquals(chain, Chain.fromJson(chain.toJson()), "seed " + seed);
      List<Verdict> verdicts = verifier.verify(evidence, chain);
      for (int i = 0; i < verdicts.size(); i++) {
        Verdict.Kind kind = verdicts.get(i).kind();
        kinds.add(chain.steps().get(i).getClass());
        computed += kind == Verdict.Kind.RECOMPUTED ? 1 : 0;
        // What a random sentence says of a figure's unit, and sums of unlike units, are flagged.
        assertTrue(
            verdicts.get(i).passed() || kind == Verdict.Kind.WRONG_UNIT_OR_SCALE,
            "seed " + seed + ": " + verdicts.get(i) + "\n" + text);
      }
    }
    assertEquals(4, kinds.size());
    assertTrue(computed > 400, "only " + computed + " results");
  }

  @Test
  void forcedTextIsWhatTheOnlyPathSpells() {
    for (int seed = 0; seed < 60; seed++) {
      Random random = new Random(seed);
      TextConstraint.State state = new ChainGrammar(Samples.earnings()).start();
      while (!state.accepting()) {
        String forced = state.forced();
        for (int i = 0; i < forced.length(); i++) {
          List<Character> allowed = allowed(state);
          assertEquals(List.of(forced.charAt(i)), allowed, "in " + forced);
          state = state.next(forced.charAt(i));
        }
        if (!state.accepting()) {
          List<Character> allowed = allowed(state);
          assertFalse(allowed.isEmpty());
          state = state.next(allowed.get(random.nextInt(allowed.size())));
        }
      }
    }
  }

  @Test
  void theVersionIsTheRulesAndNotThePages() {
    assertEquals(
        new ChainGrammar(Samples.earnings()).version(),
        new ChainGrammar(Samples.twoTables()).version());
  }

  /** A walk that prefers ends to letters now and then, so that sentences do not run on. */
  static String randomWalk(Evidence evidence, Random random) {
    TextConstraint.State state = new ChainGrammar(evidence).start();
    StringBuilder text = new StringBuilder();
    while (!state.accepting() || (random.nextInt(4) > 0 && !allowed(state).isEmpty())) {
      assertTrue(text.length() < 20_000, "the walk does not end");
      List<Character> allowed = allowed(state);
      assertFalse(allowed.isEmpty(), "dead end after: " + text);
      // At a line's start a conclusion ends it all: take it rarely.
      boolean lineStart = text.isEmpty() || text.charAt(text.length() - 1) == '\n';
      char c = allowed.get(random.nextInt(allowed.size()));
      if (lineStart && allowed.contains('c')) {
        String line = random.nextInt(12) == 0 ? "con" : random.nextInt(2) == 0 ? "ci" : "com";
        TextConstraint.State ahead = follow(state, line);
        if (ahead != null) {
          text.append(line);
          state = ahead;
          continue;
        }
      }
      text.append(c);
      state = state.next(c);
    }
    return text.toString();
  }

  private static List<Character> allowed(TextConstraint.State state) {
    List<Character> allowed = new ArrayList<>();
    for (char c : ALPHABET.toCharArray()) {
      if (!allowed.contains(c) && state.next(c) != null) {
        allowed.add(c);
      }
    }
    return allowed;
  }

  private static TextConstraint.State follow(TextConstraint.State state, String text) {
    for (int i = 0; i < text.length() && state != null; i++) {
      state = state.next(text.charAt(i));
    }
    return state;
  }

  /** Writes as a model would: its own text, then whatever is forced. */
  private static final class Writer {
    private TextConstraint.State state;
    private final StringBuilder text = new StringBuilder();

    Writer(Evidence evidence) {
      state = new ChainGrammar(evidence).start();
    }

    Writer write(String more) {
      for (char c : more.toCharArray()) {
        state = state.next(c);
        text.append(c);
        assertNotNull(state, "not allowed: " + text);
      }
      return this;
    }

    void forced(String expected) {
      assertEquals(expected, state.forced());
      write(expected);
    }
  }

  @Test
  void everyUnitHasItsOwnText() {
    Set<String> texts = new HashSet<>();
    EnumSet.allOf(Unit.class).forEach(u -> assertTrue(texts.add(u.text())));
  }
}
