package dev.reckoner.tensor.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;

/**
 * One GPU: its context, a stream that all work goes to in order unless it is run {@link #on}
 * another, memory from the driver's stream-ordered pool, and a page-locked ring through which host
 * data passes. Memory freed here may be reused at once by later work of the same stream.
 */
final class Device implements AutoCloseable {
  /** Bytes of one host transfer at most. */
  static final int TRANSFER = 16 << 20;

  private static final int RING = 4 * TRANSFER;

  private final Arena arena;
  private final Driver driver;
  private final int device;
  private final long context;
  private final long main;
  private long stream;
  private final long pool;
  private final String name;
  private final long totalMemory;
  private final int multiprocessors;
  private final int major;
  private final int minor;
  private final MemorySegment ring;
  private int ringAt;
  private Thread current;
  private Recording recording;

  /**
   * @param ordinal which GPU, from 0
   * @throws CudaException when there is none or it is older than compute capability 8.0
   */
  static Device open(int ordinal) {
    Arena arena = Arena.ofShared();
    try {
      Driver driver = driver(arena);
      int count = driver.deviceCount();
      if (ordinal >= count) {
        throw new CudaException(
            "GPU %d was asked for, the driver shows %d".formatted(ordinal, count));
      }
      return new Device(arena, driver, ordinal);
    } catch (RuntimeException e) {
      arena.close();
      throw e;
    }
  }

  private static Driver driver(Arena arena) {
    SymbolLookup library =
        NativeLibraries.ofEnvironment().open(arena, "libcuda.so.1", "libcuda.so");
    if (library == null) {
      throw new CudaException(
          "no NVIDIA driver (libcuda.so.1) on this machine: install it, or use --backend cpu");
    }
    return new Driver(library, arena);
  }

  /** GPUs that the driver shows; 0 where there is no driver. */
  static int count() {
    try (Arena arena = Arena.ofConfined()) {
      return driver(arena).deviceCount();
    } catch (CudaException e) {
      return 0;
    }
  }

  private Device(Arena arena, Driver driver, int ordinal) {
    this.arena = arena;
    this.driver = driver;
    device = driver.device(ordinal);
    name = driver.deviceName(device);
    major = driver.attribute(Driver.MAJOR, device);
    minor = driver.attribute(Driver.MINOR, device);
    if (major < 8) {
      throw new CudaException(
          "%s has compute capability %d.%d; bfloat16 tensor cores need 8.0 or later: use --backend cpu"
              .formatted(name, major, minor));
    }
    multiprocessors = driver.attribute(Driver.MULTIPROCESSORS, device);
    totalMemory = driver.totalMemory(device);
    context = driver.retainContext(device);
    driver.setCurrent(context);
    current = Thread.currentThread();
    main = driver.createStream();
    stream = main;
    pool = driver.keepingPool(device);
    ring = driver.allocateHost(RING);
  }

  Driver driver() {
    return driver;
  }

  Arena arena() {
    return arena;
  }

  /** The stream that work goes to now. */
  long stream() {
    return stream;
  }

  /** The stream that work goes to unless it is run {@link #on} another. */
  long mainStream() {
    return main;
  }

  /** Gives what {@code operations} ask for to another stream; they pass nothing to the host. */
  void on(long other, Runnable operations) {
    long before = stream;
    stream = other;
    try {
      operations.run();
    } finally {
      stream = before;
    }
  }

  String name() {
    return name;
  }

  long totalMemory() {
    return totalMemory;
  }

  int multiprocessors() {
    return multiprocessors;
  }

  /** {@code sm_90a} for compute capability 9.0. */
  String architecture() {
    return "sm_%d%d%s".formatted(major, minor, major >= 9 ? "a" : "");
  }

  /** Whether tensor cores multiply for whole warpgroups: Hopper has this, its successors do not. */
  boolean hasWarpgroupProducts() {
    return major == 9;
  }

  /** Whether blocks can share memory in clusters. */
  boolean hasClusters() {
    return major >= 9;
  }

  /** Makes the context the calling thread's; cheap when it is already. */
  void enter() {
    Thread thread = Thread.currentThread();
    if (thread != current || thread.isVirtual()) {
      driver.setCurrent(context);
      current = thread;
    }
  }

  /**
   * @throws CudaException when memory runs out, with what was asked for and what lowers the need
   */
  long allocate(long bytes) {
    long size = Math.max(bytes + 255 & ~255L, 256);
    return recording == null ? allocateAnew(size) : recording.allocate(size);
  }

  /** Runs operations whose memory {@code owner} keeps. */
  void record(Recording owner, Runnable operations) {
    recording = owner;
    try {
      operations.run();
    } finally {
      recording = null;
    }
  }

  long allocateAnew(long size) {
    enter();
    long address = driver.allocate(size, stream);
    if (address == 0) {
      driver.synchronize(stream);
      driver.trim(pool);
      address = driver.allocate(size, stream);
    }
    if (address == 0) {
      throw new CudaException(
          "out of GPU memory: %.2f GiB more needed, %.2f GiB in use, %.2f of %.2f GiB free on %s; in training lower tokensPerMicroBatch or set recompute: true, in serving lower reckoner.model.batch; NF4 weights take the least"
              .formatted(
                  gib(size),
                  gib(driver.poolUsed(pool)),
                  gib(driver.freeMemory()),
                  gib(totalMemory),
                  name));
    }
    return address;
  }

  private static double gib(long bytes) {
    return bytes / (double) (1L << 30);
  }

  /** Memory freed while operations are recorded goes back to their recording. */
  void free(long address) {
    if (recording != null && recording.free(address)) {
      return;
    }
    enter();
    driver.free(address, stream);
  }

  void clear(long address, long bytes) {
    enter();
    driver.clear(address, bytes, stream);
  }

  void copy(long to, long from, long bytes) {
    enter();
    driver.copy(to, from, bytes, stream);
  }

  /** Waits for all work of the main stream. */
  void synchronize() {
    enter();
    driver.synchronize(main);
    ringAt = 0;
  }

  /**
   * Page-locked memory to fill and {@link #send}; valid until sent. At most {@link #TRANSFER}
   * bytes.
   */
  MemorySegment stage(int bytes) {
    int aligned = bytes + 255 & ~255;
    if (ringAt + aligned > RING) {
      synchronize();
    }
    MemorySegment part = ring.asSlice(ringAt, bytes);
    ringAt += aligned;
    return part;
  }

  void send(MemorySegment staged, long to) {
    enter();
    driver.copyToDevice(to, staged.address(), staged.byteSize(), stream);
  }

  void send(int[] values, long to) {
    for (int at = 0; at < values.length; ) {
      int n = Math.min(values.length - at, TRANSFER / 4);
      MemorySegment staged = stage(n * 4);
      MemorySegment.copy(values, at, staged, ValueLayout.JAVA_INT, 0, n);
      send(staged, to + at * 4L);
      at += n;
    }
  }

  void send(float[] values, int offset, int count, long to) {
    for (int at = 0; at < count; ) {
      int n = Math.min(count - at, TRANSFER / 4);
      MemorySegment staged = stage(n * 4);
      MemorySegment.copy(values, offset + at, staged, ValueLayout.JAVA_FLOAT, 0, n);
      send(staged, to + at * 4L);
      at += n;
    }
  }

  void send(byte[] values, long to) {
    for (int at = 0; at < values.length; ) {
      int n = Math.min(values.length - at, TRANSFER);
      MemorySegment staged = stage(n);
      MemorySegment.copy(values, at, staged, ValueLayout.JAVA_BYTE, 0, n);
      send(staged, to + at);
      at += n;
    }
  }

  /** Waits for all work and reads. */
  void receive(long from, float[] to, int offset, int count) {
    enter();
    for (int at = 0; at < count; ) {
      int n = Math.min(count - at, TRANSFER / 4);
      MemorySegment staged = stage(n * 4);
      driver.copyToHost(staged.address(), from + at * 4L, n * 4L, stream);
      synchronize();
      MemorySegment.copy(staged, ValueLayout.JAVA_FLOAT, 0, to, offset + at, n);
      at += n;
    }
  }

  double receiveDouble(long from) {
    enter();
    MemorySegment staged = stage(8);
    driver.copyToHost(staged.address(), from, 8, stream);
    synchronize();
    return staged.get(ValueLayout.JAVA_DOUBLE, 0);
  }

  /** Bytes in use now. */
  long usedMemory() {
    return driver.poolUsed(pool);
  }

  /** The most bytes in use since {@link #resetPeak}. */
  long peakMemory() {
    return driver.poolPeak(pool);
  }

  void resetPeak() {
    driver.resetPoolPeak(pool);
  }

  @Override
  public void close() {
    enter();
    driver.synchronize(main);
    driver.freeHost(ring);
    driver.destroyStream(main);
    driver.trim(pool);
    driver.releaseContext(device);
    arena.close();
  }
}
