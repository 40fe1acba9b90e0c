package dev.reckoner.tensor.cpu;

import dev.reckoner.tensor.CacheBatch;
import dev.reckoner.tensor.Indices;
import dev.reckoner.tensor.KeyValues;
import dev.reckoner.tensor.Matrix;
import dev.reckoner.tensor.Nf4;
import dev.reckoner.tensor.Precision;
import dev.reckoner.tensor.Tensor;
import dev.reckoner.tensor.WeightSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;

/**
 * Calls the kernels of inference on tiny operands until the JIT has compiled them, on a thread of
 * its own while a model is loaded: a vector operation takes a hundred times as long before. Loops
 * are kept short, so that a method is compiled for its calls and not a second time for its loop.
 */
final class WarmUp {
  private static final System.Logger LOG = System.getLogger(WarmUp.class.getName());
  private static final int K = 4;
  private static final int BURST = 4;
  private static final int LEAST = 4;
  private static final long MOST_NANOS = 600_000_000L;

  /** A kernel, and how it did so far. */
  private static final class Kernel {
    private final Runnable call;
    private final long compiledNanos;
    private int calls;
    private boolean compiled;

    /**
     * @param compiledMicros more than a compiled call takes, less than any other
     */
    Kernel(int compiledMicros, Runnable call) {
      this.compiledNanos = 1000L * compiledMicros;
      this.call = call;
    }

    void burst() {
      for (int i = calls < LEAST ? 0 : BURST - 1; i < BURST; i++) {
        long began = System.nanoTime();
        call.run();
        compiled = System.nanoTime() - began < compiledNanos;
        calls++;
      }
      compiled &= calls >= LEAST;
    }
  }

  private final CpuBackend backend;

  private WarmUp(CpuBackend backend) {
    this.backend = backend;
  }

  /**
   * @param backend closed at the end
   * @return done when the kernels that read a prompt are compiled, or enough time has passed
   */
  static CompletableFuture<Void> begin(CpuBackend backend) {
    CompletableFuture<Void> prompt = new CompletableFuture<>();
    Thread.ofPlatform()
        .daemon()
        .name("reckoner-warm-up")
        .start(
            () -> {
              try (backend) {
                run(backend);
              } catch (RuntimeException | Error e) {
                LOG.log(System.Logger.Level.DEBUG, "Kernels were not compiled beforehand", e);
              } finally {
                prompt.complete(null);
              }
            });
    return prompt;
  }

  /** Calls them on this thread. */
  static void run(CpuBackend backend) {
    WarmUp warmUp = new WarmUp(backend);
    run(warmUp.prompt());
    run(warmUp.products());
  }

  /** Calls kernels in turns until all are fast, or enough time has passed. */
  private static void run(List<Kernel> kernels) {
    long until = System.nanoTime() + MOST_NANOS;
    List<Kernel> slow = new ArrayList<>(kernels);
    while (!slow.isEmpty() && System.nanoTime() < until) {
      slow.forEach(Kernel::burst);
      if (!slow.removeIf(kernel -> kernel.compiled) && slow.getFirst().calls >= LEAST) {
        pause();
      }
    }
  }

  /** The compiler needs the processor more than calls that wait for it. */
  private static void pause() {
    try {
      Thread.sleep(5);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private List<Kernel> prompt() {
    List<Kernel> kernels = new ArrayList<>();
    float[] a = new float[Tile.TALLEST * K];
    float[] b = new float[K * Tile.WIDTH];
    float[] c = new float[Tile.TALLEST * Tile.WIDTH];
    float[] rows = new float[15 * Tile.WIDTH]; // tiles of all heights of PanelTile
    float[] sums = new float[15 * Tile.WIDTH];
    float[] scales = new float[Tile.WIDTH];
    for (int height : new int[] {Tile.TALLEST, 8, 4, 2, 1}) {
      kernels.add(new Kernel(3, () -> Tile.multiplyScaled(height, K, a, 0, b, 0, scales, 0, c, 0)));
      kernels.add(new Kernel(3, () -> Tile.multiply(height, K, a, 0, b, 0, c, 0)));
    }
    kernels.add(new Kernel(3, () -> PanelTile.multiply(15, K, rows, 0, 0, b, 0, sums, 0)));
    if (Tile.TALLEST == 12) {
      float[] tile = new float[12 * 16];
      float[] packed = new float[12 * 16];
      kernels.add(new Kernel(3, () -> PackTile512.pack(tile, 0, 16, 16, packed, 0)));
    }
    int[] block = new int[Int8Matrix.BLOCK_INTS];
    float[] values = new float[Nf4.BLOCK * Tile.WIDTH];
    if (DecodeKernel.supported()) {
      kernels.add(new Kernel(3, () -> DecodeKernel.unpack(block, 0, values)));
      kernels.add(new Kernel(3, () -> DecodeKernel.unpackInt8(block, 0, values)));
    } else if (Unpack.supported()) {
      kernels.add(new Kernel(3, () -> Unpack.nf4(block, 0, values, scales)));
      kernels.add(new Kernel(3, () -> Unpack.int8(block, 0, values, scales)));
    }
    kernels.addAll(rows());
    return kernels;
  }

  /** Norms, rotation, attention and activation over a few rows. */
  private List<Kernel> rows() {
    int head = 2 * VectorMath.L;
    int tokens = 2;
    Tensor x = backend.floats(tokens, 4 * head);
    Tensor weight = backend.floats(1, 4 * head);
    Tensor out = backend.floats(tokens, 4 * head);
    Tensor norm = backend.floats(1, head);
    Tensor gateUp = backend.floats(tokens, 8 * head);
    Tensor qkv = backend.floats(tokens, 3 * head);
    Tensor q = backend.floats(tokens, head);
    Tensor k = backend.floats(tokens, head);
    Tensor rope = backend.floats(tokens, head);
    Indices positions = backend.indices(IntStream.range(0, tokens).toArray());
    KeyValues keyValues = backend.keyValues(1, 1, head, tokens);
    CacheBatch batch = backend.batch(List.of(keyValues), new int[] {0, tokens}, new int[1]);
    return List.of(
        new Kernel(20, () -> backend.rmsNorm(x, weight, 1, out, null)),
        new Kernel(20, () -> backend.rmsNormAdd(x, weight, 1, out, out, null)),
        new Kernel(20, () -> backend.qkNormRope(qkv, norm, norm, 1, positions, rope, q, k, null)),
        new Kernel(20, () -> backend.appendKeyValues(batch, 0, k, k)),
        new Kernel(
            20, () -> backend.cachedAttention(batch, 0, q, head, 0, 1, out.columns(0, head))),
        new Kernel(20, () -> backend.geglu(gateUp, out)));
  }

  /**
   * Whole products, of a number of rows that needs tiles of all heights, and the token's choice.
   */
  private List<Kernel> products() {
    int rows = SmallBatchKernel.MOST + 15;
    int columns = Nf4.BLOCK;
    int outputs = Tile.WIDTH;
    WeightSource zeros = WeightSource.of(new float[outputs * columns], outputs, columns);
    List<Kernel> kernels = new ArrayList<>();
    for (Matrix w :
        List.of(
            backend.nf4(List.of(Nf4.quantise(zeros))),
            backend.dense(List.of(zeros), Precision.INT8))) {
      Tensor x = backend.floats(rows, columns);
      Tensor y = backend.floats(rows, outputs);
      kernels.add(new Kernel(30, () -> backend.linear(w, x, 1, 0, y)));
    }
    Tensor logits = backend.floats(1, 4 * VectorMath.L);
    Tensor picks = backend.floats(1, 2);
    kernels.add(new Kernel(3, () -> backend.mostLikely(logits, null, picks)));
    return kernels;
  }
}
