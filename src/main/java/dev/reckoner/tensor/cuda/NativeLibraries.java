package dev.reckoner.tensor.cuda;

import java.io.File;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Finds the driver and the CUDA libraries. Directories are searched in this order: system property
 * {@code reckoner.cuda.path}, then {@code RECKONER_CUDA_PATH} (both path lists), the dynamic
 * loader's own paths, {@code CUDA_HOME}, {@code CUDA_PATH}, and where CUDA or pip usually put them.
 */
@SuppressWarnings("restricted") // the foreign memory API is what this class is for
final class NativeLibraries {
  private static final List<String> USUAL_PLACES =
      List.of(
          "/usr/local/cuda/lib64",
          "/usr/local/cuda-*/lib64",
          "/usr/lib/x86_64-linux-gnu",
          "/usr/lib64",
          "/usr/lib/aarch64-linux-gnu",
          "/usr/local/nvidia/lib64",
          "/usr/lib/wsl/lib",
          "/opt/cuda/lib64",
          "/usr/local/lib/python3*/{site,dist}-packages/nvidia/*/lib",
          "/opt/*/.venv/lib/python3*/site-packages/nvidia/*/lib",
          "/opt/*/lib/python3*/site-packages/nvidia/*/lib");

  private final List<Path> first;
  private final List<Path> last;

  private NativeLibraries(List<Path> first, List<Path> last) {
    this.first = first;
    this.last = last;
  }

  static NativeLibraries ofEnvironment() {
    Set<Path> first = new LinkedHashSet<>();
    addList(first, System.getProperty("reckoner.cuda.path"));
    addList(first, System.getenv("RECKONER_CUDA_PATH"));
    Set<Path> last = new LinkedHashSet<>();
    addList(last, System.getenv("CUDA_HOME"));
    addList(last, System.getenv("CUDA_PATH"));
    String environment = System.getenv("VIRTUAL_ENV");
    if (environment != null) {
      last.addAll(glob(environment + "/lib/python3*/site-packages/nvidia/*/lib"));
    }
    USUAL_PLACES.forEach(p -> last.addAll(glob(p)));
    return new NativeLibraries(List.copyOf(first), List.copyOf(last));
  }

  /** Each entry itself, its lib directories and the folders that pip makes below it. */
  private static void addList(Set<Path> directories, String list) {
    if (list == null) {
      return;
    }
    for (String entry : list.split(File.pathSeparator)) {
      if (!entry.isBlank()) {
        for (String below : List.of("", "/lib64", "/lib", "/targets/x86_64-linux/lib", "/*/lib")) {
          directories.addAll(glob(entry.strip() + below));
        }
      }
    }
  }

  /** Directories that match a pattern with {@code *} and {@code {a,b}} in its names. */
  static List<Path> glob(String pattern) {
    List<Path> found = List.of(Path.of("/"));
    for (String name : pattern.split("/")) {
      if (name.isEmpty()) {
        continue;
      }
      List<Path> next = new ArrayList<>();
      for (Path parent : found) {
        if (name.indexOf('*') < 0 && name.indexOf('{') < 0) {
          Path child = parent.resolve(name);
          if (Files.isDirectory(child)) {
            next.add(child);
          }
          continue;
        }
        var matcher = FileSystems.getDefault().getPathMatcher("glob:" + name);
        try (DirectoryStream<Path> children =
            Files.newDirectoryStream(
                parent, c -> Files.isDirectory(c) && matcher.matches(c.getFileName()))) {
          children.forEach(next::add);
        } catch (IOException e) {
          // not readable: nothing to find there
        }
      }
      found = next.stream().sorted().toList();
    }
    return found;
  }

  /** Opens the first of the given file names that can be opened, or returns null. */
  SymbolLookup open(Arena arena, String... names) {
    for (String name : names) {
      SymbolLookup found = openIn(first, arena, name);
      if (found == null) {
        try {
          found = SymbolLookup.libraryLookup(name, arena);
        } catch (IllegalArgumentException e) {
          found = openIn(last, arena, name);
        }
      }
      if (found != null) {
        return found;
      }
    }
    return null;
  }

  /**
   * @throws CudaException naming the library, the package that has it and where was searched
   */
  SymbolLookup require(Arena arena, String what, String... names) {
    SymbolLookup found = open(arena, names);
    if (found == null) {
      throw new CudaException(
          "%s not found (%s): install the CUDA 12 or 13 run-time libraries, or name their directory with -Dreckoner.cuda.path=DIR or CUDA_HOME"
              .formatted(what, String.join(", ", names)));
    }
    return found;
  }

  private static SymbolLookup openIn(List<Path> directories, Arena arena, String name) {
    for (Path directory : directories) {
      Path file = directory.resolve(name);
      if (Files.exists(file)) {
        try {
          return SymbolLookup.libraryLookup(file, arena);
        } catch (IllegalArgumentException e) {
          // another architecture or a missing dependency: look further
        }
      }
    }
    return null;
  }

  /** File names beginning so, in the directories of the search; loads what they need beforehand. */
  void preload(Arena arena, String prefix) {
    for (Path directory : Stream.concat(first.stream(), last.stream()).toList()) {
      try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, prefix + "*")) {
        for (Path file : files) {
          try {
            SymbolLookup.libraryLookup(file, arena);
            return;
          } catch (IllegalArgumentException e) {
            // look further
          }
        }
      } catch (IOException e) {
        // not readable: nothing to find there
      }
    }
  }
}
