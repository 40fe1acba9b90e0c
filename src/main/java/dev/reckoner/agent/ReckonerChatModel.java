package dev.reckoner.agent;

import dev.langchain4j.exception.InternalServerException;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.RateLimitException;
import dev.langchain4j.model.chat.Capability;
import dev.langchain4j.model.chat.ChatModel;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.reckoner.inference.InferenceException;
import io.quarkus.arc.All;
import io.quarkus.arc.Arc;
import io.quarkus.arc.Unremovable;
import jakarta.enterprise.context.ApplicationScoped;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;

/** The served model for LangChain4j: answers when the whole text is there. */
@ApplicationScoped
@Unremovable
public class ReckonerChatModel implements ChatModel {

  /**
   * For {@code @RegisterAiService(chatLanguageModelSupplier = …)}: without one of Quarkus' own
   * model providers in the build, an AI service does not look for a bean.
   */
  public static final class Served implements Supplier<ChatModel> {
    @Override
    public ChatModel get() {
      return Arc.container().instance(ReckonerChatModel.class).get();
    }
  }

  /**
   * Where a caller that goes through an AI service finds what the service's result leaves out: the
   * metadata of the last answer on its thread.
   */
  static final ScopedValue<AtomicReference<GenerationMetadata>> ANSWERED =
      ScopedValue.newInstance();

  private final ServingModel model;
  private final List<ChatModelListener> listeners;

  ReckonerChatModel(ServingModel model, @All List<ChatModelListener> listeners) {
    this.model = model;
    this.listeners = listeners;
  }

  /**
   * @throws TruncatedOutputException if a chain, JSON or tool call did not end within the limits
   * @throws InvalidRequestException if prompt and answer do not fit the model
   * @throws RateLimitException if too many requests wait already
   * @throws InternalServerException if the model failed
   * @throws CancellationException if the calling thread is interrupted, which cancels the request
   */
  @Override
  public ChatResponse doChat(ChatRequest request) {
    ChatExchange exchange = ChatExchange.of(model, request);
    try {
      ServingModel.Submission submission = model.submit(exchange::request, null);
      ChatResponse response = exchange.response(submission.ticket().await(), submission.slot());
      if (ANSWERED.isBound() && response.metadata() instanceof GenerationMetadata metadata) {
        ANSWERED.get().set(metadata);
      }
      return response;
    } catch (InferenceException e) {
      throw translated(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new CancellationException("interrupted while the model was writing");
    }
  }

  /** The engine's failure in LangChain4j's terms, which tell callers whether to try again. */
  static RuntimeException translated(RuntimeException failure) {
    return switch (failure) {
      case InferenceException.Busy busy -> new RateLimitException(busy.getMessage(), busy);
      case InferenceException.TooLong tooLong ->
          new InvalidRequestException(tooLong.getMessage(), tooLong);
      case InferenceException engine -> new InternalServerException(engine.getMessage(), engine);
      default -> failure;
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
