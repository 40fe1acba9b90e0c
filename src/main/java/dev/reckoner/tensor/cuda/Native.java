package dev.reckoner.tensor.cuda;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** Down-calls into C functions that return an int status. */
@SuppressWarnings("restricted") // the foreign memory API is what this class is for
final class Native {
  static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
  static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
  static final MemoryLayout POINTER = ValueLayout.ADDRESS;

  private Native() {}

  /**
   * @throws CudaException when the library lacks the function
   */
  static MethodHandle function(SymbolLookup library, String name, MemoryLayout... arguments) {
    return Linker.nativeLinker()
        .downcallHandle(
            library
                .find(name)
                .orElseThrow(
                    () ->
                        new CudaException(
                            "the CUDA library lacks %s: update the driver and CUDA libraries to version 12 or later"
                                .formatted(name))),
            FunctionDescriptor.of(INT, arguments));
  }

  /** What an impossible exception of a down-call becomes. */
  static RuntimeException unexpected(Throwable e) {
    if (e instanceof RuntimeException r) {
      return r;
    }
    if (e instanceof Error error) {
      throw error;
    }
    return new CudaException("native call failed: " + e, e);
  }
}
