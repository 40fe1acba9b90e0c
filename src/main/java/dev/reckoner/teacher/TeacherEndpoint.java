package dev.reckoner.teacher;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.exception.AuthenticationException;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.ModelNotFoundException;
import dev.langchain4j.exception.TimeoutException;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.openai.OpenAiChatModel;
import dev.langchain4j.model.openai.OpenAiChatRequestParameters;
import dev.langchain4j.model.output.FinishReason;
import dev.langchain4j.model.output.TokenUsage;
import java.io.IOException;
import java.net.ConnectException;
import java.net.http.HttpTimeoutException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A model behind an endpoint of the OpenAI protocol. What may pass (a full queue, a rate limit, a
 * time-out, an answer that is not of the protocol) is asked again after an exponential back-off
 * with jitter, or after the time the endpoint names, during which no other request is sent either.
 * Safe for use by several threads.
 */
final class TeacherEndpoint {

  /** An endpoint that asks for a longer pause is not waited for. */
  private static final Duration LONGEST_PAUSE = Duration.ofMinutes(15);

  /** So many questions in a row without an answer are the endpoint's fault. */
  private static final int MISSES = 5;

  private static final Duration LONGEST_BACK_OFF = Duration.ofSeconds(60);

  /**
   * What came back.
   *
   * @param text empty where the endpoint refused to answer this one request
   * @param cutOff whether the answer is longer than was allowed
   * @param inputTokens as the endpoint counts; a third of the characters where it does not
   * @param requests how many were sent for it
   * @param refusal why there is no text; {@code null} where there is
   */
  record Answer(
      String text,
      boolean cutOff,
      long inputTokens,
      long outputTokens,
      int requests,
      String refusal) {}

  private final Teacher.Endpoint settings;
  private final OpenAiChatModel model;
  private final Budget budget;
  private final AtomicInteger misses = new AtomicInteger();
  private final Object gate = new Object();
  private long openAt = System.nanoTime();

  TeacherEndpoint(Teacher.Endpoint settings, Budget budget) {
    this.settings = settings;
    this.budget = budget;
    this.model =
        OpenAiChatModel.builder()
            .httpClientBuilder(new RefusalAwareClient.Builder())
            .baseUrl(settings.url())
            .apiKey(settings.key())
            .modelName(settings.model())
            .temperature(settings.temperature())
            .maxTokens(settings.maxAnswerTokens())
            .timeout(settings.timeout())
            .maxRetries(0)
            .build();
  }

  /**
   * Asks once, and again where it may help.
   *
   * @param seed of the endpoint's sampling, where it has one
   * @return empty where the budget does not allow another request
   * @throws TeacherException where no further request can help
   */
  Optional<Answer> ask(List<ChatMessage> messages, int seed) throws InterruptedException {
    SplittableRandom jitter = new SplittableRandom(seed);
    ChatRequest request =
        ChatRequest.builder()
            .messages(messages)
            .parameters(OpenAiChatRequestParameters.builder().seed(seed).build())
            .build();
    for (int repetition = 0; ; repetition++) {
      pass();
      if (!budget.takeRequest()) {
        return Optional.empty();
      }
      RuntimeException failure;
      try {
        Answer answer = answer(messages, model.chat(request), repetition + 1);
        budget.spend(answer.inputTokens() + answer.outputTokens());
        misses.set(0);
        return Optional.of(answer);
      } catch (InvalidRequestException e) {
        return Optional.of(new Answer("", false, 0, 0, repetition + 1, "refused by the endpoint"));
      } catch (AuthenticationException e) {
        throw new TeacherException(
            settings.url()
                + " does not accept the API key; set "
                + Teacher.KEY_VARIABLE
                + " to a valid one",
            e);
      } catch (ModelNotFoundException e) {
        throw new TeacherException(
            settings.url() + " has no model " + settings.model() + "; name another --model", e);
      } catch (RuntimeException e) {
        if (Thread.interrupted()) {
          throw new InterruptedException();
        }
        failure = e;
      }
      Optional<Duration> asked = asked(failure);
      boolean tooLong = asked.filter(wait -> wait.compareTo(LONGEST_PAUSE) > 0).isPresent();
      if (repetition >= settings.retries() || tooLong) {
        String miss = miss(failure);
        if (miss != null && misses.incrementAndGet() < MISSES) {
          return Optional.of(new Answer("", false, 0, 0, repetition + 1, miss));
        }
        throw new TeacherException(
            "%s gives no answer after %d requests: %s; run the same command again to go on"
                .formatted(settings.url(), repetition + 1, reason(failure, asked)),
            failure);
      }
      long factor = 1L << Math.min(repetition, 20);
      Duration backOff = settings.backOff().multipliedBy(factor);
      Duration capped = backOff.compareTo(LONGEST_BACK_OFF) > 0 ? LONGEST_BACK_OFF : backOff;
      Duration jittered = Duration.ofNanos((long) (capped.toNanos() * jitter.nextDouble(0.5, 1)));
      if (asked.isPresent()) {
        close(asked.get());
      } else {
        Thread.sleep(jittered);
      }
    }
  }

  private static Answer answer(List<ChatMessage> messages, ChatResponse response, int requests) {
    String text = response.aiMessage().text() == null ? "" : response.aiMessage().text();
    TokenUsage usage = response.tokenUsage();
    long input =
        usage == null || usage.inputTokenCount() == null
            ? messages.stream().mapToLong(m -> m.toString().length()).sum() / 3
            : usage.inputTokenCount();
    long output =
        usage == null || usage.outputTokenCount() == null
            ? text.length() / 3
            : usage.outputTokenCount();
    return new Answer(
        text, response.finishReason() == FinishReason.LENGTH, input, output, requests, null);
  }

  /** What may be the fault of one question and not of the endpoint; {@code null} for the latter. */
  private static String miss(RuntimeException failure) {
    for (Throwable e = failure; e != null; e = e.getCause()) {
      if (e instanceof RefusalAwareClient.Refused
          || e instanceof IOException io && !ofOneQuestion(io)) {
        return null;
      }
    }
    return failure instanceof TimeoutException ? "no answer in time" : "no answer of the protocol";
  }

  private static boolean ofOneQuestion(IOException e) {
    return e instanceof JsonProcessingException || e instanceof HttpTimeoutException;
  }

  private static Optional<Duration> asked(Throwable failure) {
    for (Throwable e = failure; e != null; e = e.getCause()) {
      if (e instanceof RefusalAwareClient.Refused refused) {
        return refused.retryAfter();
      }
    }
    return Optional.empty();
  }

  private static String reason(Throwable failure, Optional<Duration> asked) {
    Throwable deepest = failure;
    while (deepest.getCause() != null) {
      if (deepest instanceof ConnectException) {
        return "nobody listens there";
      }
      deepest = deepest.getCause();
    }
    String wait = asked.map(d -> " (asks to wait " + d.toSeconds() + " s)").orElse("");
    if (deepest instanceof RefusalAwareClient.Refused refused) {
      return "status " + refused.statusCode() + wait;
    }
    String message = deepest.getMessage() == null ? deepest.toString() : deepest.getMessage();
    return message.lines().findFirst().orElse(message);
  }

  /** Lets nobody through for a while. */
  private void close(Duration wait) {
    synchronized (gate) {
      openAt = Math.max(openAt, System.nanoTime() + wait.toNanos());
    }
  }

  private void pass() throws InterruptedException {
    while (true) {
      long left;
      synchronized (gate) {
        left = openAt - System.nanoTime();
      }
      if (left <= 0) {
        return;
      }
      Thread.sleep(Duration.ofNanos(left));
    }
  }
}
