package dev.reckoner.tensor.cuda;

import static dev.reckoner.tensor.cuda.Native.LONG;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The kernels of one device, compiled and loaded at first use. A launch is written as {@code
 * kernels.call(kernel).p(address).i(number).launch(...)}: arguments in the order of the kernel's
 * parameters.
 */
final class Kernels implements AutoCloseable {
  private static final int ARGUMENTS = 32;

  /** More than that is asked for: 48 KiB are free, of which a kernel may have declared a third. */
  private static final int PLAIN_SHARED_BYTES = 16 << 10;

  /** A loaded kernel; {@code sharedAllowed} is the dynamic shared memory it may have by now. */
  static final class Kernel {
    private final String name;
    private final long function;
    private int sharedAllowed = PLAIN_SHARED_BYTES;
    private boolean early;

    private Kernel(String name, long function) {
      this.name = name;
      this.function = function;
    }
  }

  private record ModuleKey(String file, List<String> defines) {}

  private record KernelKey(String file, List<String> defines, String name) {}

  private final Device device;
  private final Compiler compiler;
  private final Map<ModuleKey, Long> modules = new HashMap<>();
  private final Map<KernelKey, Kernel> kernels = new HashMap<>();
  private final Map<String, Kernel> plain = new HashMap<>();
  private final MemorySegment values;
  private final MemorySegment pointers;
  private int count;
  private Kernel called;

  Kernels(Device device) {
    this.device = device;
    compiler = new Compiler(device.architecture(), device.arena());
    values = device.arena().allocate(8L * ARGUMENTS, 16);
    pointers = device.arena().allocate(8L * ARGUMENTS, 16);
    for (int i = 0; i < ARGUMENTS; i++) {
      pointers.setAtIndex(LONG, i, values.address() + 8L * i);
    }
  }

  /** Kernel {@code name} of {@code kernels/FILE.cu}. */
  Kernel get(String file, String name) {
    Kernel kernel = plain.get(name);
    if (kernel == null) {
      kernel = get(file, List.of(), name);
      plain.put(name, kernel);
    }
    return kernel;
  }

  Kernel get(String file, List<String> defines, String name) {
    return kernels.computeIfAbsent(
        new KernelKey(file, defines, name),
        k -> new Kernel(name, device.driver().kernel(module(file, defines), name)));
  }

  private long module(String file, List<String> defines) {
    device.enter();
    return modules.computeIfAbsent(
        new ModuleKey(file, defines),
        k -> device.driver().loadModule(compiler.compile(file, defines)));
  }

  Kernels call(String file, String name) {
    return call(get(file, name));
  }

  Kernels call(Kernel kernel) {
    called = kernel;
    count = 0;
    return this;
  }

  /** A device address, or 0 for null. */
  Kernels p(long address) {
    values.set(LONG, 8L * count++, address);
    return this;
  }

  Kernels l(long value) {
    return p(value);
  }

  Kernels i(int value) {
    values.set(ValueLayout.JAVA_INT, 8L * count++, value);
    return this;
  }

  Kernels f(float value) {
    values.set(ValueLayout.JAVA_FLOAT, 8L * count++, value);
    return this;
  }

  /** The tensor's address and row stride. */
  Kernels t(CudaTensor tensor) {
    return p(tensor.address()).i(tensor.stride());
  }

  void launch(int gridX, int gridY, int threads, int sharedBytes) {
    launch(gridX, gridY, threads, sharedBytes, false);
  }

  /**
   * @param early the kernel may start while the one before it runs, since it waits itself for what
   *     that one writes
   */
  void launch(int gridX, int gridY, int threads, int sharedBytes, boolean early) {
    if (gridX == 0 || gridY == 0) {
      return;
    }
    device.enter();
    if (sharedBytes > called.sharedAllowed) {
      device.driver().allowSharedMemory(called.function, sharedBytes);
      called.sharedAllowed = sharedBytes;
    }
    early &= device.hasClusters(); // devices before Hopper wait for the kernel before
    if (early && !called.early) {
      // A multiprocessor divides its memory anew only when it is empty: kernels that overlap divide
      // it alike.
      device.driver().preferSharedMemory(called.function);
      called.early = true;
    }
    device
        .driver()
        .launch(
            called.function,
            gridX,
            gridY,
            threads,
            sharedBytes,
            early,
            device.stream(),
            pointers,
            called.name);
  }

  /** One thread an item in blocks of 256, at most so many blocks that each runs several times. */
  void launchEach(long items) {
    long blocks = Math.min((items + 255) / 256, device.multiprocessors() * 32L);
    launch((int) blocks, 1, 256, 0);
  }

  @Override
  public void close() {
    modules.values().forEach(device.driver()::unloadModule);
  }
}
