package dev.reckoner.tensor.cuda;

import java.util.List;

/** Launches of {@code kernels/product.cu}: products of few rows, compiled for each form. */
final class Product {
  /** Rows up to which a weight is read once where it lies; above, dequantising pays. */
  static final int MOST_ROWS = 64;

  private static final int PIECE = 64;
  private static final int WARPS = 8;
  private static final int WIDE = 4096;

  private final Kernels kernels;

  Product(Kernels kernels) {
    this.kernels = kernels;
  }

  /** Where the adapters of the product's own layer and of the next find and leave their ranks. */
  record Adapters(CudaLowRankRows own, CudaTensor u, CudaLowRankRows next, CudaTensor nextU) {
    static final Adapters NONE = new Adapters(null, null, null, null);
  }

  static boolean takes(CudaMatrix m, CudaTensor x) {
    return x.rows() <= MOST_ROWS && takes(m) && x.isVector();
  }

  static boolean takes(CudaMatrix m) {
    return m.columns() % PIECE == 0;
  }

  /** {@code y = alpha * x W^T + scale * u B^T + beta * y}. */
  void run(CudaMatrix m, CudaTensor x, float alpha, float beta, CudaTensor y, Adapters adapters) {
    int rows = rows(x);
    Form form =
        m.isNf4()
            ? new Form(rows, rows > 16 ? 2 : 1, m.rows() >= WIDE ? 2 : 8, false, true)
            : new Form(rows, rows > 16 ? 4 : 1, m.rows() >= WIDE ? 1 : 8, false, false);
    start(form, m, x, alpha, beta, y, 0, m.rows())
        .p(adapters.own == null ? 0 : adapters.own.address())
        .p(adapters.own == null ? 0 : adapters.own.groupOf())
        .p(CudaTensor.addressOf(adapters.u))
        .i(adapters.u == null ? 0 : adapters.u.columns())
        .p(0)
        .p(0)
        .p(0)
        .i(0)
        .p(0)
        .launch(form.blocks(m.rows()), 1, WARPS * 32, form.sharedBytes(), m.master() == null);
  }

  /** {@code y[t, j] = x[t] . W[chosen[j]]} of a bf16 matrix, the bits of {@link #run}. */
  void rows(CudaMatrix m, CudaIndices chosen, CudaTensor x, CudaTensor y) {
    int rows = rows(x);
    Form form = new Form(rows, rows > 16 ? 4 : 1, m.rows() >= WIDE ? 1 : 8, false, false);
    start(form, m, x, 1, 0, y, 0, chosen.size())
        .p(0)
        .p(0)
        .p(0)
        .i(0)
        .p(0)
        .p(0)
        .p(0)
        .i(0)
        .p(chosen.address())
        .launch(form.blocks(chosen.size()), 1, WARPS * 32, form.sharedBytes());
  }

  /** Into how many parts the columns of {@link #partial} are divided. */
  static int splits(CudaMatrix m) {
    return Math.clamp((m.columns() / PIECE + 8) / 16, 1, 16);
  }

  /** Sums of each part of the columns, fp32 {@code [splits * rows, outs]}. */
  void partial(CudaMatrix m, CudaTensor x, CudaTensor sums) {
    int rows = rows(x);
    int splits = sums.rows() / x.rows();
    int slices = splits > 1 ? 4 : 8;
    Form form = new Form(rows, rows > 16 ? splits > 1 ? 4 : 2 : 1, slices, false, m.isNf4());
    start(form, m, x, 1, 0, null, sums.address(), m.rows())
        .p(0)
        .p(0)
        .p(0)
        .i(0)
        .p(0)
        .p(0)
        .p(0)
        .i(0)
        .p(0)
        .launch(form.blocks(m.rows()), splits, WARPS * 32, form.sharedBytes(), m.master() == null);
  }

  /** Outputs that a sum for the next layer's ranks covers. */
  static final int SUMMED = 32;

  /** {@code y = gelu(gate) * up}. */
  void geglu(CudaMatrix m, CudaTensor x, CudaTensor y, Adapters adapters) {
    int rows = rows(x);
    Form form = new Form(rows, rows > 16 ? 4 : 2, 2, true, m.isNf4());
    start(form, m, x, 1, 0, y, 0, y.columns())
        .p(adapters.own == null ? 0 : adapters.own.address())
        .p(adapters.own == null ? 0 : adapters.own.groupOf())
        .p(CudaTensor.addressOf(adapters.u))
        .i(adapters.u == null ? 0 : adapters.u.columns())
        .p(adapters.next == null ? 0 : adapters.next.address())
        .p(adapters.next == null ? 0 : adapters.next.groupOf())
        .p(CudaTensor.addressOf(adapters.nextU))
        .i(adapters.nextU == null ? 0 : adapters.nextU.columns())
        .p(0)
        .launch(form.blocks(y.columns()), 1, WARPS * 32, form.sharedBytes(), m.master() == null);
  }

  private Kernels start(
      Form form,
      CudaMatrix m,
      CudaTensor x,
      float alpha,
      float beta,
      CudaTensor y,
      long partial,
      int outs) {
    return kernels
        .call(kernels.get("product", form.defines(), "product"))
        .p(m.values())
        .p(m.scales())
        .t(x)
        .p(y == null ? 0 : y.address())
        .i(y == null ? 0 : y.stride())
        .p(partial)
        .i(x.rows())
        .i(outs)
        .i(m.columns())
        .f(alpha)
        .f(beta);
  }

  private static int rows(CudaTensor x) {
    int rows = x.rows();
    return rows <= 8 ? 8 : rows <= 16 ? 16 : rows <= 32 ? 32 : 64;
  }

  /**
   * What the kernel is compiled for.
   *
   * @param tiles of 8 outputs of a warp
   * @param slices of the columns in a block
   */
  private record Form(int rows, int tiles, int slices, boolean geglu, boolean nf4) {
    List<String> defines() {
      return List.of(
          "ROWS=" + rows,
          "TILES=" + tiles,
          "SLICES=" + slices,
          "GEGLU=" + (geglu ? 1 : 0),
          "NF4=" + (nf4 ? 1 : 0));
    }

    private int outsOfBlock() {
      return WARPS / slices * tiles * (geglu ? 4 : 8);
    }

    int blocks(int outs) {
      return (outs + outsOfBlock() - 1) / outsOfBlock();
    }

    int sharedBytes() {
      int table = nf4 ? 256 * 32 * 4 : 0;
      int parts = WARPS * Math.max(1, rows / 16) * tiles * 128 * 4;
      return table + parts + (geglu ? rows * outsOfBlock() * 2 : 0);
    }
  }
}
