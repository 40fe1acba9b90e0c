package dev.reckoner.tensor.cuda;

import dev.reckoner.tensor.LowRank;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.LongConsumer;

/** Weights dequantised on a stream of their own before the main stream asks for them. */
final class Ahead implements AutoCloseable {
  private record Made(LowRank adapter, boolean widened, long scratch, long event) {}

  private final Device device;
  private final Driver driver;
  private final long stream;
  private final long forked;
  private final Deque<Long> events = new ArrayDeque<>();
  private final Map<Long, Made> made = new HashMap<>();

  Ahead(Device device) {
    this.device = device;
    driver = device.driver();
    device.enter();
    stream = driver.createStream();
    forked = driver.createEvent();
  }

  /** Begins to make {@code bytes} of m; nothing where that is already done. */
  void make(CudaMatrix m, LowRank adapter, boolean widened, long bytes, LongConsumer maker) {
    if (made.containsKey(m.values())) {
      return;
    }
    long scratch = device.allocate(bytes);
    long event = events.isEmpty() ? driver.createEvent() : events.pop();
    // Behind whatever used this memory before.
    driver.record(forked, device.mainStream());
    driver.await(forked, stream);
    device.on(stream, () -> maker.accept(scratch));
    driver.record(event, stream);
    made.put(m.values(), new Made(adapter, widened, scratch, event));
  }

  /** What was made of m, to be freed, and the main stream waits for it; 0 for nothing. */
  long take(CudaMatrix m, LowRank adapter, boolean widened) {
    Made found = made.get(m.values());
    if (found == null || found.widened != widened || !Objects.equals(found.adapter, adapter)) {
      return 0;
    }
    made.remove(m.values());
    await(found);
    return found.scratch;
  }

  private void await(Made one) {
    device.enter();
    driver.await(one.event, device.mainStream());
    events.push(one.event);
  }

  /** Frees what nobody took. */
  void giveUp() {
    for (Made one : made.values()) {
      await(one);
      device.free(one.scratch);
    }
    made.clear();
  }

  @Override
  public void close() {
    device.enter();
    driver.synchronize(stream);
    driver.destroyStream(stream);
    driver.destroyEvent(forked);
    events.forEach(driver::destroyEvent);
  }
}
