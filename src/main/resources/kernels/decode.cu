// Attention of one new token a segment over its cache, from the q|k|v product on: norm and rotary
// positions of q and k, new key and value to the cache. Compiled for a head size D (64, 128 or 256)
// and G query heads a kv head, at most 8, for devices with clusters. The keys before the token's own
// are divided into a fixed number of splits, so that short batches fill the device too. A cluster of
// CLUSTER blocks has a kv head of a segment, each block as many splits as that leaves it: a batch
// whose blocks do not all find room at once takes half as long again. Every sum runs in an order that
// follows from the token's own position, whatever CLUSTER is: a segment's result does not depend on
// the others. Products on tensor cores (bf16 in, fp32 out), the queries of a kv head beside one another.
// ORDERED: y is the input of a product.

#define LOG2E 1.4426950408889634f
#define SPLITS 8
#define WARPS 4
#define THREADS (WARPS * 32)
// Pairs of warps, which have keys of their own.
#define LISTS (WARPS / 2)
#define HALF (D / 2)
#define W (HALF / 32)
// Splits of a block, and outputs that a block finishes for each of them.
#define PARTS (SPLITS / CLUSTER)
#define SHARE (G * D / SPLITS)
// Of keys and queries, 64 columns. Of a warp's half of the values, VALUES columns a lane, 8 times that a
// set.
#define PIECES (D / 64)
#define VALUES (D == 64 ? 4 : 8)
#define SETS (HALF / (8 * VALUES))
// Heads lie so far apart that lanes which read or write together are out of each other's banks.
#define APART (D + 8)
// Of adapters: values of a share that a lane takes at a time, and ranks that are read ahead.
#define V (SHARE >= 256 ? 8 : SHARE >= 128 ? 4 : SHARE >= 64 ? 2 : 1)
#define RANKS 4
#define MOST_SLICES 16

// To the same place in shared memory of another block of the cluster.
__device__ __forceinline__ void put(float *place, int block, float v) {
  asm volatile("st.shared::cluster.f32 [%0], %1;" ::"r"(inBlock(sharedAddress(place), block)), "f"(v)
               : "memory");
}
__device__ __forceinline__ void put(float *place, int block, float4 v) {
  asm volatile("st.shared::cluster.v4.f32 [%0], {%1, %2, %3, %4};" ::"r"(
                   inBlock(sharedAddress(place), block)),
               "f"(v.x), "f"(v.y), "f"(v.z), "f"(v.w)
               : "memory");
}

// Of the two warps that share keys.
__device__ __forceinline__ void pairBarrier(int pair) {
  if (pair == 0)
    asm volatile("bar.sync 1, 64;" ::: "memory");
  else
    asm volatile("bar.sync 2, 64;" ::: "memory");
}

// Low or high halves of two words, the first's below.
__device__ __forceinline__ u32 lowHalves(u32 a, u32 b) { return __byte_perm(a, b, 0x5410); }
__device__ __forceinline__ u32 highHalves(u32 a, u32 b) { return __byte_perm(a, b, 0x7632); }

// Norm and rotary positions of one head, by a warp, of which a lane has W neighbours of each half.
struct Rotation {
  float w[2][W], cosine[W], sine[W];

  __device__ __forceinline__ void weights(const float *of) {
    int i = (threadIdx.x & 31) * W;
    load(of + i, w[0]);
    load(of + i + HALF, w[1]);
  }

  __device__ __forceinline__ void angles(const float *rope) {
    int i = (threadIdx.x & 31) * W;
    load(rope + i, cosine);
    load(rope + i + HALF, sine);
  }

  static __device__ __forceinline__ void read(const bf16 *x, float (&a)[W], float (&b)[W]) {
    int i = (threadIdx.x & 31) * W;
    load(x + i, a);
    load(x + i + HALF, b);
  }

  __device__ __forceinline__ void turn(float (&a)[W], float (&b)[W], float eps, bf16 *out) const {
    float sum = 0.f;
#pragma unroll
    for (int j = 0; j < W; j++) sum += a[j] * a[j] + b[j] * b[j];
    float r = rsqrtf(warpSum(sum) / D + eps);
#pragma unroll
    for (int j = 0; j < W; j++) {
      float na = a[j] * r * (1.f + w[0][j]), nb = b[j] * r * (1.f + w[1][j]);
      a[j] = na * cosine[j] - nb * sine[j];
      b[j] = nb * cosine[j] + na * sine[j];
    }
    int i = (threadIdx.x & 31) * W;
    store(out + i, a);
    store(out + i + HALF, b);
  }
};

// Sums over a warp of COUNT values at once, the bits of warpSum: a step halves the values too, so that value i
// is in the lanes from i * 32 / COUNT on.
template <int LANES, int COUNT, int N>
__device__ __forceinline__ void addLanes(float (&v)[N]) {
  bool high = threadIdx.x & LANES;
#pragma unroll
  for (int i = 0; i < (COUNT + 1) / 2; i++) {
    float kept = v[i], given = kept;
    if constexpr (COUNT > 1) kept = high ? v[i + COUNT / 2] : v[i], given = high ? v[i] : v[i + COUNT / 2];
    v[i] = kept + __shfl_xor_sync(~0u, given, LANES);
  }
  if constexpr (LANES > 1) addLanes<LANES / 2, (COUNT + 1) / 2>(v);
}

// Blocks: segments, kv heads by splits; the splits of a kv head are a cluster and send their parts to
// each other's shared memory. A row is int4 {row, 1, position, segment}. adapters: of the layer that
// reads y, whose sums over this block's share of y go to u [rows, gridDim.y, us]; or null.
extern "C" __global__ __launch_bounds__(THREADS, G > 4 ? 2 : 3) __cluster_dims__(1, CLUSTER, 1)
void decode_attention(const bf16 *qkv, int qs, const float *qw, const float *kw, float eps,
                      const float *rope, const Cache *caches, int layer, const int4 *rows, int heads,
                      int kvHeads, int window, float scale, bf16 *y, int ys,
                      const RowAdapter *adapters, float *u, int us) {
  // Of each pair of warps: scores that they exchange, by turns, of heads and keys; then sums of values.
  // Then what adapters need of this block's outputs.
  __shared__ __align__(16) float shared[LISTS][G * APART < 256 ? 256 / APART + 1 : G][APART];
  __shared__ float2 lists[LISTS][G];
  __shared__ __align__(16) bf16 queries[G][APART], newKey[D], newValue[D];
  __shared__ float factors[LISTS][G], block[2][G];
  __shared__ __align__(16) bf16 slices[MOST_SLICES][PARTS * SHARE];  // of an adapter's A
  __shared__ __align__(16) float parts[SPLITS][PARTS * SHARE];       // of all blocks
  __shared__ float tops[SPLITS][G], weights[SPLITS][G];
  letNextStart();
  // Nobody writes to a block that has not started.
  clusterArrive();
  float *share = &shared[0][0][0];
  int4 row = rows[blockIdx.x];
  Cache cache = caches[row.w];
  int kvHead = blockIdx.y / CLUSTER, own = blockIdx.y % CLUSTER, width = kvHeads * D;
  int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, g = lane >> 2, q = lane & 3;
  int pair = warp >> 1, half = warp & 1;
  int end = row.z, begin = window > 0 ? max(0, end + 1 - window) : 0;
  int chunk = ((end - begin + SPLITS - 1) / SPLITS + 7) / 8 * 8;
  int from = begin + own * PARTS * chunk, stop = min(end, from + PARTS * chunk);  // of this block
  // Sixteen keys a pair of warps at a time. A warp makes the scores of eight, of which lane 4g + q holds
  // columns 16q to 16q + 15 of each 64 of key g; it has half the columns of all sixteen values, lane
  // 4g + q VALUES of each set from g VALUES on, of 2q, 2q + 1, 2q + 8 and 2q + 9.
  const bf16 *k = cache.k + layer * cache.layerStride + kvHead * D + q * 16;
  const bf16 *v = cache.v + layer * cache.layerStride + kvHead * D + half * HALF + g * VALUES;
  uint4 keys[PIECES][2];
  u32 values[SETS][4][VALUES / 2];
  auto fetchKeys = [&](int at) {
    const bf16 *ofKey = k + (i64)min(at + pair * 16 + half * 8 + g, end - 1) * width;
#pragma unroll
    for (int p = 0; p < PIECES; p++)
#pragma unroll
      for (int i = 0; i < 2; i++) keys[p][i] = *reinterpret_cast<const uint4 *>(ofKey + p * 64 + i * 8);
  };
  auto fetchValues = [&](int at) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const bf16 *ofValue = v + (i64)min(at + pair * 16 + q * 2 + i / 2 * 8 + i % 2, end - 1) * width;
#pragma unroll
      for (int s = 0; s < SETS; s++) {
        if constexpr (VALUES == 8) {
          uint4 r = *reinterpret_cast<const uint4 *>(ofValue + s * 64);
          values[s][i][0] = r.x, values[s][i][1] = r.y, values[s][i][2] = r.z, values[s][i][3] = r.w;
        } else {
          uint2 r = *reinterpret_cast<const uint2 *>(ofValue);
          values[s][i][0] = r.x, values[s][i][1] = r.y;
        }
      }
    }
  };
  // Weights and angles do not depend on what came before, nor do the first keys and values, nor
  // adapters. What all blocks need is asked for before what fills the way to memory.
  bool last = own == CLUSTER - 1;  // takes the token's own key and value
  int items = last ? G + 1 : G;  // heads of q, and k
  Rotation rotation, second;
  rotation.weights(warp < G ? qw : kw);
  if (warp + WARPS < items) second.weights(warp + WARPS < G ? qw : kw);
  rotation.angles(rope + (i64)end * D);
  int ranks = 0, apart = heads * D;
  const bf16 *ofA = nullptr;
  if (adapters) ranks = adapters[row.x].ranks, ofA = adapters[row.x].a;
  if (from < stop) fetchKeys(from);
  awaitPrevious();
  const bf16 *x = qkv + (i64)row.x * qs;
  const bf16 *ownKey = x + (heads + kvHead) * D, *ownValue = ownKey + kvHeads * D;
  auto head = [&](int item) { return item < G ? x + (kvHead * G + item) * D : ownKey; };
  auto place = [&](int item) { return item < G ? queries[item] : newKey; };
  float a[W], b[W], c[W], d[W];
  Rotation::read(head(min(warp, G)), a, b);
  if (warp + WARPS < items) Rotation::read(head(warp + WARPS), c, d);
  if (from < stop) fetchValues(from);
  if (warp < items) rotation.turn(a, b, eps, place(warp));
  if (warp + WARPS < items) {
#pragma unroll
    for (int i = 0; i < W; i++) second.cosine[i] = rotation.cosine[i], second.sine[i] = rotation.sine[i];
    second.turn(c, d, eps, place(warp + WARPS));
  }
  if (2 * WARPS <= G && warp + 2 * WARPS < items) {
    Rotation::read(head(warp + 2 * WARPS), a, b);
    second.weights(kw);
    second.turn(a, b, eps, place(warp + 2 * WARPS));
  }
  if (last)
#pragma unroll 1
    for (int i = threadIdx.x; i < D; i += THREADS) newValue[i] = ownValue[i];
  // Asked for as late as this, since who the adapter is was not known before.
  constexpr int ALL = PARTS * SHARE;
  ofA += kvHead * G * D + own * ALL;
  if (SHARE % 8 == 0 && ranks > 0 && ranks <= MOST_SLICES) {
#pragma unroll 1
    for (int i = threadIdx.x * 8; i < ranks * ALL; i += THREADS * 8)
      copyAsync(&slices[0][0] + i, ofA + (i64)(i / ALL) * apart + i % ALL);
    ofA = slices[0], apart = ALL;
  }
  __syncthreads();
  if (last) {
    i64 place = layer * cache.layerStride + (i64)end * width + kvHead * D;
#pragma unroll 1
    for (int i = threadIdx.x; i < D; i += THREADS) {
      cache.k[place + i] = newKey[i];
      cache.v[place + i] = newValue[i];
    }
  }
  scale *= LOG2E;
  float *exchanged = &shared[pair][0][0];
  int turn = 0;
#pragma unroll 1
  for (int n = 0; n < PARTS; n++) {
    int split = own * PARTS + n, to = min(end, from + chunk);
    // Of head g, largest score and this lane's part of the sum; of heads 2q and 2q + 1, sums of values.
    float m = -INF, l = 0.f, out[SETS][VALUES / 2][4] = {};
    // At the end the token's own key, by one pair.
    bool ownToo = split == SPLITS - 1 && pair == 0;
#pragma unroll 1
    for (int at = from;; at += LISTS * 16) {
      int count = to - at - pair * 16;  // of the sixteen
      if (count <= 0) {
        if (!ownToo) break;
        ownToo = false;
        count = 1;
#pragma unroll
        for (int p = 0; p < PIECES; p++)
#pragma unroll
          for (int i = 0; i < 2; i++)
            keys[p][i] = *reinterpret_cast<const uint4 *>(newKey + p * 64 + q * 16 + i * 8);
#pragma unroll
        for (int s = 0; s < SETS; s++)
#pragma unroll
          for (int j = 0; j < VALUES / 2; j++) {
            const bf16 *value = newValue + half * HALF + s * 64 + g * VALUES + j * 2;
            values[s][0][j] = q == 0 ? *reinterpret_cast<const u32 *>(value) : 0;
            values[s][1][j] = values[s][2][j] = values[s][3][j] = 0;
          }
      }
      float sum[2][4] = {};  // so that one product need not wait for another
#pragma unroll
      for (int p = 0; p < PIECES; p++) {
        uint4 a[2] = {};
        if (g < G) {
          const bf16 *query = queries[g] + p * 64 + q * 16;
          a[0] = reinterpret_cast<const uint4 *>(query)[0], a[1] = reinterpret_cast<const uint4 *>(query)[1];
        }
#pragma unroll
        for (int i = 0; i < 2; i++) {
          mma(sum[0], a[i].x, 0, a[i].y, 0, keys[p][i].x, keys[p][i].y);
          mma(sum[1], a[i].z, 0, a[i].w, 0, keys[p][i].z, keys[p][i].w);
        }
      }
      float *ofTurn = exchanged + turn * 128 + g * 8 + q * 2;
      *reinterpret_cast<float2 *>(ofTurn + half * 64) =
          make_float2(sum[0][0] + sum[1][0], sum[0][1] + sum[1][1]);
      pairBarrier(pair);
      float scores[4];
#pragma unroll
      for (int i = 0; i < 2; i++) {
        float2 both = *reinterpret_cast<const float2 *>(ofTurn + i * 64);
        scores[2 * i] = i * 8 + q * 2 < count ? both.x * scale : -INF;
        scores[2 * i + 1] = i * 8 + q * 2 + 1 < count ? both.y * scale : -INF;
      }
      turn ^= 1;
      float top = fmaxf(fmaxf(scores[0], scores[1]), fmaxf(scores[2], scores[3]));
      top = fmaxf(top, __shfl_xor_sync(~0u, top, 1));
      top = fmaxf(top, __shfl_xor_sync(~0u, top, 2));
      top = fmaxf(top, m);
      float shrink = exp2Fast(m - top);
      m = top;
      u32 first = pack(exp2Fast(scores[0] - top), exp2Fast(scores[1] - top));
      u32 second = pack(exp2Fast(scores[2] - top), exp2Fast(scores[3] - top));
      // The sum is of what values are multiplied by.
      l = fmaf(l, shrink, (lowHalf(first) + highHalf(first)) + (lowHalf(second) + highHalf(second)));
      if (at != from) {
        float even = __shfl_sync(~0u, shrink, q * 8), odd = __shfl_sync(~0u, shrink, q * 8 + 4);
#pragma unroll
        for (int s = 0; s < SETS; s++)
#pragma unroll
          for (int j = 0; j < VALUES / 2; j++)
            out[s][j][0] *= even, out[s][j][1] *= odd, out[s][j][2] *= even, out[s][j][3] *= odd;
      }
#pragma unroll
      for (int s = 0; s < SETS; s++)
#pragma unroll
        for (int j = 0; j < VALUES / 2; j++)
          mma(out[s][j], lowHalves(values[s][0][j], values[s][1][j]),
              highHalves(values[s][0][j], values[s][1][j]), lowHalves(values[s][2][j], values[s][3][j]),
              highHalves(values[s][2][j], values[s][3][j]), first, second);
      // Of the next split, if this one ends.
      int following = at + LISTS * 16 + pair * 16 < to ? at + LISTS * 16 : from + chunk;
      if (following < stop) fetchKeys(following), fetchValues(following);
    }
    pairBarrier(pair);
    l += __shfl_xor_sync(~0u, l, 1);
    l += __shfl_xor_sync(~0u, l, 2);
    if (half == 0 && q == 0 && g < G) lists[pair][g] = make_float2(m, l);
#pragma unroll
    for (int h = 0; h < 2; h++) {
      if (q * 2 + h >= G) break;
#pragma unroll
      for (int s = 0; s < SETS; s++) {
        float *place = &shared[pair][q * 2 + h][half * HALF + s * 64 + g * VALUES];
#pragma unroll
        for (int j = 0; j < VALUES / 2; j += 2)
          *reinterpret_cast<float4 *>(place + j * 2) =
              make_float4(out[s][j][h], out[s][j][2 + h], out[s][j + 1][h], out[s][j + 1][2 + h]);
      }
    }
    __syncthreads();
    // How the lists of this block add up.
    if (threadIdx.x < G) {
      int g = threadIdx.x;
      float top = -INF, weight = 0.f;
#pragma unroll
      for (int i = 0; i < LISTS; i++) top = fmaxf(top, lists[i][g].x);
#pragma unroll
      for (int i = 0; i < LISTS; i++) {
        factors[i][g] = top == -INF ? 0.f : exp2Fast(lists[i][g].x - top);
        weight = fmaf(lists[i][g].y, factors[i][g], weight);
      }
      block[0][g] = top, block[1][g] = weight;
    }
    __syncthreads();
    if (n == 0) clusterWait();
    // Each block of the cluster finishes a share of the outputs for each of its splits.
#pragma unroll 1
    for (int i = threadIdx.x * 4; i < G * D; i += THREADS * 4) {
      int g = i / D, c = i % D;
      float4 sum = make_float4(0.f, 0.f, 0.f, 0.f);
#pragma unroll
      for (int j = 0; j < LISTS; j++) {
        float4 one = *reinterpret_cast<const float4 *>(&shared[j][g][c]);
        float by = factors[j][g];
        sum.x = fmaf(one.x, by, sum.x), sum.y = fmaf(one.y, by, sum.y);
        sum.z = fmaf(one.z, by, sum.z), sum.w = fmaf(one.w, by, sum.w);
      }
      put(&parts[split][i % ALL], i / ALL, sum);
    }
    if (threadIdx.x < G * CLUSTER) {
      int g = threadIdx.x / CLUSTER, to = threadIdx.x % CLUSTER;
      put(&tops[split][g], to, block[0][g]);
      put(&weights[split][g], to, block[1][g]);
    }
    if (n + 1 < PARTS) __syncthreads();
    from += chunk;
  }
  clusterArrive();
  clusterWait();
#pragma unroll 1
  for (int i = threadIdx.x; i < ALL; i += THREADS) {
    int g = (own * ALL + i) / D;
    float top = -INF, sum = 0.f, weight = 0.f;
#pragma unroll
    for (int s = 0; s < SPLITS; s++) top = fmaxf(top, tops[s][g]);
#pragma unroll
    for (int s = 0; s < SPLITS; s++) {
      float w = exp2Fast(tops[s][g] - top);
      weight = fmaf(weights[s][g], w, weight);
      sum = fmaf(parts[s][i], w, sum);
    }
    bf16 value = toBf16(sum / weight);
    int c = kvHead * G * D + own * ALL + i;
    y[(i64)row.x * ys + (ORDERED ? ordered(c) : c)] = value;
    share[i] = toFloat(value);
  }
  if (ranks == 0) return;
  awaitCopies();
  __syncthreads();
  constexpr int SUMS = PARTS * RANKS, LANES = 32 / SUMS;
#pragma unroll 1
  for (int r = warp; r < ranks; r += WARPS * RANKS) {
    float dot[SUMS] = {};
#pragma unroll 1
    for (int c = lane * V; c < SHARE; c += 32 * V)
#pragma unroll
      for (int n = 0; n < PARTS; n++) {
        float x[V];
        load(share + n * SHARE + c, x);
#pragma unroll
        for (int j = 0; j < RANKS; j++) {
          float a[V];
          load(ofA + (i64)min(r + j * WARPS, ranks - 1) * apart + n * SHARE + c, a);
#pragma unroll
          for (int i = 0; i < V; i++) dot[n * RANKS + j] = fmaf(a[i], x[i], dot[n * RANKS + j]);
        }
      }
    addLanes<16, SUMS>(dot);
    int n = lane / LANES / RANKS, rank = r + lane / LANES % RANKS * WARPS;
    if (lane % LANES == 0 && rank < ranks)
      u[((i64)row.x * gridDim.y * PARTS + blockIdx.y * PARTS + n) * us + rank] = dot[0];
  }
}
