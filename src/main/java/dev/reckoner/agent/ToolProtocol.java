package dev.reckoner.agent;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.langchain4j.agent.tool.ToolExecutionRequest;
import dev.langchain4j.agent.tool.ToolSpecification;
import dev.langchain4j.data.message.AiMessage;
import dev.langchain4j.data.message.ToolExecutionResultMessage;
import dev.langchain4j.internal.JsonSchemaElementUtils;
import dev.langchain4j.model.chat.request.ToolChoice;
import dev.langchain4j.model.chat.request.json.JsonObjectSchema;
import dev.langchain4j.model.chat.request.json.JsonSchemaElement;
import dev.reckoner.inference.JsonSchemaRules;
import dev.reckoner.inference.Rule;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/**
 * Tools for a model that was not trained on a tool format: the specifications stand in the prompt,
 * a turn is either {@code call NAME JSON} or {@code answer TEXT}, and decoding lets nothing else
 * through, so a call always names a known tool and its arguments fit its schema.
 */
final class ToolProtocol {

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String CALL = "call ";
  static final String ANSWER = "answer ";
  private static final JsonObjectSchema NO_ARGUMENTS = JsonObjectSchema.builder().build();

  private final List<ToolSpecification> tools;
  private final ToolChoice choice;

  ToolProtocol(List<ToolSpecification> tools, ToolChoice choice) {
    this.tools = tools;
    this.choice = choice;
  }

  /** The part of the system message that explains the tools. */
  String instruction() {
    StringBuilder text =
        new StringBuilder(
            "To use a tool, reply with one line: call NAME ARGUMENTS, the arguments as JSON. Its"
                + " result comes in the next message.");
    if (choice != ToolChoice.REQUIRED) {
      text.append(" To answer, reply: answer TEXT.");
    }
    text.append(" Tools:");
    for (ToolSpecification tool : tools) {
      text.append("\n- ").append(tool.name()).append(' ').append(schema(tool));
      if (tool.description() != null) {
        text.append(": ").append(tool.description());
      }
    }
    return text.toString();
  }

  /**
   * What a turn may be.
   *
   * @param answer what may stand behind {@code answer}
   */
  Rule rule(Rule answer) {
    List<Rule> turns = new ArrayList<>();
    for (ToolSpecification tool : tools) {
      turns.add(
          Rule.sequence(
              Rule.literal(CALL + tool.name() + " "), JsonSchemaRules.rule(schema(tool))));
    }
    if (choice != ToolChoice.REQUIRED) {
      turns.add(Rule.sequence(Rule.literal(ANSWER), answer));
    }
    return Rule.oneOf(turns);
  }

  /** Everything {@link #rule} depends on. */
  String version() {
    return "tools:" + instruction().hashCode();
  }

  private static JsonNode schema(ToolSpecification tool) {
    return json(tool.parameters() == null ? NO_ARGUMENTS : tool.parameters());
  }

  /** A LangChain4j schema as JSON Schema. */
  static JsonNode json(JsonSchemaElement element) {
    return JSON.valueToTree(JsonSchemaElementUtils.toMap(element));
  }

  /** Reads a turn written under {@link #rule}. */
  AiMessage read(String turn) {
    if (turn.startsWith(ANSWER)) {
      return AiMessage.from(turn.substring(ANSWER.length()));
    }
    int space = turn.indexOf(' ', CALL.length());
    return AiMessage.from(
        ToolExecutionRequest.builder()
            .id(UUID.randomUUID().toString())
            .name(turn.substring(CALL.length(), space))
            .arguments(turn.substring(space + 1))
            .build());
  }

  /** An earlier turn of the model, as it wrote it. */
  static String render(AiMessage message) {
    if (!message.hasToolExecutionRequests()) {
      return ANSWER + message.text();
    }
    StringBuilder calls = new StringBuilder();
    for (ToolExecutionRequest request : message.toolExecutionRequests()) {
      calls.append(calls.isEmpty() ? "" : "\n");
      calls.append(CALL).append(request.name()).append(' ').append(request.arguments());
    }
    return calls.toString();
  }

  /** A tool's result, as the model reads it. */
  static String render(ToolExecutionResultMessage result) {
    return (Boolean.TRUE.equals(result.isError()) ? "error of " : "result of ")
        + result.toolName()
        + ": "
        + result.text();
  }
}
