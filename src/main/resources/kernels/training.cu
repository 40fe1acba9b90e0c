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
