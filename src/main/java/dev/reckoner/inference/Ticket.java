package dev.reckoner.inference;

import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;

/** A request under way: await it or cancel it. */
public final class Ticket {

  private final CompletableFuture<Generation> result = new CompletableFuture<>();
  private final BlockingQueue<Runnable> calls = new LinkedBlockingQueue<>();
  private final GenerationListener listener;
  private volatile boolean cancelled;
  private boolean ended; // listener's thread only

  /**
   * @param listener called on a virtual thread of its own, or {@code null}
   */
  Ticket(GenerationListener listener) {
    this.listener = listener;
  }

  /** Begins to call the listener; not before the engine has accepted the request. */
  void follow() {
    if (listener != null) {
      Thread.ofVirtual().name("generation-listener").start(this::deliver);
    }
  }

  private void deliver() {
    try {
      while (!ended) {
        calls.take().run();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      // A listener that fails wants no more.
      cancel();
    }
  }

  /** Ends the generation soon, with {@link FinishReason#CANCELLED} and what was written so far. */
  public void cancel() {
    cancelled = true;
  }

  boolean cancelled() {
    return cancelled;
  }

  boolean followed() {
    return listener != null;
  }

  void text(String more) {
    if (listener != null) {
      calls.add(() -> listener.onText(more));
    }
  }

  void finish(Generation generation) {
    if (listener != null) {
      calls.add(
          () -> {
            ended = true;
            listener.onFinish(generation);
          });
    }
    result.complete(generation);
  }

  void fail(RuntimeException failure) {
    if (listener != null) {
      calls.add(
          () -> {
            ended = true;
            listener.onFailure(failure);
          });
    }
    result.completeExceptionally(failure);
  }

  /**
   * Waits for the end. An interrupt cancels the request.
   *
   * @throws InferenceException where the request could not be served
   */
  public Generation await() throws InterruptedException {
    try {
      return result.get();
    } catch (InterruptedException e) {
      cancel();
      throw e;
    } catch (ExecutionException e) {
      if (e.getCause() instanceof InferenceException failure) {
        throw failure;
      }
      throw new CompletionException(e.getCause());
    }
  }
}
