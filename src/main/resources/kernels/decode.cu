// Attention of one new token a segment over its cache. Compiled for a head size D (64, 128 or 256)
// and G query heads a kv head, for devices with clusters. The visible keys are divided into a fixed number of splits, so that
// short batches fill the device too; every sum runs in an order that follows from the token's own
// position: a segment's result does not depend on the others.

#define LOG2E 1.4426950408889634f
#define LANES (D / 8)
#define PER (32 / LANES)
#define WARPS 4
#define LISTS (WARPS * PER)
#define AHEAD 4
#define SPLITS 8

struct Cache {
  const bf16 *k, *v;
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

// Blocks: segments, kv heads by splits; the splits of a kv head are a cluster and put their parts
// together in shared memory. A row is int4 {row, 1, position, segment}.
extern "C" __global__ __launch_bounds__(128) __cluster_dims__(1, SPLITS, 1)
void decode_attention(
    const bf16 *q, int qs, const Cache *caches, int layer, const int4 *rows, int width, int window,
    float scale, bf16 *y, int ys) {
  __shared__ float shared[LISTS][G][D];
  __shared__ float2 lists[LISTS][G];
  __shared__ float whole[G][D];
  __shared__ float2 tops[G];
  int4 row = rows[blockIdx.x];
  Cache cache = caches[row.w];
  int kvHead = blockIdx.y / SPLITS, split = blockIdx.y % SPLITS;
  int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, sub = lane / LANES, d = lane % LANES * 8;
  int end = row.z + 1, begin = window > 0 ? max(0, end - window) : 0;
  int chunk = ((end - begin + SPLITS - 1) / SPLITS + LISTS - 1) / LISTS * LISTS;
  int from = begin + split * chunk, to = min(end, from + chunk);
  const bf16 *k = cache.k + layer * cache.layerStride + kvHead * D + d;
  const bf16 *v = cache.v + layer * cache.layerStride + kvHead * D + d;
  float query[G][8], out[G][8], m[G], l[G];
#pragma unroll
  for (int g = 0; g < G; g++) {
    load(q + (i64)row.x * qs + (kvHead * G + g) * D + d, query[g]);
    m[g] = -INF, l[g] = 0.f;
#pragma unroll
    for (int i = 0; i < 8; i++) {
      query[g][i] *= scale * LOG2E;
      out[g][i] = 0.f;
    }
  }
  int list = warp * PER + sub;
  // All lanes of a warp take part in every step: they exchange sums.
  for (int at = from; at < to; at += LISTS * AHEAD) {
    float keys[AHEAD][8], values[AHEAD][8];
#pragma unroll
    for (int a = 0; a < AHEAD; a++) {
      int key = at + a * LISTS + list;
      i64 place = (i64)min(key, end - 1) * width;
      load(k + place, keys[a]);
      load(v + place, values[a]);
    }
#pragma unroll
    for (int a = 0; a < AHEAD; a++) {
      bool in = at + a * LISTS + list < to;
#pragma unroll
      for (int g = 0; g < G; g++) {
        float s = 0.f;
#pragma unroll
        for (int i = 0; i < 8; i++) s = fmaf(query[g][i], keys[a][i], s);
#pragma unroll
        for (int o = LANES / 2; o > 0; o >>= 1) s += __shfl_xor_sync(~0u, s, o);
        if (in) {
          float top = fmaxf(m[g], s), shrink = exp2Fast(m[g] - top), p = exp2Fast(s - top);
          m[g] = top;
          l[g] = fmaf(l[g], shrink, p);
#pragma unroll
          for (int i = 0; i < 8; i++) out[g][i] = fmaf(p, values[a][i], out[g][i] * shrink);
        }
      }
    }
  }
#pragma unroll
  for (int g = 0; g < G; g++) {
    if (d == 0) lists[list][g] = make_float2(m[g], l[g]);
#pragma unroll
    for (int i = 0; i < 8; i++) shared[list][g][d + i] = out[g][i];
  }
  __syncthreads();
  for (int i = threadIdx.x; i < G * D; i += blockDim.x) {
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
  for (int i = split * (G * D / SPLITS) + threadIdx.x; i < (split + 1) * (G * D / SPLITS);
       i += blockDim.x) {
    int g = i / D, c = i % D;
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
    y[(i64)row.x * ys + (kvHead * G + g) * D + c] = toBf16(sum / weight);
  }
  clusterBarrier();
}
