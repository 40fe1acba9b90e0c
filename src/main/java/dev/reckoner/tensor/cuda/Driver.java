package dev.reckoner.tensor.cuda;

import static dev.reckoner.tensor.cuda.Native.INT;
import static dev.reckoner.tensor.cuda.Native.LONG;
import static dev.reckoner.tensor.cuda.Native.POINTER;
import static dev.reckoner.tensor.cuda.Native.function;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * The functions of the driver API (libcuda) this backend uses. Handles and device addresses are
 * longs. Every method throws {@link CudaException} on a status other than success.
 */
@SuppressWarnings("restricted") // the foreign memory API is what this class is for
final class Driver {
  /** CUdevice_attribute values. */
  static final int MULTIPROCESSORS = 16;

  static final int MAJOR = 75;
  static final int MINOR = 76;

  private static final int OUT_OF_MEMORY = 2;
  private static final int FUNCTION_PREFERRED_CARVEOUT = 9;
  private static final int FUNCTION_MAX_DYNAMIC_SHARED = 8;
  private static final int STREAM_NON_BLOCKING = 1;
  private static final int EVENT_UNTIMED = 2;

  // CUlaunchConfig and CUlaunchAttribute
  private static final int LAUNCH_CONFIG_BYTES = 56;
  private static final int LAUNCH_ATTRIBUTE_BYTES = 72;
  private static final int PROGRAMMATIC_STREAM_SERIALIZATION = 6;

  private static final int CAPTURE_THREAD_LOCAL = 1;
  private static final int POOL_RELEASE_THRESHOLD = 4;
  private static final int POOL_USED_CURRENT = 7;
  private static final int POOL_USED_HIGH = 8;

  private final MemorySegment cell;
  private final MemorySegment launchConfig;
  private final MemorySegment launchAttribute;
  private final MethodHandle getErrorName;
  private final MethodHandle getErrorString;
  private final MethodHandle driverGetVersion;
  private final MethodHandle deviceGetCount;
  private final MethodHandle deviceGet;
  private final MethodHandle deviceGetName;
  private final MethodHandle deviceGetAttribute;
  private final MethodHandle deviceTotalMem;
  private final MethodHandle primaryCtxRetain;
  private final MethodHandle primaryCtxRelease;
  private final MethodHandle ctxSetCurrent;
  private final MethodHandle memGetInfo;
  private final MethodHandle streamCreate;
  private final MethodHandle streamWaitEvent;
  private final MethodHandle streamDestroy;
  private final MethodHandle streamSynchronize;
  private final MethodHandle deviceGetDefaultMemPool;
  private final MethodHandle memPoolSetAttribute;
  private final MethodHandle memPoolGetAttribute;
  private final MethodHandle memPoolTrimTo;
  private final MethodHandle memAllocAsync;
  private final MethodHandle memFreeAsync;
  private final MethodHandle memHostAlloc;
  private final MethodHandle memFreeHost;
  private final MethodHandle memcpyHtoDAsync;
  private final MethodHandle memcpyDtoHAsync;
  private final MethodHandle memcpyDtoDAsync;
  private final MethodHandle memsetD8Async;
  private final MethodHandle moduleLoadData;
  private final MethodHandle moduleUnload;
  private final MethodHandle moduleGetFunction;
  private final MethodHandle funcSetAttribute;
  private final MethodHandle launchKernel;
  private final MethodHandle launchKernelEx;
  private final MethodHandle streamBeginCapture;
  private final MethodHandle streamEndCapture;
  private final MethodHandle graphInstantiate;
  private final MethodHandle graphLaunch;
  private final MethodHandle graphExecDestroy;
  private final MethodHandle graphDestroy;
  private final MethodHandle eventCreate;
  private final MethodHandle eventDestroy;
  private final MethodHandle eventRecord;

  /**
   * @throws CudaException where there is no driver or no device
   */
  Driver(SymbolLookup lib, Arena arena) {
    cell = arena.allocate(16, 8);
    launchConfig = arena.allocate(LAUNCH_CONFIG_BYTES, 8);
    launchAttribute = arena.allocate(LAUNCH_ATTRIBUTE_BYTES, 8);
    launchAttribute.set(INT, 0, PROGRAMMATIC_STREAM_SERIALIZATION);
    launchAttribute.set(INT, 8, 1);
    launchConfig.set(LONG, 40, launchAttribute.address());
    launchConfig.set(INT, 48, 1);
    getErrorName = function(lib, "cuGetErrorName", INT, POINTER);
    getErrorString = function(lib, "cuGetErrorString", INT, POINTER);
    driverGetVersion = function(lib, "cuDriverGetVersion", POINTER);
    deviceGetCount = function(lib, "cuDeviceGetCount", POINTER);
    deviceGet = function(lib, "cuDeviceGet", POINTER, INT);
    deviceGetName = function(lib, "cuDeviceGetName", POINTER, INT, INT);
    deviceGetAttribute = function(lib, "cuDeviceGetAttribute", POINTER, INT, INT);
    deviceTotalMem = function(lib, "cuDeviceTotalMem_v2", POINTER, INT);
    primaryCtxRetain = function(lib, "cuDevicePrimaryCtxRetain", POINTER, INT);
    primaryCtxRelease = function(lib, "cuDevicePrimaryCtxRelease_v2", INT);
    ctxSetCurrent = function(lib, "cuCtxSetCurrent", LONG);
    memGetInfo = function(lib, "cuMemGetInfo_v2", POINTER, POINTER);
    streamCreate = function(lib, "cuStreamCreate", POINTER, INT);
    streamWaitEvent = function(lib, "cuStreamWaitEvent", LONG, LONG, INT);
    streamDestroy = function(lib, "cuStreamDestroy_v2", LONG);
    streamSynchronize = function(lib, "cuStreamSynchronize", LONG);
    deviceGetDefaultMemPool = function(lib, "cuDeviceGetDefaultMemPool", POINTER, INT);
    memPoolSetAttribute = function(lib, "cuMemPoolSetAttribute", LONG, INT, POINTER);
    memPoolGetAttribute = function(lib, "cuMemPoolGetAttribute", LONG, INT, POINTER);
    memPoolTrimTo = function(lib, "cuMemPoolTrimTo", LONG, LONG);
    memAllocAsync = function(lib, "cuMemAllocAsync", POINTER, LONG, LONG);
    memFreeAsync = function(lib, "cuMemFreeAsync", LONG, LONG);
    memHostAlloc = function(lib, "cuMemHostAlloc", POINTER, LONG, INT);
    memFreeHost = function(lib, "cuMemFreeHost", LONG);
    memcpyHtoDAsync = function(lib, "cuMemcpyHtoDAsync_v2", LONG, LONG, LONG, LONG);
    memcpyDtoHAsync = function(lib, "cuMemcpyDtoHAsync_v2", LONG, LONG, LONG, LONG);
    memcpyDtoDAsync = function(lib, "cuMemcpyDtoDAsync_v2", LONG, LONG, LONG, LONG);
    memsetD8Async = function(lib, "cuMemsetD8Async", LONG, ValueLayout.JAVA_BYTE, LONG, LONG);
    moduleLoadData = function(lib, "cuModuleLoadData", POINTER, POINTER);
    moduleUnload = function(lib, "cuModuleUnload", LONG);
    moduleGetFunction = function(lib, "cuModuleGetFunction", POINTER, LONG, POINTER);
    funcSetAttribute = function(lib, "cuFuncSetAttribute", LONG, INT, INT);
    launchKernel =
        function(
            lib, "cuLaunchKernel", LONG, INT, INT, INT, INT, INT, INT, INT, LONG, POINTER, LONG);
    launchKernelEx = function(lib, "cuLaunchKernelEx", POINTER, LONG, POINTER, LONG);
    streamBeginCapture = function(lib, "cuStreamBeginCapture_v2", LONG, INT);
    streamEndCapture = function(lib, "cuStreamEndCapture", LONG, POINTER);
    graphInstantiate = function(lib, "cuGraphInstantiateWithFlags", POINTER, LONG, LONG);
    graphLaunch = function(lib, "cuGraphLaunch", LONG, LONG);
    graphExecDestroy = function(lib, "cuGraphExecDestroy", LONG);
    graphDestroy = function(lib, "cuGraphDestroy", LONG);
    eventCreate = function(lib, "cuEventCreate", POINTER, INT);
    eventDestroy = function(lib, "cuEventDestroy_v2", LONG);
    eventRecord = function(lib, "cuEventRecord", LONG, LONG);
    try {
      check(
          (int) function(lib, "cuInit", INT).invokeExact(0),
          "cuInit (is the NVIDIA kernel driver loaded?)");
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  private void check(int status, String what) {
    if (status != 0) {
      throw failure(status, what);
    }
  }

  private CudaException failure(int status, String what) {
    return new CudaException("CUDA: %s failed: %s".formatted(what, message(status)));
  }

  private String message(int status) {
    try {
      int named = (int) getErrorName.invokeExact(status, cell);
      String name = named == 0 ? text() : "error " + status;
      int described = (int) getErrorString.invokeExact(status, cell);
      return described == 0 ? name + ", " + text() : name;
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  private String text() {
    return MemorySegment.ofAddress(cell.get(LONG, 0)).reinterpret(1 << 12).getString(0);
  }

  /** 13000 for CUDA 13.0. */
  int version() {
    try {
      check((int) driverGetVersion.invokeExact(cell), "cuDriverGetVersion");
      return cell.get(INT, 0);
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  int deviceCount() {
    try {
      check((int) deviceGetCount.invokeExact(cell), "cuDeviceGetCount");
      return cell.get(INT, 0);
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  int device(int ordinal) {
    try {
      check((int) deviceGet.invokeExact(cell, ordinal), "cuDeviceGet");
      return cell.get(INT, 0);
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  String deviceName(int device) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment name = arena.allocate(256);
      check((int) deviceGetName.invokeExact(name, 256, device), "cuDeviceGetName");
      return name.getString(0);
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  int attribute(int attribute, int device) {
    try {
      check((int) deviceGetAttribute.invokeExact(cell, attribute, device), "cuDeviceGetAttribute");
      return cell.get(INT, 0);
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  long totalMemory(int device) {
    try {
      check((int) deviceTotalMem.invokeExact(cell, device), "cuDeviceTotalMem");
      return cell.get(LONG, 0);
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  long retainContext(int device) {
    try {
      check((int) primaryCtxRetain.invokeExact(cell, device), "cuDevicePrimaryCtxRetain");
      return cell.get(LONG, 0);
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  void releaseContext(int device) {
    try {
      check((int) primaryCtxRelease.invokeExact(device), "cuDevicePrimaryCtxRelease");
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  void setCurrent(long context) {
    try {
      check((int) ctxSetCurrent.invokeExact(context), "cuCtxSetCurrent");
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  /** Bytes of device memory that no process holds. */
  long freeMemory() {
    try {
      check((int) memGetInfo.invokeExact(cell, cell.asSlice(8)), "cuMemGetInfo");
      return cell.get(LONG, 0);
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  long createStream() {
    try {
      check((int) streamCreate.invokeExact(cell, STREAM_NON_BLOCKING), "cuStreamCreate");
      return cell.get(LONG, 0);
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  void destroyStream(long stream) {
    try {
      check((int) streamDestroy.invokeExact(stream), "cuStreamDestroy");
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  void synchronize(long stream) {
    try {
      check((int) streamSynchronize.invokeExact(stream), "waiting for the GPU");
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  /** The device's memory pool, told to keep what is freed. */
  long keepingPool(int device) {
    try {
      check((int) deviceGetDefaultMemPool.invokeExact(cell, device), "cuDeviceGetDefaultMemPool");
      long pool = cell.get(LONG, 0);
      cell.set(LONG, 0, -1L);
      check(
          (int) memPoolSetAttribute.invokeExact(pool, POOL_RELEASE_THRESHOLD, cell),
          "cuMemPoolSetAttribute");
      return pool;
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  long poolUsed(long pool) {
    return poolAttribute(pool, POOL_USED_CURRENT);
  }

  long poolPeak(long pool) {
    return poolAttribute(pool, POOL_USED_HIGH);
  }

  private long poolAttribute(long pool, int attribute) {
    try {
      check((int) memPoolGetAttribute.invokeExact(pool, attribute, cell), "cuMemPoolGetAttribute");
      return cell.get(LONG, 0);
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  void resetPoolPeak(long pool) {
    try {
      cell.set(LONG, 0, 0L);
      check(
          (int) memPoolSetAttribute.invokeExact(pool, POOL_USED_HIGH, cell),
          "cuMemPoolSetAttribute");
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  void trim(long pool) {
    try {
      check((int) memPoolTrimTo.invokeExact(pool, 0L), "cuMemPoolTrimTo");
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  /** Stream-ordered device memory; 0 when there is not enough. */
  long allocate(long bytes, long stream) {
    try {
      int status = (int) memAllocAsync.invokeExact(cell, bytes, stream);
      if (status == OUT_OF_MEMORY) {
        return 0;
      }
      check(status, "cuMemAllocAsync");
      return cell.get(LONG, 0);
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  void free(long address, long stream) {
    try {
      check((int) memFreeAsync.invokeExact(address, stream), "cuMemFreeAsync");
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  /** Page-locked host memory. */
  MemorySegment allocateHost(long bytes) {
    try {
      check((int) memHostAlloc.invokeExact(cell, bytes, 0), "cuMemHostAlloc");
      return MemorySegment.ofAddress(cell.get(LONG, 0)).reinterpret(bytes);
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  void freeHost(MemorySegment memory) {
    try {
      check((int) memFreeHost.invokeExact(memory.address()), "cuMemFreeHost");
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  void copyToDevice(long to, long fromHost, long bytes, long stream) {
    try {
      check((int) memcpyHtoDAsync.invokeExact(to, fromHost, bytes, stream), "copying to the GPU");
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  void copyToHost(long toHost, long from, long bytes, long stream) {
    try {
      check((int) memcpyDtoHAsync.invokeExact(toHost, from, bytes, stream), "copying from the GPU");
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  void copy(long to, long from, long bytes, long stream) {
    try {
      check((int) memcpyDtoDAsync.invokeExact(to, from, bytes, stream), "copying on the GPU");
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  void clear(long address, long bytes, long stream) {
    try {
      check((int) memsetD8Async.invokeExact(address, (byte) 0, bytes, stream), "cuMemsetD8Async");
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  long loadModule(byte[] image) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment data = arena.allocate(image.length, 16);
      MemorySegment.copy(image, 0, data, ValueLayout.JAVA_BYTE, 0, image.length);
      check((int) moduleLoadData.invokeExact(cell, data), "loading a kernel");
      return cell.get(LONG, 0);
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  void unloadModule(long module) {
    try {
      check((int) moduleUnload.invokeExact(module), "cuModuleUnload");
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  long kernel(long module, String name) {
    try (Arena arena = Arena.ofConfined()) {
      check(
          (int) moduleGetFunction.invokeExact(cell, module, arena.allocateFrom(name)),
          "kernel " + name);
      return cell.get(LONG, 0);
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  void allowSharedMemory(long function, int bytes) {
    try {
      check(
          (int) funcSetAttribute.invokeExact(function, FUNCTION_MAX_DYNAMIC_SHARED, bytes),
          "a kernel asking for %d bytes of shared memory".formatted(bytes));
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  /** As much of a multiprocessor's memory as can be is shared memory while this kernel runs. */
  void preferSharedMemory(long function) {
    try {
      check(
          (int) funcSetAttribute.invokeExact(function, FUNCTION_PREFERRED_CARVEOUT, 100),
          "a kernel's share of shared memory");
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  /**
   * @param early the kernel may start while the one before it still runs
   */
  void launch(
      long function,
      int gridX,
      int gridY,
      int threads,
      int sharedBytes,
      boolean early,
      long stream,
      MemorySegment arguments,
      String name) {
    int status;
    try {
      if (early) {
        int[] sizes = {gridX, gridY, 1, threads, 1, 1, sharedBytes};
        MemorySegment.copy(sizes, 0, launchConfig, ValueLayout.JAVA_INT, 0, sizes.length);
        launchConfig.set(LONG, 32, stream);
        status = (int) launchKernelEx.invokeExact(launchConfig, function, arguments, 0L);
      } else {
        status =
            (int)
                launchKernel.invokeExact(
                    function, gridX, gridY, 1, threads, 1, 1, sharedBytes, stream, arguments, 0L);
      }
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
    if (status != 0) {
      throw failure(status, "kernel %s <<<(%d, %d), %d>>>".formatted(name, gridX, gridY, threads));
    }
  }

  /** What the stream is given from now on is recorded, not run. */
  void beginCapture(long stream) {
    try {
      check(
          (int) streamBeginCapture.invokeExact(stream, CAPTURE_THREAD_LOCAL),
          "cuStreamBeginCapture");
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  /** Ends a recording; what {@link #launchGraph} runs, or 0 when it cannot be run again. */
  long endCapture(long stream) {
    try {
      int ended = (int) streamEndCapture.invokeExact(stream, cell);
      long graph = cell.get(LONG, 0);
      if (ended != 0 || graph == 0) {
        return 0;
      }
      int made = (int) graphInstantiate.invokeExact(cell, graph, 0L);
      long executable = cell.get(LONG, 0);
      check((int) graphDestroy.invokeExact(graph), "cuGraphDestroy");
      return made == 0 ? executable : 0;
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  void launchGraph(long executable, long stream) {
    try {
      check((int) graphLaunch.invokeExact(executable, stream), "cuGraphLaunch");
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  void destroyGraph(long executable) {
    try {
      check((int) graphExecDestroy.invokeExact(executable), "cuGraphExecDestroy");
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  long createEvent() {
    try {
      check((int) eventCreate.invokeExact(cell, EVENT_UNTIMED), "cuEventCreate");
      return cell.get(LONG, 0);
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  void destroyEvent(long event) {
    try {
      check((int) eventDestroy.invokeExact(event), "cuEventDestroy");
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  /** The event happens when the stream has done what it was given until now. */
  void record(long event, long stream) {
    try {
      check((int) eventRecord.invokeExact(event, stream), "cuEventRecord");
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  /** What the stream is given from now on waits for the event as it was last recorded. */
  void await(long event, long stream) {
    try {
      check((int) streamWaitEvent.invokeExact(stream, event, 0), "cuStreamWaitEvent");
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }
}
