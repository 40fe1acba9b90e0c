package dev.reckoner.tensor.cuda;

import static dev.reckoner.tensor.cuda.Native.INT;
import static dev.reckoner.tensor.cuda.Native.LONG;
import static dev.reckoner.tensor.cuda.Native.POINTER;
import static dev.reckoner.tensor.cuda.Native.function;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import org.apache.commons.codec.digest.DigestUtils;

/**
 * Turns kernel resources into machine code for one architecture with NVRTC, and keeps the result in
 * a directory by the hash of source, options and architecture ({@code reckoner.cuda.cache}, else
 * {@code $XDG_CACHE_HOME} or {@code ~/.cache}, {@code reckoner/kernels}). NVRTC is loaded only when
 * something is not there yet.
 */
final class Compiler {
  private final String architecture;
  private final Arena arena;
  private final Path cache;
  private Nvrtc nvrtc;

  private record Nvrtc(
      MethodHandle createProgram,
      MethodHandle compileProgram,
      MethodHandle logSize,
      MethodHandle log,
      MethodHandle cubinSize,
      MethodHandle cubin,
      MethodHandle destroy) {}

  Compiler(String architecture, Arena arena) {
    this.architecture = architecture;
    this.arena = arena;
    cache = cacheDirectory();
  }

  private static Path cacheDirectory() {
    String named = System.getProperty("reckoner.cuda.cache");
    if (named != null) {
      return Path.of(named);
    }
    String xdg = System.getenv("XDG_CACHE_HOME");
    Path base =
        xdg == null || xdg.isBlank()
            ? Path.of(System.getProperty("user.home"), ".cache")
            : Path.of(xdg);
    return base.resolve("reckoner/kernels");
  }

  /**
   * Machine code of resource {@code kernels/FILE.cu} behind {@code common.cuh}.
   *
   * @param defines {@code NAME=VALUE}
   * @throws CudaException with the compiler's first error
   */
  byte[] compile(String file, List<String> defines) {
    String source = resource("common.cuh") + resource(file + ".cu");
    Path kept = cache.resolve(key(source, defines) + ".cubin");
    try {
      if (Files.isReadable(kept)) {
        return Files.readAllBytes(kept);
      }
    } catch (IOException e) {
      // compile it again
    }
    byte[] code = compile(file, source, defines);
    keep(kept, code);
    return code;
  }

  private static String resource(String name) {
    try (InputStream in = Compiler.class.getResourceAsStream("/kernels/" + name)) {
      if (in == null) {
        throw new CudaException(
            "kernel source kernels/%s is not on the class path".formatted(name));
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new CudaException("kernel source kernels/%s: %s".formatted(name, e.getMessage()), e);
    }
  }

  private String key(String source, List<String> defines) {
    return DigestUtils.sha256Hex(architecture + "\n" + defines + "\n" + source);
  }

  /** A cache that cannot be written costs the next start a compilation, nothing else. */
  private void keep(Path file, byte[] code) {
    try {
      Files.createDirectories(cache);
      Path part = Files.createTempFile(cache, "new", ".part");
      Files.write(part, code);
      Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      System.getLogger(Compiler.class.getName())
          .log(System.Logger.Level.DEBUG, "kernel cache {0}: {1}", cache, e.toString());
    }
  }

  private Nvrtc nvrtc() {
    if (nvrtc == null) {
      NativeLibraries libraries = NativeLibraries.ofEnvironment();
      libraries.preload(arena, "libnvrtc-builtins.so");
      SymbolLookup lib =
          libraries.require(
              arena,
              "NVRTC, CUDA's run-time compiler,",
              "libnvrtc.so.13",
              "libnvrtc.so.12",
              "libnvrtc.so");
      nvrtc =
          new Nvrtc(
              function(lib, "nvrtcCreateProgram", POINTER, POINTER, POINTER, INT, POINTER, POINTER),
              function(lib, "nvrtcCompileProgram", LONG, INT, POINTER),
              function(lib, "nvrtcGetProgramLogSize", LONG, POINTER),
              function(lib, "nvrtcGetProgramLog", LONG, POINTER),
              function(lib, "nvrtcGetCUBINSize", LONG, POINTER),
              function(lib, "nvrtcGetCUBIN", LONG, POINTER),
              function(lib, "nvrtcDestroyProgram", POINTER));
    }
    return nvrtc;
  }

  private byte[] compile(String file, String source, List<String> defines) {
    Nvrtc n = nvrtc();
    try (Arena local = Arena.ofConfined()) {
      MemorySegment cell = local.allocate(8, 8);
      check(
          (int)
              n.createProgram()
                  .invokeExact(
                      cell,
                      local.allocateFrom(source),
                      local.allocateFrom(file + ".cu"),
                      0,
                      MemorySegment.NULL,
                      MemorySegment.NULL),
          file);
      long program = cell.get(LONG, 0);
      MemorySegment options = local.allocate(ValueLayout.ADDRESS, defines.size() + 2L);
      options.setAtIndex(
          ValueLayout.ADDRESS, 0, local.allocateFrom("--gpu-architecture=" + architecture));
      options.setAtIndex(ValueLayout.ADDRESS, 1, local.allocateFrom("--std=c++17"));
      for (int i = 0; i < defines.size(); i++) {
        options.setAtIndex(ValueLayout.ADDRESS, i + 2L, local.allocateFrom("-D" + defines.get(i)));
      }
      int status = (int) n.compileProgram().invokeExact(program, defines.size() + 2, options);
      if (status != 0) {
        check((int) n.logSize().invokeExact(program, cell), file);
        MemorySegment log = local.allocate(cell.get(LONG, 0) + 1);
        check((int) n.log().invokeExact(program, log), file);
        throw new CudaException(
            "kernel %s.cu does not compile for %s: %s"
                .formatted(file, architecture, firstError(log.getString(0), status)));
      }
      check((int) n.cubinSize().invokeExact(program, cell), file);
      long size = cell.get(LONG, 0);
      MemorySegment code = local.allocate(size);
      check((int) n.cubin().invokeExact(program, code), file);
      byte[] bytes = code.toArray(ValueLayout.JAVA_BYTE);
      cell.set(LONG, 0, program);
      check((int) n.destroy().invokeExact(cell), file);
      return bytes;
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  private static String firstError(String log, int status) {
    return log.lines()
        .filter(l -> l.contains("error"))
        .findFirst()
        .orElse("NVRTC status " + status + " " + log.lines().findFirst().orElse(""));
  }

  private static void check(int status, String file) {
    if (status != 0) {
      throw new CudaException("NVRTC status %d on kernel %s.cu".formatted(status, file));
    }
  }
}
