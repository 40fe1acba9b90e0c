// Attention for heads of 256 on Hopper (capability 9.0), with products of whole warpgroups (wgmma):
// the same functions as attention.cu, for rows that allow 16-byte copies and an even number of query
// heads a kv head. No atomics: sums run in a fixed order.
//
// Tiles of 64 rows are kept in panels of 64 columns, 128 bytes a row, whose 16-byte pieces are
// exchanged (piece i of row r lies at i ^ r % 8) as the 128-byte mode of the products wants it. A
// panel serves as operand by its rows and by its columns.
//
// A query tile is int4 {first row, rows, position of its first query, segment}.

#define TILE 64
#define PANEL (TILE * 128)
#define BYTES (TILE * D * 2)
#define LOG2E 1.4426950408889634f

static_assert(D == 256, "the shapes of the products are written out");

// Where the tiles begin in dynamic shared memory, of which 1 KiB is for this.
__device__ __forceinline__ u32 aligned(const void *p) { return (sharedAddress(p) + 1023) & ~1023; }

#define EIGHT(c, i)                                                                               \
  "+f"(c[i]), "+f"(c[i + 1]), "+f"(c[i + 2]), "+f"(c[i + 3]), "+f"(c[i + 4]), "+f"(c[i + 5]),     \
      "+f"(c[i + 6]), "+f"(c[i + 7])

#define NEW_EIGHT(c, i)                                                                           \
  "=f"(c[i]), "=f"(c[i + 1]), "=f"(c[i + 2]), "=f"(c[i + 3]), "=f"(c[i + 4]), "=f"(c[i + 5]),     \
      "=f"(c[i + 6]), "=f"(c[i + 7])

// The values of a product, as its instruction lists them.
#define LIST_32 \
  "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, " \
  "%19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
#define LIST_128 \
  "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, " \
  "%19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, " \
  "%36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, " \
  "%53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, %64, %65, %66, %67, %68, %69, " \
  "%70, %71, %72, %73, %74, %75, %76, %77, %78, %79, %80, %81, %82, %83, %84, %85, %86, " \
  "%87, %88, %89, %90, %91, %92, %93, %94, %95, %96, %97, %98, %99, %100, %101, %102, %103, " \
  "%104, %105, %106, %107, %108, %109, %110, %111, %112, %113, %114, %115, %116, %117, " \
  "%118, %119, %120, %121, %122, %123, %124, %125, %126, %127}, "
#define ALL_128(c) \
  EIGHT(c, 0), EIGHT(c, 8), EIGHT(c, 16), EIGHT(c, 24), EIGHT(c, 32), EIGHT(c, 40), \
      EIGHT(c, 48), EIGHT(c, 56), EIGHT(c, 64), EIGHT(c, 72), EIGHT(c, 80), EIGHT(c, 88), \
      EIGHT(c, 96), EIGHT(c, 104), EIGHT(c, 112), EIGHT(c, 120)

// c = or += a b^T, [64, 16] and [64, 16], both by rows.
__device__ __forceinline__ void firstByRows(float (&c)[32], u64 a, u64 b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 "
      LIST_32
      "%32, %33, 0, 1, 1, 0, 0;"
      : NEW_EIGHT(c, 0), NEW_EIGHT(c, 8), NEW_EIGHT(c, 16), NEW_EIGHT(c, 24)
      : "l"(a), "l"(b));
}

__device__ __forceinline__ void byRows(float (&c)[32], u64 a, u64 b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 "
      LIST_32
      "%32, %33, 1, 1, 1, 0, 0;"
      : EIGHT(c, 0), EIGHT(c, 8), EIGHT(c, 16), EIGHT(c, 24)
      : "l"(a), "l"(b));
}

// c += a b: a [64, 16] in registers, as mma has it, or [16, 64] by columns; b [16, 256] by columns.
__device__ __forceinline__ void byPanels(float (&c)[128], const u32 (&a)[4], u64 b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16 "
      LIST_128
      "{%128, %129, %130, %131}, %132, 1, 1, 1, 1;"
      : ALL_128(c)
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}
__device__ __forceinline__ void byPanels(float (&c)[128], u64 a, u64 b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16 "
      LIST_128
      "%128, %129, 1, 1, 1, 1, 1;"
      : ALL_128(c)
      : "l"(a), "l"(b));
}

// Registers are what they are here for products, which run beside the code that follows.
template <int N>
__device__ __forceinline__ void fix(float (&c)[N]) {
#pragma unroll
  for (int i = 0; i < N; i++) asm volatile("" : "+f"(c[i])::"memory");
}
template <int N>
__device__ __forceinline__ void beginProducts(float (&c)[N]) {
  fix(c);
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
__device__ __forceinline__ void commitProducts() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
// All but the last PENDING commits.
template <int PENDING = 0, int N>
__device__ __forceinline__ void awaitProducts(float (&c)[N]) {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(PENDING) : "memory");
  fix(c);
}
// The operand at p: groups of 8 rows lie 1024 bytes apart; panels matter by columns only.
__device__ __forceinline__ u64 operand(u32 p) {
  return (u64)(p >> 4 & 0x3fff) | (u64)(PANEL >> 4) << 16 | (u64)(1024 >> 4) << 32 | 1ull << 62;
}

// c = A B^T of tiles [64, D].
__device__ __forceinline__ void scores(float (&c)[32], u32 a, u32 b) {
  u64 da = operand(a), db = operand(b);
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
  firstByRows(c, da, db);
#pragma unroll
  for (int kk = 1; kk < D / 16; kk++) {
    int at = ((kk >> 2) * PANEL + (kk & 3) * 32) >> 4;
    byRows(c, da + at, db + at);
  }
  commitProducts();
}

// c += P B: P [64, 64] in registers, B a tile [64, D].
__device__ __forceinline__ void accumulate(float (&c)[D / 2], const u32 (&p)[4][4], u32 b) {
  u64 db = operand(b);
  beginProducts(c);
#pragma unroll
  for (int kk = 0; kk < 4; kk++) byPanels(c, p[kk], db + kk * (16 * 128 >> 4));
  commitProducts();
}

// c += P^T B of tiles [64, 64] and [64, D].
__device__ __forceinline__ void accumulate(float (&c)[D / 2], u32 p, u32 b) {
  u64 dp = operand(p), db = operand(b);
  beginProducts(c);
#pragma unroll
  for (int kk = 0; kk < 4; kk++) byPanels(c, dp + kk * (16 * 128 >> 4), db + kk * (16 * 128 >> 4));
  commitProducts();
}

// Copies 64 rows of D values into a tile; rows from `valid` on become zero. By the whole block or each
// warpgroup for itself.
template <int THREADS>
__device__ __forceinline__ void loadTile(u32 to, const bf16 *from, i64 stride, int valid) {
  constexpr int PIECES = D / 8, STEP = THREADS / PIECES;
  int c = threadIdx.x % PIECES, row = threadIdx.x % THREADS / PIECES;
  to += (c >> 3) * PANEL + row * 128;
  from += row * stride + c * 8;
#pragma unroll
  for (int i = 0; i < TILE / STEP; i++) {
    int r = row + i * STEP;
    copyOrClear(to + i * STEP * 128 + (((c ^ r) & 7) << 4),
                r < valid ? from + i * STEP * stride : from, r < valid);
  }
}

// Probabilities are in shared memory; between the two warpgroups.
__device__ __forceinline__ void announce() { asm volatile("bar.arrive 1, 256;" ::: "memory"); }
__device__ __forceinline__ void listen() { asm volatile("bar.sync 1, 256;" ::: "memory"); }
// Of one warpgroup.
__device__ __forceinline__ void halfBarrier(int half) {
  if (half) asm volatile("bar.sync 3, 128;" ::: "memory");
  else asm volatile("bar.sync 2, 128;" ::: "memory");
}

__device__ __forceinline__ void storeMatrices(u32 to, const u32 (&r)[4]) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(to),
               "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3])
               : "memory");
}

// 64 by 64 values as they lie in shared memory, without waiting.
__device__ __forceinline__ void storeTile(bf16 *to, u32 from) {
  asm volatile(
      "cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;\ncp.async.bulk.commit_group;" ::"l"(to),
      "r"(from), "n"(PANEL)
      : "memory");
}
__device__ __forceinline__ void awaitStoresRead() {
  asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
}
__device__ __forceinline__ void awaitStores() {
  asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
}

// out and lse (or null) of 64 queries of two heads a block, a warpgroup each. caches: as in
// attention.cu. While tensor cores add up values for one head, and then make its next scores, the
// other one may look at its scores: values have three places, so that one barrier a tile is enough.
extern "C" __global__ __launch_bounds__(256, 1) void attention(
    const bf16 *q, int qs, const bf16 *k, int ks, const bf16 *v, int vs, const Cache *caches,
    int layer, const int4 *tiles, int heads, int group, int window, float scale, bf16 *out, int os,
    float *lse) {
  extern __shared__ __align__(16) bf16 memory[];
  u32 sq = aligned(memory), sk = sq + 2 * BYTES, sv = sk + 2 * BYTES;
  int4 tile = tiles[blockIdx.x];
  int half = __shfl_sync(~0u, threadIdx.x >> 7, 0), warp = threadIdx.x >> 5 & 3, lane = threadIdx.x & 31;
  int head = blockIdx.y * 2 + half, kvHead = head / group;
  if (caches) {
    Cache c = caches[tile.w];
    k = c.k + layer * c.layerStride + kvHead * D;
    v = c.v + layer * c.layerStride + kvHead * D;
  } else {
    k += (i64)(tile.x - tile.z) * ks + kvHead * D;
    v += (i64)(tile.x - tile.z) * vs + kvHead * D;
  }
  int end = tile.z + tile.y;
  int begin = window > 0 ? max(0, tile.z - window + 1) / TILE * TILE : 0;

  sq += half * BYTES;
  loadTile<128>(sq, q + (i64)tile.x * qs + head * D, qs, tile.y);
  auto fetch = [&](int j, u32 keys, u32 values) {
    if (j < end) {
      loadTile<256>(keys, k + (i64)j * ks, ks, end - j);
      loadTile<256>(values, v + (i64)j * vs, vs, end - j);
    }
    commitCopies();
  };
  fetch(begin, sk, sv);
  fetch(begin + TILE, sk + BYTES, sv + BYTES);

  float s[32], o[D / 2];
#pragma unroll
  for (int i = 0; i < D / 2; i++) o[i] = 0.f;
  float m[2] = {-INF, -INF}, l[2] = {0.f, 0.f};
  const float c = scale * LOG2E;
  int position = tile.z + warp * 16 + (lane >> 2);
  awaitCopies<1>();
  beforeAsync();
  __syncthreads();
  scores(s, sq, sk);
  awaitProducts(s);
  u32 keys = sk, values = sv, free = sv + 2 * BYTES;

  for (int j = begin; j < end; j += TILE) {
    bool whole = j + TILE - 1 <= tile.z && (window <= 0 || j > tile.z + TILE - 1 - window);
    if (!whole) {
#pragma unroll
      for (int i = 0; i < 32; i++) {
        int key = j + (i >> 2) * 8 + (lane & 3) * 2 + (i & 1), query = position + (i & 2) * 4;
        if (key > query || (window > 0 && key <= query - window)) s[i] = -INF;
      }
    }
    float shrink[2];
#pragma unroll
    for (int h = 0; h < 2; h++) {
      float top = m[h];
#pragma unroll
      for (int i = 2 * h; i < 32; i += 4) top = fmaxf(top, fmaxf(s[i], s[i + 1]));
      top = fmaxf(top, __shfl_xor_sync(~0u, top, 1));
      top = fmaxf(top, __shfl_xor_sync(~0u, top, 2));
      float base = top == -INF ? 0.f : top * c, sum = 0.f;
      shrink[h] = exp2Fast(m[h] * c - base);
      m[h] = top;
#pragma unroll
      for (int i = 2 * h; i < 32; i += 4) {
        s[i] = exp2Fast(s[i] * c - base);
        s[i + 1] = exp2Fast(s[i + 1] * c - base);
        sum += s[i] + s[i + 1];
      }
      l[h] = l[h] * shrink[h] + sum;
    }
    u32 p[4][4];
#pragma unroll
    for (int i = 0; i < 16; i++) p[i >> 2][i & 3] = pack(s[2 * i], s[2 * i + 1]);
#pragma unroll
    for (int i = 0; i < D / 2; i++) o[i] *= shrink[i >> 1 & 1];
    accumulate(o, p, values);
    if (j + TILE < end) {
      awaitCopies<0>();
      beforeAsync();
      __syncthreads();
      u32 used = keys, next = values == sv + 2 * BYTES ? sv : values + BYTES;
      keys = 2 * sk + BYTES - keys;
      scores(s, sq, keys);
      fetch(j + 2 * TILE, used, free);
      free = values, values = next;
    }
    awaitProducts(o);
    awaitProducts(s);
  }
#pragma unroll
  for (int h = 0; h < 2; h++) {
    l[h] += __shfl_xor_sync(~0u, l[h], 1);
    l[h] += __shfl_xor_sync(~0u, l[h], 2);
    int row = warp * 16 + (lane >> 2) + h * 8;
    if (row >= tile.y) continue;
    bf16 *to = out + (i64)(tile.x + row) * os + head * D + (lane & 3) * 2;
    float inverse = 1.f / l[h];
#pragma unroll
    for (int i = 0; i < D / 8; i++)
      *reinterpret_cast<u32 *>(to + i * 8) =
          pack(o[4 * i + 2 * h] * inverse, o[4 * i + 2 * h + 1] * inverse);
    if (lse && (lane & 3) == 0)
      lse[(i64)(tile.x + row) * heads + head] = m[h] * scale + logf(l[h]);
  }
}

// dk and dv of 64 keys of one kv head a block, as in attention.cu, with two warpgroups: one makes the probabilities and dv, the other the scores' gradients
// and dk. A lane of both has the same places, so that probabilities pass from register to
// register, by way of shared memory. All products have keys as rows.
extern "C" __global__ __launch_bounds__(256, 1)
#ifdef PARTS
__cluster_dims__(1, PARTS, 1)
#endif
void attention_gradient_kv(
    const bf16 *dOut, int ds, const bf16 *q, int qs, const bf16 *k, int ks, const bf16 *v, int vs,
    const float *lse, const float *delta, const int4 *tiles, int heads, int group, int window,
    float scale, bf16 *dk, int dks, bf16 *dv, int dvs, float *partial, int parts, int rows,
    bf16 *scoreTiles, int slots) {
  extern __shared__ __align__(16) bf16 memory[];
  __shared__ __align__(16) float rowOf[2][2][TILE];
  u32 sk = aligned(memory), sv = sk + BYTES, sq = sv + BYTES, sd = sq + 2 * BYTES, ss = sd + 2 * BYTES;
  uint4 *sp = reinterpret_cast<uint4 *>(memory + (ss + PANEL - sharedAddress(memory)) / 2);
  int4 tile = tiles[blockIdx.x];
  int sequence = tile.y >> 8;
  tile.y &= 255;
  int kvHead = blockIdx.y / parts, part = blockIdx.y % parts;
  int half = __shfl_sync(~0u, threadIdx.x >> 7, 0), place = threadIdx.x & 127;
  int warp = place >> 5, lane = threadIdx.x & 31;
  i64 first = tile.x - tile.z;
  int end = window > 0 ? min(tile.w, tile.z + tile.y - 1 + window) : tile.w;
  int steps = (end - tile.z + TILE - 1) / TILE, headsHere = group / parts;
  int firstHead = kvHead * group + part * headsHere;
  const float c = scale * LOG2E;

  // What this warpgroup's products are the last to read: dOut, or q.
  auto fetch = [&](int step) {
    int stage = step & 1, head = firstHead + step / steps, i = tile.z + step % steps * TILE;
    i64 row = first + i;
    int valid = min(TILE, tile.w - i);
    loadTile<128>((half ? sq : sd) + stage * BYTES,
                    half ? q + row * qs + head * D : dOut + row * ds + head * D, half ? qs : ds, valid);
    if (place < TILE) {
      if (place < valid)
        copyWord(&rowOf[stage][half][place], (half ? delta : lse) + (row + place) * heads + head);
      else
        rowOf[stage][half][place] = half ? 0.f : INF;
    }
    commitCopies();
  };

  float acc[D / 2];
#pragma unroll
  for (int i = 0; i < D / 2; i++) acc[i] = 0.f;
  int all = steps * headsHere;
  loadTile<128>(half ? sv : sk,
                  half ? v + (i64)tile.x * vs + kvHead * D : k + (i64)tile.x * ks + kvHead * D,
                  half ? vs : ks, tile.y);
  fetch(0);
  if (all > 1) fetch(1);
  else commitCopies();
  // While tensor cores work for one warpgroup, on what it has just made and its next scores, the
  // other one looks at its scores.
  for (int step = 0; step < all; step++) {
    int stage = step & 1, i = tile.z + step % steps * TILE;
    if (step == 0) awaitCopies<1>();
    else awaitCopies<0>();
    beforeAsync();
    __syncthreads();
    float s[32];
    u32 p[4][4];
    scores(s, half ? sv : sk, (half ? sd : sq) + stage * BYTES);
    awaitProducts<1>(acc);
    if (step > 0) {
      if (threadIdx.x == 128) awaitStoresRead();
      halfBarrier(half);
      if (step + 1 < all) fetch(step + 1);
    }
    awaitProducts(s);
    if (half == 0) {
      int key = tile.z + warp * 16 + (lane >> 2);
      bool whole = i >= tile.z + TILE - 1 && (window <= 0 || tile.z > i + TILE - 1 - window);
      if (!whole) {
#pragma unroll
        for (int n = 0; n < 32; n++) {
          int query = i + (n >> 2) * 8 + (lane & 3) * 2 + (n & 1), at = key + (n & 2) * 4;
          if (at > query || (window > 0 && at <= query - window)) s[n] = -INF;
        }
      }
#pragma unroll
      for (int n = 0; n < 32; n += 4) {
        float2 top = *reinterpret_cast<const float2 *>(&rowOf[stage][0][n * 2 + (lane & 3) * 2]);
        float t0 = top.x * LOG2E, t1 = top.y * LOG2E;
        s[n] = exp2Fast(s[n] * c - t0), s[n + 1] = exp2Fast(s[n + 1] * c - t1);
        s[n + 2] = exp2Fast(s[n + 2] * c - t0), s[n + 3] = exp2Fast(s[n + 3] * c - t1);
      }
#pragma unroll
      for (int n = 0; n < 4; n++) {
#pragma unroll
        for (int e = 0; e < 4; e++) p[n][e] = pack(s[8 * n + 2 * e], s[8 * n + 2 * e + 1]);
        sp[n * 128 + place] = make_uint4(p[n][0], p[n][1], p[n][2], p[n][3]);
      }
      announce();
      accumulate(acc, p, sd + stage * BYTES);
    } else {
      listen();
      int row = warp * 16 + (lane & 15);
      u32 to = ss + row * 128;
#pragma unroll
      for (int n = 0; n < 4; n++) {
        uint4 u = sp[n * 128 + place];
        u32 from[4] = {u.x, u.y, u.z, u.w};
#pragma unroll
        for (int e = 0; e < 4; e++) {
          int column = n * 16 + (e >> 1) * 8 + (lane & 3) * 2;
          float2 d = *reinterpret_cast<const float2 *>(&rowOf[stage][1][column]);
          p[n][e] = pack(lowHalf(from[e]) * (s[8 * n + 2 * e] - d.x),
                         highHalf(from[e]) * (s[8 * n + 2 * e + 1] - d.y));
        }
        if (scoreTiles) storeMatrices(to + (((n * 2 + (lane >> 4)) ^ (row & 7)) << 4), p[n]);
      }
      accumulate(acc, p, sq + stage * BYTES);
      if (scoreTiles) {
        beforeAsync();
        halfBarrier(half);
        if (place == 0) {
          int head = firstHead + step / steps;
          storeTile(scoreTiles + scoreTile(head, heads, first + i, sequence, (i - tile.z) / TILE, slots), ss);
        }
      }
    }
  }
  awaitProducts(acc);
  if (threadIdx.x == 128) awaitStores();
#ifdef PARTS
  constexpr int WIDE = D + 8;
  float *sums = reinterpret_cast<float *>(memory);
  __syncthreads();
#pragma unroll
  for (int i = 0; i < D / 4; i++) {
    int row = warp * 16 + (lane >> 2) + (i & 1) * 8, d = (i >> 1) * 8 + (lane & 3) * 2;
    *reinterpret_cast<float2 *>(sums + (half ? 0 : TILE * WIDE) + row * WIDE + d) =
        make_float2(acc[2 * i], acc[2 * i + 1]);
  }
  clusterBarrier();
  constexpr int ROWS = TILE / PARTS;
  for (int n = threadIdx.x; n < 2 * ROWS * (D / 4); n += 256) {
    int d = n % (D / 4) * 4, row = part * ROWS + n / (D / 4) % ROWS;
    bool ofV = n >= ROWS * (D / 4);
    u32 here = sharedAddress(sums + ((ofV ? TILE : 0) + row) * WIDE + d);
    float sum[4] = {0.f, 0.f, 0.f, 0.f};
#pragma unroll
    for (int other = 0; other < PARTS; other++) {
      float f[4];
      loadCluster(f, here, other);
#pragma unroll
      for (int e = 0; e < 4; e++) sum[e] += ofV ? f[e] : f[e] * scale;
    }
    if (row < tile.y)
      store(ofV ? dv + (i64)(tile.x + row) * dvs + kvHead * D + d
                : dk + (i64)(tile.x + row) * dks + kvHead * D + d,
            sum);
  }
  clusterBarrier();
#else
  int width = gridDim.y / parts * D;
  float *sums = partial + (((i64)part * 2 + (half ? 0 : 1)) * rows + tile.x) * width + kvHead * D;
#pragma unroll
  for (int i = 0; i < D / 4; i++) {
    int row = warp * 16 + (lane >> 2) + (i & 1) * 8, d = (i >> 1) * 8 + (lane & 3) * 2;
    if (row >= tile.y) continue;
    float x = half ? acc[2 * i] * scale : acc[2 * i], y = half ? acc[2 * i + 1] * scale : acc[2 * i + 1];
    if (parts > 1) {
      *reinterpret_cast<float2 *>(sums + (i64)row * width + d) = make_float2(x, y);
    } else {
      bf16 *to = half ? dk + (i64)(tile.x + row) * dks : dv + (i64)(tile.x + row) * dvs;
      *reinterpret_cast<u32 *>(to + kvHead * D + d) = pack(x, y);
    }
  }
#endif
}

// dq of 64 queries of two heads a block, a warpgroup each, from the gradients of the scores that
// attention_gradient_kv kept.
extern "C" __global__ __launch_bounds__(256, 1) void attention_gradient_q_scores(
    const bf16 *k, int ks, const int4 *tiles, int heads, int group, int window, float scale,
    const bf16 *scoreTiles, int slots, bf16 *dq, int dqs) {
  constexpr u32 STAGE = BYTES + 2 * PANEL;
  extern __shared__ __align__(16) bf16 memory[];
  u32 base = aligned(memory);
  int4 tile = tiles[blockIdx.x];
  int half = __shfl_sync(~0u, threadIdx.x >> 7, 0), warp = threadIdx.x >> 5 & 3, lane = threadIdx.x & 31;
  int head = blockIdx.y * 2 + half, kvHead = head / group;
  int end = tile.z + tile.y;
  int begin = window > 0 ? max(0, tile.z - window + 1) / TILE * TILE : 0;
  k += (i64)(tile.x - tile.z) * ks + kvHead * D;

  auto fetch = [&](int j, u32 to) {
    if (j < end) {
      loadTile<256>(to, k + (i64)j * ks, ks, end - j);
      const bf16 *from =
          scoreTiles + scoreTile(head, heads, tile.x, tile.w, (tile.z - j) / TILE, slots);
#pragma unroll
      for (int n = threadIdx.x & 127; n < PANEL / 16; n += 128)
        copyAsync(to + BYTES + half * PANEL + n * 16, from + n * 8);
    }
    commitCopies();
  };

  float acc[D / 2];
#pragma unroll
  for (int i = 0; i < D / 2; i++) acc[i] = 0.f;
  fetch(begin, base);
  fetch(begin + TILE, base + STAGE);
  for (int j = begin, n = 0; j < end; j += TILE, n++) {
    awaitCopies<1>();
    beforeAsync();
    __syncthreads();
    u32 here = base + (n & 3) * STAGE;
    accumulate(acc, here + BYTES + half * PANEL, here);
    fetch(j + 2 * TILE, base + (n + 2 & 3) * STAGE);
    awaitProducts<1>(acc);
  }
  awaitProducts(acc);
#pragma unroll
  for (int i = 0; i < D / 4; i++) {
    int row = warp * 16 + (lane >> 2) + (i & 1) * 8;
    if (row < tile.y)
      *reinterpret_cast<u32 *>(dq + (i64)(tile.x + row) * dqs + head * D + (i >> 1) * 8 +
                               (lane & 3) * 2) = pack(acc[2 * i] * scale, acc[2 * i + 1] * scale);
  }
}
