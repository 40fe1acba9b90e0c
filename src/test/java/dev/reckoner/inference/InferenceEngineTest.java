package dev.reckoner.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.reckoner.gemma.ChatMessage;
import dev.reckoner.gemma.Gemma3;
import dev.reckoner.gemma.GemmaTokenizer;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.inference.InferenceEngine.Limits;
import dev.reckoner.reasoning.TextConstraint;
import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.Precision;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
class InferenceEngineTest {

  private static final Duration AMPLE = Duration.ofMinutes(2);

  @TempDir static Path dir;
  static Backend backend;
  static Gemma3 model;
  static GemmaTokenizer tokenizer;
  static List<LoraAdapter> adapters;

  @BeforeAll
  static void load() throws Exception {
    int size = TinyTokenizer.write(dir);
    tokenizer = GemmaTokenizer.read(dir);
    backend = TinyModel.backend();
    model = Gemma3.random(TinyModel.config(size, 512), backend, Precision.NF4, 3);
    adapters = new ArrayList<>();
    adapters.add(null);
    adapters.add(TinyModel.adapter(model, "one", 1));
    adapters.add(TinyModel.adapter(model, "two", 2));
  }

  @AfterAll
  static void close() {
    adapters.stream().filter(adapter -> adapter != null).forEach(LoraAdapter::close);
    model.close();
    backend.close();
    tokenizer.close();
  }

  @Test
  void aRequestGivesTheSameTokensAloneAndInABatchWithOtherAdapters() throws Exception {
    List<Request> requests = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      Sampler sampler = i % 2 == 0 ? Sampler.GREEDY : new Sampler(0.9, 0, 0.95, i);
      requests.add(
          request(
              "The " + "sales rose and ".repeat(i + 1),
              i == 5 ? stances() : null,
              adapters.get(i % 3),
              sampler,
              20 + i));
    }
    List<Generation> alone = new ArrayList<>();
    try (InferenceEngine engine = engine(new Limits(1, 9, 500, 2))) {
      for (Request request : requests) {
        alone.add(engine.generate(request));
      }
    }
    List<Ticket> tickets = new ArrayList<>();
    try (InferenceEngine engine = engine(new Limits(8, 9, 7, 2))) {
      for (Request request : requests) {
        tickets.add(engine.submit(request, null));
      }
      for (int i = 0; i < requests.size(); i++) {
        Generation together = tickets.get(i).await();
        assertThat(together.tokens()).as("request %d", i).isEqualTo(alone.get(i).tokens());
        assertThat(together.choices()).as("request %d", i).isEqualTo(alone.get(i).choices());
      }
    }
    // The adapters matter, or the claim would be empty.
    assertThat(alone.get(0).choices().getFirst().logProbability())
        .isNotEqualTo(alone.get(4).choices().getFirst().logProbability());
  }

  @Test
  void aReusedPrefixChangesNothing() throws Exception {
    try (InferenceEngine engine = engine(Limits.DEFAULT)) {
      for (LoraAdapter adapter : adapters) {
        Request request = request("sales fell", null, adapter, Sampler.GREEDY, 16);
        Generation first = engine.generate(request);
        Generation second = engine.generate(request);
        assertThat(first.reusedPromptTokens()).isZero();
        assertThat(second.reusedPromptTokens()).isEqualTo(request.sharedPrefix()).isPositive();
        assertThat(second.choices()).isEqualTo(first.choices());
      }
    }
  }

  @Test
  void aPrefixIsComputedOnceForRequestsThatArriveTogether() throws Exception {
    try (InferenceEngine engine = engine(Limits.DEFAULT)) {
      List<Ticket> tickets = new ArrayList<>();
      CountDownLatch all = new CountDownLatch(1);
      CompletableFuture<Void> held = hold(engine, all);
      for (int i = 0; i < 6; i++) {
        tickets.add(engine.submit(request("question " + i, null, null, Sampler.GREEDY, 4), null));
      }
      all.countDown();
      held.join();
      int computed = 0;
      for (Ticket ticket : tickets) {
        computed += ticket.await().reusedPromptTokens() == 0 ? 1 : 0;
      }
      assertThat(computed).isEqualTo(1);
    }
  }

  @Test
  void forcedTextCostsNoStepOfItsOwn() throws Exception {
    String forced = "compute c = 1,715 USD million @ r3c2\n".repeat(3);
    TextConstraint constraint =
        new GrammarConstraint(
            Rule.sequence(
                Rule.oneOf(List.of(Rule.literal("a"), Rule.literal("b"))),
                Rule.literal("\n" + forced),
                Rule.oneOf(List.of(Rule.literal("1"), Rule.literal("2")))),
            "test");
    try (InferenceEngine engine = engine(Limits.DEFAULT)) {
      Generation generation = engine.generate(request("x", constraint, null, Sampler.GREEDY, 200));
      assertThat(generation.finish()).isEqualTo(FinishReason.STOP);
      assertThat(generation.text()).contains(forced);
      assertThat(generation.choices()).hasSize(2);
      assertThat(generation.forcedTokens()).isGreaterThan(60);
      // The prompt with the first pick; the forced text with the second.
      assertThat(engine.counters().steps()).isEqualTo(2);
    }
  }

  @Test
  void confidenceIsTheGeometricMeanOfTheChoices() throws Exception {
    try (InferenceEngine engine = engine(Limits.DEFAULT)) {
      Generation generation = engine.generate(request("x", stances(), null, Sampler.GREEDY, 50));
      double product =
          generation.choices().stream()
              .mapToDouble(choice -> Math.exp(choice.logProbability()))
              .reduce(1, (a, b) -> a * b);
      assertThat(generation.choices()).isNotEmpty();
      assertThat(generation.confidence())
          .isCloseTo(
              Math.pow(product, 1.0 / generation.choices().size()),
              org.assertj.core.api.Assertions.within(1e-12));
    }
  }

  @Test
  void theStreamIsTheText() throws Exception {
    StringBuilder streamed = new StringBuilder();
    CompletableFuture<Generation> end = new CompletableFuture<>();
    try (InferenceEngine engine = engine(Limits.DEFAULT)) {
      engine.submit(
          request("x", stances(), null, new Sampler(1, 0, 1, 4), 50),
          new GenerationListener() {
            @Override
            public void onText(String more) {
              streamed.append(more);
            }

            @Override
            public void onFinish(Generation generation) {
              end.complete(generation);
            }
          });
      String whole = end.get(60, TimeUnit.SECONDS).text();
      assertThat(streamed.toString()).isEqualTo(whole).isNotEmpty();
    }
  }

  @Test
  void lengthTimeAndCancellationEndAGeneration() throws Exception {
    try (InferenceEngine engine = engine(Limits.DEFAULT)) {
      Generation tooLong = engine.generate(request("x", null, null, Sampler.GREEDY, 5));
      assertThat(tooLong.finish()).isEqualTo(FinishReason.LENGTH);
      assertThat(tooLong.tokens()).hasSize(5);

      Request slow =
          new Request(prompt("x"), 0, letters(), null, Sampler.GREEDY, 400, Duration.ofMillis(1));
      assertThat(engine.generate(slow).finish()).isEqualTo(FinishReason.TIME);

      CompletableFuture<Ticket> ticket = new CompletableFuture<>();
      CountDownLatch cancelling = new CountDownLatch(1);
      ticket.complete(
          engine.submit(
              request("x", letters(cancelling), null, Sampler.GREEDY, 400),
              new GenerationListener() {
                @Override
                public void onText(String more) {
                  ticket.join().cancel();
                  cancelling.countDown();
                }
              }));
      Generation cancelled = ticket.join().await();
      assertThat(cancelled.finish()).isEqualTo(FinishReason.CANCELLED);
      assertThat(cancelled.text()).isNotEmpty();
    }
  }

  @Test
  void aFullQueueRefusesAtOnce() {
    try (InferenceEngine engine = engine(new Limits(1, 2, 64, 2))) {
      CountDownLatch all = new CountDownLatch(1);
      CompletableFuture<Void> held = hold(engine, all);
      Request request = request("x", null, null, Sampler.GREEDY, 4);
      List<Ticket> tickets = new ArrayList<>();
      assertThatThrownBy(
              () -> {
                for (int i = 0; i < 20; i++) {
                  tickets.add(engine.submit(request, null));
                }
              })
          .isInstanceOf(InferenceException.Busy.class);
      assertThat(tickets).hasSizeBetween(2, 5);
      all.countDown();
      held.join();
    }
  }

  @Test
  void closingFailsWhatIsUnderWayAndWhatComes() {
    InferenceEngine engine = engine(Limits.DEFAULT);
    CountDownLatch closed = new CountDownLatch(1);
    Request request = request("x", letters(closed), null, Sampler.GREEDY, 400);
    Ticket ticket = engine.submit(request, null);
    CompletableFuture<Void> closing = CompletableFuture.runAsync(engine::close);
    org.awaitility.Awaitility.await()
        .atMost(AMPLE)
        .untilAsserted(
            () ->
                assertThatThrownBy(() -> engine.submit(request, null))
                    .isInstanceOf(InferenceException.Closed.class));
    closed.countDown();
    closing.join();
    assertThatThrownBy(ticket::await).isInstanceOf(InferenceException.Closed.class);
    assertThatThrownBy(() -> engine.submit(request, null))
        .isInstanceOf(InferenceException.Closed.class);
  }

  @Test
  void aRetiredAdapterServesWhatItBeganAndNothingMore() throws Exception {
    try (InferenceEngine engine = engine(Limits.DEFAULT)) {
      LoraAdapter adapter = engine.between(model -> TinyModel.adapter(model, "old", 9));
      Request request = request("x", letters(), adapter, Sampler.GREEDY, 60);
      Ticket ticket = engine.submit(request, null);
      engine.retire(adapter);
      assertThat(ticket.await().tokens()).hasSize(60);
      // It is closed once nothing under way or waiting names it.
      org.awaitility.Awaitility.await()
          .atMost(AMPLE)
          .untilAsserted(
              () ->
                  assertThatThrownBy(() -> engine.generate(request))
                      .hasMessageContaining("retired"));
    }
  }

  @Test
  void aPromptThatDoesNotFitIsRefusedWithTheFigures() {
    try (InferenceEngine engine = engine(Limits.DEFAULT)) {
      assertThatThrownBy(
              () -> engine.submit(request("x ".repeat(300), null, null, Sampler.GREEDY, 9), null))
          .isInstanceOf(InferenceException.TooLong.class)
          .hasMessageContaining("512 positions");
    }
  }

  /** Keeps the engine from its work; returns once it does. */
  private static CompletableFuture<Void> hold(InferenceEngine engine, CountDownLatch until) {
    CountDownLatch holds = new CountDownLatch(1);
    CompletableFuture<Void> held =
        CompletableFuture.runAsync(
            () ->
                engine.between(
                    model -> {
                      holds.countDown();
                      return await(until);
                    }));
    assertThat(await(holds)).isTrue();
    return held;
  }

  private static boolean await(CountDownLatch latch) {
    try {
      return latch.await(60, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private static InferenceEngine engine(Limits limits) {
    return new InferenceEngine(model, tokenizer, limits);
  }

  private static TextConstraint stances() {
    return new GrammarConstraint(
        Rule.sequence(
            Rule.literal("stance "),
            Rule.oneOf(List.of(Rule.literal("positive"), Rule.literal("negative"))),
            Rule.literal(" sales "),
            Rule.jsonNumber(),
            Rule.literal("\n")),
        "stances");
  }

  /** Letters without an end. */
  private static TextConstraint letters() {
    Rule letter = Rule.oneOf(List.of(Rule.literal("a"), Rule.literal("b"), Rule.literal("c")));
    return new GrammarConstraint(
        Rule.sequence(Rule.repeat(letter, "", 1_000_000, Integer.MAX_VALUE), Rule.literal("!")),
        "letters");
  }

  /** The same, of which all but the first few wait: what is to happen meanwhile happens in time. */
  private static TextConstraint letters(CountDownLatch until) {
    record Letters(int written, CountDownLatch until) implements TextConstraint.State {
      @Override
      public TextConstraint.State next(char c) {
        return c >= 'a' && c <= 'c' ? new Letters(written + 1, until) : null;
      }

      @Override
      public boolean accepting() {
        return false;
      }

      @Override
      public String forced() {
        if (written > 3) {
          await(until);
        }
        return "";
      }
    }
    return new TextConstraint() {
      @Override
      public State start() {
        return new Letters(0, until);
      }

      @Override
      public String version() {
        return "letters that wait";
      }
    };
  }

  private static int[] prompt(String text) {
    return tokenizer.chat(List.of(ChatMessage.user(text)), true);
  }

  private static Request request(
      String text, TextConstraint constraint, LoraAdapter adapter, Sampler sampler, int max) {
    int[] prompt = prompt(text);
    return new Request(prompt, 5, constraint, adapter, sampler, max, AMPLE);
  }
}
