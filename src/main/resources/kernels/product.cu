// y = x W^T for at most 64 rows of x, each weight read once where it lies, products on tensor cores
// (mma.m16n8k16, bf16 in, fp32 out). Compiled for ROWS (8, 16, 32, 64), TILES of 8 outputs a warp,
// SLICES of the columns in a block, DEPTH pieces read ahead, GEGLU, NF4, ADAPTED and ADDED. STAGED: x is
// copied to shared memory first; RESIDENT: so are all of a warp's NF4 weights, at most DEPTH pieces.
// UNIFORM: all adapters have RANK ranks in each part, a multiple of 16.
// INS columns in SPLITS parts and OUTPUTS, 0 if they vary. ORDERED: x is as `ordered` has it, and its
// rows are 8 elements further apart than they are long; ORDERED_Y: so is y.
// A kernel of a few microseconds runs most of its instructions once and has to fetch each of them, so
// loops stay loops where registers allow it.
//
// A piece is 64 columns, a block of NF4 scales. In it lane 4g + q holds columns 16q to 16q + 15 of
// row g of both operands; the order of a sum's terms is free as long as both agree. NF4 codes are
// looked up two at a time, in 32 copies of a table, one a lane, so that look-ups do not meet in a
// bank; their scale multiplies the piece's sum. The columns are divided into SPLITS * SLICES
// parts, which follow from the matrix alone, and added up in order: a row's result does not depend
// on the number of rows.

#define MT (ROWS > 16 ? ROWS / 16 : 1)
#define UNITS (8 / SLICES)
#define OUTS (GEGLU ? TILES * 4 : TILES * 8)
#define TABLE (NF4 ? 256 * 32 : 0)
// Of weights in shared memory, in words: codes and scales of a row, as far apart as keeps lanes that
// read together out of each other's banks; all of a warp.
#define CODES (DEPTH * 8 + (DEPTH % 2 ? 0 : 8))
#define SCALES (DEPTH | 1)
#define HELD (RESIDENT ? TILES * 8 * (CODES + SCALES) : 0)

// Of a grid: blocks of the outputs by parts of the columns.
#if ADDED
#define BLOCKS ((OUTPUTS + UNITS * OUTS - 1) / (UNITS * OUTS))
#define BLOCK_X (blockIdx.x % BLOCKS)
#define BLOCK_Y (blockIdx.x / BLOCKS)
#else
#define BLOCK_X blockIdx.x
#define BLOCK_Y blockIdx.y
#endif

// A row begins where the one before it ends, and blocks have no columns beside it: addresses of weights
// are one each and numbers.
#define EXACT (OUTPUTS > 0 && OUTPUTS % (UNITS * OUTS) == 0)

#if ADAPTED && !UNIFORM
#define TOGETHER 4

// Four ranks of u from r on, as bf16, times scale. FOURS: ranks of all parts begin and end at
// multiples of 4.
__device__ __forceinline__ uint2 fourRanks(const float *u, int r, int rank, float scale) {
  float4 v = make_float4(0.f, 0.f, 0.f, 0.f);
#if FOURS
  if (r < rank) v = *reinterpret_cast<const float4 *>(u + r);
#else
  if (r < rank) v.x = u[r];
  if (r + 1 < rank) v.y = u[r + 1];
  if (r + 2 < rank) v.z = u[r + 2];
  if (r + 3 < rank) v.w = u[r + 3];
#endif
  return make_uint2(pack(v.x * scale, v.y * scale), pack(v.z * scale, v.w * scale));
}

// Four of a row of B; behind its end any that can be read, since u has zeros there.
__device__ __forceinline__ uint2 fourRanks(const bf16 *b, int r, int rank) {
#if FOURS
  return __ldg(reinterpret_cast<const uint2 *>(b + min(r, max(rank - 4, 0))));
#else
  u32 v[4];
#pragma unroll
  for (int i = 0; i < 4; i++) v[i] = r + i < rank ? b[r + i] : 0;
  return make_uint2(v[0] | v[1] << 16, v[2] | v[3] << 16);
#endif
}

// What a group has for some columns of the matrix: row n of its B begins at b + n * rank; rank is 0
// where it has nothing for them, and b can be read all the same.
struct Site {
  const bf16 *b;
  float scale;
  short fromRank, rank;
};
// Of the next layer: its A from this block's columns on.
struct NextSite {
  const bf16 *a;
  int ranks;
};
#define SITES (GEGLU ? 2 : UNITS * TILES)

__device__ __forceinline__ Site siteOf(const LowRankGroup &group, int column) {
  Site site = {group.b[0], group.scale, 0, 0};
#pragma unroll
  for (int p = 0; p < 3; p++)
    if (p < group.parts && column >= group.fromColumn[p] && column < group.toColumn[p]) {
      int rank = group.toRank[p] - group.fromRank[p];
      site.b = group.b[p] - (i64)group.fromColumn[p] * rank;
      site.fromRank = group.fromRank[p], site.rank = rank;
    }
  return site;
}

// The groups of each 16 rows, which are consecutive, by the first warps of a block.
struct Lists {
  int count[MT];
  short groups[MT][16], of[ROWS];  // of a row; -1 for none

  __device__ __forceinline__ int at(int m, int k) const {
    return groups[m][min(k, max(count[m] - 1, 0))];
  }

  __device__ __forceinline__ void make(const int *groupOf, int rows) {
    int t = threadIdx.x, lane = t & 31;
    if (t >= (rows + 31) / 32 * 32) return;
    int group = t < rows ? groupOf[t] : -1, before = __shfl_up_sync(~0u, group, 1);
    bool begins = group >= 0 && (t % 16 == 0 || group != before);
    u32 half = __ballot_sync(~0u, begins) >> (lane & 16) & 0xffff;
    if (t < rows) of[t] = group;
    if (t < rows && t % 16 == 0) {
      count[t / 16] = __popc(half);
      if (!half) groups[t / 16][0] = 0;
    }
    if (begins) groups[t / 16][__popc(half & ((1 << lane % 16) - 1))] = group;
  }
};
#endif

#if NF4

__device__ __forceinline__ float nf4(int code) {
  float a = code & 1 ? code & 2 ? -0.39491748809814453f : -0.6961928009986877f
                     : code & 2 ? -0.5250730514526367f : -1.f;
  float b = code & 1 ? code & 2 ? 0.f : -0.18477343022823334f
                     : code & 2 ? -0.09105003625154495f : -0.28444138169288635f;
  float c = code & 1 ? code & 2 ? 0.33791524171829224f : 0.16093020141124725f
                     : code & 2 ? 0.24611230194568634f : 0.07958029955625534f;
  float d = code & 1 ? code & 2 ? 1.f : 0.5626170039176941f
                     : code & 2 ? 0.7229568362236023f : 0.44070982933044434f;
  return code & 8 ? code & 4 ? d : c : code & 4 ? b : a;
}

// table[byte * 32 + lane]: the even column's weight (high nibble) in the low half.
__device__ __forceinline__ void fillTable(u32 *table) {
  int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, byte = warp * 32 + lane;
  u32 pair = pack(nf4(byte >> 4), nf4(byte & 15));
#pragma unroll 4
  for (int i = 0; i < 32; i++)
    table[(warp * 32 + i) * 32 + lane] = __shfl_sync(~0u, pair, i);
}

__device__ __forceinline__ void lookUp(uint2 codes, const u32 *table, u32 (&b)[8]) {
#pragma unroll
  for (int i = 0; i < 4; i++) {
    b[i] = table[(codes.x >> (8 * i) & 255) * 32];
    b[4 + i] = table[(codes.y >> (8 * i) & 255) * 32];
  }
}

struct Piece {
  uint2 codes;
  float2 scale;

  // of row n, columns from 16q on; the scales are of the outputs s and s + 1
  __device__ __forceinline__ void read(const u32 *codesOf, const float *scales, int n, int s, int last,
                                       int pieces, int piece, int q) {
    codes = __ldg(reinterpret_cast<const uint2 *>(codesOf + ((i64)n * pieces + piece) * 8) + q);
    const float *of = scales + (i64)(EXACT ? s : min(s, last)) * pieces + piece;
    scale.x = __ldg(of);
    scale.y = __ldg(EXACT ? of + pieces : scales + (i64)min(s + 1, last) * pieces + piece);
  }

  __device__ __forceinline__ void weights(const u32 *table, u32 (&b)[8]) const {
    lookUp(codes, table, b);
  }
};
#else

struct Piece {
  uint4 first, second;

  __device__ __forceinline__ void read(const u32 *values, const float *, int n, int, int, int pieces,
                                       int piece, int q) {
    const uint4 *p = reinterpret_cast<const uint4 *>(values + ((i64)n * pieces + piece) * 32) + 2 * q;
    first = __ldg(p), second = __ldg(p + 1);
  }

  __device__ __forceinline__ void weights(const u32 *, u32 (&b)[8]) const {
    b[0] = first.x, b[1] = first.y, b[2] = first.z, b[3] = first.w;
    b[4] = second.x, b[5] = second.y, b[6] = second.z, b[7] = second.w;
  }
};
#endif

#if ADDED
// What adapters add to the rows of some of `rowBlocks`, every `blocks`-th from `block` on, {first row, up to 4
// rows of one adapter}: B, of a matrix in one part, times the ranks, whose sums u has. Every sum runs in an
// order that follows from the row's own adapter. The sums of the first `copied` of them come to shared memory
// in one copy each: by loads, few blocks would take longer for them than the product takes beside them.
__device__ __forceinline__ void addAdapters(const RowAdapter *adapters, const int2 *rowBlocks, int count,
                                            int block, int blocks, const float *u, int us, int copied,
                                            float *added, void *memory) {
  constexpr int LISTS = 16, OF_WARP = OUTPUTS / 64, MOST = ROWS > 16 ? 18 : NF4 ? 9 : 3;
  constexpr int AT_ONCE = OF_WARP < MOST ? OF_WARP : MOST, MOST_COPIED = 4;
  __shared__ __align__(8) u64 barriers[MOST_COPIED];
  __shared__ RowAdapter of[ROWS];
  __shared__ int2 rowsOf[ROWS];
  float4 *parts = reinterpret_cast<float4 *>(memory);
  bf16(*ranks)[512] = reinterpret_cast<bf16(*)[512]>(parts + 256);
  float *copies = reinterpret_cast<float *>(ranks + 4);
  int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, g = lane >> 2, q = lane & 3;
  int mine = (count - block + blocks - 1) / blocks, ofRow = ADDED * us;
  if (threadIdx.x == 0) initBarriers(barriers, MOST_COPIED);
  if (threadIdx.x < mine) {
    int2 place = rowBlocks[block + threadIdx.x * blocks];
    RowAdapter adapter = adapters[place.x];
    rowsOf[threadIdx.x] = place, of[threadIdx.x] = adapter;
    if (adapter.ranks) prefetchRange(adapter.b, adapter.ranks * OUTPUTS * 2);
  }
  __syncthreads();
  // Eight outputs a tile, four ranks a lane.
  uint2 b[AT_ONCE];
  auto read = [&](int i, int from, int r) {
    int ownRanks = of[i].ranks;
#pragma unroll
    for (int n = 0; n < AT_ONCE; n++) {
      int tile = min(from + n, OF_WARP - 1) * 8 + warp;
      const bf16 *w = of[i].b + (i64)(tile * 8 + g) * ownRanks + r;
#if FOURS
      b[n] = r < ownRanks ? __ldg(reinterpret_cast<const uint2 *>(w)) : make_uint2(0, 0);
#else
      u32 v[4];
#pragma unroll
      for (int j = 0; j < 4; j++) v[j] = r + j < ownRanks ? w[j] : 0;
      b[n] = make_uint2(v[0] | v[1] << 16, v[2] | v[3] << 16);
#endif
    }
  };
  read(0, 0, q * 4);
  awaitPrevious();
  if (threadIdx.x < min(mine, copied)) {
    int2 place = rowsOf[threadIdx.x];
    int bytes = of[threadIdx.x].ranks ? place.y * ofRow * 4 : 0;
    if (bytes)
      copyRange(copies + threadIdx.x * 4 * ofRow, u + (i64)place.x * ofRow, bytes, barriers + threadIdx.x);
    expectBytes(barriers + threadIdx.x, bytes);
  }
#pragma unroll 1
  for (int i = 0; i < mine; i++) {
    int begin = rowsOf[i].x, rows = rowsOf[i].y, ownRanks = of[i].ranks;
    float scale = of[i].scale;
    if (i < copied) awaitBytes(barriers + i);
    const float *sums = i < copied ? copies + i * 4 * ofRow : u + (i64)begin * ofRow;
    // Sixteen ranks of all rows at a time, by four, their sums divided among lists.
    int quad = threadIdx.x % 4 * 4, list = threadIdx.x / 4 % LISTS, row = threadIdx.x / (4 * LISTS);
#pragma unroll 1
    for (int r = 0; r < ownRanks; r += 16) {
      float4 sum = make_float4(0.f, 0.f, 0.f, 0.f);
      if (row < rows && r + quad < us)
#pragma unroll 7
        for (int s = list; s < ADDED; s += LISTS) {
          float4 v = *reinterpret_cast<const float4 *>(sums + row * ofRow + s * us + r + quad);
          sum.x += v.x, sum.y += v.y, sum.z += v.z, sum.w += v.w;
        }
      parts[threadIdx.x] = sum;
      __syncthreads();
      if (threadIdx.x < 64) {
        int n = threadIdx.x / 16, k = threadIdx.x % 16;
        float all = 0.f;
#pragma unroll
        for (int l = 0; l < LISTS; l++)
          all += reinterpret_cast<const float *>(parts + (n * LISTS + l) * 4)[k];
        ranks[n][r + k] = r + k < ownRanks ? toBf16(all * scale) : 0;
      }
      __syncthreads();
    }
#pragma unroll 1
    for (int from = 0; from < OF_WARP; from += AT_ONCE) {
      float c[AT_ONCE][4] = {};
#pragma unroll 1
      for (int r = q * 4; r < ownRanks + q * 4; r += 16) {
        if (from || r >= 16) read(i, from, r);
        uint2 a = g < 4 ? *reinterpret_cast<const uint2 *>(ranks[g & 3] + r) : make_uint2(0, 0);
#pragma unroll
        for (int n = 0; n < AT_ONCE; n++) mma(c[n], a.x, 0, a.y, 0, b[n].x, b[n].y);
      }
      // Of the next block of rows, while this one's are written.
      if (from + AT_ONCE >= OF_WARP && i + 1 < mine) read(i + 1, 0, q * 4);
      if (g < rows && ownRanks)
#pragma unroll
        for (int n = 0; n < AT_ONCE; n++)
          if (from + n < OF_WARP)
            *reinterpret_cast<float2 *>(added + (i64)(begin + g) * OUTPUTS + ((from + n) * 8 + warp) * 8 +
                                        2 * q) = make_float2(c[n][0], c[n][1]);
    }
  }
}
#endif

// values: NF4 codes, or bf16. y is bf16 [rows, outs], or, where `partial` is not null, sums go to
// fp32 partial [SPLITS, rows, outs]. GEGLU: the matrix is gate and up behind one another, `outs`
// rows each, and y = gelu(gate) * up. adapters: of this layer, so many, with u [rows, us], or null;
// no part of them has more than mostRank ranks. next: of the layer that reads y, whose sums over each
// 32 columns of y go to nextU [rows, outs / 32, nus]. UNIFORM: uAt is where in shared memory u lies, in
// bytes, and behind it the B of the first `early` groups, as much as there is room for. chosen: which rows of
// a bf16 matrix are the outputs; null for all. ready: UNIFORM, what is signalled readyCount times when x is
// there, while u is still to come, or null. ADDED: `partial` has one part more for what adapters add to rows
// that have some, made by blocks behind the others from u [rows, ADDED, us].
extern "C" __global__ __launch_bounds__(256, ROWS > 16 ? 1 : NF4 ? 2 : 4) void product(
    const u32 *values, const float *scales, const bf16 *x, int xs, bf16 *y, int ys, float *partial,
    int rows, int outs, float alpha, float beta, const LowRankGroup *adapters,
    const int *groupOf, int groupCount, int mostRank, const float *u, int us,
    const LowRankGroup *next, const int *nextGroupOf, int nextCount, float *nextU, int nus,
    int uAt, int early, const int *chosen, const u32 *ready, u32 readyCount, const RowAdapter *rowAdapters,
    const int2 *rowBlocks, int rowBlockCount, int copied) {
  // Aligned as the ranges are that are copied here: 16 bytes aside, each of their sectors is cut in two.
  extern __shared__ __align__(128) u32 memory[];
  if (OUTPUTS) outs = OUTPUTS;
  // x, and when it has been used the sums of the slices
  float *parts = reinterpret_cast<float *>(memory + TABLE + 8 * HELD);
#if STAGED
  bf16 *staged = reinterpret_cast<bf16 *>(parts);
#else
  const bf16 *staged = x;
#endif
  float *extra = parts + 8 * MT * TILES * 128;  // of adapters
  bf16 *made = reinterpret_cast<bf16 *>(extra + (ADAPTED ? UNITS * MT * TILES * 128 : 0));
  int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, g = lane >> 2, q = lane & 3;
  int slice = warp % SLICES, first = (BLOCK_X * UNITS + warp / SLICES) * OUTS;
  constexpr int pieces = INS >> 6, all = SPLITS * SLICES;
  int part = BLOCK_Y * SLICES + slice;
  int from = pieces * part / all, to = pieces * (part + 1) / all;
  letNextStart();
#if ADDED
  if (blockIdx.x >= BLOCKS * SPLITS) {
    int own = blockIdx.x - BLOCKS * SPLITS, all = gridDim.x - BLOCKS * SPLITS;
    addAdapters(rowAdapters, rowBlocks, rowBlockCount, own, all, u, us, copied,
                partial + (i64)SPLITS * rows * OUTPUTS, memory);
    return;
  }
#endif
  __shared__ __align__(8) u64 barriers[3];
  u64 *ofX = barriers;
  if (threadIdx.x == 0) initBarriers(barriers, 3);
  // Rows 16 bytes more than a multiple of 128 apart: the lanes of a fragment do not meet in a bank.
  int base = STAGED ? pieces * (BLOCK_Y * SLICES) / all : 0;
  int count = pieces * ((BLOCK_Y + 1) * SLICES) / all - base, pitch = STAGED ? count * 64 + 8 : xs;
  auto fetchX = [&] {
#if UNIFORM
    if (ready) {
      // By one thread: many who ask the same place hinder who writes there.
      if (threadIdx.x == 0) awaitSignals(ready, readyCount);
      __syncthreads();
      beforeCopies();
    } else {
      awaitPrevious();
    }
#else
    awaitPrevious();
#endif
    int bytes = 0;
#if ORDERED && SPLITS == 1
    // x lies as it will in shared memory: a copy of many rows takes half as long as one of each row.
    int begin = rows * warp / 8, end = rows * (warp + 1) / 8;
    if (lane == 0 && begin < end)
      copyRange(staged + begin * pitch, x + begin * pitch, (end - begin) * pitch * 2, ofX);
    bytes = rows * pitch * 2;
#elif STAGED
    // By few lanes of each warp: such copies leave a warp one by one.
    int t = lane * 8 + warp;
    if (t < rows) copyRange(staged + t * pitch, x + (i64)t * xs + base * 64, count * 128, ofX);
    bytes = rows * count * 128;
#endif
    if (threadIdx.x == 0) expectBytes(ofX, bytes);
  };
#if UNIFORM
  // By one thread, some pieces later, when it need not wait.
  u64 *ofU = barriers + 2;
  int later = from + (to - from) / 4;
  auto fetchU = [&] {
    if (threadIdx.x != 64) return;
    awaitPrevious();
    if (!adapters) return;
    copyRange(reinterpret_cast<char *>(memory) + uAt, u, rows * us * 4, ofU);
    expectBytes(ofU, rows * us * 4);
  };
#endif
  // Weights do not depend on what came before.
  int row[TILES], out[TILES], last[TILES];
#pragma unroll
  for (int n = 0; n < TILES; n++) {
    int half = GEGLU && n >= TILES / 2 ? outs : 0;
    int tile = first + (GEGLU && n >= TILES / 2 ? n - TILES / 2 : n) * 8;
    last[n] = half + outs - 1;
    row[n] = EXACT ? half + tile + g : min(half + tile + g, last[n]);
    if (!EXACT && chosen) row[n] = chosen[row[n]];
    out[n] = half + tile + 2 * q;
  }
#if UNIFORM
  // Nor do adapters. Who has which rows and where B lies is asked for before all else, and used after
  // the table is made: such loads take long, and what depends on another's takes twice as long.
  constexpr int COLUMNS = UNITS * OUTS, HALVES = GEGLU ? 2 : 1, OF_GROUP = HALVES * COLUMNS * RANK;
  int asked[4] = {-1, -1, 0, 0};
  if (threadIdx.x < MT * 16) {
    if (adapters && threadIdx.x < rows) asked[0] = groupOf[threadIdx.x];
    if (GEGLU && next && threadIdx.x < rows) asked[1] = nextGroupOf[threadIdx.x];
  } else if (threadIdx.x < MT * 17) {
    int m = threadIdx.x - MT * 16, at = rows + 2 * m;
    asked[0] = asked[1] = 0;
    if (adapters && m * 16 < rows) asked[0] = groupOf[at], asked[1] = groupOf[at + 1];
    if (GEGLU && next && m * 16 < rows) asked[2] = nextGroupOf[at], asked[3] = nextGroupOf[at + 1];
  }
  // Copies of ranges are asked for by few lanes of each warp: they leave a warp one by one.
  int copy = lane * 8 + warp, fromRank = 0;
  float scale = 0.f;
  const bf16 *source = nullptr;
  if (copy < groupCount * HALVES) {
    int part = copy % HALVES, column = blockIdx.x * COLUMNS;
    const LowRankGroup &of = adapters[copy / HALVES];
    if (!GEGLU) {
      while (column >= of.toColumn[part]) part++;
      column -= of.fromColumn[part];
    }
    source = of.b[part] + (i64)column * RANK;
    scale = of.scale, fromRank = of.fromRank[part];
  }
#if GEGLU
  const bf16 *nextSource = nullptr;
  if (threadIdx.x < nextCount) nextSource = next[threadIdx.x].a + blockIdx.x * COLUMNS;
#endif
#endif
#if RESIDENT
  u32 *held = memory + TABLE + warp * HELD;
#pragma unroll
  for (int n = 0; n < TILES; n++) {
    u32 *ofTile = held + n * 8 * (CODES + SCALES);
    int begin = out[n] - 2 * q;
#pragma unroll 1
    for (int i = lane; i < 8 * DEPTH * 2; i += 32) {
      int r = i / (DEPTH * 2), c = i % (DEPTH * 2);
      if (from + c / 2 < to)
        copyAsync(ofTile + r * CODES + c * 4,
                  values + ((i64)min(begin + r, last[n]) * pieces + from) * 8 + c * 4);
    }
#pragma unroll 1
    for (int i = lane; i < 8 * DEPTH; i += 32) {
      int r = i / DEPTH, c = i % DEPTH;
      if (from + c < to)
        copyWord(reinterpret_cast<float *>(ofTile) + 8 * CODES + r * SCALES + c,
                 scales + (i64)min(begin + r, last[n]) * pieces + from + c);
    }
  }
#else
  Piece ahead[DEPTH][TILES];
#pragma unroll
  for (int d = 0; d < DEPTH; d++)
    if (from + d < to)
#pragma unroll
      for (int n = 0; n < TILES; n++)
        ahead[d][n].read(values, scales, row[n], out[n], last[n], pieces, from + d, q);
#endif
#if NF4
  fillTable(memory);
#endif
  __syncthreads();  // of barriers too
  fetchX();
#if UNIFORM
  // While that comes, as much of B as there is room for.
  u64 *ofEarly = barriers + 1;
  const float *ranks = reinterpret_cast<const float *>(reinterpret_cast<const char *>(memory) + uAt);
  __shared__ int groups[MT * 16], begins[MT], ends[MT];
  __shared__ float adapterScales[16];
  __shared__ int fromRanks[HALVES];
  __shared__ const bf16 *sources[16 * HALVES];  // in shared memory or not
  bf16 *earlyB = reinterpret_cast<bf16 *>(reinterpret_cast<char *>(memory) + uAt) + rows * us * 2;
#if GEGLU
  __shared__ int nextGroups[MT * 16], nextBegins[MT], nextEnds[MT];
  __shared__ const bf16 *nextSources[16];
#endif
  if (threadIdx.x < MT * 16) {
    groups[threadIdx.x] = asked[0];
#if GEGLU
    nextGroups[threadIdx.x] = asked[1];
#endif
  } else if (threadIdx.x < MT * 17) {
    int m = threadIdx.x - MT * 16;
    begins[m] = asked[0], ends[m] = asked[1];
#if GEGLU
    nextBegins[m] = asked[2], nextEnds[m] = asked[3];
#endif
  }
  if (copy < groupCount * HALVES) {
    adapterScales[copy / HALVES] = scale;
    fromRanks[copy % HALVES] = fromRank;
  }
#if GEGLU
  if (threadIdx.x < nextCount) nextSources[threadIdx.x] = nextSource;
#endif
  if (copy < early * HALVES) {
    copyRange(earlyB + copy * (COLUMNS * RANK), source, COLUMNS * RANK * 2, ofEarly);
    sources[copy] = earlyB + copy * (COLUMNS * RANK);
  } else if (copy < groupCount * HALVES) {
    prefetchRange(source, COLUMNS * RANK * 2);
    sources[copy] = source;
  }
  if (threadIdx.x == 0) expectBytes(ofEarly, early * OF_GROUP * 2);
#endif
#if ADAPTED && !UNIFORM
  // While that comes: who has which rows, and what will be read of them.
  __shared__ Site sites[ROWS][SITES];
  __shared__ Lists lists;
  constexpr int COLUMNS = UNITS * OUTS;
  if (adapters) {
    lists.make(groupOf, rows);
#pragma unroll 1
    for (int i = threadIdx.x; i < groupCount * SITES; i += 256) {
      int n = blockIdx.x * COLUMNS + (GEGLU ? 0 : i % SITES * 8);
      sites[i / SITES][i % SITES] =
          siteOf(adapters[i / SITES], n >= outs ? -1 : GEGLU ? i % SITES * outs + n : n);
    }
  }
#if GEGLU
  __shared__ Lists nextLists;
  __shared__ NextSite nextSites[ROWS];
  if (next) {
    nextLists.make(nextGroupOf, rows);
    if (threadIdx.x < nextCount)
      nextSites[threadIdx.x] = {next[threadIdx.x].a + (i64)blockIdx.x * COLUMNS,
                                next[threadIdx.x].ranks};
  }
#endif
  __syncthreads();
  if (adapters)
#pragma unroll 1
    for (int i = threadIdx.x; i < groupCount * UNITS * TILES * 8; i += 256) {
      int c = i % COLUMNS, half = GEGLU ? i / COLUMNS % 2 : 0;
      const Site &site = sites[i / (UNITS * TILES * 8)][GEGLU ? half : c / 8];
      int n = blockIdx.x * COLUMNS + c;
      if (site.rank && n < outs) prefetch(site.b + (i64)(half * outs + n) * site.rank);
    }
#if GEGLU
  if (next)
#pragma unroll 1
    for (int i = threadIdx.x; i < nextCount * nus; i += 256)
#pragma unroll 1
      for (int c = 0; c < COLUMNS; c += 16)
        if (i % nus < nextSites[i / nus].ranks && blockIdx.x * COLUMNS + c < outs)
          prefetch(nextSites[i / nus].a + (i64)(i % nus) * outs + c);
#endif
#endif
  awaitCopies();  // of weights
  awaitBytes(ofX);
  __syncthreads();
  // A piece of 16 rows of x, for four products.
  auto fragments = [&](u32 (&a)[4][4], int m, int piece) {
#if ORDERED
    // They come as the products take them.
#if ROWS > 8
    int row = min(m * 16 + lane % 16, rows - 1);
    u32 place = sharedAddress(staged + row * pitch + lane / 16 * 8 + piece * 64);
#pragma unroll
    for (int s = 0; s < 4; s++) loadMatrices(a[s], place + s * 32);
#else
    u32 place = sharedAddress(staged + min(lane % 8, rows - 1) * pitch + lane / 8 * 8 + piece * 64);
#pragma unroll
    for (int s = 0; s < 4; s += 2) {
      u32 both[4];
      loadMatrices(both, place + s * 32);
      a[s][0] = both[0], a[s][2] = both[1], a[s + 1][0] = both[2], a[s + 1][2] = both[3];
      a[s][1] = a[s][3] = a[s + 1][1] = a[s + 1][3] = 0;
    }
#endif
#else
    uint4 low[2], high[2] = {};
    const bf16 *in = staged + (i64)min(m * 16 + g, rows - 1) * pitch + piece * 64 + q * 16;
    low[0] = reinterpret_cast<const uint4 *>(in)[0], low[1] = reinterpret_cast<const uint4 *>(in)[1];
    if (ROWS > 8) {
      in = staged + (i64)min(m * 16 + 8 + g, rows - 1) * pitch + piece * 64 + q * 16;
      high[0] = reinterpret_cast<const uint4 *>(in)[0], high[1] = reinterpret_cast<const uint4 *>(in)[1];
    }
#pragma unroll
    for (int i = 0; i < 2; i++) {
      a[2 * i][0] = low[i].x, a[2 * i][1] = high[i].x, a[2 * i][2] = low[i].y, a[2 * i][3] = high[i].y;
      a[2 * i + 1][0] = low[i].z, a[2 * i + 1][1] = high[i].z;
      a[2 * i + 1][2] = low[i].w, a[2 * i + 1][3] = high[i].w;
    }
#endif
  };
  const u32 *table = memory + lane;
  float total[MT][TILES][4];
#pragma unroll
  for (int m = 0; m < MT; m++)
#pragma unroll
    for (int n = 0; n < TILES; n++)
#pragma unroll
      for (int i = 0; i < 4; i++) total[m][n][i] = 0.f;
#if RESIDENT
#pragma unroll 1
  for (int piece = from; piece < to; piece++) {
#if UNIFORM
    if (piece == later) fetchU();
#endif
    u32 a[4][4];
    fragments(a, 0, piece - base);
#pragma unroll
    for (int n = 0; n < TILES; n++) {
      const u32 *ofTile = held + n * 8 * (CODES + SCALES);
      const float *scale = reinterpret_cast<const float *>(ofTile) + 8 * CODES + piece - from;
      u32 b[8];
      lookUp(*reinterpret_cast<const uint2 *>(ofTile + g * CODES + (piece - from) * 8 + q * 2),
             table, b);
      float even = scale[2 * q * SCALES], odd = scale[(2 * q + 1) * SCALES];
      float c[4] = {0.f, 0.f, 0.f, 0.f};
#pragma unroll
      for (int s = 0; s < 4; s++)
        mma(c, a[s][0], a[s][1], a[s][2], a[s][3], b[2 * s], b[2 * s + 1]);
      total[0][n][0] = fmaf(even, c[0], total[0][n][0]);
      total[0][n][1] = fmaf(odd, c[1], total[0][n][1]);
      total[0][n][2] = fmaf(even, c[2], total[0][n][2]);
      total[0][n][3] = fmaf(odd, c[3], total[0][n][3]);
    }
  }
#else
#pragma unroll 1
  for (int piece = from; piece < to; piece++) {
#if UNIFORM
    if (piece == later) fetchU();
#endif
    u32 b[TILES][8];
#if NF4
    float2 scale[TILES];
#pragma unroll
    for (int n = 0; n < TILES; n++) scale[n] = ahead[0][n].scale;
#endif
#pragma unroll
    for (int n = 0; n < TILES; n++) ahead[0][n].weights(table, b[n]);
#pragma unroll
    for (int i = 0; i + 1 < DEPTH; i++)
#pragma unroll
      for (int n = 0; n < TILES; n++) ahead[i][n] = ahead[i + 1][n];
    if (piece + DEPTH < to)
#pragma unroll
      for (int n = 0; n < TILES; n++)
        ahead[DEPTH - 1][n].read(values, scales, row[n], out[n], last[n], pieces, piece + DEPTH, q);
#pragma unroll
    for (int m = 0; m < MT; m++) {
      u32 a[4][4];
      fragments(a, m, piece - base);
#pragma unroll
      for (int n = 0; n < TILES; n++) {
#if NF4
        float c[4] = {0.f, 0.f, 0.f, 0.f};
#else
        float(&c)[4] = total[m][n];
#endif
#pragma unroll
        for (int s = 0; s < 4; s++)
          mma(c, a[s][0], a[s][1], a[s][2], a[s][3], b[n][2 * s], b[n][2 * s + 1]);
#if NF4
        total[m][n][0] = fmaf(scale[n].x, c[0], total[m][n][0]);
        total[m][n][1] = fmaf(scale[n].y, c[1], total[m][n][1]);
        total[m][n][2] = fmaf(scale[n].x, c[2], total[m][n][2]);
        total[m][n][3] = fmaf(scale[n].y, c[3], total[m][n][3]);
#endif
      }
    }
  }
#endif
#if UNIFORM
  if (later == to) fetchU();
#endif
#if UNIFORM
  // What adapters add, some 16 rows a warp: rows of other adapters count as zero. What it waits for are loads, so
  // those of several adapters are under way together.
  constexpr int EACH = (MT + SLICES - 1) / SLICES, TOGETHER = ROWS > 16 ? 4 : 2;
  float added[EACH][TILES][4] = {};
  int begin[EACH], end[EACH], ofLow[EACH], ofHigh[EACH], most = 0;
  // Without adapters of its own the layer has no u either; the next one may have some.
  if (adapters) {
    awaitBytes(ofU);
    if (early > 0) awaitBytes(ofEarly);
#if __CUDA_ARCH__ < 900
    __syncthreads();
#endif
  }
#pragma unroll
  for (int i = 0; i < EACH; i++) {
    int m = slice + i * SLICES;
    bool in = m < MT && m * 16 < rows;
    if (!in) m = 0;
    begin[i] = begins[m], end[i] = in ? ends[m] : begin[i];
    ofLow[i] = groups[m * 16 + g], ofHigh[i] = groups[m * 16 + 8 + g];
    most = max(most, end[i] - begin[i]);
  }
  if (most > 0) {
#pragma unroll 1
    for (int r = q * 4; r < RANK; r += 16) {
      uint2 a[EACH][HALVES][2];
#pragma unroll
      for (int i = 0; i < 2 * EACH; i++) {
        // Of a row that is not there, another's; nobody uses it.
        int row = min((slice + i / 2 * SLICES) * 16 + i % 2 * 8 + g, rows - 1);
        int group = i % 2 ? ofHigh[i / 2] : ofLow[i / 2];
        float by = group < 0 ? 0.f : adapterScales[group];
#pragma unroll
        for (int h = 0; h < HALVES; h++) {
          float4 v = *reinterpret_cast<const float4 *>(ranks + row * us + fromRanks[h] + r);
          a[i / 2][h][i % 2] = make_uint2(pack(v.x * by, v.y * by), pack(v.z * by, v.w * by));
        }
      }
#pragma unroll 1
      for (int k = 0; k < most; k += TOGETHER) {
        uint2 w[EACH][TOGETHER][TILES];
#pragma unroll
        for (int i = 0; i < EACH; i++)
#pragma unroll
          for (int j = 0; j < TOGETHER; j++)
#pragma unroll
            for (int n = 0; n < TILES; n++) {
              // Where there is no other, the last once more, which counts as zero.
              int h = GEGLU && n >= TILES / 2 ? 1 : 0, group = min(begin[i] + k + j, max(end[i] - 1, 0));
              const bf16 *b = sources[group * HALVES + h] + (warp / SLICES * OUTS + g) * RANK + r;
              w[i][j][n] = *reinterpret_cast<const uint2 *>(b + (h ? n - TILES / 2 : n) * (8 * RANK));
            }
#pragma unroll
        for (int i = 0; i < EACH; i++)
#pragma unroll
          for (int j = 0; j < TOGETHER; j++) {
            int group = begin[i] + k + j < end[i] ? begin[i] + k + j : -2;
            bool isLow = group == ofLow[i], isHigh = group == ofHigh[i];
#pragma unroll
            for (int n = 0; n < TILES; n++) {
              const uint2(&v)[2] = a[i][GEGLU && n >= TILES / 2 ? 1 : 0];
              mma(added[i][n], isLow ? v[0].x : 0, isHigh ? v[1].x : 0, isLow ? v[0].y : 0, isHigh ? v[1].y : 0,
                  w[i][j][n].x, w[i][j][n].y);
            }
          }
      }
    }
  }
#endif
#if STAGED
  __syncthreads();
#endif
#pragma unroll
  for (int m = 0; m < MT; m++)
#pragma unroll
    for (int n = 0; n < TILES; n++)
      reinterpret_cast<float4 *>(parts)[((warp * MT + m) * TILES + n) * 32 + lane] =
          make_float4(total[m][n][0], total[m][n][1], total[m][n][2], total[m][n][3]);
#if UNIFORM
  if (adapters)
#pragma unroll
    for (int i = 0; i < EACH; i++)
#pragma unroll
      for (int n = 0; n < TILES; n++)
        if (slice + i * SLICES < MT)
          reinterpret_cast<float4 *>(
              extra)[((warp / SLICES * MT + slice + i * SLICES) * TILES + n) * 32 + lane] =
              make_float4(added[i][n][0], added[i][n][1], added[i][n][2], added[i][n][3]);
#if GEGLU
  // Of the next layer, sixteen ranks of 16 rows and 32 columns an item. What is read first is under way while y
  // is made.
  constexpr int SUMS = COLUMNS / 32, ITEMS = MT * SUMS * (NEXT_RANK / 16), AT_ONCE = 4;
  uint4 ofNext[AT_ONCE][2];
  auto fetchNext = [&](int item, int from) {
    int m = item % MT, s = item / MT % SUMS, k = item / (MT * SUMS) * 16;
#pragma unroll
    for (int j = 0; j < AT_ONCE; j++) {
      const bf16 *a = nextSources[min(from + j, max(nextEnds[m] - 1, 0))] + (i64)(k + g) * outs + s * 32 + q * 8;
      ofNext[j][0] = __ldg(reinterpret_cast<const uint4 *>(a));
      ofNext[j][1] = __ldg(reinterpret_cast<const uint4 *>(a + (i64)8 * outs));
    }
  };
  if (nextCount > 0 && warp < ITEMS) fetchNext(warp, nextBegins[warp % MT]);
#endif
#endif
#if ADAPTED && !UNIFORM
  // What adapters add, 16 rows and up to two tiles at a time: rows of other adapters count as zero.
  // Parts of a layer begin at multiples of 8. All that a warp reads for 16 ranks of four adapters is
  // under way together.
  constexpr int PAIR = (GEGLU ? TILES / 2 : TILES) > 1 ? 2 : 1, PAIRS = TILES / PAIR;
  constexpr int STEP = SLICES / PAIRS, ITEMS = (MT + STEP - 1) / STEP;
  static_assert(SLICES % PAIRS == 0, "a warp has the same tiles of all rows");
  if (adapters) {
    float added[ITEMS][PAIR][4];
#pragma unroll
    for (int i = 0; i < ITEMS; i++)
#pragma unroll
      for (int n = 0; n < PAIR; n++)
        added[i][n][0] = added[i][n][1] = added[i][n][2] = added[i][n][3] = 0.f;
    // Tiles of this warp, where their ranks are, and the 16 rows of item i.
    int tile = slice % PAIRS * PAIR, up = GEGLU && tile >= TILES / 2 ? 1 : 0;
    int column = first + (tile - up * (TILES / 2)) * 8 + g;
    int site = GEGLU ? up : warp / SLICES * TILES + tile;
    auto rowsOf = [&](int i) { return slice / PAIRS + i * STEP; };
    int most = 0;
#pragma unroll
    for (int i = 0; i < ITEMS; i++)
      if (rowsOf(i) * 16 < rows) most = max(most, lists.count[rowsOf(i)]);
#pragma unroll 1
    for (int r = q * 4; r < mostRank + q * 4; r += 16) {
      uint2 a[ITEMS][PAIR][2];
#pragma unroll
      for (int i = 0; i < ITEMS; i++)
#pragma unroll
        for (int n = 0; n < (GEGLU ? 1 : PAIR); n++)
#pragma unroll
          for (int h = 0; h < 2; h++) {
            int t = rowsOf(i) * 16 + h * 8 + g, group = t < rows ? lists.of[t] : -1;
            a[i][n][h] = make_uint2(0, 0);
            if (group < 0) continue;
            const Site &of = sites[group][site + n];
            a[i][n][h] = fourRanks(u + (i64)t * us + of.fromRank, r, of.rank, of.scale);
          }
#pragma unroll 1
      for (int k = 0; k < most; k += TOGETHER) {
        uint2 w[ITEMS][TOGETHER][PAIR];
#pragma unroll
        for (int i = 0; i < ITEMS; i++)
#pragma unroll
          for (int j = 0; j < TOGETHER; j++)
#pragma unroll
            for (int n = 0; n < PAIR; n++) {
              // Where there is no other adapter, the last once more, which counts as zero.
              int m = min(rowsOf(i), (rows - 1) / 16);
              const Site &of = sites[lists.at(m, k + j)][GEGLU ? site : site + n];
              int row = up * outs + min(column + n * 8, outs - 1);
              w[i][j][n] = fourRanks(of.b + (i64)row * of.rank, r, of.rank);
            }
#pragma unroll
        for (int i = 0; i < ITEMS; i++) {
          int m = rowsOf(i), low = m * 16 + g, high = low + 8;
          if (m * 16 >= rows) break;
          int ofLow = low < rows ? lists.of[low] : -1;
          int ofHigh = high < rows ? lists.of[high] : -1;
#pragma unroll
          for (int j = 0; j < TOGETHER; j++) {
            int group = k + j < lists.count[m] ? lists.groups[m][k + j] : -2;
#pragma unroll
            for (int n = 0; n < PAIR; n++) {
              uint2 one = group == ofLow ? a[i][GEGLU ? 0 : n][0] : make_uint2(0, 0);
              uint2 two = group == ofHigh ? a[i][GEGLU ? 0 : n][1] : make_uint2(0, 0);
              mma(added[i][n], one.x, two.x, one.y, two.y, w[i][j][n].x, w[i][j][n].y);
            }
          }
        }
      }
    }
#pragma unroll
    for (int i = 0; i < ITEMS; i++)
#pragma unroll
      for (int n = 0; n < PAIR; n++)
        if (rowsOf(i) < MT)
          reinterpret_cast<float4 *>(
              extra)[((warp / SLICES * MT + rowsOf(i)) * TILES + tile + n) * 32 + lane] =
              make_float4(added[i][n][0], added[i][n][1], added[i][n][2], added[i][n][3]);
  }
#if GEGLU
  // Of the next layer, eight ranks of 16 rows and 32 columns an item, two items a warp at a time. What
  // is read first is under way while y is made.
  constexpr int SUMS = UNITS * OUTS / 32;
  int nextItems = next ? MT * SUMS * ((nus + 7) / 8) : 0;
  uint4 ofNext[2][TOGETHER];
  auto fetchNext = [&](int item, int j) {
#pragma unroll
    for (int h = 0; h < 2; h++)
#pragma unroll
      for (int i = 0; i < TOGETHER; i++) {
        // Where there is nothing to read, what is there; nobody uses it.
        int m = min((item + 8 * h) % MT, (rows - 1) / 16), k = (item + 8 * h) / (MT * SUMS) * 8 + g;
        int c = (item + 8 * h) / MT % SUMS * 32 + q * 8;
        const NextSite &of = nextSites[nextLists.at(m, j + i)];
        ofNext[h][i] =
            __ldg(reinterpret_cast<const uint4 *>(of.a + (i64)min(k, of.ranks - 1) * outs + c));
      }
  };
  if (next) fetchNext(warp, 0);
#endif
#endif
  __syncthreads();
  constexpr int BLOCK = UNITS * OUTS;
  // As the sums lie: two columns of two rows of a tile at a time, added up over the slices.
  auto sums = [&](int unit, int m, int n) {
    int place = (unit * SLICES * MT + m) * TILES + n;
    float4 all = make_float4(0.f, 0.f, 0.f, 0.f);
#pragma unroll
    for (int s = 0; s < SLICES; s++) {
      float4 v = reinterpret_cast<const float4 *>(parts)[(place + s * MT * TILES) * 32 + lane];
      all.x += v.x, all.y += v.y, all.z += v.z, all.w += v.w;
    }
#if ADAPTED
    if (adapters) {
      float4 v = reinterpret_cast<const float4 *>(extra)[((unit * MT + m) * TILES + n) * 32 + lane];
      all.x += v.x, all.y += v.y, all.z += v.z, all.w += v.w;
    }
#endif
    return all;
  };
#if GEGLU
  // Of gate and up as they would be stored.
#pragma unroll 1
  for (int i = threadIdx.x; i < UNITS * MT * (TILES / 2) * 32; i += 256) {
    int n = i / 32 % (TILES / 2), m = i / (32 * (TILES / 2)) % MT, unit = i / (32 * (TILES / 2) * MT);
    int t = m * 16 + g, c = unit * OUTS + n * 8 + 2 * q;
    if (t >= rows || blockIdx.x * BLOCK + c >= outs) continue;
    float4 gate = sums(unit, m, n), up = sums(unit, m, n + TILES / 2);
    float slope;
    auto value = [&](float gate, float up) {
      return gelu(toFloat(toBf16(gate)), &slope) * toFloat(toBf16(up));
    };
    u32 first = pack(value(gate.x, up.x), value(gate.y, up.y));
    int column = blockIdx.x * BLOCK + c;
    bf16 *place = y + (i64)t * ys + (ORDERED_Y ? ordered(column) : column);
    *reinterpret_cast<u32 *>(place) = first;
    if (ADAPTED) *reinterpret_cast<u32 *>(made + t * (BLOCK + 8) + c) = first;
    if (t + 8 >= rows) continue;
    u32 second = pack(value(gate.z, up.z), value(gate.w, up.w));
    *reinterpret_cast<u32 *>(place + (i64)8 * ys) = second;
    if (ADAPTED) *reinterpret_cast<u32 *>(made + (t + 8) * (BLOCK + 8) + c) = second;
  }
#else
  bool paired = ys % 2 == 0 && (u64)y % 4 == 0;
  auto write = [&](int t, int n, float first, float second) {
    if (t >= rows) return;
    bool both = n + 1 < outs;
    if (partial) {
      float *place = partial + ((i64)BLOCK_Y * rows + t) * outs + n;
      if (EXACT) {
        *reinterpret_cast<float2 *>(place) = make_float2(first, second);
      } else {
        place[0] = first;
        if (both) place[1] = second;
      }
    } else {
      bf16 *place = y + (i64)t * ys + n;
      first *= alpha, second *= alpha;
      if (beta != 0.f) {
        first += beta * toFloat(place[0]);
        if (both) second += beta * toFloat(place[1]);
      }
      if (both && paired) {
        *reinterpret_cast<u32 *>(place) = pack(first, second);
      } else {
        place[0] = toBf16(first);
        if (both) place[1] = toBf16(second);
      }
    }
  };
#pragma unroll 1
  for (int i = threadIdx.x; i < UNITS * MT * TILES * 32; i += 256) {
    int n = i / 32 % TILES, m = i / (32 * TILES) % MT, unit = i / (32 * TILES * MT);
    int t = m * 16 + g, c = BLOCK_X * BLOCK + unit * OUTS + n * 8 + 2 * q;
    if (c >= outs) continue;
    float4 v = sums(unit, m, n);
    write(t, c, v.x, v.y);
    write(t + 8, c, v.z, v.w);
  }
#endif
#if UNIFORM && GEGLU
  if (!next) return;
  __syncthreads();
#pragma unroll 1
  for (int item = warp; item < ITEMS; item += 8) {
    int m = item % MT, s = item / MT % SUMS, k = item / (MT * SUMS) * 16;
    if (m * 16 >= rows) continue;
    int low = m * 16 + g, high = low + 8, ofLow = nextGroups[low], ofHigh = nextGroups[high];
    const bf16 *x0 = made + s * 32 + q * 8;
    uint4 first = *reinterpret_cast<const uint4 *>(x0 + min(low, rows - 1) * (BLOCK + 8));
    uint4 second = *reinterpret_cast<const uint4 *>(x0 + min(high, rows - 1) * (BLOCK + 8));
    float *place = nextU + ((i64)low * (outs / 32) + blockIdx.x * SUMS + s) * nus + k + 2 * q;
    int end = nextEnds[m];
#pragma unroll 1
    for (int from = nextBegins[m]; from < end; from += AT_ONCE) {
      if (item != warp || from != nextBegins[m]) fetchNext(item, from);
#pragma unroll
      for (int j = 0; j < AT_ONCE; j++) {
        if (from + j >= end) break;
        float d[2][4] = {};
#pragma unroll
        for (int h = 0; h < 2; h++) {
          mma(d[h], first.x, second.x, first.y, second.y, ofNext[j][h].x, ofNext[j][h].y);
          mma(d[h], first.z, second.z, first.w, second.w, ofNext[j][h].z, ofNext[j][h].w);
        }
        if (ofLow == from + j) {
          *reinterpret_cast<float2 *>(place) = make_float2(d[0][0], d[0][1]);
          *reinterpret_cast<float2 *>(place + 8) = make_float2(d[1][0], d[1][1]);
        }
        if (ofHigh == from + j) {
          float *behind = place + (i64)8 * (outs / 32) * nus;
          *reinterpret_cast<float2 *>(behind) = make_float2(d[0][2], d[0][3]);
          *reinterpret_cast<float2 *>(behind + 8) = make_float2(d[1][2], d[1][3]);
        }
      }
    }
  }
#elif ADAPTED && GEGLU
  if (!next) return;
  __syncthreads();
#pragma unroll 1
  for (int item = warp; item < nextItems; item += 16) {
    int most = 0;
#pragma unroll
    for (int h = 0; h < 2; h++)
      if ((item + 8 * h) % MT * 16 < rows) most = max(most, nextLists.count[(item + 8 * h) % MT]);
#pragma unroll 1
    for (int j = 0; j < most; j += TOGETHER) {
      if (item != warp || j) fetchNext(item, j);
#pragma unroll
      for (int h = 0; h < 2; h++) {
        int mine = item + 8 * h, m = mine % MT, s = mine / MT % SUMS;
        int r = mine / (MT * SUMS) * 8 + 2 * q, n = blockIdx.x * BLOCK + s * 32;
        if (mine >= nextItems || n >= outs || m * 16 >= rows) continue;
        int low = m * 16 + g, high = low + 8, c = s * 32 + q * 8;
        uint4 first = *reinterpret_cast<const uint4 *>(made + min(low, rows - 1) * (BLOCK + 8) + c);
        uint4 second = *reinterpret_cast<const uint4 *>(made + min(high, rows - 1) * (BLOCK + 8) + c);
        int ofLow = low < rows ? nextLists.of[low] : -1;
        int ofHigh = high < rows ? nextLists.of[high] : -1;
#pragma unroll
        for (int i = 0; i < TOGETHER; i++) {
          if (j + i >= nextLists.count[m]) break;
          int group = nextLists.groups[m][j + i], ranks = nextSites[group].ranks;
          float dot[4] = {0.f, 0.f, 0.f, 0.f};
          mma(dot, first.x, second.x, first.y, second.y, ofNext[h][i].x, ofNext[h][i].y);
          mma(dot, first.z, second.z, first.w, second.w, ofNext[h][i].z, ofNext[h][i].w);
#pragma unroll
          for (int e = 0; e < 2; e++) {
            if ((e ? ofHigh : ofLow) != group) continue;
            float *place = nextU + ((i64)(e ? high : low) * (outs / 32) + n / 32) * nus + r;
            if (r < ranks) place[0] = dot[2 * e];
            if (r + 1 < ranks) place[1] = dot[2 * e + 1];
          }
        }
      }
    }
  }
#endif
}
