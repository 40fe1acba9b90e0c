// Between the products of a decoding step: residual stream, norms and adapters; and the choice of a
// token. step_norm is compiled for all sizes that it meets, since a kernel of a few microseconds
// runs most of its instructions once, and fetching them is what its time goes into: THREADS with
// PAIRS of COLUMNS each, SPLITS of the branch, and, ADAPTED, SUMS and US of u and NEXT_US of nextU.
// RANKS and NEXT_RANKS are those of all rows with adapters, or 0. HELD: what is read of adapters fits
// shared memory. ORDERED: h is the input of a product.

#ifndef PAIRS
#define THREADS 512
#define PAIRS 1
#define COLUMNS 64
#define SPLITS 0
#define ADAPTED 0
#define HELD 0
#define ORDERED 0
#endif
#define WARPS (THREADS / 32)
// Warps that only ask for copies.
#define COPIERS (HELD ? 4 : 0)
#define MOST_RANKS 512

// Of the threads that have columns.
__device__ __forceinline__ void barrier() {
  asm volatile("bar.sync 1, %0;" ::"n"(THREADS) : "memory");
}

__device__ __forceinline__ float blockSum(float v, float *shared) {
  v = warpSum(v);
  if ((threadIdx.x & 31) == 0) shared[threadIdx.x >> 5] = v;
  barrier();
  float all = 0.f;
#pragma unroll
  for (int i = 0; i < WARPS; i++) all += shared[i];
  return all;
}

// One block a row. x += norm(branch) and h = norm(x); or, where ids is not null, x = scale times the
// rows of a table and h = norm(x). The branch is partial [SPLITS, rows, COLUMNS], added up, and what its
// layer's adapters add to it, from u [rows, SUMS, US], added up. next: the adapters of the layer that
// reads h, whose ranks go to nextU [rows, NEXT_US]; adapters and next may be null; US and NEXT_US are
// multiples of 4, COLUMNS of 64. Every sum runs in an order that follows from the row's own adapter.
extern "C" __global__ __launch_bounds__(THREADS + COPIERS * 32) void step_norm(
    const bf16 *table, const int *ids, float tableScale, const float *partial,
    const RowAdapter *adapters, const float *u, const float *w, float eps, bf16 *x, int xs,
    const float *w2, bf16 *h, int hs, const RowAdapter *next, float *nextU) {
  __shared__ float first[WARPS], second[WARPS];
  int row = blockIdx.x, rows = gridDim.x;
  x += (i64)row * xs, h += (i64)row * hs;
  letNextStart();
#if ADAPTED
  // The branch's layer is one matrix, so its adapters have one part.
  __shared__ __align__(16) float ranks[RANKS ? RANKS : MOST_RANKS];
  __shared__ __align__(16) float some[RANKS && RANKS <= 32 ? WARPS * 48 : 4 * THREADS];
  __shared__ __align__(16) bf16 normed[COLUMNS];
  __shared__ __align__(8) u64 barriers[2];
  u64 *ofBytesA = barriers, *ofBytesB = barriers + 1;
  extern __shared__ __align__(128) bf16 memory[];
  int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, g = lane >> 2, q = lane & 3;
  RowAdapter own = {nullptr, nullptr, 0, 0.f}, to = own;
  if (adapters) own = adapters[row];
  if (next) to = next[row];
#if HELD
  // Rows of A 16 bytes more than a multiple of 128 apart: lanes do not meet in a bank.
  constexpr int PITCH = COLUMNS + 8;
  const bf16 *ofA = memory, *ofB = memory + NEXT_US * PITCH;
  if (threadIdx.x == 0) initBarriers(barriers, 2);
  __syncthreads();
  if (threadIdx.x >= THREADS) {
    // Adapters do not depend on what came before, and who they are is known late: warps of their own
    // ask for them, so that nothing else waits. By few lanes of each: such copies leave a warp one by
    // one.
    int copier = lane * COPIERS + warp - WARPS;
    if (copier == 0) {
      if (own.ranks) copyRange((void *)ofB, own.b, own.ranks * COLUMNS * 2, ofBytesB);
      expectBytes(ofBytesB, own.ranks * COLUMNS * 2);
      expectBytes(ofBytesA, to.ranks * COLUMNS * 2);
    }
#pragma unroll 1
    for (int r = copier; r < to.ranks; r += COPIERS * 32)
      copyRange(memory + r * PITCH, to.a + (i64)r * COLUMNS, COLUMNS * 2, ofBytesA);
    return;
  }
#else
  constexpr int PITCH = COLUMNS;
  const bf16 *ofA = to.a, *ofB = own.b;
#endif
#endif
  float2 gain[PAIRS], gain2[PAIRS];
#pragma unroll
  for (int i = 0; i < PAIRS; i++) {
    int c = 2 * (threadIdx.x + i * THREADS);
    if (c >= COLUMNS) continue;
    gain2[i] = *reinterpret_cast<const float2 *>(w2 + c);
    if (!ids) gain[i] = *reinterpret_cast<const float2 *>(w + c);
  }
  awaitPrevious();
  float2 value[PAIRS];
  if (ids) {
    const bf16 *from = table + (i64)ids[row] * COLUMNS;
#pragma unroll
    for (int i = 0; i < PAIRS; i++) {
      int c = 2 * (threadIdx.x + i * THREADS);
      if (c >= COLUMNS) continue;
      u32 pair = *reinterpret_cast<const u32 *>(from + c);
      value[i] = make_float2(lowHalf(pair) * tableScale, highHalf(pair) * tableScale);
    }
  } else {
#if ADAPTED
    // Four ranks side by side, their sums divided among `lists`. Where ranks are known beforehand,
    // those of a row without an adapter are read too, rather than waiting for who it is.
    int count = RANKS ? RANKS : own.ranks, quads = 1;
    while (quads * 4 < count) quads <<= 1;
    int lists = THREADS / quads, list = threadIdx.x / quads, quad = threadIdx.x % quads * 4;
    int times = (SUMS + lists - 1) / lists;
    float4 mine = make_float4(0.f, 0.f, 0.f, 0.f);
    if (adapters && count && list < lists && quad < US) {
      const float *from = u + (i64)row * SUMS * US + quad;
#pragma unroll 2
      for (int i = 0; i < times; i++)
        if (list + i * lists < SUMS) {
          float4 v = *reinterpret_cast<const float4 *>(from + (list + i * lists) * US);
          mine.x += v.x, mine.y += v.y, mine.z += v.z, mine.w += v.w;
        }
    }
#endif
    u32 old[PAIRS];
#pragma unroll
    for (int i = 0; i < PAIRS; i++) {
      int c = 2 * (threadIdx.x + i * THREADS);
      if (c < COLUMNS) old[i] = *reinterpret_cast<const u32 *>(x + c);
    }
#pragma unroll
    for (int i = 0; i < PAIRS; i++) {
      int c = 2 * (threadIdx.x + i * THREADS);
      if (c >= COLUMNS) continue;
      float2 sum = make_float2(0.f, 0.f);
#pragma unroll
      for (int s = 0; s < SPLITS; s++) {
        float2 p = *reinterpret_cast<const float2 *>(partial + ((i64)s * rows + row) * COLUMNS + c);
        sum.x += p.x, sum.y += p.y;
      }
      value[i] = sum;
    }
#if ADAPTED
    if (own.ranks) {
      for (int o = quads; o < 32; o <<= 1) {
        mine.x += __shfl_xor_sync(~0u, mine.x, o), mine.y += __shfl_xor_sync(~0u, mine.y, o);
        mine.z += __shfl_xor_sync(~0u, mine.z, o), mine.w += __shfl_xor_sync(~0u, mine.w, o);
      }
      int place = quads >= 32 ? threadIdx.x : warp * quads + lane;
      if (quads >= 32 || lane < quads) reinterpret_cast<float4 *>(some)[place] = mine;
      barrier();
      int left = quads >= 32 ? lists : WARPS;
#pragma unroll 1
      for (int r = threadIdx.x; r < count; r += THREADS) {
        float all = 0.f;
#pragma unroll WARPS
        for (int i = 0; i < left; i++) all += some[i * quads * 4 + r];
        ranks[r] = all;
      }
#if HELD
      awaitBytes(ofBytesB);
#endif
      barrier();
      // Eight ranks of one of the two columns at a time, neighbours others first: so they do not meet
      // in a bank.
      int eights = count % 8 == 0 ? count / 4 : 0;
      int begin = eights >= 8 ? lane : lane * eights / 8;
#pragma unroll
      for (int i = 0; i < PAIRS; i++) {
        int c = 2 * (threadIdx.x + i * THREADS);
        if (c >= COLUMNS) continue;
        float2 more = make_float2(0.f, 0.f);
#pragma unroll 1
        for (int j = 0; j < eights; j++) {
          int at = (j + begin) % eights, r = at % (eights / 2) * 8;
          float b[8], a[8];
          load(ofB + c * count + at * 8, b);
          load(ranks + r, a);
          float even = 0.f, odd = 0.f;
#pragma unroll
          for (int e = 0; e < 8; e += 2)
            even = fmaf(a[e], b[e], even), odd = fmaf(a[e + 1], b[e + 1], odd);
          (at < eights / 2 ? more.x : more.y) += even + odd;
        }
#if !RANKS
#pragma unroll 1
        for (int r = eights * 4; r < count; r++) {
          more.x = fmaf(ranks[r], toFloat(ofB[c * count + r]), more.x);
          more.y = fmaf(ranks[r], toFloat(ofB[(c + 1) * count + r]), more.y);
        }
#endif
        value[i].x = fmaf(own.scale, more.x, value[i].x);
        value[i].y = fmaf(own.scale, more.y, value[i].y);
      }
    }
#endif
    float square = 0.f;
#pragma unroll
    for (int i = 0; i < PAIRS; i++) {
      int c = 2 * (threadIdx.x + i * THREADS);
      if (c >= COLUMNS) continue;
      // As it would be stored.
      u32 pair = pack(value[i].x, value[i].y);
      value[i] = make_float2(lowHalf(pair), highHalf(pair));
      square += value[i].x * value[i].x + value[i].y * value[i].y;
    }
    float r = rsqrtf(blockSum(square, first) / COLUMNS + eps);
#pragma unroll
    for (int i = 0; i < PAIRS; i++) {
      int c = 2 * (threadIdx.x + i * THREADS);
      if (c >= COLUMNS) continue;
      value[i].x = value[i].x * r * (1.f + gain[i].x) + lowHalf(old[i]);
      value[i].y = value[i].y * r * (1.f + gain[i].y) + highHalf(old[i]);
    }
  }
  float square = 0.f;
#pragma unroll
  for (int i = 0; i < PAIRS; i++) {
    int c = 2 * (threadIdx.x + i * THREADS);
    if (c >= COLUMNS) continue;
    u32 pair = pack(value[i].x, value[i].y);
    *reinterpret_cast<u32 *>(x + c) = pair;
    value[i] = make_float2(lowHalf(pair), highHalf(pair));
    square += value[i].x * value[i].x + value[i].y * value[i].y;
  }
  float r = rsqrtf(blockSum(square, second) / COLUMNS + eps);
#pragma unroll
  for (int i = 0; i < PAIRS; i++) {
    int c = 2 * (threadIdx.x + i * THREADS);
    if (c >= COLUMNS) continue;
    u32 pair = pack(value[i].x * r * (1.f + gain2[i].x), value[i].y * r * (1.f + gain2[i].y));
    *reinterpret_cast<u32 *>(h + (ORDERED ? ordered(c) : c)) = pair;
#if ADAPTED
    *reinterpret_cast<u32 *>(normed + c) = pair;
#endif
  }
#if ADAPTED
  if (!to.ranks) return;
  int nextCount = NEXT_RANKS ? NEXT_RANKS : to.ranks;
#if HELD
  awaitBytes(ofBytesA);
#endif
  barrier();
  // A share of the columns a warp, on tensor cores, where h is the first of 16 rows; ranks of several
  // tiles at a time, so that one product need not wait for another.
  constexpr int TOGETHER = 6, STEPS = COLUMNS / 16;
#pragma unroll 1
  for (int first = 0; first < nextCount; first += TOGETHER * 8) {
    float c[TOGETHER][4] = {};
#pragma unroll 1
    for (int step = STEPS * warp / WARPS; step < STEPS * (warp + 1) / WARPS; step++) {
      const bf16 *in = normed + step * 16 + q * 2;
      u32 h0 = g == 0 ? *reinterpret_cast<const u32 *>(in) : 0;
      u32 h1 = g == 0 ? *reinterpret_cast<const u32 *>(in + 8) : 0;
#pragma unroll
      for (int i = 0; i < TOGETHER; i += 2) {
        if (first + i * 8 >= nextCount) break;
#if HELD
        u32 a[4];
        int r = min(first + i * 8 + (lane >> 4) * 8 + (lane & 7), nextCount - 1);
        loadMatrices(a, sharedAddress(ofA + r * PITCH + step * 16 + (lane & 8)));
        mma(c[i], h0, 0, h1, 0, a[0], a[1]);
        mma(c[i + 1], h0, 0, h1, 0, a[2], a[3]);
#else
#pragma unroll
        for (int j = i; j < i + 2; j++) {
          const bf16 *a = ofA + (i64)min(first + j * 8 + g, nextCount - 1) * PITCH + step * 16 + q * 2;
          mma(c[j], h0, 0, h1, 0, *reinterpret_cast<const u32 *>(a),
              *reinterpret_cast<const u32 *>(a + 8));
        }
#endif
      }
    }
    if (first) barrier();
    if (g == 0)
#pragma unroll
      for (int i = 0; i < TOGETHER; i++)
        *reinterpret_cast<float2 *>(some + (warp * TOGETHER + i) * 8 + 2 * q) =
            make_float2(c[i][0], c[i][1]);
    barrier();
    int r = threadIdx.x;
    if (r >= TOGETHER * 8 || first + r >= nextCount) continue;
    float all = 0.f;
#pragma unroll
    for (int i = 0; i < WARPS; i++) all += some[i * TOGETHER * 8 + r];
    nextU[(i64)row * NEXT_US + first + r] = all;
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
