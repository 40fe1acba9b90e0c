package dev.reckoner.improve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.reckoner.gemma.ChatMessage;
import dev.reckoner.gemma.GemmaTokenizer;
import dev.reckoner.gemma.TokenizedChat;
import dev.reckoner.inference.BundledModel;
import dev.reckoner.inference.TinyTokenizer;
import dev.reckoner.tuning.PreferencePair;
import dev.reckoner.tuning.Sample;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PreferenceFileTest {

  private static final String PROMPT =
      """
      "prompt":[{"role":"system","content":"Answer."},{"role":"user","content":"r0 net sales|120"}]\
      """;
  private static final String PREFIX = "cite a = 120 USD @ r0c1\ncite b = 100 USD @ r0c2";
  private static final String CHOSEN = "compute c = a / b = 1.2\nconclude c = 1.2";
  private static final String REJECTED = "compute c = a + b = 220\nconclude c = 220";

  @TempDir Path dir;
  private GemmaTokenizer tiny;

  @BeforeEach
  void open() throws IOException {
    TinyTokenizer.write(dir);
    tiny = GemmaTokenizer.read(dir);
  }

  @AfterEach
  void close() {
    tiny.close();
  }

  private PreferenceFile read(GemmaTokenizer tokenizer, int maxTokens, String... lines) {
    try {
      Path file = Files.write(dir.resolve("pairs.jsonl"), List.of(lines));
      return PreferenceFile.read(file, tokenizer, maxTokens, 2048);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  private static String line(String prefix, String chosen, String rejected) {
    return "{%s,\"prefix\":%s,\"chosen\":%s,\"rejected\":%s}"
        .formatted(
            PROMPT,
            CanonicalJson.write(prefix),
            CanonicalJson.write(chosen),
            CanonicalJson.write(rejected));
  }

  private static String scored(GemmaTokenizer tokenizer, Sample sample) {
    return tokenizer.decode(
        IntStream.range(0, sample.length())
            .filter(t -> sample.supervised()[t])
            .map(t -> sample.tokens()[t])
            .toArray());
  }

  /** What comes before the first scored token. */
  private static int[] unscored(Sample sample) {
    return Arrays.copyOf(sample.tokens(), sample.length() - sample.targets());
  }

  @Test
  void theQuestionAndTheStepsBeforeTheWrongOneAreReadAndNeverScored() {
    try (GemmaTokenizer bundled =
        GemmaTokenizer.read(BundledModel.directory(dir.resolve("cache")))) {
      for (GemmaTokenizer tokenizer : List.of(tiny, bundled)) {
        PreferencePair pair =
            read(tokenizer, 4096, line(PREFIX, CHOSEN, REJECTED)).pairs().getFirst();
        assertThat(scored(tokenizer, pair.chosen())).isEqualTo("\n" + CHOSEN + "\n");
        assertThat(scored(tokenizer, pair.rejected())).isEqualTo("\n" + REJECTED + "\n");
        assertThat(unscored(pair.chosen())).isEqualTo(unscored(pair.rejected()));
        TokenizedChat imitated =
            tokenizer.chatForTraining(
                List.of(
                    ChatMessage.system("Answer."),
                    ChatMessage.user("r0 net sales|120"),
                    ChatMessage.assistant(PREFIX + "\n" + CHOSEN)));
        assertThat(pair.chosen().tokens()).isEqualTo(imitated.tokens());
      }
    }
  }

  @Test
  void aPairWithoutPrefixOrThatOnlyDiffersInWhereItEnds() {
    List<PreferencePair> pairs =
        read(tiny, 4096, line("", CHOSEN, REJECTED), "", line(PREFIX, "", REJECTED)).pairs();
    assertThat(scored(tiny, pairs.getFirst().chosen())).isEqualTo(CHOSEN + "\n");
    Sample ends = pairs.getLast().chosen();
    assertThat(ends.targets()).isEqualTo(2);
    assertThat(ends.tokens()[ends.length() - 2]).isEqualTo(tiny.endOfTurn());
    assertThat(scored(tiny, pairs.getLast().rejected())).isEqualTo("\n" + REJECTED + "\n");
  }

  @Test
  void aDatasetsPairsAreReadToo() {
    String dataset =
        line(PREFIX, CHOSEN, REJECTED)
            .replace("\"prompt\"", "\"id\":\"x\",\"use\":\"preference\",\"messages\"");
    assertThat(read(tiny, 4096, dataset).pairs().getFirst().chosen().tokens())
        .isEqualTo(
            read(tiny, 4096, line(PREFIX, CHOSEN, REJECTED)).pairs().getFirst().chosen().tokens());
  }

  @Test
  void pairsThatAreTooLongTogetherAreCountedAndLeftOut() {
    String line = line(PREFIX, CHOSEN, REJECTED);
    int length = read(tiny, 4096, line).pairs().getFirst().length();
    assertThat(read(tiny, length, line).pairs()).hasSize(1);
    assertThat(read(tiny, length - 1, line)).isEqualTo(new PreferenceFile(List.of(), 1));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '`',
      value = {
        "{; not valid JSON",
        "{\"chosen\":\"a\",\"rejected\":\"b\"}; \"prompt\" must be messages",
        "{\"prompt\":[{\"role\":\"user\",\"content\":\"q\"}],\"chosen\":\"a\"}; \"rejected\"",
        "{\"prompt\":[{\"role\":\"user\",\"content\":\"q\"}],\"chosen\":\"a\",\"rejected\":\"a \"};"
            + " are the same",
        "{\"prompt\":[{\"role\":\"judge\",\"content\":\"q\"}],\"chosen\":\"a\",\"rejected\":\"b\"};"
            + " unknown role \"judge\"",
      })
  void anErrorNamesTheLine(String bad, String message) {
    assertThatThrownBy(() -> read(tiny, 4096, line(PREFIX, CHOSEN, REJECTED), bad))
        .isInstanceOf(ImprovementException.class)
        .hasMessageContaining("pairs.jsonl:2: ")
        .hasMessageContaining(message);
  }
}
