package dev.reckoner.tensor.cuda;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;

/**
 * Operations that are run once as they are, recorded the second time and replayed from then on. The
 * memory that they allocate on the way is theirs for good: the same addresses at every replay.
 */
final class Recording implements AutoCloseable {
  private final Device device;
  private final Map<Long, Deque<Long>> unused = new HashMap<>();
  private final Map<Long, Long> sizes = new HashMap<>();
  private boolean whole;
  private boolean capturing;
  private boolean missed;
  private boolean refused;
  private long executable;

  Recording(Device device) {
    this.device = device;
  }

  void run(Runnable operations) {
    if (executable != 0) {
      device.enter();
      device.driver().launchGraph(executable, device.stream());
      return;
    }
    if (!whole || refused) {
      device.record(this, operations);
      whole = true;
      return;
    }
    device.enter();
    capturing = true;
    device.driver().beginCapture(device.stream());
    try {
      device.record(this, operations);
    } catch (CudaException e) {
      if (!missed) {
        throw e;
      }
    } finally {
      capturing = false;
      executable = device.driver().endCapture(device.stream());
    }
    if (executable == 0 || missed) {
      refused = true;
      device.record(this, operations);
    } else {
      device.driver().launchGraph(executable, device.stream());
    }
  }

  long allocate(long bytes) {
    Deque<Long> same = unused.get(bytes);
    if (same != null && !same.isEmpty()) {
      return same.pop();
    }
    if (capturing) {
      missed = true;
      throw new CudaException("a recorded step asked for other memory than before");
    }
    long address = device.allocateAnew(bytes);
    sizes.put(address, bytes);
    return address;
  }

  /** Takes back what {@link #allocate} gave; false for other memory. */
  boolean free(long address) {
    Long bytes = sizes.get(address);
    if (bytes == null) {
      return false;
    }
    unused.computeIfAbsent(bytes, b -> new ArrayDeque<>()).push(address);
    return true;
  }

  @Override
  public void close() {
    if (executable != 0) {
      device.driver().destroyGraph(executable);
      executable = 0;
    }
    sizes.keySet().forEach(device::free);
    sizes.clear();
  }
}
