// Between the products of a decoding step: residual stream, norms and adapters; and the choice of a
// token. step_norm is compiled for PAIRS of columns a thread and ADAPTED.

#define THREADS 512
#define MOST_RANKS 512
#define SHARES 8
#ifndef PAIRS
#define PAIRS 1
#define ADAPTED 0
#endif

__device__ __forceinline__ float blockSum(float v, float *shared) {
  v = warpSum(v);
  if ((threadIdx.x & 31) == 0) shared[threadIdx.x >> 5] = v;
  __syncthreads();
  float all = 0.f;
#pragma unroll
  for (int i = 0; i < THREADS / 32; i++) all += shared[i];
  return all;
}

// One block a row. x += norm(branch) and h = norm(x); or, where ids is not null, x = scale times the
// rows of a table and h = norm(x). The branch is partial [splits, rows, n], added up, and what its
// layer's adapters add to it, from u [rows, sums, us], added up. next: the adapters of the layer that
// reads h, whose ranks go to nextU [rows, nus]; adapters and next may be null. held: what is read of
// adapters fits shared memory. Columns are a multiple of 64.
extern "C" __global__ __launch_bounds__(THREADS) void step_norm(
    const bf16 *table, const int *ids, float tableScale, const float *partial, int splits,
    const LowRankGroup *adapters, const int *groupOf, const float *u, int sums, int us,
    const float *w, float eps, bf16 *x, int xs, const float *w2, bf16 *h, int hs,
    const LowRankGroup *next, const int *nextGroupOf, float *nextU, int nus, int n, int held) {
  __shared__ float first[THREADS / 32], second[THREADS / 32];
  int row = blockIdx.x, rows = gridDim.x;
  x += (i64)row * xs, h += (i64)row * hs;
  letNextStart();
  float2 gain[PAIRS], gain2[PAIRS];
#pragma unroll
  for (int i = 0; i < PAIRS; i++) {
    int c = 2 * (threadIdx.x + i * THREADS);
    if (c >= n) continue;
    gain2[i] = *reinterpret_cast<const float2 *>(w2 + c);
    if (!ids) gain[i] = *reinterpret_cast<const float2 *>(w + c);
  }
#if ADAPTED
  // Nor do adapters depend on what came before: who they are, and what will be read of them.
  __shared__ float ranks[MOST_RANKS], some[SHARES * MOST_RANKS];
  __shared__ __align__(16) bf16 normed[2 * PAIRS * THREADS];
  int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, g = lane >> 2, q = lane & 3;
  __shared__ LowRankGroup own, to;
  int group = adapters ? groupOf[row] : -1, nextGroup = next ? nextGroupOf[row] : -1;
  if (group >= 0) copyGroups(&own, adapters + group, 1);
  if (nextGroup >= 0) copyGroups(&to, next + nextGroup, 1);
  __syncthreads();
  extern __shared__ __align__(16) bf16 memory[];
  const bf16 *ofA = nullptr, *ofB = nullptr;
  int pitch = n;
  if (nextGroup >= 0) {
    ofA = to.a;
    if (held) {
      // 16 bytes more than a multiple of 128 apart: lanes do not meet in a bank.
      ofA = memory, pitch = n + 8;
#pragma unroll 1
      for (int r = warp; r < to.ranks; r += THREADS / 32)
#pragma unroll 1
        for (int c = lane * 8; c < n; c += 256)
          copyAsync(memory + r * pitch + c, to.a + (i64)r * n + c);
    }
  }
  if (group >= 0) {
    int size = (own.toColumn[0] - own.fromColumn[0]) * own.ranks;
    ofB = own.b[0];
    if (held && size % 8 == 0) {
      bf16 *place = memory + nus * (n + 8);
      ofB = place;
#pragma unroll 1
      for (int c = threadIdx.x * 8; c < size; c += THREADS * 8) copyAsync(place + c, own.b[0] + c);
    }
  }
#endif
  awaitPrevious();
  float2 value[PAIRS];
  if (ids) {
    const bf16 *from = table + (i64)ids[row] * n;
#pragma unroll
    for (int i = 0; i < PAIRS; i++) {
      int c = 2 * (threadIdx.x + i * THREADS);
      if (c >= n) continue;
      u32 pair = *reinterpret_cast<const u32 *>(from + c);
      value[i] = make_float2(lowHalf(pair) * tableScale, highHalf(pair) * tableScale);
    }
  } else {
#pragma unroll
    for (int i = 0; i < PAIRS; i++) {
      int c = 2 * (threadIdx.x + i * THREADS);
      if (c >= n) continue;
      float2 sum = make_float2(0.f, 0.f);
#pragma unroll 7
      for (int s = 0; s < splits; s++) {
        float2 p = *reinterpret_cast<const float2 *>(partial + ((i64)s * rows + row) * n + c);
        sum.x += p.x, sum.y += p.y;
      }
      value[i] = sum;
    }
#if ADAPTED
    if (group >= 0) {
      // Ranks side by side, sums of each divided among `lists` threads.
      int count = own.ranks, width = 1;
      while (width < count) width <<= 1;
      int lists = THREADS / width, rank = threadIdx.x % width, list = threadIdx.x / width;
      float sum = 0.f;
      if (rank < count)
#pragma unroll 8
        for (int s = list; s < sums; s += lists) sum += u[((i64)row * sums + s) * us + rank];
      some[threadIdx.x] = sum;
      awaitCopies();
      __syncthreads();
      if (threadIdx.x < count) {
        float all = 0.f;
#pragma unroll 8
        for (int i = 0; i < lists; i++) all += some[i * width + threadIdx.x];
        ranks[threadIdx.x] = all;
      }
      __syncthreads();
      // The branch's layer is one matrix, so it has one part. Loads of all pairs are under way together.
      float2 more[PAIRS];
      const bf16 *b[PAIRS];
      bool in[PAIRS];
#pragma unroll
      for (int i = 0; i < PAIRS; i++) {
        int c = 2 * (threadIdx.x + i * THREADS);
        in[i] = c < n && c >= own.fromColumn[0] && c < own.toColumn[0];
        b[i] = ofB + (i64)(c - own.fromColumn[0]) * count;
        more[i] = make_float2(0.f, 0.f);
      }
      int eights = count % 8 == 0 ? count : 0;
#pragma unroll 1
      for (int r = 0; r < eights; r += 8) {
        float even[PAIRS][8], odd[PAIRS][8];
#pragma unroll
        for (int i = 0; i < PAIRS; i++)
          if (in[i]) {
            load(b[i] + r, even[i]);
            load(b[i] + count + r, odd[i]);
          }
#pragma unroll
        for (int i = 0; i < PAIRS; i++)
          if (in[i])
#pragma unroll
            for (int e = 0; e < 8; e++) {
              more[i].x = fmaf(ranks[r + e], even[i][e], more[i].x);
              more[i].y = fmaf(ranks[r + e], odd[i][e], more[i].y);
            }
      }
#pragma unroll 1
      for (int r = eights; r < count; r++)
#pragma unroll
        for (int i = 0; i < PAIRS; i++)
          if (in[i]) {
            more[i].x = fmaf(ranks[r], toFloat(b[i][r]), more[i].x);
            more[i].y = fmaf(ranks[r], toFloat(b[i][count + r]), more[i].y);
          }
#pragma unroll
      for (int i = 0; i < PAIRS; i++) {
        value[i].x = fmaf(own.scale, more[i].x, value[i].x);
        value[i].y = fmaf(own.scale, more[i].y, value[i].y);
      }
    }
#endif
    float square = 0.f;
#pragma unroll
    for (int i = 0; i < PAIRS; i++) {
      int c = 2 * (threadIdx.x + i * THREADS);
      if (c >= n) continue;
      // As it would be stored.
      u32 pair = pack(value[i].x, value[i].y);
      value[i] = make_float2(lowHalf(pair), highHalf(pair));
      square += value[i].x * value[i].x + value[i].y * value[i].y;
    }
    float r = rsqrtf(blockSum(square, first) / n + eps);
#pragma unroll
    for (int i = 0; i < PAIRS; i++) {
      int c = 2 * (threadIdx.x + i * THREADS);
      if (c >= n) continue;
      u32 old = *reinterpret_cast<const u32 *>(x + c);
      value[i].x = value[i].x * r * (1.f + gain[i].x) + lowHalf(old);
      value[i].y = value[i].y * r * (1.f + gain[i].y) + highHalf(old);
    }
  }
  float square = 0.f;
#pragma unroll
  for (int i = 0; i < PAIRS; i++) {
    int c = 2 * (threadIdx.x + i * THREADS);
    if (c >= n) continue;
    u32 pair = pack(value[i].x, value[i].y);
    *reinterpret_cast<u32 *>(x + c) = pair;
    value[i] = make_float2(lowHalf(pair), highHalf(pair));
    square += value[i].x * value[i].x + value[i].y * value[i].y;
  }
  float r = rsqrtf(blockSum(square, second) / n + eps);
#pragma unroll
  for (int i = 0; i < PAIRS; i++) {
    int c = 2 * (threadIdx.x + i * THREADS);
    if (c >= n) continue;
    u32 pair = pack(value[i].x * r * (1.f + gain2[i].x), value[i].y * r * (1.f + gain2[i].y));
    *reinterpret_cast<u32 *>(h + c) = pair;
#if ADAPTED
    *reinterpret_cast<u32 *>(normed + c) = pair;
#endif
  }
#if ADAPTED
  if (nextGroup < 0) return;
  awaitCopies();
  __syncthreads();
  // Eight ranks and a share of the columns a warp, on tensor cores, where h is the first of 16 rows.
  int pieces = n >> 6, tiles = (to.ranks + 7) / 8;
#pragma unroll 1
  for (int unit = warp; unit < tiles * SHARES; unit += THREADS / 32) {
    int tile = unit / SHARES, share = unit % SHARES;
    const bf16 *a = ofA + (i64)min(tile * 8 + g, to.ranks - 1) * pitch + q * 16;
    float c[4] = {0.f, 0.f, 0.f, 0.f};
#pragma unroll 2
    for (int piece = pieces * share / SHARES; piece < pieces * (share + 1) / SHARES; piece++) {
      uint4 a0 = *reinterpret_cast<const uint4 *>(a + piece * 64);
      uint4 a1 = *reinterpret_cast<const uint4 *>(a + piece * 64 + 8);
      uint4 h0 = make_uint4(0, 0, 0, 0), h1 = h0;
      if (g == 0) {
        h0 = *reinterpret_cast<const uint4 *>(normed + piece * 64 + q * 16);
        h1 = *reinterpret_cast<const uint4 *>(normed + piece * 64 + q * 16 + 8);
      }
      mma(c, h0.x, 0, h0.y, 0, a0.x, a0.y);
      mma(c, h0.z, 0, h0.w, 0, a0.z, a0.w);
      mma(c, h1.x, 0, h1.y, 0, a1.x, a1.y);
      mma(c, h1.z, 0, h1.w, 0, a1.z, a1.w);
    }
    if (g == 0) {
      some[(tile * 8 + 2 * q) * SHARES + share] = c[0];
      some[(tile * 8 + 2 * q + 1) * SHARES + share] = c[1];
    }
  }
  __syncthreads();
  for (int r = threadIdx.x; r < to.ranks; r += THREADS) {
    float all = 0.f;
#pragma unroll
    for (int s = 0; s < SHARES; s++) all += some[r * SHARES + s];
    nextU[(i64)row * nus + r] = all;
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
