package dev.reckoner.inference;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.gemma.GemmaTokenizer;
import dev.reckoner.reasoning.ChainGrammar;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.TextConstraint;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is remembered of states that are alike is what each of them answers itself. */
class AllowedTokensTest {

  @TempDir static Path dir;
  static GemmaTokenizer tokenizer;
  static Vocabulary vocabulary;

  @BeforeAll
  static void read() throws Exception {
    TinyTokenizer.write(dir, 1500);
    tokenizer = GemmaTokenizer.read(dir);
    vocabulary = new Vocabulary(tokenizer);
  }

  @AfterAll
  static void close() {
    tokenizer.close();
  }

  @Test
  void ofAChain() {
    Evidence evidence =
        new Evidence(
            "Harbour Lines, FY2023",
            "Did sales grow?",
            List.of(
                new Evidence.Table(
                    "USD million",
                    List.of(List.of("", "2023", "2022"), List.of("Sales", "120.5", "(96)")))),
            List.of("Margins fell by 12 % in Q3 2022."),
            true);
    walk(new ChainGrammar(evidence), "cite a = Sales|2023 : 120.5 USD million @ r1c1\ninfer a : ");
  }

  @Test
  void ofStringsWithALimit() {
    for (int min : new int[] {0, 3}) {
      Rule strings = Rule.repeat(Rule.jsonString(min, 40), ",", 1, 3);
      walk(new GrammarConstraint(Rule.sequence(strings, Rule.literal("\n")), "strings"), "\"");
    }
  }

  @Test
  void ofStringsWithoutOne() {
    walk(new GrammarConstraint(Rule.jsonString(1, Integer.MAX_VALUE), "string"), "\"");
    walk(new GrammarConstraint(Rule.text(), "text"), "");
  }

  private static void walk(TextConstraint constraint, String beginning) {
    int states = 0;
    Set<Object> kinds = new HashSet<>();
    for (int seed = 0; seed < 60; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      AllowedTokens allowedTokens = new AllowedTokens(vocabulary);
      TextConstraint.State state = constraint.start().after(beginning);
      for (int step = 0; step < 120; step++) {
        IntPredicate allows = allowedTokens.in(state);
        int[] remembered = ids(allows);
        TextConstraint.State at = state;
        assertThat(remembered).isEqualTo(ids(id -> vocabulary.allows(at, id)));
        if (state.likeness() != null) {
          states++;
          kinds.add(state.likeness().key());
        }
        if (remembered.length == 0) {
          break;
        }
        // Marks and digits, of which there are few, as often as words.
        int[] single =
            IntStream.of(remembered)
                .filter(id -> vocabulary.length(id) == 1 && !isLetter(id))
                .toArray();
        int[] among = single.length > 0 && random.nextBoolean() ? single : remembered;
        state = state.after(vocabulary.piece(among[random.nextInt(among.length)]));
      }
    }
    assertThat(kinds).hasSizeBetween(1, states / 3);
  }

  private static boolean isLetter(int id) {
    return Character.isLetter(vocabulary.piece(id).charAt(0));
  }

  private static int[] ids(IntPredicate allows) {
    return IntStream.range(0, tokenizer.vocabularySize()).filter(allows).toArray();
  }
}
