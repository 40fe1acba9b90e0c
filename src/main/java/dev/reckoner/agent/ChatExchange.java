package dev.reckoner.agent;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.SystemMessage;
import dev.langchain4j.data.message.ToolExecutionResultMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ResponseFormatType;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.output.TokenUsage;
import dev.reckoner.gemma.ChatMessage;
import dev.reckoner.inference.FinishReason;
import dev.reckoner.inference.Generation;
import dev.reckoner.inference.GrammarConstraint;
import dev.reckoner.inference.JsonSchemaRules;
import dev.reckoner.inference.Reasoner;
import dev.reckoner.inference.Request;
import dev.reckoner.inference.Rule;
import dev.reckoner.inference.Sampler;
import dev.reckoner.reasoning.ChainGrammar;
import dev.reckoner.reasoning.EvidenceSyntaxException;
import dev.reckoner.reasoning.PromptFormat;
import dev.reckoner.reasoning.TextConstraint;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/**
 * One LangChain4j request as one request to the engine, and the response back.
 *
 * <p>What may be written follows from the request: a chain where the last message is rendered
 * evidence (the calculator then runs inside decoding, so tools are not called), a tool call or an
 * answer where there are tools, JSON where a response format asks for it, else anything.
 */
final class ChatExchange {

  private final ServingModel model;
  private final List<ChatMessage> turns;
  private final TextConstraint constraint;
  private final ToolProtocol tools;
  private final boolean chain;
  private final Reasoner.Options options;

  private ChatExchange(ServingModel model, ChatRequest request) {
    this.model = model;
    refuseUnsupported(request);
    this.options = options(model, request);
    JsonNode schema = schema(request);
    Rule format = rule(schema);
    TextConstraint chains = chainGrammar(request);
    this.chain = chains != null;
    this.tools =
        chain || request.toolSpecifications().isEmpty()
            ? null
            : new ToolProtocol(request.toolSpecifications(), request.toolChoice());
    if (chain) {
      this.constraint = chains;
    } else if (tools != null) {
      this.constraint =
          new GrammarConstraint(tools.rule(format == null ? Rule.text() : format), tools.version());
    } else {
      this.constraint = format == null ? null : JsonSchemaRules.constraint(schema);
    }
    this.turns = turns(request);
  }

  /**
   * @throws UnsupportedFeatureException for a request this model cannot honour
   */
  static ChatExchange of(ServingModel model, ChatRequest request) {
    return new ChatExchange(model, request);
  }

  private static void refuseUnsupported(ChatRequest request) {
    if (request.stopSequences() != null && !request.stopSequences().isEmpty()) {
      throw new UnsupportedFeatureException("stop sequences are not supported");
    }
    if (request.frequencyPenalty() != null || request.presencePenalty() != null) {
      throw new UnsupportedFeatureException("frequency and presence penalties are not supported");
    }
    if (request.modelName() != null) {
      throw new UnsupportedFeatureException(
          "one model serves here; it cannot be chosen by name: " + request.modelName());
    }
  }

  private static Reasoner.Options options(ServingModel model, ChatRequest request) {
    Reasoner.Options configured = model.options();
    Sampler sampler = configured.sampler();
    if (request.temperature() != null || request.topK() != null || request.topP() != null) {
      double temperature =
          request.temperature() == null ? sampler.temperature() : request.temperature();
      sampler =
          temperature == 0
              ? Sampler.GREEDY
              : new Sampler(
                  temperature,
                  request.topK() == null ? 0 : request.topK(),
                  request.topP() == null ? 1 : request.topP(),
                  model.config().seed());
    }
    return new Reasoner.Options(
        sampler,
        request.maxOutputTokens() == null ? configured.maxTokens() : request.maxOutputTokens(),
        configured.timeLimit());
  }

  private static TextConstraint chainGrammar(ChatRequest request) {
    if (!(request.messages().getLast() instanceof UserMessage user) || !user.hasSingleText()) {
      return null;
    }
    PromptFormat prompts = new PromptFormat();
    if (!prompts.isEvidence(user.singleText())) {
      return null;
    }
    try {
      return new ChainGrammar(prompts.parse(user.singleText()));
    } catch (EvidenceSyntaxException e) {
      throw new IllegalStateException("what is evidence can be parsed", e);
    }
  }

  /** The JSON Schema of the answer, or {@code null} where it may be any text. */
  private static JsonNode schema(ChatRequest request) {
    if (request.responseFormat() == null
        || request.responseFormat().type() != ResponseFormatType.JSON) {
      return null;
    }
    return request.responseFormat().jsonSchema() == null
        ? JsonNodeFactory.instance.objectNode().put("type", "object")
        : ToolProtocol.json(request.responseFormat().jsonSchema().rootElement());
  }

  private static Rule rule(JsonNode schema) {
    try {
      return schema == null ? null : JsonSchemaRules.rule(schema);
    } catch (IllegalArgumentException e) {
      throw new UnsupportedFeatureException(e.getMessage());
    }
  }

  private List<ChatMessage> turns(ChatRequest request) {
    StringBuilder system = new StringBuilder();
    List<ChatMessage> talk = new ArrayList<>();
    for (var message : request.messages()) {
      switch (message) {
        case SystemMessage instruction ->
            system.append(system.isEmpty() ? "" : "\n").append(instruction.text());
        case UserMessage user -> {
          if (!user.hasSingleText()) {
            throw new UnsupportedFeatureException("a user message must be one text");
          }
          add(talk, ChatMessage.Role.USER, user.singleText());
        }
        case AiMessage own ->
            add(
                talk,
                ChatMessage.Role.ASSISTANT,
                tools == null ? own.text() : ToolProtocol.render(own));
        case ToolExecutionResultMessage result ->
            add(talk, ChatMessage.Role.USER, ToolProtocol.render(result));
        default ->
            throw new UnsupportedFeatureException(message.type() + " messages are not supported");
      }
    }
    if (tools != null) {
      system.append(system.isEmpty() ? "" : "\n").append(tools.instruction());
    }
    if (!system.isEmpty()) {
      talk.addFirst(ChatMessage.system(system.toString()));
    }
    return talk;
  }

  /** Gemma's turns alternate: what the same side says in a row becomes one turn. */
  private static void add(List<ChatMessage> talk, ChatMessage.Role role, String text) {
    if (!talk.isEmpty() && talk.getLast().role() == role) {
      text = talk.removeLast().content() + "\n" + text;
    }
    talk.add(new ChatMessage(role, text));
  }

  /** Whether the answer may be a tool call, so that its text is in the tool protocol. */
  boolean offersTools() {
    return tools != null;
  }

  /** The request to the engine, served with the adapter of {@code slot}. */
  Request request(ServingModel.Slot slot) {
    return model.reasoner().request(turns, constraint, slot.adapter(), options);
  }

  /**
   * The answer of a finished generation.
   *
   * @throws TruncatedOutputException where it ended early and is of no use so
   */
  ChatResponse response(Generation generation, ServingModel.Slot slot) {
    boolean cutOff = generation.finish() != FinishReason.STOP;
    if (cutOff && (constraint != null || generation.finish() != FinishReason.LENGTH)) {
      throw new TruncatedOutputException(
          generation.finish(),
          switch (generation.finish()) {
            case TIME -> options.timeLimit().toSeconds() + " s";
            case CANCELLED -> "its time: it was cancelled";
            default -> options.maxTokens() + " tokens";
          },
          generation.text());
    }
    AiMessage message =
        tools == null ? AiMessage.from(generation.text()) : tools.read(generation.text());
    return ChatResponse.builder()
        .aiMessage(message)
        .metadata(
            GenerationMetadata.builder(generation, lineage(generation, slot))
                .id(UUID.randomUUID().toString())
                .modelName(model.reasoner().modelHash())
                .tokenUsage(new TokenUsage(generation.promptTokens(), generation.tokens().length))
                .finishReason(finish(message, cutOff))
                .build())
        .build();
  }

  private static dev.langchain4j.model.output.FinishReason finish(
      AiMessage message, boolean cutOff) {
    if (message.hasToolExecutionRequests()) {
      return dev.langchain4j.model.output.FinishReason.TOOL_EXECUTION;
    }
    return cutOff
        ? dev.langchain4j.model.output.FinishReason.LENGTH
        : dev.langchain4j.model.output.FinishReason.STOP;
  }

  private Lineage lineage(Generation generation, ServingModel.Slot slot) {
    return new Lineage(
        model.reasoner().modelHash(),
        slot.serving() == null ? null : slot.serving().id(),
        slot.serving() == null ? null : slot.serving().hash(),
        chain ? PromptFormat.VERSION : null,
        constraint == null ? null : constraint.version(),
        options.sampler().json(),
        options.sampler().seed(),
        model.config().build(),
        model.reasoner().backendName(),
        generation.promptTokens(),
        generation.tokens().length);
  }
}
