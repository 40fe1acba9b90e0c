// Attention with tensor-core products (mma.m16n8k16, bf16 in, fp32 out), tiles of 64 queries by 64
// keys, online softmax. Compiled for one head size: D; VECTOR = 1 where rows allow 16-byte copies.
// No atomics: a block owns its output rows, sums run in a fixed order.
//
// A query tile is int4 {first row, rows, position of its first query, segment}.

#define HD ((D + 31) / 32 * 32)
#define LD (HD + 8)
#define TILE 64
#define PLD (TILE + 8)
#define LOG2E 1.4426950408889634f

__device__ __forceinline__ u32 shared(const void *p) { return (u32)__cvta_generic_to_shared(p); }

__device__ __forceinline__ void matrices(u32 (&r)[4], const bf16 *p) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared(p)) : "memory");
}

__device__ __forceinline__ void transposed(u32 (&r)[4], const bf16 *p) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared(p)) : "memory");
}

__device__ __forceinline__ void mma(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ __forceinline__ float exp2Fast(float x) {
  float r;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x));
  return r;
}

__device__ __forceinline__ void commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int N>
__device__ __forceinline__ void await() {
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

// Copies 64 rows of D values into shared rows of LD; rows from `valid` on become zero.
template <int THREADS>
__device__ __forceinline__ void loadTile(bf16 *to, const bf16 *from, i64 stride, int valid) {
#if VECTOR
  for (int i = threadIdx.x; i < TILE * (HD / 8); i += THREADS) {
    int row = i / (HD / 8), c = i % (HD / 8) * 8;
    bool in = row < valid && c < D;
    const bf16 *source = in ? from + row * stride + c : from;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared(to + row * LD + c)),
                 "l"(source), "r"(in ? 16 : 0)
                 : "memory");
  }
#else
  for (int i = threadIdx.x; i < TILE * HD; i += THREADS) {
    int row = i / HD, c = i % HD;
    to[row * LD + c] = row < valid && c < D ? from[row * stride + c] : (bf16)0;
  }
#endif
}

// Where ldmatrix reads for this lane: A operand (and transposed B) rows first ...
__device__ __forceinline__ int rowOfA(int lane) { return (lane & 7) + (lane & 8); }
__device__ __forceinline__ int columnOfA(int lane) { return (lane & 16) >> 1; }
// ... and B operand [n][k].
__device__ __forceinline__ int rowOfB(int lane) { return (lane & 7) + ((lane & 16) >> 1); }
__device__ __forceinline__ int columnOfB(int lane) { return lane & 8; }

struct Cache {
  const bf16 *k, *v;
  i64 layerStride;
};

// out and lse (or null) of 64 queries of one head a block; 4 warps of 16 queries. caches: null to
// read k and v of packed sequences (first row of the sequence = row - position), else the segments'
// caches, of which k and v rows of `layer` are read with strides ks and vs.
extern "C" __global__ __launch_bounds__(128) void attention(
    const bf16 *q, int qs, const bf16 *k, int ks, const bf16 *v, int vs, const Cache *caches,
    int layer, const int4 *tiles, int heads, int group, int window, float scale, bf16 *out, int os,
    float *lse) {
  extern __shared__ __align__(16) bf16 memory[];
  bf16 *sq = memory, *sk = sq + TILE * LD, *sv = sk + TILE * LD;
  int4 tile = tiles[blockIdx.x];
  int head = blockIdx.y, kvHead = head / group;
  int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
  if (caches) {
    Cache c = caches[tile.w];
    k = c.k + layer * c.layerStride + kvHead * D;
    v = c.v + layer * c.layerStride + kvHead * D;
  } else {
    k += (i64)(tile.x - tile.z) * ks + kvHead * D;
    v += (i64)(tile.x - tile.z) * vs + kvHead * D;
  }
  q += (i64)tile.x * qs + head * D;
  int end = tile.z + tile.y;
  int begin = window > 0 ? max(0, tile.z - window + 1) / TILE * TILE : 0;

  loadTile<128>(sq, q, qs, tile.y);
  loadTile<128>(sk, k + (i64)begin * ks, ks, end - begin);
  commit();

  float o[HD / 8][4];
#pragma unroll
  for (int i = 0; i < HD / 8; i++) o[i][0] = o[i][1] = o[i][2] = o[i][3] = 0.f;
  float m[2] = {-INF, -INF}, l[2] = {0.f, 0.f};
  const float c = scale * LOG2E;
  const bf16 *aq = sq + (warp * 16 + rowOfA(lane)) * LD + columnOfA(lane);
  const bf16 *bk = sk + rowOfB(lane) * LD + columnOfB(lane);
  const bf16 *bv = sv + rowOfA(lane) * LD + columnOfA(lane);
  int position = tile.z + warp * 16 + (lane >> 2);

  for (int j = begin; j < end; j += TILE) {
    loadTile<128>(sv, v + (i64)j * vs, vs, end - j);
    commit();
    await<1>();
    __syncthreads();
    float s[TILE / 8][4];
#pragma unroll
    for (int i = 0; i < TILE / 8; i++) s[i][0] = s[i][1] = s[i][2] = s[i][3] = 0.f;
#pragma unroll
    for (int kk = 0; kk < HD; kk += 16) {
      u32 a[4];
      matrices(a, aq + kk);
#pragma unroll
      for (int n = 0; n < TILE / 8; n += 2) {
        u32 b[4];
        matrices(b, bk + n * 8 * LD + kk);
        mma(s[n], a, b[0], b[1]);
        mma(s[n + 1], a, b[2], b[3]);
      }
    }
    __syncthreads();
    if (j + TILE < end) loadTile<128>(sk, k + (i64)(j + TILE) * ks, ks, end - j - TILE);
    commit();

    bool whole = j + TILE - 1 <= tile.z && (window <= 0 || j > tile.z + TILE - 1 - window);
    if (!whole) {
#pragma unroll
      for (int n = 0; n < TILE / 8; n++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
          int key = j + n * 8 + (lane & 3) * 2 + (e & 1), query = position + (e >> 1) * 8;
          if (key > query || (window > 0 && key <= query - window)) s[n][e] = -INF;
        }
    }
#pragma unroll
    for (int h = 0; h < 2; h++) {
      float top = m[h];
#pragma unroll
      for (int n = 0; n < TILE / 8; n++) top = fmaxf(top, fmaxf(s[n][2 * h], s[n][2 * h + 1]));
      top = fmaxf(top, __shfl_xor_sync(~0u, top, 1));
      top = fmaxf(top, __shfl_xor_sync(~0u, top, 2));
      float base = top == -INF ? 0.f : top * c;
      float shrink = exp2Fast(m[h] * c - base), sum = 0.f;
      m[h] = top;
#pragma unroll
      for (int n = 0; n < TILE / 8; n++) {
        s[n][2 * h] = exp2Fast(s[n][2 * h] * c - base);
        s[n][2 * h + 1] = exp2Fast(s[n][2 * h + 1] * c - base);
        sum += s[n][2 * h] + s[n][2 * h + 1];
      }
      l[h] = l[h] * shrink + sum;
#pragma unroll
      for (int i = 0; i < HD / 8; i++) {
        o[i][2 * h] *= shrink;
        o[i][2 * h + 1] *= shrink;
      }
    }
    await<1>();
    __syncthreads();
#pragma unroll
    for (int kk = 0; kk < TILE; kk += 16) {
      int n = kk / 8;
      u32 a[4] = {pack(s[n][0], s[n][1]), pack(s[n][2], s[n][3]), pack(s[n + 1][0], s[n + 1][1]),
                  pack(s[n + 1][2], s[n + 1][3])};
#pragma unroll
      for (int d = 0; d < HD / 8; d += 2) {
        u32 b[4];
        transposed(b, bv + kk * LD + d * 8);
        mma(o[d], a, b[0], b[1]);
        mma(o[d + 1], a, b[2], b[3]);
      }
    }
    __syncthreads();
  }
  await<0>();
#pragma unroll
  for (int h = 0; h < 2; h++) {
    l[h] += __shfl_xor_sync(~0u, l[h], 1);
    l[h] += __shfl_xor_sync(~0u, l[h], 2);
    int row = warp * 16 + (lane >> 2) + h * 8;
    if (row >= tile.y) continue;
    bf16 *to = out + (i64)(tile.x + row) * os + head * D;
    float inverse = 1.f / l[h];
#pragma unroll
    for (int i = 0; i < HD / 8; i++) {
      int d = i * 8 + (lane & 3) * 2;
#if VECTOR
      if (d < D) *reinterpret_cast<u32 *>(to + d) = pack(o[i][2 * h] * inverse, o[i][2 * h + 1] * inverse);
#else
      if (d < D) to[d] = toBf16(o[i][2 * h] * inverse);
      if (d + 1 < D) to[d + 1] = toBf16(o[i][2 * h + 1] * inverse);
#endif
    }
    if (lse && (lane & 3) == 0)
      lse[(i64)(tile.x + row) * heads + head] = m[h] * scale + logf(l[h]);
  }
}

// delta[t, h] = dOut . out, one warp a head of a token.
extern "C" __global__ void attention_delta(const bf16 *dOut, int ds, const bf16 *out, int os,
                                           float *delta, int rows, int heads) {
  i64 item = (i64)blockIdx.x * (blockDim.x >> 5) + (threadIdx.x >> 5);
  int lane = threadIdx.x & 31;
  if (item >= (i64)rows * heads) return;
  int t = (int)(item / heads), h = (int)(item - (i64)t * heads);
  const bf16 *a = dOut + (i64)t * ds + h * D, *b = out + (i64)t * os + h * D;
  float sum = 0.f;
  for (int i = lane; i < D; i += 32) sum += toFloat(a[i]) * toFloat(b[i]);
  sum = warpSum(sum);
  if (lane == 0) delta[item] = sum;
}

// ---- backward: 8 warps; warp w owns 16 rows (w & 3) and one half (w >> 2) of the columns.

// s = A B^T of this warp's 16 rows by 32 columns, A and B tiles of 64 rows.
__device__ __forceinline__ void scores(float (&s)[4][4], const bf16 *a, const bf16 *b, int warp,
                                       int lane) {
  const bf16 *pa = a + ((warp & 3) * 16 + rowOfA(lane)) * LD + columnOfA(lane);
  const bf16 *pb = b + ((warp >> 2) * 32 + rowOfB(lane)) * LD + columnOfB(lane);
#pragma unroll
  for (int i = 0; i < 4; i++) s[i][0] = s[i][1] = s[i][2] = s[i][3] = 0.f;
#pragma unroll
  for (int kk = 0; kk < HD; kk += 16) {
    u32 x[4], y[4], z[4];
    matrices(x, pa + kk);
    matrices(y, pb + kk);
    matrices(z, pb + 16 * LD + kk);
    mma(s[0], x, y[0], y[1]);
    mma(s[1], x, y[2], y[3]);
    mma(s[2], x, z[0], z[1]);
    mma(s[3], x, z[2], z[3]);
  }
}

// acc += P B: P [64, 64] of this warp's 16 rows, B [64, HD] of its half of the columns.
__device__ __forceinline__ void accumulate(float (&acc)[HD / 16][4], const bf16 *p, const bf16 *b,
                                           int warp, int lane) {
  const bf16 *pa = p + ((warp & 3) * 16 + rowOfA(lane)) * PLD + columnOfA(lane);
  const bf16 *pb = b + rowOfA(lane) * LD + columnOfA(lane) + (warp >> 2) * (HD / 2);
#pragma unroll
  for (int kk = 0; kk < TILE; kk += 16) {
    u32 x[4];
    matrices(x, pa + kk);
#pragma unroll
    for (int d = 0; d < HD / 16; d += 2) {
      u32 y[4];
      transposed(y, pb + kk * LD + d * 8);
      mma(acc[d], x, y[0], y[1]);
      mma(acc[d + 1], x, y[2], y[3]);
    }
  }
}

__device__ __forceinline__ void storeHalf(bf16 *to, i64 stride, const float (&acc)[HD / 16][4],
                                          float scale, int valid, int warp, int lane) {
#pragma unroll
  for (int h = 0; h < 2; h++) {
    int row = (warp & 3) * 16 + (lane >> 2) + h * 8;
    if (row >= valid) continue;
#pragma unroll
    for (int i = 0; i < HD / 16; i++) {
      int d = (warp >> 2) * (HD / 2) + i * 8 + (lane & 3) * 2;
      bf16 *p = to + row * stride + d;
#if VECTOR
      if (d < D) *reinterpret_cast<u32 *>(p) = pack(acc[i][2 * h] * scale, acc[i][2 * h + 1] * scale);
#else
      if (d < D) p[0] = toBf16(acc[i][2 * h] * scale);
      if (d + 1 < D) p[1] = toBf16(acc[i][2 * h + 1] * scale);
#endif
    }
  }
}

// dk and dv of 64 keys of one kv head a block: all query heads of the group, all queries that see
// them. A key tile is int4 {first row, rows, position of its first key, length of its sequence}.
extern "C" __global__ __launch_bounds__(256) void attention_gradient_kv(
    const bf16 *dOut, int ds, const bf16 *q, int qs, const bf16 *k, int ks, const bf16 *v, int vs,
    const float *lse, const float *delta, const int4 *tiles, int heads, int group, int window,
    float scale, bf16 *dk, int dks, bf16 *dv, int dvs) {
  extern __shared__ __align__(16) bf16 memory[];
  bf16 *sk = memory, *sv = sk + TILE * LD, *sq = sv + TILE * LD, *sd = sq + TILE * LD;
  bf16 *sp = sd + TILE * LD, *ss = sp + TILE * PLD;
  __shared__ float slse[TILE], sdelta[TILE];
  int4 tile = tiles[blockIdx.x];
  int kvHead = blockIdx.y, warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
  i64 first = tile.x - tile.z;
  int end = window > 0 ? min(tile.w, tile.z + tile.y - 1 + window) : tile.w;
  const float c = scale * LOG2E;
  loadTile<256>(sk, k + (i64)tile.x * ks + kvHead * D, ks, tile.y);
  loadTile<256>(sv, v + (i64)tile.x * vs + kvHead * D, vs, tile.y);
  float ak[HD / 16][4], av[HD / 16][4];
#pragma unroll
  for (int i = 0; i < HD / 16; i++)
#pragma unroll
    for (int e = 0; e < 4; e++) ak[i][e] = av[i][e] = 0.f;

  for (int head = kvHead * group; head < (kvHead + 1) * group; head++)
    for (int i = tile.z; i < end; i += TILE) {
      i64 row = first + i;
      int valid = min(TILE, tile.w - i);
      loadTile<256>(sq, q + row * qs + head * D, qs, valid);
      loadTile<256>(sd, dOut + row * ds + head * D, ds, valid);
      commit();
      if (threadIdx.x < TILE) {
        bool in = (int)threadIdx.x < valid;
        i64 at = (row + threadIdx.x) * heads + head;
        slse[threadIdx.x] = in ? lse[at] * LOG2E : INF;
        sdelta[threadIdx.x] = in ? delta[at] : 0.f;
      }
      await<0>();
      __syncthreads();
      float s[4][4], dp[4][4];
      scores(s, sk, sq, warp, lane);
      scores(dp, sv, sd, warp, lane);
#pragma unroll
      for (int n = 0; n < 4; n++)
#pragma unroll
        for (int h = 0; h < 2; h++) {
          int r = (warp & 3) * 16 + (lane >> 2) + h * 8;
          int column = (warp >> 2) * 32 + n * 8 + (lane & 3) * 2;
          int key = tile.z + r;
          float p[2], g[2];
#pragma unroll
          for (int e = 0; e < 2; e++) {
            int query = i + column + e;
            bool sees = key <= query && (window <= 0 || key > query - window);
            p[e] = sees ? exp2Fast(s[n][2 * h + e] * c - slse[column + e]) : 0.f;
            g[e] = p[e] * (dp[n][2 * h + e] - sdelta[column + e]);
          }
          *reinterpret_cast<u32 *>(sp + r * PLD + column) = pack(p[0], p[1]);
          *reinterpret_cast<u32 *>(ss + r * PLD + column) = pack(g[0], g[1]);
        }
      __syncthreads();
      accumulate(av, sp, sd, warp, lane);
      accumulate(ak, ss, sq, warp, lane);
      __syncthreads();
    }
  storeHalf(dk + (i64)tile.x * dks + kvHead * D, dks, ak, scale, tile.y, warp, lane);
  storeHalf(dv + (i64)tile.x * dvs + kvHead * D, dvs, av, 1.f, tile.y, warp, lane);
}

// dq of 64 queries of one head a block.
extern "C" __global__ __launch_bounds__(256) void attention_gradient_q(
    const bf16 *dOut, int ds, const bf16 *q, int qs, const bf16 *k, int ks, const bf16 *v, int vs,
    const float *lse, const float *delta, const int4 *tiles, int heads, int group, int window,
    float scale, bf16 *dq, int dqs) {
  extern __shared__ __align__(16) bf16 memory[];
  bf16 *sq = memory, *sd = sq + TILE * LD, *sk = sd + TILE * LD, *sv = sk + TILE * LD;
  bf16 *ss = sv + TILE * LD;
  int4 tile = tiles[blockIdx.x];
  int head = blockIdx.y, kvHead = head / group, warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
  i64 first = tile.x - tile.z;
  int end = tile.z + tile.y;
  int begin = window > 0 ? max(0, tile.z - window + 1) / TILE * TILE : 0;
  const float c = scale * LOG2E;
  loadTile<256>(sq, q + (i64)tile.x * qs + head * D, qs, tile.y);
  loadTile<256>(sd, dOut + (i64)tile.x * ds + head * D, ds, tile.y);
  float acc[HD / 16][4];
#pragma unroll
  for (int i = 0; i < HD / 16; i++) acc[i][0] = acc[i][1] = acc[i][2] = acc[i][3] = 0.f;
  float rowLse[2], rowDelta[2];
#pragma unroll
  for (int h = 0; h < 2; h++) {
    int row = (warp & 3) * 16 + (lane >> 2) + h * 8;
    i64 at = (i64)(tile.x + row) * heads + head;
    rowLse[h] = row < tile.y ? lse[at] * LOG2E : INF;
    rowDelta[h] = row < tile.y ? delta[at] : 0.f;
  }
  for (int j = begin; j < end; j += TILE) {
    loadTile<256>(sk, k + (first + j) * ks + kvHead * D, ks, end - j);
    loadTile<256>(sv, v + (first + j) * vs + kvHead * D, vs, end - j);
    commit();
    await<0>();
    __syncthreads();
    float s[4][4], dp[4][4];
    scores(s, sq, sk, warp, lane);
    scores(dp, sd, sv, warp, lane);
#pragma unroll
    for (int n = 0; n < 4; n++)
#pragma unroll
      for (int h = 0; h < 2; h++) {
        int r = (warp & 3) * 16 + (lane >> 2) + h * 8;
        int column = (warp >> 2) * 32 + n * 8 + (lane & 3) * 2;
        int query = tile.z + r;
        float g[2];
#pragma unroll
        for (int e = 0; e < 2; e++) {
          int key = j + column + e;
          bool sees = key <= query && (window <= 0 || key > query - window);
          float p = sees ? exp2Fast(s[n][2 * h + e] * c - rowLse[h]) : 0.f;
          g[e] = p * (dp[n][2 * h + e] - rowDelta[h]);
        }
        *reinterpret_cast<u32 *>(ss + r * PLD + column) = pack(g[0], g[1]);
      }
    __syncthreads();
    accumulate(acc, ss, sk, warp, lane);
    __syncthreads();
  }
  storeHalf(dq + (i64)tile.x * dqs + head * D, dqs, acc, scale, tile.y, warp, lane);
}
