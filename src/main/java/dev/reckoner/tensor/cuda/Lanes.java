package dev.reckoner.tensor.cuda;

/**
 * Streams beside the main one. What goes to a lane begins when the main stream has done what it was
 * given until then, and has ended for what follows {@link #join}. Memory that a lane's work reads
 * or writes must stay until then, unless that work allocates and frees it.
 */
final class Lanes implements AutoCloseable {
  private static final int COUNT = 2;

  private final Device device;
  private final Driver driver;
  private final long[] streams = new long[COUNT];
  private final long[] ended = new long[COUNT];
  private final boolean[] used = new boolean[COUNT];
  private final long forked;
  private int next;

  Lanes(Device device) {
    this.device = device;
    driver = device.driver();
    device.enter();
    for (int i = 0; i < COUNT; i++) {
      streams[i] = driver.createStream();
      ended[i] = driver.createEvent();
    }
    forked = driver.createEvent();
  }

  /** Gives {@code operations} to the next lane; at once in order where these are on one already. */
  void run(Runnable operations) {
    if (device.stream() != device.mainStream()) {
      operations.run();
      return;
    }
    int lane = next;
    next = (next + 1) % COUNT;
    device.enter();
    driver.record(forked, device.mainStream());
    driver.await(forked, streams[lane]);
    used[lane] = true;
    device.on(streams[lane], operations);
  }

  /** The main stream waits for all lanes. */
  void join() {
    device.enter();
    for (int i = 0; i < COUNT; i++) {
      if (used[i]) {
        driver.record(ended[i], streams[i]);
        driver.await(ended[i], device.mainStream());
        used[i] = false;
      }
    }
  }

  @Override
  public void close() {
    device.enter();
    for (int i = 0; i < COUNT; i++) {
      driver.synchronize(streams[i]);
      driver.destroyStream(streams[i]);
      driver.destroyEvent(ended[i]);
    }
    driver.destroyEvent(forked);
  }
}
