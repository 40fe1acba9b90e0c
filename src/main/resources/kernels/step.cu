// Between the products of a decoding step: residual stream, norms and adapters; and the choice of a
// token. step_norm is compiled for COLUMNS, PAIRS of them a
// thread, SPLITS and ADAPTED, and where HELD for all sizes that have to do with adapters: a kernel of a
// few microseconds fetches most of its instructions once, and that is what its time goes into. RANKS and
// NEXT_RANKS are those of all rows with adapters, or 0.

#define THREADS 512
#define MOST_RANKS 512

// The adapter of one row: its A, and B where the layer is one matrix; no ranks where there is none.
struct __align__(16) RowAdapter {
  const bf16 *a, *b;
  int ranks;
  float scale;
  int unused[2];
};

#ifndef PAIRS
#define PAIRS 1
#define ADAPTED 0
#define COLUMNS 0
#define SPLITS 0
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
// reads h, whose ranks go to nextU [rows, nus]; adapters and next may be null; us and nus are multiples
// of 4. held: what is read of adapters and u fits shared memory. Columns are a multiple of 64.
extern "C" __global__ __launch_bounds__(THREADS) void step_norm(
    const bf16 *table, const int *ids, float tableScale, const float *partial, int splits,
    const RowAdapter *adapters, const float *u, int sums, int us, const float *w, float eps, bf16 *x, int xs, const float *w2, bf16 *h, int hs,
    const RowAdapter *next, float *nextU, int nus, int n, int held) {
  n = COLUMNS, splits = SPLITS;
#if ADAPTED && HELD
  held = 1, us = US, nus = NEXT_US, sums = SUMS;
#endif
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
  // Nor do adapters depend on what came before: who they are, and what will be read of them. The branch's
  // layer is one matrix, so its adapters have one part.
  __shared__ float ranks[MOST_RANKS];
  __shared__ __align__(8) float some[THREADS + 256];
  __shared__ __align__(16) bf16 normed[2 * PAIRS * THREADS];
  __shared__ __align__(8) u64 barriers[3];
  u64 *ofBytesA = barriers, *ofBytesB = barriers + 1, *ofBytesU = barriers + 2;
  extern __shared__ __align__(16) bf16 memory[];
  int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, g = lane >> 2, q = lane & 3;
  RowAdapter own = {nullptr, nullptr, 0, 0.f}, to = own;
  if (adapters) own = adapters[row];
  if (next) to = next[row];
  int count = own.ranks, nextCount = to.ranks, pitch = n;
  const bf16 *ofA = to.a, *ofB = own.b;
  const float *ofU = u + (i64)row * sums * us;
  if (threadIdx.x == 0) initBarriers(barriers, 3);
  __syncthreads();
  if (held) {
    // Rows of A 16 bytes more than a multiple of 128 apart: lanes do not meet in a bank.
    pitch = n + 8;
    // By few lanes of each warp: such copies leave a warp one by one.
    int r = lane * (THREADS / 32) + warp;
    if (r < nextCount) copyRange(memory + r * pitch, ofA + (i64)r * n, n * 2, ofBytesA);
    ofA = memory;
    bf16 *place = memory + nus * pitch;
    if (threadIdx.x == 0) {
      expectBytes(ofBytesA, nextCount * n * 2);
      if (count) copyRange(place, ofB, n * count * 2, ofBytesB);
      expectBytes(ofBytesB, n * count * 2);
    }
    ofB = place;
  }
#endif
  awaitPrevious();
#if ADAPTED
  if (held && count) {
    float *place = reinterpret_cast<float *>(memory + nus * pitch + n * count);
    if (threadIdx.x == 0) {
      copyRange(place, ofU, sums * us * 4, ofBytesU);
      expectBytes(ofBytesU, sums * us * 4);
    }
    ofU = place;
  }
#endif
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
    u32 old[PAIRS];
#pragma unroll
    for (int i = 0; i < PAIRS; i++) {
      int c = 2 * (threadIdx.x + i * THREADS);
      if (c < n) old[i] = *reinterpret_cast<const u32 *>(x + c);
    }
#pragma unroll
    for (int i = 0; i < PAIRS; i++) {
      int c = 2 * (threadIdx.x + i * THREADS);
      if (c >= n) continue;
      float2 sum = make_float2(0.f, 0.f);
#pragma unroll
      for (int s = 0; s < SPLITS; s++) {
        float2 p = *reinterpret_cast<const float2 *>(partial + ((i64)s * rows + row) * n + c);
        sum.x += p.x, sum.y += p.y;
      }
      value[i] = sum;
    }
#if ADAPTED
    if (count) {
#if RANKS
      count = RANKS;
#endif
      // Ranks side by side, sums of each divided among `lists` threads.
      int width = 1;
      while (width < count) width <<= 1;
      int lists = THREADS / width, rank = threadIdx.x % width, list = threadIdx.x / width;
      if (held) awaitBytes(ofBytesU);
      float sum = 0.f;
      if (rank < count)
#pragma unroll 4
        for (int s = list; s < sums; s += lists) sum += ofU[s * us + rank];
      for (int o = width; o < 32; o <<= 1) sum += __shfl_xor_sync(~0u, sum, o);
      if (width >= 32 || lane < width) some[width >= 32 ? threadIdx.x : warp * width + lane] = sum;
      __syncthreads();
      if (threadIdx.x < count) {
        int left = width >= 32 ? lists : THREADS / 32;
        float all = 0.f;
#pragma unroll 16
        for (int i = 0; i < left; i++) all += some[i * width + threadIdx.x];
        ranks[threadIdx.x] = all;
      }
      if (held) awaitBytes(ofBytesB);
      __syncthreads();
      // Loads of all pairs are under way together.
      float2 more[PAIRS];
      const bf16 *b[PAIRS];
      bool in[PAIRS];
#pragma unroll
      for (int i = 0; i < PAIRS; i++) {
        int c = 2 * (threadIdx.x + i * THREADS);
        in[i] = c < n;
        b[i] = ofB + c * count;
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
      value[i].x = value[i].x * r * (1.f + gain[i].x) + lowHalf(old[i]);
      value[i].y = value[i].y * r * (1.f + gain[i].y) + highHalf(old[i]);
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
  if (!nextCount) return;
#if NEXT_RANKS
  nextCount = NEXT_RANKS;
#endif
  if (held) awaitBytes(ofBytesA);
  __syncthreads();
  // A share of the columns a warp, on tensor cores, where h is the first of 16 rows; ranks of several
  // tiles at a time, so that one product need not wait for another.
  constexpr int SHARES = THREADS / 32, TOGETHER = 6;
  int steps = n >> 4;
#pragma unroll 1
  for (int first = 0; first < nextCount; first += TOGETHER * 8) {
    float c[TOGETHER][4] = {};
#pragma unroll 1
    for (int step = steps * warp / SHARES; step < steps * (warp + 1) / SHARES; step++) {
      int at = step * 16 + q * 2;
      u32 h0 = g == 0 ? *reinterpret_cast<const u32 *>(normed + at) : 0;
      u32 h1 = g == 0 ? *reinterpret_cast<const u32 *>(normed + at + 8) : 0;
#pragma unroll
      for (int i = 0; i < TOGETHER; i++) {
        if (first + i * 8 >= nextCount) break;
        const bf16 *a = ofA + (i64)min(first + i * 8 + g, nextCount - 1) * pitch + at;
        mma(c[i], h0, 0, h1, 0, *reinterpret_cast<const u32 *>(a),
            *reinterpret_cast<const u32 *>(a + 8));
      }
    }
    if (first) __syncthreads();
    if (g == 0)
#pragma unroll
      for (int i = 0; i < TOGETHER; i++)
        *reinterpret_cast<float2 *>(some + warp * TOGETHER * 8 + i * 8 + 2 * q) =
            make_float2(c[i][0], c[i][1]);
    __syncthreads();
    int r = threadIdx.x;
    if (r >= TOGETHER * 8 || first + r >= nextCount) continue;
    float all = 0.f;
#pragma unroll
    for (int i = 0; i < SHARES; i++) all += some[i * TOGETHER * 8 + r];
    nextU[(i64)row * nus + first + r] = all;
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
