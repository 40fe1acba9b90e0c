// Loss, gradient norm and optimiser.

// Softmax cross-entropy of one row a block; logits become weight * (softmax - onehot).
template <int V>
__device__ void crossEntropyOf(bf16 *logits, int ls, const int *targets, const float *weights,
                               float *losses, int vocabulary) {
  __shared__ float maxima[32], sums[32];
  int row = blockIdx.x, lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  int warps = blockDim.x >> 5;
  logits += (i64)row * ls;
  int target = targets[row];
  float m = -INF, s = 0.f;
  for (int c = threadIdx.x * V; c < vocabulary; c += blockDim.x * V) {
    float f[V];
    load(logits + c, f);
    float top = f[0];
#pragma unroll
    for (int i = 1; i < V; i++) top = fmaxf(top, f[i]);
    if (top > m) {
      s *= __expf(m - top);
      m = top;
    }
#pragma unroll
    for (int i = 0; i < V; i++) s += __expf(f[i] - m);
  }
#pragma unroll
  for (int o = 16; o > 0; o >>= 1) {
    float m2 = __shfl_xor_sync(~0u, m, o), s2 = __shfl_xor_sync(~0u, s, o);
    float top = fmaxf(m, m2);
    if (top > -INF) s = s * __expf(m - top) + s2 * __expf(m2 - top);
    m = top;
  }
  if (lane == 0) maxima[warp] = m, sums[warp] = s;
  __syncthreads();
  m = maxima[0];
  for (int i = 1; i < warps; i++) m = fmaxf(m, maxima[i]);
  s = 0.f;
  for (int i = 0; i < warps; i++) s += sums[i] * __expf(maxima[i] - m);
  float weight = weights[row];
  if (threadIdx.x == 0) losses[row] = m + logf(s) - toFloat(logits[target]);
  __syncthreads();
  float scale = weight / s;
  for (int c = threadIdx.x * V; c < vocabulary; c += blockDim.x * V) {
    float f[V];
    load(logits + c, f);
#pragma unroll
    for (int i = 0; i < V; i++) {
      f[i] = scale * __expf(f[i] - m);
      if (c + i == target) f[i] -= weight;
    }
    store(logits + c, f);
  }
}

#if __CUDA_ARCH__ >= 900
#define CLUSTER 4
#define HOLDS 9

// The same for long rows with a cluster of four blocks a row, which hold the row in registers: it
// is read once. Columns of a thread: 8 at a time, HOLDS times.
extern "C" __global__ __launch_bounds__(1024) __cluster_dims__(CLUSTER, 1, 1)
void cross_entropy_cluster(bf16 *logits, int ls, const int *targets, const float *weights,
                           float *losses, int vocabulary) {
  __shared__ float maxima[32], sums[32];
  __shared__ float2 mine;
  int row = blockIdx.x / CLUSTER, part = blockIdx.x % CLUSTER;
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  bf16 *z = logits + (i64)row * ls;
  int target = targets[row];
  uint4 held[HOLDS];
  float m = -INF, s = 0.f;
#pragma unroll
  for (int i = 0; i < HOLDS; i++) {
    int c = ((i * CLUSTER + part) * 1024 + (int)threadIdx.x) * 8;
    if (c < vocabulary) held[i] = *reinterpret_cast<const uint4 *>(z + c);
  }
#pragma unroll
  for (int i = 0; i < HOLDS; i++) {
    int c = ((i * CLUSTER + part) * 1024 + (int)threadIdx.x) * 8;
    if (c >= vocabulary) continue;
    float f[8] = {lowHalf(held[i].x), highHalf(held[i].x), lowHalf(held[i].y), highHalf(held[i].y),
                  lowHalf(held[i].z), highHalf(held[i].z), lowHalf(held[i].w), highHalf(held[i].w)};
    float top = f[0];
#pragma unroll
    for (int e = 1; e < 8; e++) top = fmaxf(top, f[e]);
    if (top > m) {
      s *= __expf(m - top);
      m = top;
    }
#pragma unroll
    for (int e = 0; e < 8; e++) s += __expf(f[e] - m);
  }
#pragma unroll
  for (int o = 16; o > 0; o >>= 1) {
    float m2 = __shfl_xor_sync(~0u, m, o), s2 = __shfl_xor_sync(~0u, s, o);
    float top = fmaxf(m, m2);
    if (top > -INF) s = s * __expf(m - top) + s2 * __expf(m2 - top);
    m = top;
  }
  if (lane == 0) maxima[warp] = m, sums[warp] = s;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int i = 1; i < 32; i++) {
      float top = fmaxf(m, maxima[i]);
      if (top > -INF) s = s * __expf(m - top) + sums[i] * __expf(maxima[i] - top);
      m = top;
    }
    mine = make_float2(m, s);
  }
  clusterBarrier();
  float2 others[CLUSTER];
#pragma unroll
  for (int i = 0; i < CLUSTER; i++) {
    asm volatile("ld.shared::cluster.v2.f32 {%0, %1}, [%2];"
                 : "=f"(others[i].x), "=f"(others[i].y)
                 : "r"(inBlock(sharedAddress(&mine), i))
                 : "memory");
  }
  m = others[0].x;
#pragma unroll
  for (int i = 1; i < CLUSTER; i++) m = fmaxf(m, others[i].x);
  s = 0.f;
#pragma unroll
  for (int i = 0; i < CLUSTER; i++)
    if (others[i].x > -INF) s += others[i].y * __expf(others[i].x - m);
  float weight = weights[row], targetLogit = toFloat(z[target]);
  // Nobody writes before all have read the target's logit and the others' sums.
  clusterBarrier();
  if (part == 0 && threadIdx.x == 0) losses[row] = m + logf(s) - targetLogit;
  float scale = weight / s;
#pragma unroll
  for (int i = 0; i < HOLDS; i++) {
    int c = ((i * CLUSTER + part) * 1024 + (int)threadIdx.x) * 8;
    if (c >= vocabulary) continue;
    float f[8] = {lowHalf(held[i].x), highHalf(held[i].x), lowHalf(held[i].y), highHalf(held[i].y),
                  lowHalf(held[i].z), highHalf(held[i].z), lowHalf(held[i].w), highHalf(held[i].w)};
#pragma unroll
    for (int e = 0; e < 8; e++) {
      f[e] = scale * __expf(f[e] - m);
      if (c + e == target) f[e] -= weight;
    }
    store(z + c, f);
  }
}
#endif

extern "C" __global__ __launch_bounds__(512) void cross_entropy_8(
    bf16 *logits, int ls, const int *targets, const float *weights, float *losses, int vocabulary) {
  crossEntropyOf<8>(logits, ls, targets, weights, losses, vocabulary);
}

extern "C" __global__ __launch_bounds__(512) void cross_entropy_1(
    bf16 *logits, int ls, const int *targets, const float *weights, float *losses, int vocabulary) {
  crossEntropyOf<1>(logits, ls, targets, weights, losses, vocabulary);
}

__device__ double blockSum(double v) {
  __shared__ double sums[32];
  v = warpSum(v);
  if ((threadIdx.x & 31) == 0) sums[threadIdx.x >> 5] = v;
  __syncthreads();
  double all = 0;
  for (int i = 0; i < (int)(blockDim.x >> 5); i++) all += sums[i];
  return all;
}

// Stage one: a partial sum of squares a block, in double; its grid is fixed.
extern "C" __global__ void sum_of_squares(const float *x, i64 n, double *partial) {
  double sum = 0;
  for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (i64)gridDim.x * blockDim.x)
    sum += (double)x[i] * x[i];
  sum = blockSum(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

extern "C" __global__ void sum_doubles(const double *partial, int n, double *out) {
  double sum = 0;
  for (int i = threadIdx.x; i < n; i += blockDim.x) sum += partial[i];
  sum = blockSum(sum);
  if (threadIdx.x == 0) *out = sum;
}

extern "C" __global__ void adamw(float *p, const float *g, float *m, float *v, i64 n, float rate,
                                 float beta1, float beta2, float epsilon, float decay,
                                 float correction1, float correction2, float gradientScale) {
  for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < n;
       i += (i64)gridDim.x * blockDim.x) {
    float d = g[i] * gradientScale;
    float first = beta1 * m[i] + (1.f - beta1) * d;
    float second = beta2 * v[i] + (1.f - beta2) * d * d;
    m[i] = first;
    v[i] = second;
    float step = (first / correction1) / (sqrtf(second / correction2) + epsilon);
    p[i] -= rate * (step + decay * p[i]);
  }
}
