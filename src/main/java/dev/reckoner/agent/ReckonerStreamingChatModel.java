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
import jakarta.enterprise.context.ApplicationScoped;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;

/** The served model for LangChain4j: hands on the text as it is written. */
@ApplicationScoped
public class ReckonerStreamingChatModel implements StreamingChatModel {

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
      slot.complete(
          model.submit(exchange::request, listener(exchange, slot, handler)).slot());
    } catch (RuntimeException e) {
      handler.onError(ReckonerChatModel.translated(e));
    }
  }

  private static GenerationListener listener(
      ChatExchange exchange,
      CompletableFuture<ServingModel.Slot> slot,
      StreamingChatResponseHandler handler) {
    return new GenerationListener() {
      @Override
      public void onText(String more) {
        handler.onPartialResponse(more);
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
