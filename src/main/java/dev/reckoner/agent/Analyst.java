package dev.reckoner.agent;

import dev.langchain4j.service.MemoryId;
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
   * @return the chain; how the model came to it is in the metadata of its answer
   */
  @SystemMessage(PromptFormat.INSTRUCTION)
  @UserMessage("{evidence}")
  String analyze(@MemoryId UUID analysis, String evidence);
}
