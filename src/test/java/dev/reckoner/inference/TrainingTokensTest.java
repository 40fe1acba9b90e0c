package dev.reckoner.inference;

import static org.assertj.core.api.Assertions.assertThat;

import dev.reckoner.corpus.SyntheticGenerator;
import dev.reckoner.corpus.SyntheticGenerator.Split;
import dev.reckoner.gemma.GemmaTokenizer;
import dev.reckoner.reasoning.ChainGrammar;
import java.util.Arrays;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Inference must let the model write a chain in the very tokens it learned the chain in. Where it
 * offers others only, the model picks among tokens it never saw there, and answers at random.
 */
class TrainingTokensTest {

  @TempDir static java.nio.file.Path cache;

  @Test
  void everyDecisionOffersTheTokenThatTrainingHas() throws Exception {
    try (GemmaTokenizer tokenizer = GemmaTokenizer.read(BundledModel.directory(cache))) {
      Vocabulary vocabulary = new Vocabulary(tokenizer);
      for (Split split : Split.values()) {
        SyntheticGenerator generator = new SyntheticGenerator("finance", 11, split);
        LongStream.range(0, 60).mapToObj(generator::problem).forEach(s -> follow(vocabulary, s));
      }
    }
  }

  private static void follow(Vocabulary vocabulary, SyntheticGenerator.Solved solved) {
    String chain = solved.chain().text();
    int[] learned = vocabulary.tokenizer().encode(chain, false);
    Transcript transcript =
        new Transcript(vocabulary, new ChainGrammar(solved.problem().evidence()), 4096);
    while (true) {
      int count = transcript.count();
      assertThat(transcript.tokens())
          .as("%s, written so far: %s", solved.problem().id(), transcript.text())
          .isEqualTo(Arrays.copyOf(learned, count));
      if (count == learned.length) {
        return;
      }
      int next = learned[count];
      float[] logits = new float[vocabulary.tokenizer().vocabularySize()];
      assertThat(transcript.candidates(logits).ids())
          .as("%s behind %s", vocabulary.piece(next), transcript.text())
          .contains(next);
      transcript.append(next);
    }
  }
}
