package dev.reckoner.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.reckoner.gemma.ChatMessage;
import dev.reckoner.gemma.Gemma3;
import dev.reckoner.gemma.GemmaTokenizer;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.reasoning.TextConstraint;
import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.Precision;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The engine on a backend that picks tokens itself writes what it writes on one that does not. */
@Timeout(120)
class DeviceAnswersTest {

  @TempDir static Path dir;

  @ParameterizedTest
  @ValueSource(ints = {3, 8})
  void theDevicePicksWhatTheHostWouldPick(int most) throws Exception {
    int vocabulary = TinyTokenizer.write(dir);
    List<Generation> host;
    List<Generation> device;
    DecodingBackend decoding;
    try (GemmaTokenizer tokenizer = GemmaTokenizer.read(dir)) {
      try (Backend backend = TinyModel.backend()) {
        host = generate(backend, tokenizer, vocabulary);
      }
      try (Backend backend = TinyModel.backend()) {
        decoding = new DecodingBackend(backend, vocabulary, most);
        device = generate(decoding.backend(), tokenizer, vocabulary);
      }
    }
    assertThat(decoding.steps).isGreaterThan(20);
    // Of whole vocabularies only those behind the first of the eight tokens drawn among all.
    if (most == 8) {
      assertThat(decoding.wholeRows).isEqualTo(7);
    }
    for (int i = 0; i < host.size(); i++) {
      Generation a = host.get(i);
      Generation b = device.get(i);
      assertThat(b.tokens()).as("request %d", i).isEqualTo(a.tokens());
      assertThat(b.finish()).isEqualTo(a.finish());
      assertThat(b.choices()).hasSameSizeAs(a.choices());
      for (int c = 0; c < a.choices().size(); c++) {
        Choice x = a.choices().get(c);
        Choice y = b.choices().get(c);
        assertThat(y.offset()).isEqualTo(x.offset());
        assertThat(y.allowed()).isEqualTo(x.allowed());
        assertThat(y.logProbability()).isCloseTo(x.logProbability(), within(1e-5));
      }
    }
  }

  private static List<Generation> generate(
      Backend backend, GemmaTokenizer tokenizer, int vocabulary) throws Exception {
    TextConstraint string =
        new GrammarConstraint(Rule.sequence(Rule.jsonString(0, 400), Rule.literal("\n")), "string");
    Rule words = Rule.oneOf(List.of(Rule.literal("positive"), Rule.literal("negative")));
    TextConstraint stance =
        new GrammarConstraint(
            Rule.sequence(
                Rule.literal("stance "), words, Rule.literal(" sales "), Rule.jsonNumber()),
            "stance");
    Sampler drawn = new Sampler(0.9, 0, 0.95, 7);
    try (Gemma3 model =
            Gemma3.random(TinyModel.config(vocabulary, 256), backend, Precision.NF4, 3);
        LoraAdapter one = TinyModel.adapter(model, "one", 1);
        InferenceEngine engine =
            new InferenceEngine(model, tokenizer, new InferenceEngine.Limits(8, 9, 64, 2))) {
      List<Ticket> tickets = new ArrayList<>();
      for (TextConstraint constraint : Arrays.asList(null, string, stance)) {
        for (Sampler sampler : List.of(Sampler.GREEDY, drawn)) {
          // What is drawn among the whole vocabulary needs all its logits.
          int most = constraint == null && sampler == drawn ? 8 : 24;
          LoraAdapter adapter = tickets.size() % 3 == 1 ? one : null;
          int[] prompt = tokenizer.chat(List.of(ChatMessage.user("a b " + tickets.size())), true);
          tickets.add(
              engine.submit(
                  new Request(prompt, 0, constraint, adapter, sampler, most, Duration.ofMinutes(1)),
                  null));
        }
      }
      List<Generation> generations = new ArrayList<>();
      for (Ticket ticket : tickets) {
        generations.add(ticket.await());
      }
      return generations;
    }
  }
}
