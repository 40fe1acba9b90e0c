// Between the products of a decoding step: residual stream, norms and adapters; and the choice of a
// token. step_norm is compiled for all sizes that it meets, since a kernel of a few microseconds
// runs most of its instructions once, and fetching them is what its time goes into: THREADS with
// PAIRS of COLUMNS each and SPLITS of the branch, one more where its layer has adapters, OWN. ADAPTED:
// so has the layer that reads h, NEXT_RANKS of all rows with adapters, or 0, in rows of NEXT_US; HELD:
// their A fits shared memory. ORDERED: h is the input of a product.

#ifndef PAIRS
#define THREADS 512
#define PAIRS 1
#define COLUMNS 64
#define SPLITS 0
#define OWN 0
#define ADAPTED 0
#define HELD 0
#define ORDERED 0
#define FETCHING 0
#define ROWS 1
#endif
#define WARPS (THREADS / 32)
// Warps that only ask for copies, and one that fetches keys and values ahead.
#define COPIERS (HELD ? 4 : 0)
// Of the next layer's ranks, tiles of 8 that a warp makes at a time.
#define TOGETHER (ROWS > 1 ? 2 : 6)

// Of the threads that share a row.
__device__ __forceinline__ void barrier(int group) {
  if (ROWS == 1)
    asm volatile("bar.sync 1, %0;" ::"n"(THREADS) : "memory");
  else
    asm volatile("bar.sync %0, %1;" ::"r"(group + 1), "n"(THREADS) : "memory");
}

// Of the threads that share a block's rows.
__device__ __forceinline__ void barrierOfAll() {
  if (ROWS == 1)
    barrier(0);
  else
    asm volatile("bar.sync 15, %0;" ::"n"(ROWS * THREADS) : "memory");
}

__device__ __forceinline__ float rowSum(float v, float *shared, int group) {
  v = warpSum(v);
  if ((threadIdx.x & 31) == 0) shared[threadIdx.x / 32 % WARPS] = v;
  barrier(group);
  float all = 0.f;
#pragma unroll
  for (int i = 0; i < WARPS; i++) all += shared[i];
  return all;
}

// A block has up to ROWS rows, THREADS threads each: those that `blocks` says, {first, count}, which
// have the same adapter of the next layer; or, where it is null, ROWS each. x += norm(branch) and
// h = norm(x); or, where ids is not null, x = scale times the rows of a table and h = norm(x). The branch
// is partial [SPLITS + OWN, rows, COLUMNS], added up; the last is what its layer's adapters add to rows
// that have some. next: the adapters of the layer that reads h, whose ranks go to nextU [rows, NEXT_US];
// adapters and next may be null; NEXT_US is a multiple of 4, COLUMNS of 64. Every sum runs in an order
// that follows from the row's own adapter. ready: each block signals there that its rows of h are there,
// which is before those of nextU are. FETCHING: what attention of `layer` will read of the rows' caches,
// of a row at most mostFetched bytes of keys and of values, goes to the cache of all multiprocessors.
extern "C" __global__ __launch_bounds__(ROWS * THREADS + (COPIERS + FETCHING) * 32) void step_norm(
    const bf16 *table, const int *ids, float tableScale, const float *partial, int rows,
    const int2 *blocks, const RowAdapter *adapters, const float *w, float eps, bf16 *x, int xs,
    const float *w2, bf16 *h, int hs, const RowAdapter *next, float *nextU, u32 *ready,
    const Cache *caches, const int4 *steps, int layer, int width, int window, u32 mostFetched) {
  __shared__ float first[ROWS][WARPS], second[ROWS][WARPS];
  letNextStart();
  int group = ROWS == 1 ? 0 : threadIdx.x / THREADS, t = ROWS == 1 ? threadIdx.x : threadIdx.x % THREADS;
  int begin = blockIdx.x * ROWS, count = min(ROWS, rows - begin);
  if (ROWS > 1 && blocks) {
    int2 block = blocks[blockIdx.x];
    begin = block.x, count = block.y;
  }
  int row = begin + group;
#if FETCHING
  auto fetchAhead = [&] {
    int lane = threadIdx.x & 31;
    if (lane >= count * 2) return;
    int4 step = steps[begin + lane / 2];
    Cache cache = caches[step.w];
    int from = window > 0 ? max(0, step.z + 1 - window) : 0;
    const bf16 *keys = (lane & 1 ? cache.v : cache.k) + layer * cache.layerStride + (i64)from * width;
    u32 bytes = (u32)min((i64)mostFetched, (i64)(step.z - from) * width * 2) & ~15u;
    if (bytes) prefetchRange(keys, bytes);
  };
#if !HELD
  if (threadIdx.x >= ROWS * THREADS) {
    fetchAhead();
    return;
  }
#endif
#endif
#if ADAPTED
  // Rows of `normed` lie so far apart that lanes do not meet in a bank.
  constexpr int APART = COLUMNS + 8;
  __shared__ __align__(16) float some[ROWS][WARPS * TOGETHER * 8 * ROWS];
  __shared__ __align__(16) bf16 normed[ROWS][APART];
  __shared__ __align__(8) u64 ofBytes;
  extern __shared__ __align__(128) bf16 memory[];
  int warp = t >> 5, lane = t & 31, g = lane >> 2, q = lane & 3;
  RowAdapter to = {nullptr, nullptr, 0, 0.f};
  if (next) to = next[begin];
#if HELD
  // Rows of A 16 bytes more than a multiple of 128 apart: lanes do not meet in a bank.
  constexpr int PITCH = COLUMNS + 8;
  const bf16 *ofA = memory;
  if (threadIdx.x == 0) initBarriers(&ofBytes, 1);
  __syncthreads();
#if FETCHING
  if (threadIdx.x >= (ROWS * WARPS + COPIERS) * 32) {
    // After what is waited for.
    if (to.ranks) awaitBytes(&ofBytes);
    fetchAhead();
    return;
  }
#endif
  if (threadIdx.x >= ROWS * THREADS) {
    // Adapters do not depend on what came before, and who they are is known late: warps of their own
    // ask for them, so that nothing else waits. By few lanes of each: such copies leave a warp one by
    // one.
    int copier = lane * COPIERS + threadIdx.x / 32 - ROWS * WARPS;
    if (copier == 0) expectBytes(&ofBytes, to.ranks * COLUMNS * 2);
#pragma unroll 1
    for (int r = copier; r < to.ranks; r += COPIERS * 32)
      copyRange(memory + r * PITCH, to.a + (i64)r * COLUMNS, COLUMNS * 2, &ofBytes);
    return;
  }
#else
  constexpr int PITCH = COLUMNS;
  const bf16 *ofA = to.a;
#endif
#endif
  x += (i64)row * xs, h += (i64)row * hs;
  float2 gain[PAIRS], gain2[PAIRS];
#pragma unroll
  for (int i = 0; i < PAIRS; i++) {
    int c = 2 * (t + i * THREADS);
    if (c >= COLUMNS) continue;
    gain2[i] = *reinterpret_cast<const float2 *>(w2 + c);
    if (!ids) gain[i] = *reinterpret_cast<const float2 *>(w + c);
  }
  bool mine = ROWS == 1 || group < count;
#if OWN
  bool own = mine && adapters[row].ranks;
#endif
  awaitPrevious();
  float2 value[PAIRS];
  u32 old[PAIRS];
  if (mine) {
    if (ids) {
      const bf16 *from = table + (i64)ids[row] * COLUMNS;
#pragma unroll
      for (int i = 0; i < PAIRS; i++) {
        int c = 2 * (t + i * THREADS);
        if (c >= COLUMNS) continue;
        u32 pair = *reinterpret_cast<const u32 *>(from + c);
        value[i] = make_float2(lowHalf(pair) * tableScale, highHalf(pair) * tableScale);
      }
    } else {
#pragma unroll
      for (int i = 0; i < PAIRS; i++) {
        int c = 2 * (t + i * THREADS);
        if (c < COLUMNS) old[i] = *reinterpret_cast<const u32 *>(x + c);
      }
#pragma unroll
      for (int i = 0; i < PAIRS; i++) {
        int c = 2 * (t + i * THREADS);
        if (c >= COLUMNS) continue;
        float2 sum = make_float2(0.f, 0.f);
#pragma unroll
        for (int s = 0; s < SPLITS; s++) {
          float2 p = *reinterpret_cast<const float2 *>(partial + ((i64)s * rows + row) * COLUMNS + c);
          sum.x += p.x, sum.y += p.y;
        }
#if OWN
        if (own) {
          float2 p = *reinterpret_cast<const float2 *>(partial + ((i64)SPLITS * rows + row) * COLUMNS + c);
          sum.x += p.x, sum.y += p.y;
        }
#endif
        value[i] = sum;
      }
    }
  }
  // Of the values as they are stored, or would be: one over the root of their mean square.
  auto inverse = [&](float *shared, bool stored) {
    float square = 0.f;
#pragma unroll
    for (int i = 0; i < PAIRS; i++) {
      int c = 2 * (t + i * THREADS);
      if (c >= COLUMNS) continue;
      u32 pair = pack(value[i].x, value[i].y);
      if (stored) *reinterpret_cast<u32 *>(x + c) = pair;
      value[i] = make_float2(lowHalf(pair), highHalf(pair));
      square += value[i].x * value[i].x + value[i].y * value[i].y;
    }
    return rsqrtf(rowSum(square, shared, group) / COLUMNS + eps);
  };
  if (mine) {
    if (!ids) {
      float r = inverse(first[group], false);
#pragma unroll
      for (int i = 0; i < PAIRS; i++) {
        int c = 2 * (t + i * THREADS);
        if (c >= COLUMNS) continue;
        value[i].x = value[i].x * r * (1.f + gain[i].x) + lowHalf(old[i]);
        value[i].y = value[i].y * r * (1.f + gain[i].y) + highHalf(old[i]);
      }
    }
    float r = inverse(second[group], true);
#pragma unroll
    for (int i = 0; i < PAIRS; i++) {
      int c = 2 * (t + i * THREADS);
      if (c >= COLUMNS) continue;
      u32 pair = pack(value[i].x * r * (1.f + gain2[i].x), value[i].y * r * (1.f + gain2[i].y));
      *reinterpret_cast<u32 *>(h + (ORDERED ? ordered(c) : c)) = pair;
#if ADAPTED
      *reinterpret_cast<u32 *>(normed[group] + c) = pair;
#endif
    }
  }
#if ADAPTED
  barrierOfAll();
  if (threadIdx.x == ROWS * THREADS - 32) signal(ready);
  if (!to.ranks) return;
  int nextCount = NEXT_RANKS ? NEXT_RANKS : to.ranks;
#if HELD
  awaitBytes(&ofBytes);
#endif
  // On tensor cores, where h are the first of 16 rows: a share of the columns a warp, and, of several
  // rows, some of the ranks; ranks of several tiles at a time, so that one product need not wait for
  // another.
  constexpr int STEPS = COLUMNS / 16, AT_ONCE = ROWS > 1 ? 4 : 2;
#pragma unroll 1
  for (int from = group * TOGETHER * 8; from < nextCount; from += ROWS * TOGETHER * 8) {
    float c[TOGETHER][4] = {};
#pragma unroll AT_ONCE
    for (int step = STEPS * warp / WARPS; step < STEPS * (warp + 1) / WARPS; step++) {
      const bf16 *in = normed[g < ROWS ? g : 0] + step * 16 + q * 2;
      u32 h0 = g < ROWS ? *reinterpret_cast<const u32 *>(in) : 0;
      u32 h1 = g < ROWS ? *reinterpret_cast<const u32 *>(in + 8) : 0;
#pragma unroll
      for (int i = 0; i < TOGETHER; i += 2) {
        if (from + i * 8 >= nextCount) break;
#if HELD
        u32 a[4];
        int r = min(from + i * 8 + (lane >> 4) * 8 + (lane & 7), nextCount - 1);
        loadMatrices(a, sharedAddress(ofA + r * PITCH + step * 16 + (lane & 8)));
        mma(c[i], h0, 0, h1, 0, a[0], a[1]);
        mma(c[i + 1], h0, 0, h1, 0, a[2], a[3]);
#else
#pragma unroll
        for (int j = i; j < i + 2; j++) {
          const bf16 *a = ofA + (i64)min(from + j * 8 + g, nextCount - 1) * PITCH + step * 16 + q * 2;
          mma(c[j], h0, 0, h1, 0, *reinterpret_cast<const u32 *>(a),
              *reinterpret_cast<const u32 *>(a + 8));
        }
#endif
      }
    }
    if (from != group * TOGETHER * 8) barrier(group);
    if (g < ROWS)
#pragma unroll
      for (int i = 0; i < TOGETHER; i++)
        *reinterpret_cast<float2 *>(some[group] + ((warp * ROWS + g) * TOGETHER + i) * 8 + 2 * q) =
            make_float2(c[i][0], c[i][1]);
    barrier(group);
    int r = t % (TOGETHER * 8), n = t / (TOGETHER * 8);
    if (n >= count || from + r >= nextCount) continue;
    float all = 0.f;
#pragma unroll
    for (int i = 0; i < WARPS; i++) all += some[group][(i * ROWS + n) * TOGETHER * 8 + r];
    nextU[(i64)(begin + n) * NEXT_US + from + r] = all;
  }
#endif
}

// The most likely token: {largest logit, sum of exp(logit - largest), token} of a share of each row.
struct Top {
  float largest, sum;
  int token;
};

__device__ __forceinline__ Top both(Top a, Top b) {
  float largest = fmaxf(a.largest, b.largest);
  float sum = largest == -INF ? 0.f
                              : a.sum * __expf(a.largest - largest) + b.sum * __expf(b.largest - largest);
  bool second = b.largest > a.largest || (b.largest == a.largest && b.token < a.token);
  return {largest, sum, second ? b.token : a.token};
}

__device__ __forceinline__ Top warpTop(Top t) {
#pragma unroll
  for (int o = 16; o > 0; o >>= 1)
    t = both(t, {__shfl_xor_sync(~0u, t.largest, o), __shfl_xor_sync(~0u, t.sum, o),
                 __shfl_xor_sync(~0u, t.token, o)});
  return t;
}

__device__ __forceinline__ Top blockTop(Top mine) {
  __shared__ Top warps[8];
  mine = warpTop(mine);
  if ((threadIdx.x & 31) == 0) warps[threadIdx.x >> 5] = mine;
  __syncthreads();
  if (threadIdx.x == 0)
    for (int i = 1; i < 8; i++) mine = both(mine, warps[i]);
  return mine;
}

// Blocks of 256: shares of a row, rows. mask: a bit for each token that counts, or null. tops: [rows,
// gridDim.x]. What is not finite makes the sum not finite.
extern "C" __global__ __launch_bounds__(256) void step_tops(const bf16 *logits, int ls, int vocabulary,
                                                            const u32 *mask, Top *tops) {
  letNextStart();
  awaitPrevious();
  const bf16 *row = logits + (i64)blockIdx.y * ls;
  int share = ((vocabulary + gridDim.x - 1) / gridDim.x + 7) / 8 * 8;
  int from = blockIdx.x * share, to = min(vocabulary, from + share);
  Top mine = {-INF, 0.f, 0x7fffffff};
#pragma unroll 4
  for (int c = from + threadIdx.x * 8; c < to; c += 2048) {
    float f[8];
    if (c + 8 <= vocabulary && ls % 8 == 0) {
      load(row + c, f);
    } else {
#pragma unroll
      for (int i = 0; i < 8; i++) f[i] = c + i < vocabulary ? toFloat(row[c + i]) : -INF;
    }
    if (mask) {
      u32 bits = mask[c >> 5] >> (c & 31);
#pragma unroll
      for (int i = 0; i < 8; i++)
        if (!(bits >> i & 1)) f[i] = -INF;
    }
    float top = mine.largest;
#pragma unroll
    for (int i = 0; i < 8; i++)
      if (f[i] > top) top = f[i], mine.token = c + i;
    if (top > mine.largest) {
      mine.sum *= __expf(mine.largest - top);
      mine.largest = top;
    }
#pragma unroll
    for (int i = 0; i < 8; i++)
      if (f[i] != -INF) mine.sum += __expf(f[i] - mine.largest);
  }
  mine = blockTop(mine);
  if (threadIdx.x == 0) tops[(i64)blockIdx.y * gridDim.x + blockIdx.x] = mine;
}

__device__ __forceinline__ void writePick(Top top, float *pick) {
  pick[0] = (float)top.token;
  pick[1] = -logf(top.sum);
}

// One warp a row: picks [rows, 2] = token and the log of its probability.
extern "C" __global__ __launch_bounds__(32) void step_pick(const Top *tops, int shares, float *picks) {
  letNextStart();
  awaitPrevious();
  Top mine = {-INF, 0.f, 0x7fffffff};
  for (int i = threadIdx.x; i < shares; i += 32) mine = both(mine, tops[(i64)blockIdx.x * shares + i]);
  mine = warpTop(mine);
  if (threadIdx.x == 0) writePick(mine, picks + 2 * blockIdx.x);
}

// One block of 256 a row: the same among columns starts[row] to starts[row + 1], counted from 0.
extern "C" __global__ __launch_bounds__(256) void step_among(const bf16 *scores, int ss,
                                                             const int *starts, float *picks) {
  int row = blockIdx.x, from = starts[row], to = starts[row + 1];
  Top mine = {-INF, 0.f, 0x7fffffff};
  for (int c = from + threadIdx.x; c < to; c += 256) {
    float f = toFloat(scores[(i64)row * ss + c]);
    mine = both(mine, {f, f == -INF ? 0.f : __expf(f - f), c - from});
  }
  mine = blockTop(mine);
  if (threadIdx.x == 0) writePick(mine, picks + 2 * row);
}

// Blocks of 256, shares of one row of logits: found[0] counts the tokens at most `reach` below the
// pick, found[1] is the least logit that counts, then token (as bits) and logit of each.
extern "C" __global__ __launch_bounds__(256) void step_likely(const bf16 *logits, int vocabulary,
                                                              const float *pick, float reach,
                                                              float *found, int most) {
  if (!(pick[0] < (float)vocabulary)) return;
  float floor = toFloat(logits[(int)pick[0]]) - reach;
  if (blockIdx.x == 0 && threadIdx.x == 0) found[1] = floor;
  for (int c = blockIdx.x * 256 + threadIdx.x; c < vocabulary; c += gridDim.x * 256) {
    float f = toFloat(logits[c]);
    if (!(f >= floor)) continue;
    int place = (int)atomicAdd(found, 1.f);
    if (place >= most) continue;
    found[2 + 2 * place] = __int_as_float(c);
    found[3 + 2 * place] = f;
  }
}
