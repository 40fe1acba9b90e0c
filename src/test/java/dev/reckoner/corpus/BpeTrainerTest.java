package dev.reckoner.corpus;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class BpeTrainerTest {

  private static final String TEXT =
      """
      Net sales | $ 9,896 | $ 8,181 (in millions)
      net revenue rose by a fifth; the company’s margin was 20.96 % in 2023.
      what was the percentage change in net revenue from 2022 to 2023?
      cite a = 9,896 USD million @ r3c2
      """;

  @TempDir static Path folder;
  private HuggingFaceTokenizer tokenizer;

  @BeforeAll
  void train() throws IOException {
    BpeTrainer trainer = new BpeTrainer(576);
    for (int i = 0; i < 30; i++) {
      trainer.add(TEXT);
    }
    trainer.train().write(folder);
    tokenizer =
        HuggingFaceTokenizer.newInstance(
            folder.resolve("tokenizer.json"), Map.of("truncation", "false"));
  }

  @AfterAll
  void close() {
    tokenizer.close();
  }

  @Test
  void specialTokensHaveGemmasIds() {
    long[] ids =
        tokenizer.encode("<start_of_turn>user\nnet<end_of_turn>\n<eos><pad>", true, false).getIds();
    assertThat(ids).startsWith(2, 105).contains(106, 107).endsWith(1, 0);
  }

  @Test
  void frequentWordsAreOnePieceWithTheirSpaceAndDigitsAreSingle() {
    assertThat(tokenizer.encode("x net revenue 9,896", false, false).getTokens())
        .containsExactly("x", "▁net", "▁revenue", "▁", "9", ",", "8", "9", "6");
  }

  @Test
  void noPieceHoldsTwoDigitsOrCrossesAWord() {
    BpeTrainer trainer = new BpeTrainer(576);
    for (int i = 0; i < 30; i++) {
      trainer.add(TEXT);
    }
    assertThat(
            trainer.train().pieces().stream()
                .skip(364)
                .filter(piece -> !piece.startsWith("<unused")))
        .hasSizeGreaterThan(40)
        .noneMatch(piece -> piece.matches(".*\\d.*") && piece.length() > 1)
        .noneMatch(piece -> piece.matches(".*\\p{L}▁.*"));
  }

  @Test
  void trainingIsReproducible() {
    BpeTrainer one = new BpeTrainer(576);
    BpeTrainer other = new BpeTrainer(576);
    String[] lines = TEXT.repeat(20).split("\n");
    for (int i = 0; i < lines.length; i++) {
      one.add(lines[i]);
      other.add(lines[lines.length - 1 - i]);
    }
    assertThat(one.train()).isEqualTo(other.train());
  }

  @Test
  void realTextComesBackAsItWas() {
    assertRoundTrip(TEXT);
    assertRoundTrip("  two leading spaces,\ttab\r\nand\n\n\nnewlines at the end \n");
    assertRoundTrip("Umsatz stieg um 12,5 % – “très bien” 売上高 😀 ½ \u0000 £€¥");
    assertRoundTrip("");
  }

  @Test
  void randomTextComesBackAsItWas() {
    SplittableRandom random = new SplittableRandom(7);
    for (int round = 0; round < 300; round++) {
      StringBuilder text = new StringBuilder();
      int length = random.nextInt(60);
      while (text.length() < length) {
        int c = random.nextBoolean() ? random.nextInt(128) : random.nextInt(0x1F700);
        // the piece of a space is the one character that stands for another
        if (Character.isDefined(c)
            && c != 0x2581
            && !Character.isSurrogate((char) Math.min(c, 0xFFFF))) {
          text.appendCodePoint(c);
        }
      }
      assertRoundTrip(text.toString());
    }
  }

  private void assertRoundTrip(String text) {
    long[] ids = tokenizer.encode(text, false, false).getIds();
    assertThat(tokenizer.decode(ids, false)).isEqualTo(text);
  }
}
