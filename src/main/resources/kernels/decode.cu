// Attention of one new token a segment over its cache, from the q|k|v product on: norm and rotary
// positions of q and k, new key and value to the cache. Compiled for a head size D (64, 128 or 256)
// and G query heads a kv head, for devices with clusters. The keys before the token's own are divided
// into a fixed number of splits, so that short batches fill the device too; every sum runs in an
// order that follows from the token's own position: a segment's result does not depend on the others.
// ORDERED: y is the input of a product.

#define LOG2E 1.4426950408889634f
#define LANES (D / 8)
#define PER (32 / LANES)
#define WARPS 4
#define THREADS (WARPS * 32)
#define HALF (D / 2)
#define W (HALF / 32)
#define SHARE (G * D / SPLITS)
// Of adapters: values of a share that a lane takes at a time, and ranks that are read ahead.
#define V (SHARE >= 256 ? 8 : SHARE >= 128 ? 4 : SHARE >= 64 ? 2 : 1)
#define RANKS 4
#define MOST_SLICES 16
#define LISTS (WARPS * PER)
#define AHEAD 4
#define SPLITS 8

// To the same place in shared memory of another block of the cluster.
__device__ __forceinline__ void put(float *place, int block, float v) {
  asm volatile("st.shared::cluster.f32 [%0], %1;" ::"r"(inBlock(sharedAddress(place), block)), "f"(v)
               : "memory");
}

__device__ __forceinline__ void unpack(uint4 u, float (&f)[8]) {
  f[0] = lowHalf(u.x), f[1] = highHalf(u.x), f[2] = lowHalf(u.y), f[3] = highHalf(u.y);
  f[4] = lowHalf(u.z), f[5] = highHalf(u.z), f[6] = lowHalf(u.w), f[7] = highHalf(u.w);
}

// Norm and rotary positions of one head, by a warp; as it would be stored, times scale.
__device__ __forceinline__ void rotated(const bf16 *x, const float *w, const float *rope, float eps,
                                        float scale, float *out) {
  int lane = threadIdx.x & 31, i = lane * W;
  float a[W], b[W], wa[W], wb[W], co[W], si[W];
  load(x + i, a);
  load(x + i + HALF, b);
  load(w + i, wa);
  load(w + i + HALF, wb);
  load(rope + i, co);
  load(rope + i + HALF, si);
  float sum = 0.f;
#pragma unroll
  for (int j = 0; j < W; j++) sum += a[j] * a[j] + b[j] * b[j];
  float r = rsqrtf(warpSum(sum) / D + eps);
#pragma unroll
  for (int j = 0; j < W; j++) {
    float na = a[j] * r * (1.f + wa[j]), nb = b[j] * r * (1.f + wb[j]);
    out[i + j] = toFloat(toBf16(na * co[j] - nb * si[j])) * scale;
    out[i + j + HALF] = toFloat(toBf16(nb * co[j] + na * si[j])) * scale;
  }
}

// Blocks: segments, kv heads by splits; the splits of a kv head are a cluster and send their parts to
// each other's shared memory. A row is int4 {row, 1, position, segment}. adapters: of the layer that
// reads y, whose sums over this block's share of y go to u [rows, gridDim.y, us]; or null.
extern "C" __global__ __launch_bounds__(THREADS, G > 4 ? 2 : 4) __cluster_dims__(1, SPLITS, 1)
void decode_attention(const bf16 *qkv, int qs, const float *qw, const float *kw, float eps,
                      const float *rope, const Cache *caches, int layer, const int4 *rows, int heads,
                      int kvHeads, int window, float scale, bf16 *y, int ys,
                      const RowAdapter *adapters, float *u, int us) {
  __shared__ __align__(16) float shared[LISTS][G][D];
  __shared__ float2 lists[LISTS][G];
  __shared__ __align__(16) float queries[G][D], newKey[D];
  __shared__ __align__(16) float newValue[D], share[SHARE];
  __shared__ float factors[LISTS][G], block[2][G];
  __shared__ __align__(16) bf16 slices[MOST_SLICES][SHARE];  // of an adapter's A
  __shared__ float parts[SPLITS][SHARE], tops[SPLITS][G], weights[SPLITS][G];  // of all blocks
  letNextStart();
  // Nobody writes to a block that has not started.
  clusterArrive();
  int4 row = rows[blockIdx.x];
  Cache cache = caches[row.w];
  int kvHead = blockIdx.y / SPLITS, split = blockIdx.y % SPLITS, width = kvHeads * D;
  int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, sub = lane / LANES, d = lane % LANES * 8;
  int end = row.z, begin = window > 0 ? max(0, end + 1 - window) : 0;
  int chunk = ((end - begin + SPLITS - 1) / SPLITS + LISTS - 1) / LISTS * LISTS;
  int from = begin + split * chunk, to = min(end, from + chunk);
  const bf16 *k = cache.k + layer * cache.layerStride + kvHead * D + d;
  const bf16 *v = cache.v + layer * cache.layerStride + kvHead * D + d;
  // The first keys and values do not depend on what came before, nor do adapters.
  int list = warp * PER + sub;
  uint4 keys[AHEAD], values[AHEAD];
  auto fetch = [&](int at) {
#pragma unroll
    for (int a = 0; a < AHEAD; a++) {
      i64 place = (i64)min(at + a * LISTS + list, end - 1) * width;
      keys[a] = *reinterpret_cast<const uint4 *>(k + place);
      values[a] = *reinterpret_cast<const uint4 *>(v + place);
    }
  };
  if (from < to) fetch(from);
  int ranks = 0, apart = heads * D;
  const bf16 *ofA = nullptr;
  if (adapters) ranks = adapters[row.x].ranks, ofA = adapters[row.x].a;
  awaitPrevious();
  const bf16 *x = qkv + (i64)row.x * qs;
#pragma unroll 1
  for (int item = warp; item < (split == 0 ? G + 2 : G); item += WARPS) {
    if (item <= G) {
      rotated(x + (item < G ? kvHead * G + item : heads + kvHead) * D, item < G ? qw : kw,
              rope + (i64)end * D, eps, item < G ? scale * LOG2E : 1.f,
              item < G ? queries[item] : newKey);
    } else {
      for (int i = lane; i < D; i += 32) newValue[i] = toFloat(x[(heads + kvHeads + kvHead) * D + i]);
    }
  }
  // Asked for as late as this, since who the adapter is was not known before.
  ofA += kvHead * G * D + split * SHARE;
  if (SHARE % 8 == 0 && ranks > 0 && ranks <= MOST_SLICES) {
#pragma unroll 1
    for (int i = threadIdx.x * 8; i < ranks * SHARE; i += THREADS * 8)
      copyAsync(&slices[0][0] + i, ofA + (i64)(i / SHARE) * apart + i % SHARE);
    ofA = slices[0], apart = SHARE;
  }
  __syncthreads();
  if (split == 0) {
    i64 place = layer * cache.layerStride + (i64)end * width + kvHead * D;
#pragma unroll 1
    for (int i = threadIdx.x; i < D; i += THREADS) {
      cache.k[place + i] = toBf16(newKey[i]);
      cache.v[place + i] = toBf16(newValue[i]);
    }
  }
  float out[G][8], m[G], l[G];
#pragma unroll
  for (int g = 0; g < G; g++) {
    m[g] = -INF, l[g] = 0.f;
#pragma unroll
    for (int i = 0; i < 8; i++) out[g][i] = 0.f;
  }
  // Several keys with all queries; at the end the token's own, in one list. All lanes of a warp take
  // part: they exchange sums.
  bool ownToo = split == 0 && warp == 0;
#pragma unroll 1
  for (int at = from;; at += LISTS * AHEAD) {
    int count = to <= at + list ? 0 : (to - at - list + LISTS - 1) / LISTS;  // of this list
    if (at >= to) {
      if (!ownToo) break;
      ownToo = false;
      count = sub == 0 ? 1 : 0;
      float key[8], value[8];
      load(newKey + d, key);
      load(newValue + d, value);
      keys[0] = make_uint4(pack(key[0], key[1]), pack(key[2], key[3]), pack(key[4], key[5]),
                           pack(key[6], key[7]));
      values[0] = make_uint4(pack(value[0], value[1]), pack(value[2], value[3]),
                             pack(value[4], value[5]), pack(value[6], value[7]));
    }
    float scores[AHEAD][G];
#pragma unroll
    for (int g = 0; g < G; g++) {
      float query[8];
      load(queries[g] + d, query);
#pragma unroll
      for (int b = 0; b < AHEAD; b++) {
        float key[8];
        unpack(keys[b], key);
        scores[b][g] = 0.f;
#pragma unroll
        for (int i = 0; i < 8; i++) scores[b][g] = fmaf(query[i], key[i], scores[b][g]);
      }
    }
#pragma unroll
    for (int o = LANES / 2; o > 0; o >>= 1)
#pragma unroll
      for (int b = 0; b < AHEAD; b++)
#pragma unroll
        for (int g = 0; g < G; g++) scores[b][g] += __shfl_xor_sync(~0u, scores[b][g], o);
    // The scale of a list changes once for several keys.
#pragma unroll
    for (int g = 0; g < G; g++) {
      float top = m[g];
#pragma unroll
      for (int b = 0; b < AHEAD; b++)
        if (b < count) top = fmaxf(top, scores[b][g]);
      float shrink = top == -INF ? 1.f : exp2Fast(m[g] - top);
      m[g] = top;
      l[g] *= shrink;
#pragma unroll
      for (int b = 0; b < AHEAD; b++) {
        scores[b][g] = b < count ? exp2Fast(scores[b][g] - top) : 0.f;
        l[g] += scores[b][g];
      }
#pragma unroll
      for (int i = 0; i < 8; i++) out[g][i] *= shrink;
    }
#pragma unroll
    for (int b = 0; b < AHEAD; b++) {
      if (b >= count) break;  // what was not read is no number
      float value[8];
      unpack(values[b], value);
#pragma unroll
      for (int g = 0; g < G; g++)
#pragma unroll
        for (int i = 0; i < 8; i++) out[g][i] = fmaf(scores[b][g], value[i], out[g][i]);
    }
    if (at + LISTS * AHEAD < to) fetch(at + LISTS * AHEAD);
  }
#pragma unroll
  for (int g = 0; g < G; g++) {
    if (d == 0) lists[list][g] = make_float2(m[g], l[g]);
    store(&shared[list][g][d], out[g]);
  }
  __syncthreads();
  // How the lists of this block add up.
  if (threadIdx.x < G) {
    int g = threadIdx.x;
    float top = -INF, weight = 0.f;
#pragma unroll
    for (int n = 0; n < LISTS; n++) top = fmaxf(top, lists[n][g].x);
#pragma unroll
    for (int n = 0; n < LISTS; n++) {
      factors[n][g] = top == -INF ? 0.f : exp2Fast(lists[n][g].x - top);
      weight = fmaf(lists[n][g].y, factors[n][g], weight);
    }
    block[0][g] = top, block[1][g] = weight;
  }
  __syncthreads();
  clusterWait();
  // Each block of the cluster finishes a share of the outputs.
#pragma unroll 1
  for (int i = threadIdx.x; i < G * D; i += THREADS) {
    int g = i / D, c = i % D;
    float sum = 0.f;
#pragma unroll
    for (int n = 0; n < LISTS; n++) sum = fmaf(shared[n][g][c], factors[n][g], sum);
    put(&parts[split][i % SHARE], i / SHARE, sum);
  }
  if (threadIdx.x < G * SPLITS) {
    int g = threadIdx.x / SPLITS, to = threadIdx.x % SPLITS;
    put(&tops[split][g], to, block[0][g]);
    put(&weights[split][g], to, block[1][g]);
  }
  clusterArrive();
  clusterWait();
#pragma unroll 1
  for (int i = threadIdx.x; i < SHARE; i += THREADS) {
    int g = (split * SHARE + i) / D;
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
    int c = kvHead * G * D + split * SHARE + i;
    y[(i64)row.x * ys + (ORDERED ? ordered(c) : c)] = value;
    share[i] = toFloat(value);
  }
  if (ranks == 0) return;
  awaitCopies();
  __syncthreads();
#pragma unroll 1
  for (int r = warp; r < ranks; r += WARPS * RANKS) {
    float dot[RANKS] = {};
#pragma unroll 1
    for (int c = lane * V; c < SHARE; c += 32 * V) {
      float a[RANKS][V];
#pragma unroll
      for (int j = 0; j < RANKS; j++)
        load(ofA + (i64)min(r + j * WARPS, ranks - 1) * apart + c, a[j]);
#pragma unroll
      for (int j = 0; j < RANKS; j++)
#pragma unroll
        for (int i = 0; i < V; i++) dot[j] = fmaf(a[j][i], share[c + i], dot[j]);
    }
#pragma unroll
    for (int j = 0; j < RANKS; j++) {
      float all = warpSum(dot[j]);
      if (lane == 0 && r + j * WARPS < ranks)
        u[((i64)row.x * gridDim.y + blockIdx.y) * us + r + j * WARPS] = all;
    }
  }
}
