package dev.reckoner.tensor.backends;

import dev.reckoner.tensor.Backend;
import dev.reckoner.tensor.cpu.CpuBackend;
import dev.reckoner.tensor.cuda.CudaBackend;
import dev.reckoner.tensor.cuda.CudaException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;

/**
 * Backends by name: {@code cpu}; {@code cuda}, the first GPU, or {@code cuda:N}; {@code auto}, the
 * first GPU where there is one, else the CPU.
 */
public final class Backends {
  /** For an option's description. */
  public static final String NAMES = "cpu, cuda, cuda:N or auto";

  private static final System.Logger LOG = System.getLogger(Backends.class.getName());

  private static final Path DEVICES = Path.of("/dev");

  /** The driver's own, that of Windows' subsystem for Linux, and those of boards. */
  private static final List<String> GPU_FILES =
      List.of("nvidiactl", "nvidia0", "dxg", "nvhost-gpu", "nvgpu", "nvmap");

  private Backends() {}

  /** {@link #open(String, OptionalInt)} with a thread for each processor. */
  public static Backend open(String name) {
    return open(name, OptionalInt.empty());
  }

  /**
   * @param threads of the CPU backend; empty for one a processor
   * @throws IllegalArgumentException for a name that is none of {@link #NAMES}
   * @throws CudaException in one line when a GPU is asked for and something it needs is missing;
   *     under {@code auto} a GPU that cannot be used is a warning
   */
  public static Backend open(String name, OptionalInt threads) {
    if (name.equals("cpu")) {
      return cpu(threads);
    }
    if (name.equals("auto")) {
      return auto(threads);
    }
    if (name.equals("cuda")) {
      return CudaBackend.open(0);
    }
    if (name.matches("cuda:\\d{1,3}")) {
      return CudaBackend.open(Integer.parseInt(name.substring("cuda:".length())));
    }
    throw new IllegalArgumentException("backend must be %s, not %s".formatted(NAMES, name));
  }

  /**
   * Begins to make ready what {@code open(name)} will need, beside whatever the caller does next:
   * to be called first by who wants an answer soon after its start.
   *
   * @return done when there is nothing more to wait for
   */
  public static CompletableFuture<Void> prepare(String name) {
    boolean vectors = ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();
    return vectors && (name.equals("cpu") || name.equals("auto"))
        ? CpuBackend.warmUp()
        : CompletableFuture.completedFuture(null);
  }

  private static Backend cpu(OptionalInt threads) {
    return threads.isPresent() ? CpuBackend.open(threads.getAsInt()) : CpuBackend.open();
  }

  /** A look at the device files, which costs nothing, before one for drivers and libraries. */
  private static boolean mayHaveGpu() {
    boolean told = System.getenv("RECKONER_CUDA_PATH") != null;
    return told
        || System.getProperty("reckoner.cuda.path") != null
        || !Files.isDirectory(DEVICES)
        || GPU_FILES.stream().anyMatch(name -> Files.exists(DEVICES.resolve(name)));
  }

  private static Backend auto(OptionalInt threads) {
    if (mayHaveGpu() && CudaBackend.devices() > 0) {
      try {
        return CudaBackend.open(0);
      } catch (CudaException e) {
        LOG.log(System.Logger.Level.WARNING, "the GPU is not used: " + e.getMessage());
      }
    }
    return cpu(threads);
  }
}
