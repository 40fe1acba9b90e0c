// RMSNorm, forward and backward, and q/k norm with rotary positions. One warp a row (or head), fp32
// inside. Weight gradients: each warp sums its rows into shared memory, each block writes one
// partial row, column_sums adds those in a fixed order.

template <int V>
__device__ void normOf(const bf16 *x, int xs, const float *w, float eps, const bf16 *residual,
                       int rs, bf16 *out, int os, float *rstd, int rows, int n) {
  int row = blockIdx.x * (blockDim.x >> 5) + (threadIdx.x >> 5), lane = threadIdx.x & 31;
  if (row >= rows) return;
  x += (i64)row * xs;
  float sum = 0.f;
  for (int c = lane * V; c < n; c += 32 * V) {
    float f[V];
    load(x + c, f);
#pragma unroll
    for (int i = 0; i < V; i++) sum += f[i] * f[i];
  }
  float r = rsqrtf(warpSum(sum) / n + eps);
  if (rstd && lane == 0) rstd[row] = r;
  out += (i64)row * os;
  for (int c = lane * V; c < n; c += 32 * V) {
    float f[V], g[V], a[V];
    load(x + c, f);
    load(w + c, g);
    if (residual) load(residual + (i64)row * rs + c, a);
#pragma unroll
    for (int i = 0; i < V; i++) {
      f[i] = f[i] * r * (1.f + g[i]);
      if (residual) f[i] += a[i];
    }
    store(out + c, f);
  }
}

extern __shared__ float partialSums[];

template <int V>
__device__ void normGradientOf(const bf16 *dOut, int ds, const bf16 *x, int xs, const float *w,
                               const float *rstd, float beta, bf16 *dx, int dxs, int rows, int n,
                               float *partial) {
  int warps = blockDim.x >> 5, warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
  float *mine = partialSums + warp * n;
  if (partial) {
    for (int c = threadIdx.x; c < warps * n; c += blockDim.x) partialSums[c] = 0.f;
    __syncthreads();
  }
  for (int row = blockIdx.x * warps + warp; row < rows; row += gridDim.x * warps) {
    const bf16 *xr = x + (i64)row * xs, *dr = dOut + (i64)row * ds;
    bf16 *out = dx + (i64)row * dxs;
    float r = rstd[row], dot = 0.f;
    for (int c = lane * V; c < n; c += 32 * V) {
      float f[V], d[V], g[V];
      load(xr + c, f);
      load(dr + c, d);
      load(w + c, g);
#pragma unroll
      for (int i = 0; i < V; i++) dot += f[i] * d[i] * (1.f + g[i]);
    }
    float k = warpSum(dot) * r * r * r / n;
    for (int c = lane * V; c < n; c += 32 * V) {
      float f[V], d[V], g[V], o[V];
      load(xr + c, f);
      load(dr + c, d);
      load(w + c, g);
      if (beta != 0.f) load(out + c, o);
#pragma unroll
      for (int i = 0; i < V; i++) {
        if (partial) mine[c + i] += d[i] * f[i] * r;
        float v = d[i] * (1.f + g[i]) * r - f[i] * k;
        f[i] = beta != 0.f ? v + beta * o[i] : v;
      }
      store(out + c, f);
    }
  }
  if (partial) {
    __syncthreads();
    for (int c = threadIdx.x; c < n; c += blockDim.x) {
      float sum = 0.f;
      for (int i = 0; i < warps; i++) sum += partialSums[i * n + c];
      partial[(i64)blockIdx.x * n + c] = sum;
    }
  }
}

#define NORM(V)                                                                                  \
  extern "C" __global__ void norm_##V(const bf16 *x, int xs, const float *w, float eps,          \
                                      const bf16 *residual, int rs, bf16 *out, int os,           \
                                      float *rstd, int rows, int n) {                            \
    normOf<V>(x, xs, w, eps, residual, rs, out, os, rstd, rows, n);                              \
  }                                                                                              \
  extern "C" __global__ void norm_gradient_##V(                                                  \
      const bf16 *dOut, int ds, const bf16 *x, int xs, const float *w, const float *rstd,        \
      float beta, bf16 *dx, int dxs, int rows, int n, float *partial) {                          \
    normGradientOf<V>(dOut, ds, x, xs, w, rstd, beta, dx, dxs, rows, n, partial);                \
  }
NORM(8)
NORM(1)

// out[c] += sum over b of partial[b, c]; 256 threads are 32 columns by 8 slices.
extern "C" __global__ void column_sums(const float *partial, int rows, int stride, int n,
                                       float *out) {
  __shared__ float sums[8][32];
  int lane = threadIdx.x & 31, slice = threadIdx.x >> 5, c = blockIdx.x * 32 + lane;
  float sum = 0.f;
  if (c < n)
    for (int r = slice; r < rows; r += 8) sum += partial[(i64)r * stride + c];
  sums[slice][lane] = sum;
  __syncthreads();
  if (slice == 0 && c < n) {
    for (int i = 1; i < 8; i++) sum += sums[i][lane];
    out[c] += sum;
  }
}

// One warp a head of a token: heads of q, then of k, as they lie in qkv.
extern "C" __global__ void qk_norm_rope(const bf16 *qkv, int stride, const float *qw,
                                        const float *kw, float eps, const int *positions,
                                        const float *rope, bf16 *q, int qs, bf16 *k, int ks,
                                        float *rstd, int rows, int heads, int kvHeads, int dim) {
  int all = heads + kvHeads, half = dim >> 1, lane = threadIdx.x & 31;
  i64 item = (i64)blockIdx.x * (blockDim.x >> 5) + (threadIdx.x >> 5);
  if (item >= (i64)rows * all) return;
  int t = (int)(item / all), h = (int)(item - (i64)t * all);
  const bf16 *x = qkv + (i64)t * stride + (i64)h * dim;
  const float *w = h < heads ? qw : kw;
  bf16 *out = h < heads ? q + (i64)t * qs + h * dim : k + (i64)t * ks + (h - heads) * dim;
  const float *cosine = rope + (i64)positions[t] * dim, *sine = cosine + half;
  float sum = 0.f;
  for (int i = lane; i < half; i += 32) {
    float a = toFloat(x[i]), b = toFloat(x[i + half]);
    sum += a * a + b * b;
  }
  float r = rsqrtf(warpSum(sum) / dim + eps);
  if (rstd && lane == 0) rstd[item] = r;
  for (int i = lane; i < half; i += 32) {
    float a = toFloat(x[i]) * r * (1.f + w[i]);
    float b = toFloat(x[i + half]) * r * (1.f + w[i + half]);
    out[i] = toBf16(a * cosine[i] - b * sine[i]);
    out[i + half] = toBf16(b * cosine[i] + a * sine[i]);
  }
}

// partial: [gridDim.x, 2 * dim], q's weight gradient then k's, or null.
extern "C" __global__ void qk_norm_rope_gradient(
    const bf16 *dq, int dqs, const bf16 *dk, int dks, const bf16 *qkv, int stride, const float *qw,
    const float *kw, const int *positions, const float *rope, const float *rstd, bf16 *dQkv,
    int ds, int rows, int heads, int kvHeads, int dim, float *partial) {
  int all = heads + kvHeads, half = dim >> 1;
  int warps = blockDim.x >> 5, warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
  if (partial) {
    for (int c = threadIdx.x; c < warps * 2 * dim; c += blockDim.x) partialSums[c] = 0.f;
    __syncthreads();
  }
  i64 items = (i64)rows * all;
  for (i64 item = (i64)blockIdx.x * warps + warp; item < items; item += (i64)gridDim.x * warps) {
    int t = (int)(item / all), h = (int)(item - (i64)t * all);
    const bf16 *x = qkv + (i64)t * stride + (i64)h * dim;
    const float *w = h < heads ? qw : kw;
    const bf16 *d = h < heads ? dq + (i64)t * dqs + h * dim : dk + (i64)t * dks + (h - heads) * dim;
    bf16 *out = dQkv + (i64)t * ds + (i64)h * dim;
    float *mine = partialSums + warp * 2 * dim + (h < heads ? 0 : dim);
    const float *cosine = rope + (i64)positions[t] * dim, *sine = cosine + half;
    float r = rstd[item], dot = 0.f;
    for (int i = lane; i < half; i += 32) {
      float da = toFloat(d[i]), db = toFloat(d[i + half]);
      float ga = da * cosine[i] + db * sine[i], gb = db * cosine[i] - da * sine[i];
      dot += ga * (1.f + w[i]) * toFloat(x[i]) + gb * (1.f + w[i + half]) * toFloat(x[i + half]);
    }
    float k = warpSum(dot) * r * r * r / dim;
    for (int i = lane; i < half; i += 32) {
      float da = toFloat(d[i]), db = toFloat(d[i + half]);
      float ga = da * cosine[i] + db * sine[i], gb = db * cosine[i] - da * sine[i];
      float a = toFloat(x[i]), b = toFloat(x[i + half]);
      if (partial) {
        mine[i] += ga * a * r;
        mine[i + half] += gb * b * r;
      }
      out[i] = toBf16(ga * (1.f + w[i]) * r - a * k);
      out[i + half] = toBf16(gb * (1.f + w[i + half]) * r - b * k);
    }
  }
  if (partial) {
    __syncthreads();
    for (int c = threadIdx.x; c < 2 * dim; c += blockDim.x) {
      float sum = 0.f;
      for (int i = 0; i < warps; i++) sum += partialSums[i * 2 * dim + c];
      partial[(i64)blockIdx.x * 2 * dim + c] = sum;
    }
  }
}
