package dev.reckoner.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.langchain4j.agent.tool.ToolExecutionRequest;
import dev.langchain4j.agent.tool.ToolSpecifications;
import dev.langchain4j.data.message.SystemMessage;
import dev.langchain4j.data.message.ToolExecutionResultMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.model.chat.ChatModel;
import dev.langchain4j.model.chat.StreamingChatModel;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ResponseFormat;
import dev.langchain4j.model.chat.request.ResponseFormatType;
import dev.langchain4j.model.chat.request.ToolChoice;
import dev.langchain4j.model.chat.request.json.JsonObjectSchema;
import dev.langchain4j.model.chat.request.json.JsonSchema;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.output.FinishReason;
import dev.reckoner.gemma.LoraAdapter;
import dev.reckoner.inference.Reasoner;
import dev.reckoner.inference.TinyModel;
import dev.reckoner.reasoning.Evidence;
import dev.reckoner.reasoning.PromptFormat;
import dev.reckoner.reasoning.Verdict;
import io.quarkus.test.common.TestResourceScope;
import io.quarkus.test.common.WithTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.QuarkusTestProfile;
import io.quarkus.test.junit.TestProfile;
import jakarta.inject.Inject;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The agent over a model of random weights: what it says is arbitrary, how it says it is not. */
@QuarkusTest
@TestProfile(AgentTest.RandomModel.class)
@WithTestResource(
    value = dev.reckoner.embedded.EmbeddedServicesResource.class,
    scope = TestResourceScope.GLOBAL)
class AgentTest {

  private static final ObjectMapper JSON = new ObjectMapper();

  /** Serves a checkpoint written for this test. */
  public static class RandomModel implements QuarkusTestProfile {
    @Override
    public Map<String, String> getConfigOverrides() {
      try {
        Path model = TinyModel.write(Files.createTempDirectory("reckoner-model"), 8192);
        return Map.of(
            "reckoner.model.dir", model.toString(),
            "reckoner.model.backend", "cpu",
            "reckoner.model.threads", "2",
            "reckoner.model.max-tokens", "3000");
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  @Inject AnalysisService analyses;
  @Inject AdapterSlot slot;
  @Inject ServingModel serving;
  @Inject ChatModel chat;
  @Inject StreamingChatModel streaming;
  @Inject Analyst analyst;
  @TempDir Path adapters;

  @AfterEach
  void base() {
    slot.clear();
  }

  @Test
  void anEventBecomesACheckedAnalysisWithItsLineage() throws Exception {
    for (FinancialEvent event : DomainPackTest.samples().subList(0, 6)) {
      Analysis analysis = analyses.analyze(event);
      assertThat(analysis.verdicts())
          .as(analysis.chainText())
          .extracting(Verdict::kind)
          .doesNotContain(Verdict.Kind.UNSUPPORTED_FIGURE, Verdict.Kind.WRONG_ARITHMETIC);
      assertThat(analysis.verdicts()).hasSameSizeAs(analysis.chain().steps());
      assertThat(analysis.stepConfidences()).hasSameSizeAs(analysis.chain().steps());
      assertThat(analysis.chain().text().strip()).isEqualTo(analysis.chainText().strip());
      assertThat(analysis.confidence()).isGreaterThan(0).isLessThanOrEqualTo(1);
      Lineage lineage = analysis.lineage();
      assertThat(lineage.baseModelHash()).isEqualTo(serving.reasoner().modelHash());
      assertThat(lineage.adapterId()).isNull();
      assertThat(lineage.promptVersion()).isEqualTo(PromptFormat.VERSION);
      assertThat(lineage.backend()).isEqualTo("cpu/nf4");
      assertThat(lineage.promptTokens()).isPositive();
      assertThat(lineage.generatedTokens()).isPositive();
    }
  }

  @Test
  void theSameEventGivesTheSameChain() throws Exception {
    FinancialEvent event = DomainPackTest.samples().getFirst();
    assertThat(analyses.analyze(event).chainText()).isEqualTo(analyses.analyze(event).chainText());
  }

  @Test
  void anAnalysisRecordsTheAdapterItWasWrittenWith() throws Exception {
    Path first = adapter("first", 1);
    Path second = adapter("second", 2);
    FinancialEvent event = DomainPackTest.samples().getFirst();
    AdapterSlot.Serving served = slot.swap(first, "first");
    assertThat(analyses.analyze(event).lineage().adapterHash()).isEqualTo(served.hash());
    // Swaps while requests are under way: none fails, each names one of the two.
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<Analysis>> all = new ArrayList<>();
      for (int i = 0; i < 12; i++) {
        all.add(threads.submit(() -> analyses.analyze(event)));
        if (i % 4 == 3) {
          slot.swap(i == 7 ? first : second, i == 7 ? "first" : "second");
        }
      }
      for (Future<Analysis> analysis : all) {
        assertThat(analysis.get(120, TimeUnit.SECONDS).lineage().adapterId())
            .isIn("first", "second");
      }
    }
    assertThat(slot.current().orElseThrow().id()).isEqualTo("second");
    assertThat(analyses.analyze(event).lineage().adapterId()).isEqualTo("second");
  }

  @Test
  void anAdapterThatDoesNotFitLeavesTheOneThatServes() throws Exception {
    slot.swap(adapter("good", 1), "good");
    Path bad = adapters.resolve("bad");
    Files.createDirectories(bad);
    assertThatThrownBy(() -> slot.swap(bad, "bad")).hasMessageContaining("adapter_config.json");
    assertThat(slot.current().orElseThrow().id()).isEqualTo("good");
  }

  @Test
  void anUnknownEventTypeIsRefused() {
    FinancialEvent event =
        new FinancialEvent("1", "/t", "no.such.type", "s", null, JSON.createObjectNode());
    assertThatThrownBy(() -> analyses.analyze(event))
        .isInstanceOf(AnalysisException.InvalidEvent.class)
        .hasMessageContaining("no.such.type");
  }

  @Test
  void evidenceReachesTheModelAsItIs() {
    // Braces would be expressions of a template.
    Evidence evidence =
        new Evidence("A {b} c", "Is {x.y} 12?", List.of(), List.of("{Sales} were 12 million."));
    AtomicReference<GenerationMetadata> answered = new AtomicReference<>();
    ScopedValue.where(ReckonerChatModel.ANSWERED, answered)
        .run(() -> analyst.analyze(UUID.randomUUID(), new PromptFormat().render(evidence)));
    Reasoner.Options options = serving.options();
    assertThat(answered.get().lineage().promptTokens())
        .isEqualTo(serving.reasoner().request(evidence, null, options).prompt().length);
  }

  @Test
  void aChainThatIsCutOffIsAFailure() {
    Evidence evidence = new Evidence("t", "q?", List.of(), List.of("Sales were 12 million."));
    ChatRequest request =
        ChatRequest.builder()
            .messages(
                SystemMessage.from(PromptFormat.INSTRUCTION),
                UserMessage.from(new PromptFormat().render(evidence)))
            .maxOutputTokens(2)
            .build();
    assertThatThrownBy(() -> chat.chat(request))
        .isInstanceOf(TruncatedOutputException.class)
        .hasMessageContaining("2 tokens");
  }

  @Test
  void aResponseFormatIsKept() throws Exception {
    JsonObjectSchema schema =
        JsonObjectSchema.builder()
            .addEnumProperty("stance", List.of("positive", "negative"))
            .addIntegerProperty("count")
            .addBooleanProperty("sure")
            .required("stance", "count", "sure")
            .build();
    for (int topK = 1; topK < 8; topK++) {
      ChatResponse response =
          chat.chat(
              ChatRequest.builder()
                  .messages(UserMessage.from("How are sales?"))
                  .temperature(1.0)
                  .topK(topK)
                  .responseFormat(
                      ResponseFormat.builder()
                          .type(ResponseFormatType.JSON)
                          .jsonSchema(JsonSchema.builder().name("r").rootElement(schema).build())
                          .build())
                  .build());
      JsonNode json = JSON.readTree(response.aiMessage().text());
      assertThat(json.get("stance").asText()).isIn("positive", "negative");
      assertThat(json.get("count").isIntegralNumber()).isTrue();
      assertThat(json.get("sure").isBoolean()).isTrue();
    }
  }

  /** Tools with arguments of bounded length, so that a random model ends. */
  static class Tools {
    enum Side {
      BUY,
      SELL
    }

    @dev.langchain4j.agent.tool.Tool("Places an order")
    String order(Side side, int lots) {
      return side + " " + lots;
    }
  }

  @Test
  void aRequiredToolCallNamesATool() throws Exception {
    UserMessage question = UserMessage.from("Buy two lots.");
    ChatRequest request =
        ChatRequest.builder()
            .messages(question)
            .toolSpecifications(ToolSpecifications.toolSpecificationsFrom(Tools.class))
            .toolChoice(ToolChoice.REQUIRED)
            .build();
    ChatResponse response = chat.chat(request);
    assertThat(response.finishReason()).isEqualTo(FinishReason.TOOL_EXECUTION);
    ToolExecutionRequest call = response.aiMessage().toolExecutionRequests().getFirst();
    assertThat(call.name()).isEqualTo("order");
    JsonNode arguments = JSON.readTree(call.arguments());
    assertThat(arguments.elements()).toIterable().hasSize(2);
    // The result goes back into the conversation.
    ChatResponse after =
        chat.chat(
            request.toBuilder()
                .messages(
                    question, response.aiMessage(), ToolExecutionResultMessage.from(call, "done"))
                .build());
    assertThat(after.aiMessage().hasToolExecutionRequests()).isTrue();
    assertThat(after.tokenUsage().inputTokenCount())
        .isGreaterThan(response.tokenUsage().inputTokenCount());
  }

  @Test
  void theStreamEndsWithTheWholeResponse() throws Exception {
    StringBuilder text = new StringBuilder();
    CompletableFuture<ChatResponse> end = new CompletableFuture<>();
    streaming.chat(
        ChatRequest.builder()
            .messages(UserMessage.from("x"))
            .responseFormat(
                ResponseFormat.builder()
                    .type(ResponseFormatType.JSON)
                    .jsonSchema(
                        JsonSchema.builder()
                            .name("r")
                            .rootElement(
                                JsonObjectSchema.builder()
                                    .addBooleanProperty("sure")
                                    .required("sure")
                                    .build())
                            .build())
                    .build())
            .build(),
        new StreamingChatResponseHandler() {
          @Override
          public void onPartialResponse(String more) {
            text.append(more);
          }

          @Override
          public void onCompleteResponse(ChatResponse response) {
            end.complete(response);
          }

          @Override
          public void onError(Throwable error) {
            end.completeExceptionally(error);
          }
        });
    assertThat(end.get(60, TimeUnit.SECONDS).aiMessage().text())
        .isEqualTo(text.toString())
        .isIn("{\"sure\":true}", "{\"sure\":false}");
  }

  private Path adapter(String id, long seed) {
    Path directory = adapters.resolve(id);
    return serving
        .reasoner()
        .engine()
        .between(
            model -> {
              try (LoraAdapter adapter = TinyModel.adapter(model, id, seed)) {
                adapter.save(directory, "base");
              }
              return directory;
            });
  }
}
