package dev.reckoner.tensor.cpu;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntConsumer;

/**
 * A fixed team of threads for loops of some microseconds: the caller takes part, and idle workers
 * spin briefly before they sleep, because the next loop of a forward pass is never far.
 */
final class Workers implements AutoCloseable {
  private static final int SPINS = 4_000;

  private final Thread[] threads;
  private final AtomicInteger next = new AtomicInteger();
  private final AtomicInteger running = new AtomicInteger();
  private volatile int generation;
  private volatile boolean closed;
  private volatile Throwable failure;
  private int tasks;
  private IntConsumer body;
  private Thread caller;

  /**
   * @param size threads that work, the caller included
   */
  Workers(int size) {
    threads = new Thread[size - 1];
    for (int i = 0; i < threads.length; i++) {
      threads[i] = Thread.ofPlatform().daemon().name("reckoner-cpu-" + (i + 1)).start(this::work);
    }
  }

  int size() {
    return threads.length + 1;
  }

  /** Runs {@code body} for 0 .. tasks - 1, in any order, and waits for all. */
  void run(int tasks, IntConsumer body) {
    if (tasks <= 1 || threads.length == 0) {
      for (int i = 0; i < tasks; i++) {
        body.accept(i);
      }
      return;
    }
    this.tasks = tasks;
    this.body = body;
    caller = Thread.currentThread();
    failure = null;
    next.set(0);
    running.set(threads.length);
    generation++;
    for (Thread t : threads) {
      LockSupport.unpark(t);
    }
    take(tasks, body);
    int spins = SPINS;
    while (running.get() > 0) {
      if (spins-- > 0) {
        Thread.onSpinWait();
      } else {
        LockSupport.park(this);
      }
    }
    this.body = null;
    if (failure != null) {
      throw new IllegalStateException("a CPU kernel failed", failure);
    }
  }

  private void take(int tasks, IntConsumer body) {
    try {
      for (int i = next.getAndIncrement(); i < tasks; i = next.getAndIncrement()) {
        body.accept(i);
      }
    } catch (Throwable e) {
      failure = e;
    }
  }

  private void work() {
    int seen = 0;
    while (!closed) {
      int spins = SPINS;
      while (generation == seen && !closed) {
        if (spins-- > 0) {
          Thread.onSpinWait();
        } else {
          LockSupport.park(this);
        }
      }
      if (closed) {
        return;
      }
      seen = generation;
      take(tasks, body);
      Thread waiting = caller;
      if (running.decrementAndGet() == 0) {
        LockSupport.unpark(waiting);
      }
    }
  }

  @Override
  public void close() {
    closed = true;
    for (Thread t : threads) {
      LockSupport.unpark(t);
    }
  }
}
