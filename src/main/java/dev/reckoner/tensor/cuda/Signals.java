package dev.reckoner.tensor.cuda;

/**
 * Counters with which kernels of a decoding step tell one another that something is there before
 * they end. Each is used once a step and for nothing else, since a kernel may begin to wait while
 * several before it are still under way.
 */
final class Signals implements AutoCloseable {
  /** Elements between two counters, so that each has a cache line. */
  private static final int APART = 32;

  /** What is signalled in each layer. */
  enum Kind {
    /** Input of q|k|v. */
    ATTENTION_INPUT,
    /** Input of gate|up. */
    FEED_FORWARD_INPUT
  }

  /**
   * Where what a kernel waits for is counted.
   *
   * @param counter its address; 0 to wait for the end of the kernel before
   * @param expected blocks that count
   */
  record Signal(long counter, int expected) {
    static final Signal NONE = new Signal(0, 0);
  }

  private final CudaTensor counters;

  /**
   * All at zero.
   *
   * @param layers 0 for no counters
   */
  Signals(Device device, int layers) {
    if (layers == 0) {
      counters = null;
      return;
    }
    counters = CudaTensor.allocate(device, layers * Kind.values().length, APART, true);
    device.clear(counters.address(), counters.size() * counters.elementBytes());
  }

  /** Its address; 0 where there are no counters. */
  long counter(int layer, Kind kind) {
    if (counters == null) {
      return 0;
    }
    int row = layer * Kind.values().length + kind.ordinal();
    return counters.rows(row, row + 1).address();
  }

  @Override
  public void close() {
    if (counters != null) {
      counters.close();
    }
  }
}
