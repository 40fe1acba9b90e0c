package dev.reckoner.agent;

import dev.langchain4j.model.chat.Capability;
import dev.langchain4j.model.chat.StreamingChatModel;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.reckoner.inference.Generation;
import dev.reckoner.inference.GenerationListener;
import io.quarkus.arc.All;
import io.quarkus.arc.Arc;
import io.quarkus.arc.Unremovable;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/** The served model for LangChain4j: hands on the text as it is written. */
@ApplicationScoped
@Unremovable
public class ReckonerStreamingChatModel implements StreamingChatModel {

  /** For {@code @RegisterAiService(streamingChatLanguageModelSupplier = …)}. */
  public static final class Served implements Supplier<StreamingChatModel> {
    @Override
    public StreamingChatModel get() {
      return Arc.container().instance(ReckonerStreamingChatModel.class).get();
    }
  }

  private final ServingModel model;
  private final List<ChatModelListener> listeners;

  ReckonerStreamingChatModel(ServingModel model, @All List<ChatModelListener> listeners) {
    this.model = model;
    this.listeners = listeners;
  }

  @Override
  public void doChat(ChatRequest request, StreamingChatResponseHandler handler) {
    ChatExchange exchange;
    CompletableFuture<ServingModel.Slot> slot = new CompletableFuture<>();
    try {
      exchange = ChatExchange.of(model, request);
      slot.complete(model.submit(exchange::request, listener(exchange, slot, handler)).slot());
    } catch (RuntimeException e) {
      handler.onError(ReckonerChatModel.translated(e));
    }
  }

  private static GenerationListener listener(
      ChatExchange exchange,
      CompletableFuture<ServingModel.Slot> slot,
      StreamingChatResponseHandler handler) {
    return new GenerationListener() {
      private final StringBuilder head = new StringBuilder();
      private boolean answering = !exchange.offersTools();

      @Override
      public void onText(String more) {
        if (answering) {
          handler.onPartialResponse(more);
          return;
        }
        // A tool call is no partial response; of an answer, the word that says so is not.
        head.append(more);
        if (head.length() > ToolProtocol.ANSWER.length()
            && head.indexOf(ToolProtocol.ANSWER) == 0) {
          answering = true;
          handler.onPartialResponse(head.substring(ToolProtocol.ANSWER.length()));
        }
      }

      @Override
      public void onFinish(Generation generation) {
        ChatResponse response;
        try {
          response = exchange.response(generation, slot.join());
        } catch (RuntimeException e) {
          handler.onError(e);
          return;
        }
        handler.onCompleteResponse(response);
      }

      @Override
      public void onFailure(RuntimeException failure) {
        handler.onError(ReckonerChatModel.translated(failure));
      }
    };
  }

  @Override
  public List<ChatModelListener> listeners() {
    return listeners;
  }

  @Override
  public Set<Capability> supportedCapabilities() {
    return Set.of(Capability.RESPONSE_FORMAT_JSON_SCHEMA);
  }
}
