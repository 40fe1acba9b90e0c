package dev.reckoner.inference;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.reckoner.gemma.GemmaTokenizer;
import dev.reckoner.reasoning.TextConstraint;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TranscriptTest {

  @TempDir static Path dir;
  static GemmaTokenizer tokenizer;
  static Vocabulary vocabulary;

  @BeforeAll
  static void read() throws Exception {
    TinyTokenizer.write(dir);
    tokenizer = GemmaTokenizer.read(dir);
    vocabulary = new Vocabulary(tokenizer);
  }

  @AfterAll
  static void close() {
    tokenizer.close();
  }

  @Test
  void forcedTextIsThereBeforeAnyPick() {
    Transcript transcript = transcript(Rule.literal("compute c\n"), oneOf("a", "b"));
    assertThat(transcript.text()).isEqualTo("compute c\n");
    assertThat(transcript.tokens()).isEqualTo(tokenizer.encode("compute c\n", false));
    assertThat(pieces(transcript.allowed())).containsExactlyInAnyOrder("a", "b");
  }

  @Test
  void aTrailingBlankIsLeftToTheWordBehindIt() {
    Transcript transcript =
        transcript(Rule.literal("stance "), oneOf("positive", "negative"), Rule.literal("\n"));
    assertThat(transcript.text()).isEqualTo("stance");
    assertThat(pieces(transcript.allowed())).contains(" positive", " negative", " n", " ");
    transcript.append(id(" negative"));
    assertThat(transcript.text()).isEqualTo("stance negative\n");
    assertThat(transcript.tokens()).isEqualTo(tokenizer.encode("stance negative\n", false));
  }

  @Test
  void aBlankThatNoTokenJoinsIsWritten() {
    Transcript transcript = transcript(Rule.literal("= "), oneOf("1", "2"));
    assertThat(transcript.text()).isEqualTo("= ");
  }

  @Test
  void forcedTextRetokenisesTheLineAsTrainingWould() {
    // The model spells " negative" in pieces and is then cut short by the grammar.
    Transcript transcript =
        transcript(oneOf("x negative", "x positive"), Rule.literal(" y\n"), oneOf("1", "2"));
    transcript.append(id(" ")); // after the forced "x"
    transcript.append(id("n"));
    assertThat(transcript.text()).isEqualTo("x negative y\n");
    assertThat(transcript.tokens()).isEqualTo(tokenizer.encode("x negative y\n", false));
    // "x" stays in the cache, " " and "n" were replaced.
    assertThat(transcript.stable()).isEqualTo(1);
  }

  @Test
  void finishedLinesKeepTheirTokens() {
    Transcript transcript =
        transcript(oneOf("a", "b"), Rule.literal(" y\n"), oneOf("1", "2"), Rule.literal(" z\n"));
    transcript.append(id("a"));
    int line = transcript.count();
    transcript.append(id("2"));
    assertThat(transcript.stable()).isGreaterThanOrEqualTo(line);
    assertThat(transcript.text()).isEqualTo("a y\n2 z\n");
  }

  @Test
  void aCharacterOutsideTheVocabularyCanBeForced() {
    Transcript transcript = transcript(oneOf("a", "b"), Rule.literal(" \u20ac\n"));
    transcript.append(id("a"));
    assertThat(transcript.text()).isEqualTo("a \u20ac\n");
    assertThat(tokenizer.decode(transcript.tokens())).isEqualTo("a \u20ac\n");
  }

  @Test
  void theEndIsOfferedOnlyWhereTheTextMayEnd() {
    Transcript transcript = transcript(oneOf("a", "ab"));
    assertThat(transcript.text()).isEqualTo("a"); // no choice
    assertThat(transcript.complete()).isTrue();
    assertThat(transcript.allowed()).contains(tokenizer.endOfTurn(), id("b"));
    transcript.append(id("b"));
    assertThat(transcript.allowed()).isEmpty();
  }

  @Test
  void textThatIsForcedForEverEndsAtTheLimit() {
    Rule[] endless = new Rule[1];
    endless[0] = Rule.sequence(Rule.literal("ab\n"), Rule.reference(() -> endless[0]));
    Transcript transcript =
        new Transcript(vocabulary, new GrammarConstraint(endless[0], "endless"), 50);
    assertThat(transcript.count()).isGreaterThanOrEqualTo(50);
    assertThat(transcript.allowed()).isEmpty();
    assertThat(transcript.complete()).isFalse();
  }

  @Test
  void textAndTokensAgreeWhateverIsPicked() throws Exception {
    TextConstraint constraint =
        JsonSchemaRules.constraint(
            new ObjectMapper()
                .readTree(
                    """
                    {"type":"object","required":["stance","sales"],"properties":{
                     "stance":{"enum":["positive","negative","neutral"]},
                     "sales":{"type":"string","maxLength":12},"n":{"type":"number"}}}\
                    """));
    for (int seed = 0; seed < 100; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      Transcript transcript = new Transcript(vocabulary, constraint, 200);
      while (transcript.allowed() == null || transcript.allowed().length > 0) {
        float[] logits = new float[tokenizer.vocabularySize()];
        int[] allowed = transcript.candidates(logits).ids();
        int pick = allowed[random.nextInt(allowed.length)];
        if (transcript.isEnd(pick)) {
          break;
        }
        int before = transcript.count();
        transcript.append(pick);
        assertThat(transcript.stable()).isLessThanOrEqualTo(before);
      }
      assertThat(tokenizer.decode(transcript.tokens())).isEqualTo(transcript.text());
    }
  }

  @Test
  void lookingAmongTheLikelyTokensFindsWhatLookingAtAllWould() {
    TextConstraint text =
        new GrammarConstraint(Rule.sequence(Rule.jsonString(0, 400), Rule.literal("\n")), "string");
    for (int seed = 0; seed < 50; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      Transcript transcript = new Transcript(vocabulary, text, 200);
      transcript.append(id("\"")); // and not the piece ","
      assertThat(transcript.allowed()).isNull(); // too many to list
      int[] all = vocabulary.trie().allowed(text.start().next('"'), Integer.MAX_VALUE);
      // Forbidden control and byte tokens are by far the likeliest.
      float[] logits = new float[tokenizer.vocabularySize()];
      for (int id = 0; id < logits.length; id++) {
        logits[id] = (float) (random.nextDouble() * 60) + (id < 262 ? 100 : 0);
      }
      Candidates found = transcript.candidates(logits);
      assertThat(all).contains(found.ids());
      float best = Float.NEGATIVE_INFINITY;
      for (int id : all) {
        best = Math.max(best, logits[id]);
      }
      for (int id : all) {
        if (logits[id] >= best - 24) {
          assertThat(found.ids()).contains(id);
        }
      }
      assertThat(found.ids().length).isLessThan(all.length);
      assertThat(amongThoseFrom(best - 24, transcript, logits))
          .usingRecursiveComparison()
          .isEqualTo(found);
      assertThat(amongThoseFrom(Float.NEGATIVE_INFINITY, transcript, logits))
          .usingRecursiveComparison()
          .isEqualTo(found);
      assertThat(amongThoseFrom(best - 23, transcript, logits)).isNull();
      assertThat(amongThoseFrom(best + 1, transcript, logits)).isNull();
    }
  }

  /** What the transcript makes of the tokens whose logits are not below {@code known}. */
  private static Candidates amongThoseFrom(float known, Transcript transcript, float[] logits) {
    int[] ids = IntStream.range(0, logits.length).filter(i -> logits[i] >= known).toArray();
    return transcript.candidates(ids, Candidates.of(ids, logits).logits(), known);
  }

  @Test
  void partsOfACharacterBecomeTextWhenItIsWhole() {
    Transcript transcript = new Transcript(vocabulary, null, 50);
    int[] euro = tokenizer.encode("\u20ac", false);
    assertThat(euro).hasSize(3);
    transcript.append(euro[0]);
    transcript.append(euro[1]);
    assertThat(transcript.text()).isEmpty();
    transcript.append(euro[2]);
    assertThat(transcript.text()).isEqualTo("\u20ac");
  }

  private static Transcript transcript(Rule... parts) {
    return new Transcript(vocabulary, new GrammarConstraint(Rule.sequence(parts), "test"), 200);
  }

  private static Rule oneOf(String... texts) {
    return Rule.oneOf(Arrays.stream(texts).map(Rule::literal).toList());
  }

  private static int id(String piece) {
    for (int id = 0; id < tokenizer.vocabularySize(); id++) {
      if (piece.equals(vocabulary.piece(id))) {
        return id;
      }
    }
    throw new AssertionError("no token " + piece);
  }

  private static List<String> pieces(int[] ids) {
    return Arrays.stream(ids).mapToObj(vocabulary::piece).toList();
  }
}
