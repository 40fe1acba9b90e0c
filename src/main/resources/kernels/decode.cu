// Attention of one new token a segment over its cache, from the q|k|v product on: norm and rotary
// positions of q and k, new key and value to the cache. Compiled for a head size D (64, 128 or 256)
// and G query heads a kv head, for devices with clusters. The keys before the token's own are divided
// into a fixed number of splits, so that short batches fill the device too; every sum runs in an
// order that follows from the token's own position: a segment's result does not depend on the others.

#define LOG2E 1.4426950408889634f
#define LANES (D / 8)
#define PER (32 / LANES)
#define WARPS (G > 4 ? 4 : 8)
#define THREADS (WARPS * 32)
#define HALF (D / 2)
#define W (HALF / 32)
#define SHARE (G * D / SPLITS)
#define LISTS (WARPS * PER)
#define AHEAD 4
#define SPLITS 8

struct Cache {
  bf16 *k, *v;
  i64 layerStride;
};

__device__ __forceinline__ float exp2Fast(float x) {
  float r;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x));
  return r;
}

__device__ __forceinline__ u32 address(const void *p) { return (u32)__cvta_generic_to_shared(p); }

__device__ __forceinline__ void clusterBarrier() {
  asm volatile("barrier.cluster.arrive;\nbarrier.cluster.wait;" ::: "memory");
}

// Norm and rotary positions of one head, by a warp; as it would be stored.
__device__ __forceinline__ void rotated(const bf16 *x, const float *w, const float *rope, float eps,
                                        float *out) {
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
    out[i + j] = toFloat(toBf16(na * co[j] - nb * si[j]));
    out[i + j + HALF] = toFloat(toBf16(nb * co[j] + na * si[j]));
  }
}

// Blocks: segments, kv heads by splits; the splits of a kv head are a cluster and put their parts
// together in shared memory. A row is int4 {row, 1, position, segment}. adapters: of the layer that
// reads y, whose sums over this block's share of y go to u [rows, gridDim.y, us]; or null.
extern "C" __global__ __launch_bounds__(THREADS) __cluster_dims__(1, SPLITS, 1)
void decode_attention(const bf16 *qkv, int qs, const float *qw, const float *kw, float eps,
                      const float *rope, const Cache *caches, int layer, const int4 *rows, int heads,
                      int kvHeads, int window, float scale, bf16 *y, int ys,
                      const LowRankGroup *adapters, const int *groupOf, float *u, int us) {
  __shared__ float shared[LISTS][G][D];
  __shared__ float2 lists[LISTS][G];
  __shared__ float whole[G][D];  // of the queries first, then of the outputs
  __shared__ float newKey[D], newValue[D], share[SHARE];
  __shared__ float2 tops[G];
  letNextStart();
  int4 row = rows[blockIdx.x];
  Cache cache = caches[row.w];
  int kvHead = blockIdx.y / SPLITS, split = blockIdx.y % SPLITS, width = kvHeads * D;
  int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, sub = lane / LANES, d = lane % LANES * 8;
  int end = row.z, begin = window > 0 ? max(0, end + 1 - window) : 0;
  int chunk = ((end - begin + SPLITS - 1) / SPLITS + LISTS - 1) / LISTS * LISTS;
  int from = begin + split * chunk, to = min(end, from + chunk);
  const bf16 *k = cache.k + layer * cache.layerStride + kvHead * D + d;
  const bf16 *v = cache.v + layer * cache.layerStride + kvHead * D + d;
  awaitPrevious();
  const bf16 *x = qkv + (i64)row.x * qs;
  for (int item = warp; item < G + 2; item += WARPS) {
    if (item < G) {
      rotated(x + (kvHead * G + item) * D, qw, rope + (i64)end * D, eps, whole[item]);
    } else if (split == 0 && item == G) {
      rotated(x + (heads + kvHead) * D, kw, rope + (i64)end * D, eps, newKey);
    } else if (split == 0) {
      for (int i = lane; i < D; i += 32) newValue[i] = toFloat(x[(heads + kvHeads + kvHead) * D + i]);
    }
  }
  __syncthreads();
  if (split == 0) {
    i64 place = layer * cache.layerStride + (i64)end * width + kvHead * D;
    for (int i = threadIdx.x; i < D; i += THREADS) {
      cache.k[place + i] = toBf16(newKey[i]);
      cache.v[place + i] = toBf16(newValue[i]);
    }
  }
  float query[G][8], out[G][8], m[G], l[G];
#pragma unroll
  for (int g = 0; g < G; g++) {
    m[g] = -INF, l[g] = 0.f;
#pragma unroll
    for (int i = 0; i < 8; i++) {
      query[g][i] = whole[g][d + i] * (scale * LOG2E);
      out[g][i] = 0.f;
    }
  }
  // All lanes of a warp take part in every step: they exchange sums.
  auto take = [&](const float(&key)[8], const float(&value)[8], bool in) {
#pragma unroll
    for (int g = 0; g < G; g++) {
      float s = 0.f;
#pragma unroll
      for (int i = 0; i < 8; i++) s = fmaf(query[g][i], key[i], s);
#pragma unroll
      for (int o = LANES / 2; o > 0; o >>= 1) s += __shfl_xor_sync(~0u, s, o);
      if (in) {
        float top = fmaxf(m[g], s), shrink = exp2Fast(m[g] - top), p = exp2Fast(s - top);
        m[g] = top;
        l[g] = fmaf(l[g], shrink, p);
#pragma unroll
        for (int i = 0; i < 8; i++) out[g][i] = fmaf(p, value[i], out[g][i] * shrink);
      }
    }
  };
  int list = warp * PER + sub;
  for (int at = from; at < to; at += LISTS * AHEAD) {
    float keys[AHEAD][8], values[AHEAD][8];
#pragma unroll
    for (int a = 0; a < AHEAD; a++) {
      i64 place = (i64)min(at + a * LISTS + list, end - 1) * width;
      load(k + place, keys[a]);
      load(v + place, values[a]);
    }
#pragma unroll
    for (int a = 0; a < AHEAD; a++) take(keys[a], values[a], at + a * LISTS + list < to);
  }
  if (split == 0 && warp == 0) {
    float key[8], value[8];
#pragma unroll
    for (int i = 0; i < 8; i++) key[i] = newKey[d + i], value[i] = newValue[d + i];
    take(key, value, sub == 0);
  }
#pragma unroll
  for (int g = 0; g < G; g++) {
    if (d == 0) lists[list][g] = make_float2(m[g], l[g]);
#pragma unroll
    for (int i = 0; i < 8; i++) shared[list][g][d + i] = out[g][i];
  }
  __syncthreads();
  for (int i = threadIdx.x; i < G * D; i += THREADS) {
    int g = i / D, c = i % D;
    float top = -INF;
#pragma unroll
    for (int n = 0; n < LISTS; n++) top = fmaxf(top, lists[n][g].x);
    float sum = 0.f, weight = 0.f;
#pragma unroll
    for (int n = 0; n < LISTS; n++) {
      float w = top == -INF ? 0.f : exp2Fast(lists[n][g].x - top);
      weight = fmaf(lists[n][g].y, w, weight);
      sum = fmaf(shared[n][g][c], w, sum);
    }
    whole[g][c] = sum;
    if (c == 0) tops[g] = make_float2(top, weight);
  }
  clusterBarrier();
  // Each block of the cluster finishes a share of the outputs.
  for (int i = threadIdx.x; i < SHARE; i += THREADS) {
    int g = (split * SHARE + i) / D, c = (split * SHARE + i) % D;
    float2 parts[SPLITS];
    float values[SPLITS], top = -INF, sum = 0.f, weight = 0.f;
#pragma unroll
    for (int s = 0; s < SPLITS; s++) {
      u32 a, b;
      asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(a) : "r"(address(&tops[g])), "r"(s));
      asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(b) : "r"(address(&whole[g][c])), "r"(s));
      asm volatile("ld.shared::cluster.v2.f32 {%0, %1}, [%2];"
                   : "=f"(parts[s].x), "=f"(parts[s].y)
                   : "r"(a)
                   : "memory");
      asm volatile("ld.shared::cluster.f32 %0, [%1];" : "=f"(values[s]) : "r"(b) : "memory");
      top = fmaxf(top, parts[s].x);
    }
#pragma unroll
    for (int s = 0; s < SPLITS; s++) {
      float w = exp2Fast(parts[s].x - top);
      weight = fmaf(parts[s].y, w, weight);
      sum = fmaf(values[s], w, sum);
    }
    bf16 value = toBf16(sum / weight);
    y[(i64)row.x * ys + kvHead * G * D + split * SHARE + i] = value;
    share[i] = toFloat(value);
  }
  clusterBarrier();
  int group = adapters ? groupOf[row.x] : -1;
  if (group < 0) return;
  const bf16 *a = adapters[group].a + kvHead * G * D + split * SHARE;
  for (int r = warp; r < adapters[group].ranks; r += WARPS) {
    float dot = 0.f;
    for (int i = lane; i < SHARE; i += 32)
      dot = fmaf(toFloat(a[(i64)r * heads * D + i]), share[i], dot);
    dot = warpSum(dot);
    if (lane == 0) u[((i64)row.x * gridDim.y + blockIdx.y) * us + r] = dot;
  }
}
