package dev.reckoner.improve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.reckoner.gemma.GemmaTokenizer;
import dev.reckoner.tuning.Sample;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainingFileTest {

  @TempDir Path dir;

  private TrainingFile read(String line) throws IOException {
    try (GemmaTokenizer tokenizer = tokenizer()) {
      return TrainingFile.read(
          Files.writeString(dir.resolve("train.jsonl"), line), tokenizer, 1000);
    }
  }

  private static GemmaTokenizer tokenizer() {
    return GemmaTokenizer.read(Path.of("src/main/resources/model"));
  }

  private static String learned(Sample sample) {
    StringBuilder text = new StringBuilder();
    try (GemmaTokenizer tokenizer = tokenizer()) {
      for (int t = 0; t < sample.length(); t++) {
        if (sample.supervised()[t]) {
          text.append(tokenizer.piece(sample.tokens()[t]));
        }
      }
    }
    return text.toString();
  }

  @Test
  void whatTheCalculatorWritesIsNotLearned() throws IOException {
    String line =
        """
        {"messages":[{"role":"system","content":"Answer."},
        {"role":"user","content":"r0 |2008|2007\\nr1 Sales|9,896|8,181\\nq! What grew?"},
        {"role":"assistant","content":"compute c = (a - b) / b as % = 20.9632 %\\nconclude c = 20.9632 %"},
        {"role":"user","content":"q Was it more?"},
        {"role":"assistant","content":"compute a = 2 > 1 = yes\\nconclude a = yes"}]}
        """
            .replace("\n", "");
    TrainingFile file = read(line);
    assertThat(learned(file.samples().getFirst()))
        .isEqualToIgnoringWhitespace(
            "compute c = (a - b) / b as % = conclude c = compute a = 2 > 1 = conclude a =");
  }

  @Test
  void whatIsNoChainIsLearnedAsItIs() throws IOException {
    TrainingFile file =
        read(
            """
            {"messages":[{"role":"user","content":"Compute it."},\
            {"role":"assistant","content":"We compute that x = 1 = 1.\\n\\nSo it is = 2."},\
            {"role":"assistant","content":""}]}
            """);
    assertThat(learned(file.samples().getFirst()))
        .isEqualToIgnoringWhitespace("We compute that x = 1 = 1. So it is = 2.");
  }

  @Test
  void aConversationWithoutAnAssistantTeachesNothing() {
    assertThatThrownBy(() -> read("{\"messages\":[{\"role\":\"user\",\"content\":\"Hello.\"}]}"))
        .isInstanceOf(ImprovementException.class)
        .hasMessageContaining("train.jsonl:1")
        .hasMessageContaining("nothing to learn");
  }
}
