// RMSNorm, forward and backward, and q/k norm with rotary positions. One warp a row (or head), fp32
// inside. Weight gradients: each warp sums its rows into shared memory, each block writes one
// partial row, column_sums adds those in a fixed order. CHUNKS, where it is defined, is how many
// times 32 lanes of 8 values make a row: the row then stays in registers and is read once.

#ifdef CHUNKS
#define EACH_CHUNK(i, c)             \
  _Pragma("unroll") for (int i = 0, c = lane * 8; i < CHUNKS; i++, c += 256) if (c < n)

__device__ __forceinline__ void unpack(uint4 u, float (&f)[8]) {
  f[0] = lowHalf(u.x), f[1] = highHalf(u.x), f[2] = lowHalf(u.y), f[3] = highHalf(u.y);
  f[4] = lowHalf(u.z), f[5] = highHalf(u.z), f[6] = lowHalf(u.w), f[7] = highHalf(u.w);
}

extern "C" __global__ __launch_bounds__(256) void norm_row(
    const bf16 *x, int xs, const float *w, float eps, const bf16 *residual, int rs, bf16 *out,
    int os, float *rstd, int rows, int n) {
  int row = blockIdx.x * (blockDim.x >> 5) + (threadIdx.x >> 5), lane = threadIdx.x & 31;
  if (row >= rows) return;
  x += (i64)row * xs, out += (i64)row * os;
  uint4 in[CHUNKS], old[CHUNKS];
  EACH_CHUNK(i, c) {
    in[i] = *reinterpret_cast<const uint4 *>(x + c);
    if (residual) old[i] = *reinterpret_cast<const uint4 *>(residual + (i64)row * rs + c);
  }
  float sum = 0.f;
  EACH_CHUNK(i, c) {
    float f[8];
    unpack(in[i], f);
#pragma unroll
    for (int e = 0; e < 8; e++) sum += f[e] * f[e];
  }
  float r = rsqrtf(warpSum(sum) / n + eps);
  if (rstd && lane == 0) rstd[row] = r;
  EACH_CHUNK(i, c) {
    float f[8], g[8], a[8];
    unpack(in[i], f);
    load(w + c, g);
    if (residual) unpack(old[i], a);
#pragma unroll
    for (int e = 0; e < 8; e++) {
      f[e] = f[e] * r * (1.f + g[e]);
      if (residual) f[e] += a[e];
    }
    store(out + c, f);
  }
}

// out = residual + norm(x), and of that another norm: h.
extern "C" __global__ __launch_bounds__(256) void norm_twice_row(
    const bf16 *x, int xs, const float *w, float eps, const bf16 *residual, int rs, bf16 *out,
    int os, float *rstd, const float *w2, bf16 *h, int hs, float *rstd2, int rows, int n) {
  int row = blockIdx.x * (blockDim.x >> 5) + (threadIdx.x >> 5), lane = threadIdx.x & 31;
  if (row >= rows) return;
  x += (i64)row * xs, out += (i64)row * os, h += (i64)row * hs;
  uint4 in[CHUNKS], old[CHUNKS];
  EACH_CHUNK(i, c) {
    in[i] = *reinterpret_cast<const uint4 *>(x + c);
    old[i] = *reinterpret_cast<const uint4 *>(residual + (i64)row * rs + c);
  }
  float sum = 0.f;
  EACH_CHUNK(i, c) {
    float f[8];
    unpack(in[i], f);
#pragma unroll
    for (int e = 0; e < 8; e++) sum += f[e] * f[e];
  }
  float r = rsqrtf(warpSum(sum) / n + eps);
  if (rstd && lane == 0) rstd[row] = r;
  sum = 0.f;
  EACH_CHUNK(i, c) {
    float f[8], g[8], a[8];
    unpack(in[i], f);
    load(w + c, g);
    unpack(old[i], a);
#pragma unroll
    for (int e = 0; e < 8; e++) f[e] = f[e] * r * (1.f + g[e]) + a[e];
    in[i] = make_uint4(pack(f[0], f[1]), pack(f[2], f[3]), pack(f[4], f[5]), pack(f[6], f[7]));
    *reinterpret_cast<uint4 *>(out + c) = in[i];
    // The second norm is of the values as they are stored.
    unpack(in[i], f);
#pragma unroll
    for (int e = 0; e < 8; e++) sum += f[e] * f[e];
  }
  r = rsqrtf(warpSum(sum) / n + eps);
  if (rstd2 && lane == 0) rstd2[row] = r;
  EACH_CHUNK(i, c) {
    float f[8], g[8];
    unpack(in[i], f);
    load(w2 + c, g);
#pragma unroll
    for (int e = 0; e < 8; e++) f[e] = f[e] * r * (1.f + g[e]);
    store(h + c, f);
  }
}

extern "C" __global__ __launch_bounds__(256) void norm_gradient_row(
    const bf16 *dOut, int ds, const bf16 *x, int xs, const float *w, const float *rstd, float beta,
    bf16 *dx, int dxs, int rows, int n) {
  int row = blockIdx.x * (blockDim.x >> 5) + (threadIdx.x >> 5), lane = threadIdx.x & 31;
  if (row >= rows) return;
  x += (i64)row * xs, dOut += (i64)row * ds, dx += (i64)row * dxs;
  uint4 in[CHUNKS], gradient[CHUNKS], old[CHUNKS];
  EACH_CHUNK(i, c) {
    in[i] = *reinterpret_cast<const uint4 *>(x + c);
    gradient[i] = *reinterpret_cast<const uint4 *>(dOut + c);
    if (beta != 0.f) old[i] = *reinterpret_cast<const uint4 *>(dx + c);
  }
  float r = rstd[row], dot = 0.f;
  EACH_CHUNK(i, c) {
    float f[8], d[8], g[8];
    unpack(in[i], f);
    unpack(gradient[i], d);
    load(w + c, g);
#pragma unroll
    for (int e = 0; e < 8; e++) dot += f[e] * d[e] * (1.f + g[e]);
  }
  float k = warpSum(dot) * r * r * r / n;
  EACH_CHUNK(i, c) {
    float f[8], d[8], g[8], o[8];
    unpack(in[i], f);
    unpack(gradient[i], d);
    load(w + c, g);
    if (beta != 0.f) unpack(old[i], o);
#pragma unroll
    for (int e = 0; e < 8; e++) {
      float v = d[e] * (1.f + g[e]) * r - f[e] * k;
      f[e] = beta != 0.f ? v + beta * o[e] : v;
    }
    store(dx + c, f);
  }
}
// dx += gradient of the first norm, then out = gradient of the second norm at that dx.
extern "C" __global__ __launch_bounds__(256) void norm_gradient_twice_row(
    const bf16 *dOut, int ds, const bf16 *x, int xs, const float *w, const float *rstd, bf16 *dx,
    int dxs, const bf16 *x2, int x2s, const float *w2, const float *rstd2, bf16 *out, int os,
    int rows, int n) {
  int row = blockIdx.x * (blockDim.x >> 5) + (threadIdx.x >> 5), lane = threadIdx.x & 31;
  if (row >= rows) return;
  x += (i64)row * xs, dOut += (i64)row * ds, dx += (i64)row * dxs;
  x2 += (i64)row * x2s, out += (i64)row * os;
  uint4 in[CHUNKS], gradient[CHUNKS], old[CHUNKS];
  EACH_CHUNK(i, c) {
    in[i] = *reinterpret_cast<const uint4 *>(x + c);
    gradient[i] = *reinterpret_cast<const uint4 *>(dOut + c);
    old[i] = *reinterpret_cast<const uint4 *>(dx + c);
  }
  float r = rstd[row], r2 = rstd2[row], dot = 0.f;
  EACH_CHUNK(i, c) {
    float f[8], d[8], g[8];
    unpack(in[i], f);
    unpack(gradient[i], d);
    load(w + c, g);
#pragma unroll
    for (int e = 0; e < 8; e++) dot += f[e] * d[e] * (1.f + g[e]);
  }
  float k = warpSum(dot) * r * r * r / n;
  dot = 0.f;
  EACH_CHUNK(i, c) {
    float f[8], d[8], g[8], o[8];
    unpack(in[i], f);
    unpack(gradient[i], d);
    unpack(old[i], o);
    load(w + c, g);
#pragma unroll
    for (int e = 0; e < 8; e++) o[e] += d[e] * (1.f + g[e]) * r - f[e] * k;
    old[i] = make_uint4(pack(o[0], o[1]), pack(o[2], o[3]), pack(o[4], o[5]), pack(o[6], o[7]));
    *reinterpret_cast<uint4 *>(dx + c) = old[i];
    in[i] = *reinterpret_cast<const uint4 *>(x2 + c);
    unpack(old[i], d);
    unpack(in[i], f);
    load(w2 + c, g);
#pragma unroll
    for (int e = 0; e < 8; e++) dot += f[e] * d[e] * (1.f + g[e]);
  }
  k = warpSum(dot) * r2 * r2 * r2 / n;
  EACH_CHUNK(i, c) {
    float f[8], d[8], g[8];
    unpack(in[i], f);
    unpack(old[i], d);
    load(w2 + c, g);
#pragma unroll
    for (int e = 0; e < 8; e++) f[e] = d[e] * (1.f + g[e]) * r2 - f[e] * k;
    store(out + c, f);
  }
}
#else

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

// One warp a head of a token: heads of q, then of k, as they lie in qkv. A lane takes W neighbours
// of each half.
template <int W>
__device__ void qkNormRopeOf(const bf16 *qkv, int stride, const float *qw, const float *kw,
                             float eps, const int *positions, const float *rope, bf16 *q, int qs,
                             bf16 *k, int ks, float *rstd, int rows, int heads, int kvHeads,
                             int dim) {
  int all = heads + kvHeads, half = dim >> 1, lane = threadIdx.x & 31;
  i64 item = (i64)blockIdx.x * (blockDim.x >> 5) + (threadIdx.x >> 5);
  if (item >= (i64)rows * all) return;
  int t = (int)(item / all), h = (int)(item - (i64)t * all);
  const bf16 *x = qkv + (i64)t * stride + (i64)h * dim;
  const float *w = h < heads ? qw : kw;
  bf16 *out = h < heads ? q + (i64)t * qs + h * dim : k + (i64)t * ks + (h - heads) * dim;
  const float *cosine = rope + (i64)positions[t] * dim, *sine = cosine + half;
  float sum = 0.f;
  for (int i = lane * W; i < half; i += 32 * W) {
    float a[W], b[W];
    load(x + i, a);
    load(x + i + half, b);
#pragma unroll
    for (int j = 0; j < W; j++) sum += a[j] * a[j] + b[j] * b[j];
  }
  float r = rsqrtf(warpSum(sum) / dim + eps);
  if (rstd && lane == 0) rstd[item] = r;
  for (int i = lane * W; i < half; i += 32 * W) {
    float a[W], b[W], wa[W], wb[W], co[W], si[W];
    load(x + i, a);
    load(x + i + half, b);
    load(w + i, wa);
    load(w + i + half, wb);
    load(cosine + i, co);
    load(sine + i, si);
#pragma unroll
    for (int j = 0; j < W; j++) {
      float na = a[j] * r * (1.f + wa[j]), nb = b[j] * r * (1.f + wb[j]);
      a[j] = na * co[j] - nb * si[j];
      b[j] = nb * co[j] + na * si[j];
    }
    store(out + i, a);
    store(out + i + half, b);
  }
}

// partial: [gridDim.x, 2 * dim], q's weight gradient then k's, or null.
template <int W>
__device__ void qkNormRopeGradientOf(const bf16 *dq, int dqs, const bf16 *dk, int dks,
                                     const bf16 *qkv, int stride, const float *qw, const float *kw,
                                     const int *positions, const float *rope, const float *rstd,
                                     bf16 *dQkv, int ds, int rows, int heads, int kvHeads, int dim,
                                     float *partial) {
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
    for (int i = lane * W; i < half; i += 32 * W) {
      float a[W], b[W], da[W], db[W], wa[W], wb[W], co[W], si[W];
      load(x + i, a);
      load(x + i + half, b);
      load(d + i, da);
      load(d + i + half, db);
      load(w + i, wa);
      load(w + i + half, wb);
      load(cosine + i, co);
      load(sine + i, si);
#pragma unroll
      for (int j = 0; j < W; j++) {
        float ga = da[j] * co[j] + db[j] * si[j], gb = db[j] * co[j] - da[j] * si[j];
        dot += ga * (1.f + wa[j]) * a[j] + gb * (1.f + wb[j]) * b[j];
      }
    }
    float k = warpSum(dot) * r * r * r / dim;
    for (int i = lane * W; i < half; i += 32 * W) {
      float a[W], b[W], da[W], db[W], wa[W], wb[W], co[W], si[W];
      load(x + i, a);
      load(x + i + half, b);
      load(d + i, da);
      load(d + i + half, db);
      load(w + i, wa);
      load(w + i + half, wb);
      load(cosine + i, co);
      load(sine + i, si);
#pragma unroll
      for (int j = 0; j < W; j++) {
        float ga = da[j] * co[j] + db[j] * si[j], gb = db[j] * co[j] - da[j] * si[j];
        if (partial) {
          mine[i + j] += ga * a[j] * r;
          mine[i + j + half] += gb * b[j] * r;
        }
        a[j] = ga * (1.f + wa[j]) * r - a[j] * k;
        b[j] = gb * (1.f + wb[j]) * r - b[j] * k;
      }
      store(out + i, a);
      store(out + i + half, b);
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

#define QK_NORM_ROPE(W)                                                                         \
  extern "C" __global__ void qk_norm_rope_##W(                                                  \
      const bf16 *qkv, int stride, const float *qw, const float *kw, float eps,                 \
      const int *positions, const float *rope, bf16 *q, int qs, bf16 *k, int ks, float *rstd,   \
      int rows, int heads, int kvHeads, int dim) {                                              \
    qkNormRopeOf<W>(qkv, stride, qw, kw, eps, positions, rope, q, qs, k, ks, rstd, rows, heads, \
                    kvHeads, dim);                                                              \
  }                                                                                             \
  extern "C" __global__ void qk_norm_rope_gradient_##W(                                         \
      const bf16 *dq, int dqs, const bf16 *dk, int dks, const bf16 *qkv, int stride,            \
      const float *qw, const float *kw, const int *positions, const float *rope,                \
      const float *rstd, bf16 *dQkv, int ds, int rows, int heads, int kvHeads, int dim,         \
      float *partial) {                                                                         \
    qkNormRopeGradientOf<W>(dq, dqs, dk, dks, qkv, stride, qw, kw, positions, rope, rstd, dQkv, \
                            ds, rows, heads, kvHeads, dim, partial);                            \
  }
QK_NORM_ROPE(4)
QK_NORM_ROPE(2)
QK_NORM_ROPE(1)
#endif
