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
import java.util.HashMap;
import java.util.Map;

/**
 * Matrix products through cuBLAS: bf16 in, fp32 accumulation, bf16 or fp32 out. Each stream has a
 * handle and a workspace of its own: with shared ones the bits would depend on what runs beside.
 */
final class Cublas implements AutoCloseable {
  private static final int WORKSPACE = 64 << 20;

  private static final int NO_TRANSPOSE = 0;
  private static final int TRANSPOSE = 1;
  private static final int REAL_32F = 0;
  private static final int REAL_16BF = 14;
  private static final int COMPUTE_32F = 68;
  private static final int DEFAULT_ALGORITHM = -1;
  private static final int MATH_FULL_PRECISION_REDUCTION = 16;

  private record Handle(long handle, long workspace) {}

  private final Device device;
  private final Map<Long, Handle> handles = new HashMap<>();
  private final MethodHandle create;
  private final MethodHandle setStream;
  private final MethodHandle setWorkspace;
  private final MethodHandle setMathMode;
  private final MethodHandle destroy;
  private final MethodHandle gemm;
  private final MethodHandle batched;
  private final MemorySegment alphaBeta;

  /**
   * @throws CudaException when the library is missing
   */
  Cublas(Device device) {
    this.device = device;
    var arena = device.arena();
    NativeLibraries libraries = NativeLibraries.ofEnvironment();
    libraries.open(arena, "libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so");
    SymbolLookup lib =
        libraries.require(arena, "cuBLAS", "libcublas.so.13", "libcublas.so.12", "libcublas.so");
    create = function(lib, "cublasCreate_v2", POINTER);
    setStream = function(lib, "cublasSetStream_v2", LONG, LONG);
    setWorkspace = function(lib, "cublasSetWorkspace_v2", LONG, LONG, LONG);
    setMathMode = function(lib, "cublasSetMathMode", LONG, INT);
    destroy = function(lib, "cublasDestroy_v2", LONG);
    gemm =
        function(
            lib,
            "cublasGemmEx",
            LONG, // handle
            INT, // op(A)
            INT, // op(B)
            INT, // m
            INT, // n
            INT, // k
            POINTER, // alpha
            LONG, // A
            INT,
            INT, // lda
            LONG, // B
            INT,
            INT, // ldb
            POINTER, // beta
            LONG, // C
            INT,
            INT, // ldc
            INT, // compute type
            INT); // algorithm
    batched =
        function(
            lib,
            "cublasGemmStridedBatchedEx",
            LONG, // handle
            INT, // op(A)
            INT, // op(B)
            INT, // m
            INT, // n
            INT, // k
            POINTER, // alpha
            LONG, // A
            INT,
            INT, // lda
            LONG, // stride of A
            LONG, // B
            INT,
            INT, // ldb
            LONG, // stride of B
            POINTER, // beta
            LONG, // C
            INT,
            INT, // ldc
            LONG, // stride of C
            INT, // how many
            INT, // compute type
            INT); // algorithm
    alphaBeta = arena.allocate(8, 8);
    handle();
  }

  /** The handle of the stream that work goes to now. */
  private long handle() {
    return handles.computeIfAbsent(device.stream(), this::handleOf).handle();
  }

  private Handle handleOf(long stream) {
    long workspace = device.allocate(WORKSPACE);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment cell = arena.allocate(8, 8);
      check((int) create.invokeExact(cell), "cublasCreate");
      long handle = cell.get(LONG, 0);
      check((int) setStream.invokeExact(handle, stream), "cublasSetStream");
      check(
          (int) setWorkspace.invokeExact(handle, workspace, (long) WORKSPACE),
          "cublasSetWorkspace");
      check(
          (int) setMathMode.invokeExact(handle, MATH_FULL_PRECISION_REDUCTION),
          "cublasSetMathMode");
      return new Handle(handle, workspace);
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
  }

  private static void check(int status, String what) {
    if (status != 0) {
      throw new CudaException("cuBLAS: %s failed with status %d".formatted(what, status));
    }
  }

  /** {@code y [T, out] = alpha * x [T, in] w^T + beta * y}; w {@code [out, in]}. */
  void xWt(long w, int ldw, CudaTensor x, float alpha, float beta, CudaTensor y) {
    gemm(
        TRANSPOSE,
        NO_TRANSPOSE,
        y.columns(),
        y.rows(),
        x.columns(),
        alpha,
        w,
        ldw,
        x.address(),
        x.stride(),
        beta,
        y);
  }

  /** {@code dx [T, in] = alpha * dy [T, out] w + beta * dx}; w {@code [out, in]}. */
  void dyW(long w, int ldw, CudaTensor dy, float alpha, float beta, CudaTensor dx) {
    gemm(
        NO_TRANSPOSE,
        NO_TRANSPOSE,
        dx.columns(),
        dx.rows(),
        dy.columns(),
        alpha,
        w,
        ldw,
        dy.address(),
        dy.stride(),
        beta,
        dx);
  }

  /** {@code dw [out, in] = alpha * dy^T x + beta * dw}. */
  void dyTx(CudaTensor dy, CudaTensor x, float alpha, float beta, CudaTensor dw) {
    gemm(
        NO_TRANSPOSE,
        TRANSPOSE,
        dw.columns(),
        dw.rows(),
        dy.rows(),
        alpha,
        x.address(),
        x.stride(),
        dy.address(),
        dy.stride(),
        beta,
        dw);
  }

  /**
   * {@link #dyTx} onto dw, and the same with the columns of dy and x behind these onto what lies
   * {@code apart} values from dw.
   */
  void dyTxTwice(CudaTensor dy, CudaTensor x, float alpha, CudaTensor dw, long apart) {
    device.enter();
    alphaBeta.set(ValueLayout.JAVA_FLOAT, 0, alpha);
    alphaBeta.set(ValueLayout.JAVA_FLOAT, 4, 1);
    int status;
    try {
      status =
          (int)
              batched.invokeExact(
                  handle(),
                  NO_TRANSPOSE,
                  TRANSPOSE,
                  dw.columns(),
                  dw.rows(),
                  dy.rows(),
                  alphaBeta,
                  x.address(),
                  REAL_16BF,
                  x.stride(),
                  (long) x.columns(),
                  dy.address(),
                  REAL_16BF,
                  dy.stride(),
                  (long) dy.columns(),
                  alphaBeta.asSlice(4),
                  dw.address(),
                  REAL_32F,
                  dw.stride(),
                  apart,
                  2,
                  COMPUTE_32F,
                  DEFAULT_ALGORITHM);
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
    check(status, "two products of %d x %d".formatted(dw.rows(), dw.columns()));
  }

  /** Column-major {@code C [m, n] = alpha * op(A) op(B) + beta * C}, A and B bf16. */
  private void gemm(
      int opA,
      int opB,
      int m,
      int n,
      int k,
      float alpha,
      long a,
      int lda,
      long b,
      int ldb,
      float beta,
      CudaTensor c) {
    device.enter();
    alphaBeta.set(ValueLayout.JAVA_FLOAT, 0, alpha);
    alphaBeta.set(ValueLayout.JAVA_FLOAT, 4, beta);
    int status;
    try {
      status =
          (int)
              gemm.invokeExact(
                  handle(),
                  opA,
                  opB,
                  m,
                  n,
                  k,
                  alphaBeta,
                  a,
                  REAL_16BF,
                  lda,
                  b,
                  REAL_16BF,
                  ldb,
                  alphaBeta.asSlice(4),
                  c.address(),
                  c.isFloat() ? REAL_32F : REAL_16BF,
                  c.stride(),
                  COMPUTE_32F,
                  DEFAULT_ALGORITHM);
    } catch (Throwable e) {
      throw Native.unexpected(e);
    }
    check(status, "a product of %d x %d x %d".formatted(m, n, k));
  }

  @Override
  public void close() {
    for (Handle h : handles.values()) {
      try {
        check((int) destroy.invokeExact(h.handle()), "cublasDestroy");
      } catch (Throwable e) {
        throw Native.unexpected(e);
      }
      device.free(h.workspace());
    }
  }
}
