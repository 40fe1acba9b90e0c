// Attention with tensor-core products (mma.m16n8k16, bf16 in, fp32 out), tiles of 64 queries by 64
// keys, online softmax. Compiled for one head size: D; VECTOR = 1 where rows allow 16-byte copies.
// No atomics: a block owns its output rows, sums run in a fixed order.
//
// A query tile is int4 {first row, rows, position of its first query, segment}.

#define HD ((D + 63) / 64 * 64)
#define LD (HD + 8)
#define TILE 64
#define PLD (TILE + 8)
#define LOG2E 1.4426950408889634f

__device__ __forceinline__ void matrices(u32 (&r)[4], const bf16 *p) { loadMatrices(r, sharedAddress(p)); }

__device__ __forceinline__ void transposed(u32 (&r)[4], const bf16 *p) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(sharedAddress(p)) : "memory");
}

__device__ __forceinline__ void mma(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Copies 64 rows of D values into shared rows of LD; rows from `valid` on become zero.
template <int THREADS>
__device__ __forceinline__ void loadTile(bf16 *to, const bf16 *from, i64 stride, int valid) {
#if VECTOR
  for (int i = threadIdx.x; i < TILE * (HD / 8); i += THREADS) {
    int row = i / (HD / 8), c = i % (HD / 8) * 8;
    bool in = row < valid && c < D;
    const bf16 *source = in ? from + row * stride + c : from;
    copyOrClear(sharedAddress(to + row * LD + c), source, in);
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
  commitCopies();

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
    commitCopies();
    awaitCopies<1>();
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
    commitCopies();

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
    awaitCopies<1>();
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
  awaitCopies<0>();
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
#if VECTOR
  for (int i = lane * 8; i < D; i += 256) {
    float f[8], g[8];
    load(a + i, f);
    load(b + i, g);
#pragma unroll
    for (int e = 0; e < 8; e++) sum += f[e] * g[e];
  }
#else
  for (int i = lane; i < D; i += 32) sum += toFloat(a[i]) * toFloat(b[i]);
#endif
  sum = warpSum(sum);
  if (lane == 0) delta[item] = sum;
}

// ---- backward: 8 warps. Of the two score products [64, 64] warps 0 to 3 make the first and 4 to 7
// the second, 32 by 32 a warp; of a product [64, HD] each warp makes 32 rows by a quarter of the
// columns. Large heads have shared memory for one block only, so that the next tiles are copied
// while these are used; smaller ones have several blocks that hide each other's copies.

#define STAGES (HD > 128 ? 2 : 1)

// s = A B^T of this warp's 32 rows by 32 columns, A and B tiles of 64 rows.
__device__ __forceinline__ void scores(float (&s)[2][4][4], const bf16 *a, const bf16 *b, int warp,
                                       int lane) {
  const bf16 *pa = a + ((warp & 1) * 32 + rowOfA(lane)) * LD + columnOfA(lane);
  const bf16 *pb = b + ((warp >> 1 & 1) * 32 + rowOfB(lane)) * LD + columnOfB(lane);
#pragma unroll
  for (int m = 0; m < 2; m++)
#pragma unroll
    for (int i = 0; i < 4; i++) s[m][i][0] = s[m][i][1] = s[m][i][2] = s[m][i][3] = 0.f;
#pragma unroll 4
  for (int kk = 0; kk < HD; kk += 16) {
    u32 x[2][4], y[4], z[4];
    matrices(x[0], pa + kk);
    matrices(x[1], pa + 16 * LD + kk);
    matrices(y, pb + kk);
    matrices(z, pb + 16 * LD + kk);
#pragma unroll
    for (int m = 0; m < 2; m++) {
      mma(s[m][0], x[m], y[0], y[1]);
      mma(s[m][1], x[m], y[2], y[3]);
      mma(s[m][2], x[m], z[0], z[1]);
      mma(s[m][3], x[m], z[2], z[3]);
    }
  }
}

// Row and column of this lane's first of two neighbours in tile (m, n), half h, of a score product.
__device__ __forceinline__ int scoreRow(int warp, int lane, int m, int h) {
  return (warp & 1) * 32 + m * 16 + (lane >> 2) + h * 8;
}
__device__ __forceinline__ int scoreColumn(int warp, int lane, int n) {
  return (warp >> 1 & 1) * 32 + n * 8 + (lane & 3) * 2;
}

// acc += P B: P [64, 64] of this warp's 32 rows, B [64, HD] of its quarter of the columns.
__device__ __forceinline__ void accumulate(float (&acc)[2][HD / 32][4], const bf16 *p,
                                           const bf16 *b, int warp, int lane) {
  const bf16 *pa = p + ((warp & 1) * 32 + rowOfA(lane)) * PLD + columnOfA(lane);
  const bf16 *pb = b + rowOfA(lane) * LD + columnOfA(lane) + (warp >> 1) * (HD / 4);
#pragma unroll
  for (int kk = 0; kk < TILE; kk += 16) {
    u32 x[2][4];
    matrices(x[0], pa + kk);
    matrices(x[1], pa + 16 * PLD + kk);
#pragma unroll
    for (int d = 0; d < HD / 32; d += 2) {
      u32 y[4];
      transposed(y, pb + kk * LD + d * 8);
#pragma unroll
      for (int m = 0; m < 2; m++) {
        mma(acc[m][d], x[m], y[0], y[1]);
        mma(acc[m][d + 1], x[m], y[2], y[3]);
      }
    }
  }
}

__device__ __forceinline__ void clear(float (&acc)[2][HD / 32][4]) {
#pragma unroll
  for (int m = 0; m < 2; m++)
#pragma unroll
    for (int i = 0; i < HD / 32; i++)
#pragma unroll
      for (int e = 0; e < 4; e++) acc[m][i][e] = 0.f;
}

__device__ __forceinline__ void storeTwo(float *p, float a, float b, int d) {
  if (d < D) p[0] = a;
  if (d + 1 < D) p[1] = b;
}

__device__ __forceinline__ void storeTwo(bf16 *p, float a, float b, int d) {
#if VECTOR
  if (d < D) *reinterpret_cast<u32 *>(p) = pack(a, b);
#else
  if (d < D) p[0] = toBf16(a);
  if (d + 1 < D) p[1] = toBf16(b);
#endif
}

template <typename T>
__device__ __forceinline__ void storeRows(T *to, i64 stride, const float (&acc)[2][HD / 32][4],
                                          float scale, int valid, int warp, int lane) {
#pragma unroll
  for (int m = 0; m < 2; m++)
#pragma unroll
    for (int h = 0; h < 2; h++) {
      int row = scoreRow(warp, lane, m, h);
      if (row >= valid) continue;
#pragma unroll
      for (int i = 0; i < HD / 32; i++) {
        int d = (warp >> 1) * (HD / 4) + i * 8 + (lane & 3) * 2;
        storeTwo(to + row * stride + d, acc[m][i][2 * h] * scale, acc[m][i][2 * h + 1] * scale, d);
      }
    }
}

// dk and dv of 64 keys of one kv head a block: the query heads of a group, or a part of them, and
// all queries that see the keys. Blocks y count parts within kv heads. One part writes dk and dv;
// several write fp32 sums partial[part][2][rows, kvHeads * D] that attention_gradient_sum adds. A
// key tile is int4 {first row, rows and 256 * sequence, position of its first key, length of its
// sequence}. Score gradients go to `scores` (or null) for attention_gradient_q_scores.
// With PARTS the parts of a kv head's keys are a cluster of blocks, which add up their sums in shared
// memory, in order.
extern "C" __global__ __launch_bounds__(256)
#ifdef PARTS
__cluster_dims__(1, PARTS, 1)
#endif
void attention_gradient_kv(
    const bf16 *dOut, int ds, const bf16 *q, int qs, const bf16 *k, int ks, const bf16 *v, int vs,
    const float *lse, const float *delta, const int4 *tiles, int heads, int group, int window,
    float scale, bf16 *dk, int dks, bf16 *dv, int dvs, float *partial, int parts, int rows,
    bf16 *scoreTiles, int slots) {
  extern __shared__ __align__(16) bf16 memory[];
  bf16 *sk = memory, *sv = sk + TILE * LD, *sq = sv + TILE * LD, *sd = sq + STAGES * TILE * LD;
  bf16 *sp = sd + STAGES * TILE * LD, *ss = sp + TILE * PLD;
  __shared__ float slse[STAGES][TILE], sdelta[STAGES][TILE];
  int4 tile = tiles[blockIdx.x];
  int sequence = tile.y >> 8;
  tile.y &= 255;
  int kvHead = blockIdx.y / parts, part = blockIdx.y % parts;
  int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
  i64 first = tile.x - tile.z;
  int end = window > 0 ? min(tile.w, tile.z + tile.y - 1 + window) : tile.w;
  int steps = (end - tile.z + TILE - 1) / TILE, headsHere = group / parts;
  int firstHead = kvHead * group + part * headsHere;
  const float c = scale * LOG2E;

  auto fetch = [&](int step, int stage) {
    int head = firstHead + step / steps, i = tile.z + step % steps * TILE;
    i64 row = first + i;
    int valid = min(TILE, tile.w - i);
    loadTile<256>(sq + stage * TILE * LD, q + row * qs + head * D, qs, valid);
    loadTile<256>(sd + stage * TILE * LD, dOut + row * ds + head * D, ds, valid);
    if (threadIdx.x < TILE) {
      bool in = (int)threadIdx.x < valid;
      i64 at = (row + threadIdx.x) * heads + head;
      slse[stage][threadIdx.x] = in ? lse[at] * LOG2E : INF;
      sdelta[stage][threadIdx.x] = in ? delta[at] : 0.f;
    }
    commitCopies();
  };

  loadTile<256>(sk, k + (i64)tile.x * ks + kvHead * D, ks, tile.y);
  loadTile<256>(sv, v + (i64)tile.x * vs + kvHead * D, vs, tile.y);
  float ak[2][HD / 32][4], av[2][HD / 32][4];
  clear(ak);
  clear(av);
  int all = steps * headsHere;
  if (STAGES == 2) fetch(0, 0);
  for (int step = 0; step < all; step++) {
    int stage = STAGES == 2 ? step & 1 : 0;
    if (STAGES == 1) fetch(step, 0);
    awaitCopies<0>();
    __syncthreads();
    if (STAGES == 2 && step + 1 < all) fetch(step + 1, stage ^ 1);
    const bf16 *tq = sq + stage * TILE * LD, *td = sd + stage * TILE * LD;
    int i = tile.z + step % steps * TILE;
    float s[2][4][4];
    if (warp < 4) {
      scores(s, sk, tq, warp, lane);
#pragma unroll
      for (int m = 0; m < 2; m++)
#pragma unroll
        for (int n = 0; n < 4; n++)
#pragma unroll
          for (int h = 0; h < 2; h++) {
            int r = scoreRow(warp, lane, m, h), column = scoreColumn(warp, lane, n);
            int key = tile.z + r;
            float p[2];
#pragma unroll
            for (int e = 0; e < 2; e++) {
              int query = i + column + e;
              bool sees = key <= query && (window <= 0 || key > query - window);
              p[e] = sees ? exp2Fast(s[m][n][2 * h + e] * c - slse[stage][column + e]) : 0.f;
            }
            *reinterpret_cast<u32 *>(sp + r * PLD + column) = pack(p[0], p[1]);
          }
    } else {
      scores(s, sv, td, warp, lane);
    }
    __syncthreads();
    if (warp < 4) {
      accumulate(av, sp, td, warp, lane);
    } else {
#pragma unroll
      for (int m = 0; m < 2; m++)
#pragma unroll
        for (int n = 0; n < 4; n++)
#pragma unroll
          for (int h = 0; h < 2; h++) {
            int r = scoreRow(warp, lane, m, h), column = scoreColumn(warp, lane, n);
            u32 p = *reinterpret_cast<const u32 *>(sp + r * PLD + column);
            *reinterpret_cast<u32 *>(ss + r * PLD + column) =
                pack(lowHalf(p) * (s[m][n][2 * h] - sdelta[stage][column]),
                     highHalf(p) * (s[m][n][2 * h + 1] - sdelta[stage][column + 1]));
          }
      accumulate(av, sp, td, warp, lane);
    }
    __syncthreads();
    if (scoreTiles) {
      int head = firstHead + step / steps;
      bf16 *to = scoreTiles + scoreTile(head, heads, first + i, sequence, (i - tile.z) / TILE, slots);
#pragma unroll
      for (int n = threadIdx.x; n < TILE * TILE / 8; n += 256)
        reinterpret_cast<uint4 *>(to)[n] =
            *reinterpret_cast<const uint4 *>(ss + n / 8 * PLD + n % 8 * 8);
    }
    accumulate(ak, ss, tq, warp, lane);
    if (STAGES == 1) __syncthreads();
  }
#ifdef PARTS
  constexpr int WIDE = HD + 4;
  float *sums = reinterpret_cast<float *>(memory);
  __syncthreads();
#pragma unroll
  for (int m = 0; m < 2; m++)
#pragma unroll
    for (int h = 0; h < 2; h++)
#pragma unroll
      for (int i = 0; i < HD / 32; i++) {
        int row = scoreRow(warp, lane, m, h);
        int d = (warp >> 1) * (HD / 4) + i * 8 + (lane & 3) * 2;
        float *to = sums + row * WIDE + d;
        *reinterpret_cast<float2 *>(to) = make_float2(ak[m][i][2 * h], ak[m][i][2 * h + 1]);
        *reinterpret_cast<float2 *>(to + TILE * WIDE) =
            make_float2(av[m][i][2 * h], av[m][i][2 * h + 1]);
      }
  clusterBarrier();
  constexpr int ROWS = TILE / PARTS;
  for (int n = threadIdx.x; n < 2 * ROWS * (HD / 4); n += 256) {
    int d = n % (HD / 4) * 4, row = part * ROWS + n / (HD / 4) % ROWS;
    bool ofV = n >= ROWS * (HD / 4);
    u32 here = sharedAddress(sums + ((ofV ? TILE : 0) + row) * WIDE + d);
    float sum[4] = {0.f, 0.f, 0.f, 0.f};
#pragma unroll
    for (int other = 0; other < PARTS; other++) {
      float f[4];
      loadCluster(f, here, other);
#pragma unroll
      for (int e = 0; e < 4; e++) sum[e] += ofV ? f[e] : f[e] * scale;
    }
    if (row < tile.y && d < D)
      store(ofV ? dv + (i64)(tile.x + row) * dvs + kvHead * D + d
                : dk + (i64)(tile.x + row) * dks + kvHead * D + d,
            sum);
  }
  clusterBarrier();
  return;
#endif
  if (parts > 1) {
    int width = gridDim.y / parts * D;
    float *to = partial + ((i64)part * 2 * rows + tile.x) * width + kvHead * D;
    storeRows(to, width, ak, scale, tile.y, warp, lane);
    storeRows(to + (i64)rows * width, width, av, 1.f, tile.y, warp, lane);
  } else {
    storeRows(dk + (i64)tile.x * dks + kvHead * D, dks, ak, scale, tile.y, warp, lane);
    storeRows(dv + (i64)tile.x * dvs + kvHead * D, dvs, av, 1.f, tile.y, warp, lane);
  }
}

// dk and dv from the sums of several parts, in their order.
extern "C" __global__ void attention_gradient_sum(const float *partial, int parts, int rows,
                                                  int width, bf16 *dk, int dks, bf16 *dv, int dvs) {
  i64 size = (i64)rows * width;
  for (i64 at = ((i64)blockIdx.x * blockDim.x + threadIdx.x) * 4; at < 2 * size;
       at += (i64)gridDim.x * blockDim.x * 4) {
    float sum[4] = {0.f, 0.f, 0.f, 0.f};
    for (int part = 0; part < parts; part++) {
      float4 f = *reinterpret_cast<const float4 *>(partial + part * 2 * size + at);
      sum[0] += f.x, sum[1] += f.y, sum[2] += f.z, sum[3] += f.w;
    }
    i64 in = at < size ? at : at - size;
    i64 row = in / width;
    int column = (int)(in - row * width);
    store(at < size ? dk + row * dks + column : dv + row * dvs + column, sum);
  }
}

// dq of 64 queries of one head a block.
extern "C" __global__ __launch_bounds__(256) void attention_gradient_q(
    const bf16 *dOut, int ds, const bf16 *q, int qs, const bf16 *k, int ks, const bf16 *v, int vs,
    const float *lse, const float *delta, const int4 *tiles, int heads, int group, int window,
    float scale, bf16 *dq, int dqs) {
  extern __shared__ __align__(16) bf16 memory[];
  bf16 *sq = memory, *sd = sq + TILE * LD, *sk = sd + TILE * LD, *sv = sk + STAGES * TILE * LD;
  bf16 *sp = sv + STAGES * TILE * LD, *ss = sp + TILE * PLD;
  int4 tile = tiles[blockIdx.x];
  int head = blockIdx.y, kvHead = head / group, warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
  i64 first = tile.x - tile.z;
  int end = tile.z + tile.y;
  int begin = window > 0 ? max(0, tile.z - window + 1) / TILE * TILE : 0;
  const float c = scale * LOG2E;

  auto fetch = [&](int j, int stage) {
    loadTile<256>(sk + stage * TILE * LD, k + (first + j) * ks + kvHead * D, ks, end - j);
    loadTile<256>(sv + stage * TILE * LD, v + (first + j) * vs + kvHead * D, vs, end - j);
    commitCopies();
  };

  loadTile<256>(sq, q + (i64)tile.x * qs + head * D, qs, tile.y);
  loadTile<256>(sd, dOut + (i64)tile.x * ds + head * D, ds, tile.y);
  float acc[2][HD / 32][4];
  clear(acc);
  float rowLse[2][2], rowDelta[2][2];
#pragma unroll
  for (int m = 0; m < 2; m++)
#pragma unroll
    for (int h = 0; h < 2; h++) {
      int row = scoreRow(warp, lane, m, h);
      i64 at = (i64)(tile.x + row) * heads + head;
      rowLse[m][h] = row < tile.y ? lse[at] * LOG2E : INF;
      rowDelta[m][h] = row < tile.y ? delta[at] : 0.f;
    }
  int stage = 0;
  if (STAGES == 2) fetch(begin, 0);
  for (int j = begin; j < end; j += TILE) {
    if (STAGES == 1) fetch(j, 0);
    awaitCopies<0>();
    __syncthreads();
    if (STAGES == 2 && j + TILE < end) fetch(j + TILE, stage ^ 1);
    const bf16 *tk = sk + stage * TILE * LD, *tv = sv + stage * TILE * LD;
    float s[2][4][4];
    if (warp < 4) {
      scores(s, sq, tk, warp, lane);
#pragma unroll
      for (int m = 0; m < 2; m++)
#pragma unroll
        for (int n = 0; n < 4; n++)
#pragma unroll
          for (int h = 0; h < 2; h++) {
            int r = scoreRow(warp, lane, m, h), column = scoreColumn(warp, lane, n);
            int query = tile.z + r;
            float p[2];
#pragma unroll
            for (int e = 0; e < 2; e++) {
              int key = j + column + e;
              bool sees = key <= query && (window <= 0 || key > query - window);
              p[e] = sees ? exp2Fast(s[m][n][2 * h + e] * c - rowLse[m][h]) : 0.f;
            }
            *reinterpret_cast<u32 *>(sp + r * PLD + column) = pack(p[0], p[1]);
          }
    } else {
      scores(s, sd, tv, warp, lane);
    }
    __syncthreads();
    if (warp >= 4) {
#pragma unroll
      for (int m = 0; m < 2; m++)
#pragma unroll
        for (int n = 0; n < 4; n++)
#pragma unroll
          for (int h = 0; h < 2; h++) {
            int r = scoreRow(warp, lane, m, h), column = scoreColumn(warp, lane, n);
            u32 p = *reinterpret_cast<const u32 *>(sp + r * PLD + column);
            *reinterpret_cast<u32 *>(ss + r * PLD + column) =
                pack(lowHalf(p) * (s[m][n][2 * h] - rowDelta[m][h]),
                     highHalf(p) * (s[m][n][2 * h + 1] - rowDelta[m][h]));
          }
    }
    __syncthreads();
    accumulate(acc, ss, tk, warp, lane);
    if (STAGES == 1) __syncthreads();
    else stage ^= 1;
  }
  storeRows(dq + (i64)tile.x * dqs + head * D, dqs, acc, scale, tile.y, warp, lane);
}

// The same from the gradients of the scores that attention_gradient_kv kept: one product.
extern "C" __global__ __launch_bounds__(256) void attention_gradient_q_scores(
    const bf16 *k, int ks, const int4 *tiles, int heads, int group, int window, float scale,
    const bf16 *scoreTiles, int slots, bf16 *dq, int dqs) {
  extern __shared__ __align__(16) bf16 memory[];
  bf16 *sk = memory, *ss = sk + 2 * TILE * LD;
  int4 tile = tiles[blockIdx.x];
  int head = blockIdx.y, kvHead = head / group, warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
  i64 first = tile.x - tile.z;
  int end = tile.z + tile.y;
  int begin = window > 0 ? max(0, tile.z - window + 1) / TILE * TILE : 0;

  auto fetch = [&](int j, int stage) {
    loadTile<256>(sk + stage * TILE * LD, k + (first + j) * ks + kvHead * D, ks, end - j);
    const bf16 *from =
        scoreTiles + scoreTile(head, heads, tile.x, tile.w, (tile.z - j) / TILE, slots);
    for (int n = threadIdx.x; n < TILE * TILE / 8; n += 256)
      copyAsync(ss + stage * TILE * PLD + n / 8 * PLD + n % 8 * 8, from + n * 8);
    commitCopies();
  };

  float acc[2][HD / 32][4];
  clear(acc);
  int stage = 0;
  fetch(begin, 0);
  for (int j = begin; j < end; j += TILE, stage ^= 1) {
    awaitCopies<0>();
    __syncthreads();
    if (j + TILE < end) fetch(j + TILE, stage ^ 1);
    // The kept tile is keys by queries: read transposed it is the left operand.
    const bf16 *pa = ss + stage * TILE * PLD + rowOfB(lane) * PLD + columnOfB(lane) + (warp & 1) * 32;
    const bf16 *pb =
        sk + stage * TILE * LD + rowOfA(lane) * LD + columnOfA(lane) + (warp >> 1) * (HD / 4);
#pragma unroll
    for (int kk = 0; kk < TILE; kk += 16) {
      u32 x[2][4];
      transposed(x[0], pa + kk * PLD);
      transposed(x[1], pa + kk * PLD + 16);
#pragma unroll
      for (int d = 0; d < HD / 32; d += 2) {
        u32 y[4];
        transposed(y, pb + kk * LD + d * 8);
#pragma unroll
        for (int m = 0; m < 2; m++) {
          mma(acc[m][d], x[m], y[0], y[1]);
          mma(acc[m][d + 1], x[m], y[2], y[3]);
        }
      }
    }
  }
  storeRows(dq + (i64)tile.x * dqs + head * D, dqs, acc, scale, tile.y, warp, lane);
}
