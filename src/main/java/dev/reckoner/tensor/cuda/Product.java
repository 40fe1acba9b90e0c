package dev.reckoner.tensor.cuda;

import java.util.List;

/** Launches of {@code kernels/product.cu}: products of few rows, compiled for each form. */
final class Product {
  /** Rows up to which a weight is read once where it lies; above, dequantising pays. */
  static final int MOST_ROWS = 64;

  private static final int PIECE = 64;

  /** Elements between two rows of x in shared memory. */
  private static final int PITCH = 8;

  private static final int WARPS = 8;
  private static final int WIDE = 4096;

  /** Of x and weights, beside a table of 32 KiB and what adapters need. */
  private static final int LARGEST_STAGED = 180 << 10;

  /** Pieces of all tiles of a warp that shared memory has room for. */
  private static final int MOST_HELD = 32;

  /** No fewer bytes than such weights of a block take. */
  private static final int MOST_HELD_BYTES = 80 << 10;

  /**
   * Shared memory of a block that is alone on a multiprocessor, and of two, beside what is
   * declared.
   */
  private static final int LARGEST = 224 << 10;

  private static final int LARGEST_OF_TWO = 110 << 10;

  /** Uniform adapters in one launch. */
  private static final int MOST_GROUPS = 16;

  /** Shared memory of a block that makes what adapters add. */
  private static final int ADDING_BYTES = 8 << 10;

  /** Blocks of rows whose ranks' sums it copies there besides. */
  private static final int MOST_ADDED = 4;

  private final Device device;
  private final Kernels kernels;

  /**
   * What a product reads.
   *
   * @param ordered its columns lie as products take them ({@code ordered} of {@code
   *     kernels/common.cuh}), and its rows as far apart as in a block's shared memory, so that one
   *     copy takes many of them
   * @param memory of x; null where that is somebody else's
   */
  record Input(CudaTensor x, boolean ordered, CudaTensor memory) implements AutoCloseable {
    /** As it is. */
    static Input of(CudaTensor x) {
      return new Input(x, false, null);
    }

    /**
     * For products in so many parts; ordered where that fits a block's shared memory. Who writes to
     * it has to know which.
     */
    static Input allocate(Device device, int rows, int columns, int splits) {
      int pieces = (columns / PIECE + splits - 1) / splits;
      int bytes = rows * (pieces * PIECE + PITCH) * 2 + (rows > 16 ? 0 : MOST_HELD_BYTES);
      boolean fits = bytes <= LARGEST_STAGED;
      CudaTensor memory = CudaTensor.allocate(device, rows, columns + (fits ? PITCH : 0), false);
      return new Input(memory.columns(0, columns), fits, memory);
    }

    @Override
    public void close() {
      if (memory != null) {
        memory.close();
      }
    }
  }

  Product(Device device, Kernels kernels) {
    this.device = device;
    this.kernels = kernels;
  }

  /**
   * Where the adapters of the product's own layer and of the next find and leave their ranks.
   *
   * @param ready when x is there, which may be before u is
   */
  record Adapters(
      CudaLowRankRows own,
      CudaTensor u,
      Signals.Signal ready,
      CudaLowRankRows next,
      CudaTensor nextU) {
    static final Adapters NONE = new Adapters(null, null, Signals.Signal.NONE, null, null);

    int groups() {
      return own == null ? 0 : own.groups();
    }

    /** Whether a block finds all adapters' parts of its columns at the same place. */
    private boolean uniform(int outs, boolean geglu) {
      if (own != null) {
        List<CudaLowRankRows.Place> parts = own.uniform();
        int whole = geglu ? 2 * outs : outs;
        if (parts.isEmpty()
            || parts.getLast().toColumn() != whole
            || geglu && (parts.size() != 2 || parts.getFirst().toColumn() != outs)) {
          return false;
        }
      }
      return next == null || next.uniform().size() == 1;
    }

    private static int rank(CudaLowRankRows rows) {
      return rows == null ? 16 : rows.uniform().getFirst().rank();
    }
  }

  /**
   * How a kernel treats adapters.
   *
   * @param rank of each part of all of them, so that what a block reads of B can be copied as it
   *     lies; 0 where they differ
   * @param nextRank of those of the next layer
   * @param fours ranks of all parts begin and end at multiples of 4
   */
  private record Adapted(boolean any, int rank, int nextRank, boolean fours) {
    static final Adapted NO = new Adapted(false, 0, 0, false);

    boolean uniform() {
      return rank > 0;
    }
  }

  /**
   * Shared memory.
   *
   * @param uAt where ranks of all rows lie
   * @param early so many groups' B behind them
   */
  private record Room(int uAt, int early, int bytes) {}

  static boolean takes(CudaMatrix m, CudaTensor x) {
    return x.rows() <= MOST_ROWS && takes(m) && x.isVector();
  }

  static boolean takes(CudaMatrix m) {
    return m.columns() % PIECE == 0;
  }

  /** {@code y = alpha * x W^T + scale * u B^T + beta * y}. */
  void run(CudaMatrix m, Input in, float alpha, float beta, CudaTensor y, Adapters adapters) {
    CudaTensor x = in.x;
    int rows = rows(x);
    Form form =
        m.isNf4()
            ? new Form(rows, rows > 16 ? 2 : 1, m.rows() >= WIDE ? 2 : 8, false, true, Adapted.NO)
                .with(adapters, m, x, m.rows())
            : new Form(rows, rows > 16 ? 4 : 1, m.rows() >= WIDE ? 1 : 8, false, false, Adapted.NO);
    launch(form, m, in, 1, alpha, beta, Input.of(y), 0, m.rows(), adapters, null);
  }

  /** {@code y[t, j] = x[t] . W[chosen[j]]} of a bf16 matrix, the bits of {@link #run}. */
  void rows(CudaMatrix m, CudaIndices chosen, CudaTensor x, CudaTensor y) {
    int rows = rows(x);
    Form form =
        new Form(rows, rows > 16 ? 4 : 1, m.rows() >= WIDE ? 1 : 8, false, false, Adapted.NO);
    launch(form, m, Input.of(x), 1, 1, 0, Input.of(y), 0, chosen.size(), Adapters.NONE, chosen);
  }

  /** Into how many parts the columns of {@link #partial} are divided. */
  static int splits(CudaMatrix m) {
    return Math.clamp((m.columns() / PIECE + 8) / 16, 1, 16);
  }

  /**
   * Sums of each part of the columns, fp32 {@code [splits * rows, outs]}; with adapters one part
   * more, of what they add to rows that have one.
   *
   * @param adapters those of the layer, a matrix in one part, with their ranks in several sums,
   *     {@code [rows * sums, ranks]}
   */
  void partial(CudaMatrix m, Input in, CudaTensor sums, int splits, Adapters adapters) {
    int rows = rows(in.x);
    int slices = splits > 1 ? 4 : 8;
    int tiles = (rows > 16 ? 2 : 1) * (splits > 1 ? 2 : 1);
    Form form = new Form(rows, tiles, slices, false, m.isNf4(), Adapted.NO);
    launch(form, m, in, splits, 1, 0, null, sums.address(), m.rows(), adapters, null);
  }

  /** Outputs that a sum for the next layer's ranks covers. */
  static final int SUMMED = 32;

  /** {@code y = gelu(gate) * up}. */
  void geglu(CudaMatrix m, Input in, Input y, Adapters adapters) {
    CudaTensor x = in.x;
    int outs = y.x.columns();
    int rows = rows(x);
    Form form =
        new Form(rows, rows > 16 ? 4 : 2, 2, true, m.isNf4(), Adapted.NO)
            .with(adapters, m, x, outs);
    launch(form, m, in, 1, 1, 0, y, 0, outs, adapters, null);
  }

  private void launch(
      Form form,
      CudaMatrix m,
      Input in,
      int splits,
      float alpha,
      float beta,
      Input y,
      long partial,
      int outs,
      Adapters adapters,
      CudaIndices chosen) {
    CudaTensor x = in.x;
    Room room = form.room(m, x, splits, adapters);
    CudaLowRankRows own = adapters.own;
    CudaLowRankRows next = adapters.next;
    int added = partial == 0 || own == null ? 0 : adapters.u.rows() / x.rows();
    int blocks = form.blocks(outs);
    Adding adding =
        added == 0 ? Adding.NONE : adding(form, blocks * splits, own, added, adapters.u.columns());
    Form whole = added == 0 ? form : form.adding(own.inFours());
    List<String> defines = whole.defines(m, in, y, splits, chosen == null ? outs : 0, added);
    kernels
        .call(kernels.get("product", defines, "product"))
        .p(m.values())
        .p(m.scales())
        .t(x)
        .p(y == null ? 0 : y.x.address())
        .i(y == null ? 0 : y.x.stride())
        .p(partial)
        .i(x.rows())
        .i(outs)
        .f(alpha)
        .f(beta)
        .p(own == null ? 0 : own.address())
        .p(own == null ? 0 : own.groupOf())
        .i(own == null ? 0 : own.groups())
        .i(own == null ? 0 : own.mostRank())
        .p(CudaTensor.addressOf(adapters.u))
        .i(adapters.u == null ? 0 : adapters.u.columns())
        .p(next == null ? 0 : next.address())
        .p(next == null ? 0 : next.groupOf())
        .i(next == null ? 0 : next.groups())
        .p(CudaTensor.addressOf(adapters.nextU))
        .i(adapters.nextU == null ? 0 : adapters.nextU.columns())
        .i(room.uAt)
        .i(room.early)
        .p(chosen == null ? 0 : chosen.address())
        .p(own == null ? 0 : adapters.ready.counter())
        .i(adapters.ready.expected())
        .p(added == 0 ? 0 : own.rows())
        .p(added == 0 ? 0 : own.rowsOfBlocks())
        .i(added == 0 ? 0 : own.blocks())
        .i(adding.copied)
        .launch(
            added == 0 ? blocks : blocks * splits + adding.blocks,
            added == 0 ? splits : 1,
            WARPS * 32,
            Math.max(room.bytes, adding.bytes),
            m.master() == null && chosen == null);
  }

  /**
   * Blocks that make what adapters add: where others leave multiprocessors free, no more.
   *
   * @param copied of its blocks of rows, those whose ranks' sums one has room for
   */
  private record Adding(int blocks, int copied, int bytes) {
    static final Adding NONE = new Adding(0, 0, 0);
  }

  private Adding adding(Form form, int others, CudaLowRankRows adapters, int sums, int ranks) {
    int free = device.multiprocessors() - others;
    int rowBlocks = adapters.blocks();
    int blocks = form.rows <= 16 || free <= 0 ? rowBlocks : Math.min(free, rowBlocks);
    int ofRows = CudaLowRankRows.ROWS_OF_BLOCK * sums * ranks * 4;
    int room = (form.rows > 16 ? LARGEST : LARGEST_OF_TWO) - ADDING_BYTES;
    int most = Math.min(MOST_ADDED, (rowBlocks + blocks - 1) / blocks);
    int copied = Math.min(most, room / ofRows);
    return new Adding(blocks, copied, ADDING_BYTES + copied * ofRows);
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
  private record Form(
      int rows, int tiles, int slices, boolean geglu, boolean nf4, Adapted adapted) {
    List<String> defines(CudaMatrix m, Input in, Input y, int splits, int outs, int added) {
      return List.of(
          "INS=" + m.columns(),
          "OUTPUTS=" + outs,
          "STAGED=" + (staged(m, in.x, splits) > 0 ? 1 : 0),
          "ORDERED=" + (in.ordered ? 1 : 0),
          "ORDERED_Y=" + (y != null && y.ordered ? 1 : 0),
          "SPLITS=" + splits,
          "ROWS=" + rows,
          "TILES=" + tiles,
          "SLICES=" + slices,
          "DEPTH=" + depth(m, splits),
          "RESIDENT=" + (resident(m, splits) ? 1 : 0),
          "GEGLU=" + (geglu ? 1 : 0),
          "NF4=" + (nf4 ? 1 : 0),
          "ADDED=" + added,
          "ADAPTED=" + (adapted.any ? 1 : 0),
          "FOURS=" + (adapted.fours ? 1 : 0),
          "UNIFORM=" + (adapted.uniform() ? 1 : 0),
          "RANK=" + adapted.rank,
          "NEXT_RANK=" + adapted.nextRank);
    }

    /** The same for adapters. */
    Form with(Adapters adapters, CudaMatrix m, CudaTensor x, int outs) {
      if (adapters.own == null && adapters.next == null) {
        return this;
      }
      if (adapters.uniform(outs, geglu)) {
        Form form =
            with(
                new Adapted(
                    true, Adapters.rank(adapters.own), Adapters.rank(adapters.next), false));
        if (form.room(m, x, 1, adapters) != null) {
          return form;
        }
      }
      return with(new Adapted(true, 0, 0, adapters.own == null || adapters.own.inFours()));
    }

    /** With blocks that make what adapters add. */
    Form adding(boolean inFours) {
      return with(new Adapted(false, 0, 0, inFours));
    }

    private Form with(Adapted how) {
      return new Form(rows, tiles, slices, geglu, nf4, how);
    }

    /** Whether a warp's weights fit shared memory. */
    private boolean resident(CudaMatrix m, int splits) {
      return nf4 && rows <= 16 && pieces(m, splits) * tiles <= MOST_HELD;
    }

    private int pieces(CudaMatrix m, int splits) {
      int parts = splits * slices;
      return (m.columns() / PIECE + parts - 1) / parts;
    }

    /** Pieces that a warp reads ahead. */
    private int depth(CudaMatrix m, int splits) {
      int most = nf4 ? tiles == 1 ? 4 : tiles == 2 ? 3 : 2 : tiles == 1 ? 3 : 2;
      int pieces = pieces(m, splits);
      return resident(m, splits) ? pieces : Math.clamp(pieces, 1, most);
    }

    /** Bytes of the weights that the warps of a block hold. */
    private int heldBytes(CudaMatrix m, int splits) {
      if (!resident(m, splits)) {
        return 0;
      }
      int depth = depth(m, splits);
      int codes = depth * 8 + (depth % 2 == 0 ? 8 : 0);
      return WARPS * tiles * 8 * (codes + (depth | 1)) * 4;
    }

    private int outsOfBlock() {
      return WARPS / slices * tiles * (geglu ? 4 : 8);
    }

    int blocks(int outs) {
      return (outs + outsOfBlock() - 1) / outsOfBlock();
    }

    /** Bytes of what a block reads of x; 0 where that does not fit shared memory. */
    int staged(CudaMatrix m, CudaTensor x, int splits) {
      int pieces = (m.columns() / PIECE + splits - 1) / splits;
      int bytes = x.rows() * (pieces * PIECE * 2 + 16);
      return bytes + heldBytes(m, splits) <= LARGEST_STAGED ? bytes : 0;
    }

    /** Null where uniform adapters have no room. */
    Room room(CudaMatrix m, CudaTensor x, int splits, Adapters adapters) {
      int table = (nf4 ? 256 * 32 * 4 : 0) + heldBytes(m, splits);
      int sumsOfWarp = Math.max(1, rows / 16) * tiles * 128 * 4;
      int row = (outsOfBlock() + 8) * 2;
      int made = geglu && adapted.any ? rows * row : 0;
      int staged = staged(m, x, splits);
      int sums = (WARPS + (adapted.any ? WARPS / slices : 0)) * sumsOfWarp;
      int uAt = table + Math.max(staged, sums + made);
      if (!adapted.uniform()) {
        return new Room(0, 0, uAt);
      }
      int groups = adapters.groups();
      if (groups > MOST_GROUPS || adapters.next != null && adapters.next.groups() > MOST_GROUPS) {
        return null;
      }
      int ofGroup = (geglu ? 2 : 1) * outsOfBlock() * adapted.rank * 2;
      int bytes = uAt + (adapters.u == null ? 0 : x.rows() * adapters.u.columns() * 4);
      for (int most : rows > 16 ? new int[] {LARGEST} : new int[] {LARGEST_OF_TWO, LARGEST}) {
        if (bytes <= most) {
          int early = Math.min(groups, (most - bytes) / ofGroup);
          return new Room(uAt, early, bytes + early * ofGroup);
        }
      }
      return null;
    }
  }
}
