package dev.reckoner.agent;

import dev.langchain4j.service.MemoryId;
import dev.langchain4j.service.Result;
import dev.langchain4j.service.SystemMessage;
import dev.langchain4j.service.UserMessage;
import dev.reckoner.reasoning.PromptFormat;
import io.quarkiverse.langchain4j.RegisterAiService;
import java.util.UUID;

/**
 * Reasons about the evidence of one event. An ordinary AI service: guardrails, listeners and
 * observers see it like any other. It lives as long as a request, and its memory with it.
 */
@RegisterAiService(
    chatLanguageModelSupplier = ReckonerChatModel.Served.class,
    tools = CalculatorTool.class)
public interface Analyst {

  /**
   * @param analysis a conversation of its own: events have nothing to do with each other
   * @param evidence rendered by {@link PromptFormat}. Only a value in the template and no template
   *     itself: braces in a filing are text
   * @return the chain; its final response carries {@link GenerationMetadata}
   */
  @SystemMessage(PromptFormat.INSTRUCTION)
  @UserMessage("{evidence}")
  Result<String> analyze(@MemoryId UUID analysis, String evidence);
}
