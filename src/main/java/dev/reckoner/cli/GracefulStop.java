package dev.reckoner.cli;

import java.util.concurrent.CountDownLatch;

/**
 * Turns SIGTERM and SIGINT into a request that the work in hand can meet: while this is open, the
 * process ends only when it is closed.
 */
final class GracefulStop implements AutoCloseable {

  private final CountDownLatch closed = new CountDownLatch(1);
  private final Thread hook;
  private final Runnable onRequest;
  private volatile boolean requested;

  GracefulStop() {
    this(() -> {});
  }

  /**
   * @param onRequest run when the process is asked to end
   */
  GracefulStop(Runnable onRequest) {
    this.onRequest = onRequest;
    hook = Thread.ofPlatform().name("reckoner-stop").unstarted(this::stop);
    Runtime.getRuntime().addShutdownHook(hook);
  }

  private void stop() {
    requested = true;
    onRequest.run();
    try {
      closed.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Whether the process was asked to end. */
  boolean requested() {
    return requested;
  }

  @Override
  public void close() {
    closed.countDown();
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The process is ending, and the hook has just been let go.
    }
  }
}
