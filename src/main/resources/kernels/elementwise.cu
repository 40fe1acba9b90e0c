// Operations on whole arrays [rows, columns] with row strides. V values a thread: 8 where columns,
// strides and addresses allow it (the host decides), else 1.

#define EACH(V)                                                                          \
  i64 perRow = columns / V, all = perRow * rows;                                         \
  for (i64 at = (i64)blockIdx.x * blockDim.x + threadIdx.x, step = (i64)gridDim.x * blockDim.x; \
       at < all; at += step)
#define PLACE(V)           \
  i64 row = at / perRow;   \
  int column = (int)(at - row * perRow) * V;

template <int V, typename A, typename B>
__device__ void copyOf(const A *x, int xs, B *y, int ys, int rows, int columns) {
  EACH(V) {
    PLACE(V)
    float f[V];
    load(x + row * xs + column, f);
    store(y + row * ys + column, f);
  }
}

template <int V, typename A, typename B>
__device__ void addTo(const A *x, int xs, B *y, int ys, int rows, int columns) {
  EACH(V) {
    PLACE(V)
    float f[V], g[V];
    load(x + row * xs + column, f);
    load(y + row * ys + column, g);
#pragma unroll
    for (int i = 0; i < V; i++) g[i] += f[i];
    store(y + row * ys + column, g);
  }
}

template <int V, typename A>
__device__ void fillWith(A *y, int ys, int rows, int columns, float value) {
  EACH(V) {
    PLACE(V)
    float f[V];
#pragma unroll
    for (int i = 0; i < V; i++) f[i] = value;
    store(y + row * ys + column, f);
  }
}

template <int V, typename A>
__device__ void gather(const A *x, int xs, const int *index, A *y, int ys, int rows, int columns) {
  EACH(V) {
    PLACE(V)
    float f[V];
    load(x + (i64)index[row] * xs + column, f);
    store(y + row * ys + column, f);
  }
}

template <int V, typename A>
__device__ void scatter(const A *x, int xs, const int *index, A *y, int ys, int rows, int columns) {
  EACH(V) {
    PLACE(V)
    float f[V];
    load(x + row * xs + column, f);
    store(y + (i64)index[row] * ys + column, f);
  }
}

#define TWO_TYPES(V, A, B, a, b)                                                              \
  extern "C" __global__ void copy_##a##b##V(const A *x, int xs, B *y, int ys, int rows,       \
                                            int columns) {                                    \
    copyOf<V>(x, xs, y, ys, rows, columns);                                                   \
  }                                                                                           \
  extern "C" __global__ void add_##a##b##V(const A *x, int xs, B *y, int ys, int rows,        \
                                           int columns) {                                     \
    addTo<V>(x, xs, y, ys, rows, columns);                                                    \
  }
#define ONE_TYPE(V, A, a)                                                                     \
  extern "C" __global__ void fill_##a##V(A *y, int ys, int rows, int columns, float value) {  \
    fillWith<V>(y, ys, rows, columns, value);                                                 \
  }                                                                                           \
  extern "C" __global__ void gather_##a##V(const A *x, int xs, const int *index, A *y, int ys, \
                                           int rows, int columns) {                           \
    gather<V>(x, xs, index, y, ys, rows, columns);                                            \
  }                                                                                           \
  extern "C" __global__ void scatter_##a##V(const A *x, int xs, const int *index, A *y, int ys, \
                                            int rows, int columns) {                          \
    scatter<V>(x, xs, index, y, ys, rows, columns);                                           \
  }
#define WIDTH(V)                  \
  TWO_TYPES(V, bf16, bf16, b, b)  \
  TWO_TYPES(V, bf16, float, b, f) \
  TWO_TYPES(V, float, bf16, f, b) \
  TWO_TYPES(V, float, float, f, f) \
  ONE_TYPE(V, bf16, b)            \
  ONE_TYPE(V, float, f)
WIDTH(8)
WIDTH(1)

// gelu_tanh(x) and its derivative.
__device__ __forceinline__ float gelu(float x, float *slope) {
  const float a = 0.7978845608028654f, b = 0.044715f;
  float u = a * (x + b * x * x * x);
  float t = 1.f - 2.f / (1.f + __expf(2.f * u));
  *slope = 0.5f * (1.f + t) + 0.5f * x * (1.f - t * t) * a * (1.f + 3.f * b * x * x);
  return 0.5f * x * (1.f + t);
}

// out = gelu(gate) * up; gate is columns [0, F) and up columns [F, 2F) of gateUp.
template <int V>
__device__ void gegluOf(const bf16 *gateUp, int gs, bf16 *out, int os, int rows, int columns) {
  EACH(V) {
    PLACE(V)
    float g[V], u[V], slope;
    load(gateUp + row * gs + column, g);
    load(gateUp + row * gs + columns + column, u);
#pragma unroll
    for (int i = 0; i < V; i++) g[i] = gelu(g[i], &slope) * u[i];
    store(out + row * os + column, g);
  }
}

template <int V>
__device__ void gegluGradientOf(const bf16 *dOut, int ds, const bf16 *gateUp, int gs, bf16 *dGateUp,
                                int dgs, int rows, int columns) {
  EACH(V) {
    PLACE(V)
    float d[V], g[V], u[V], slope;
    load(dOut + row * ds + column, d);
    load(gateUp + row * gs + column, g);
    load(gateUp + row * gs + columns + column, u);
#pragma unroll
    for (int i = 0; i < V; i++) {
      float value = gelu(g[i], &slope);
      g[i] = d[i] * u[i] * slope;
      u[i] = d[i] * value;
    }
    store(dGateUp + row * dgs + column, g);
    store(dGateUp + row * dgs + columns + column, u);
  }
}

// SplitMix64 of (seed, element), as dev.reckoner.tensor.Dropout.
template <int V, typename A>
__device__ void dropoutOf(const A *x, int xs, A *out, int os, int rows, int columns, u64 seed,
                          u64 threshold, float keepScale, float beta) {
  EACH(V) {
    PLACE(V)
    float f[V], o[V];
    load(x + row * xs + column, f);
    if (beta != 0.f) load(out + row * os + column, o);
#pragma unroll
    for (int i = 0; i < V; i++) {
      u64 index = (u64)row * columns + column + i;
      u64 z = seed + (index + 1) * 0x9E3779B97F4A7C15ull;
      z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
      z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
      z ^= z >> 31;
      float kept = (z >> 32) >= threshold ? f[i] * keepScale : 0.f;
      f[i] = beta != 0.f ? kept + beta * o[i] : kept;
    }
    store(out + row * os + column, f);
  }
}

// out[t] = scale * table[ids[t]]
template <int V>
__device__ void embedOf(const bf16 *table, int ts, const int *ids, float scale, bf16 *out, int os,
                        int rows, int columns) {
  EACH(V) {
    PLACE(V)
    float f[V];
    load(table + (i64)ids[row] * ts + column, f);
#pragma unroll
    for (int i = 0; i < V; i++) f[i] *= scale;
    store(out + row * os + column, f);
  }
}

#define MODEL(V)                                                                                 \
  extern "C" __global__ void geglu_##V(const bf16 *gateUp, int gs, bf16 *out, int os, int rows,  \
                                       int columns) {                                            \
    gegluOf<V>(gateUp, gs, out, os, rows, columns);                                              \
  }                                                                                              \
  extern "C" __global__ void geglu_gradient_##V(const bf16 *dOut, int ds, const bf16 *gateUp,    \
                                                int gs, bf16 *dGateUp, int dgs, int rows,        \
                                                int columns) {                                   \
    gegluGradientOf<V>(dOut, ds, gateUp, gs, dGateUp, dgs, rows, columns);                       \
  }                                                                                              \
  extern "C" __global__ void dropout_b##V(const bf16 *x, int xs, bf16 *out, int os, int rows,    \
                                          int columns, u64 seed, u64 threshold, float keepScale, \
                                          float beta) {                                          \
    dropoutOf<V>(x, xs, out, os, rows, columns, seed, threshold, keepScale, beta);               \
  }                                                                                              \
  extern "C" __global__ void dropout_f##V(const float *x, int xs, float *out, int os, int rows,  \
                                          int columns, u64 seed, u64 threshold, float keepScale, \
                                          float beta) {                                          \
    dropoutOf<V>(x, xs, out, os, rows, columns, seed, threshold, keepScale, beta);               \
  }                                                                                              \
  extern "C" __global__ void embed_##V(const bf16 *table, int ts, const int *ids, float scale,   \
                                       bf16 *out, int os, int rows, int columns) {               \
    embedOf<V>(table, ts, ids, scale, out, os, rows, columns);                                   \
  }
MODEL(8)
MODEL(1)

// dTable[unique[u]] += scale * sum of dOut[order[j]], j in [starts[u], starts[u+1]): one block a
// distinct id, so that the order is fixed and no two blocks share a row.
extern "C" __global__ void embed_gradient(const bf16 *dOut, int ds, const int *unique,
                                          const int *starts, const int *order, float scale,
                                          float *dTable, int ts, int columns) {
  int u = blockIdx.x, from = starts[u], to = starts[u + 1];
  float *row = dTable + (i64)unique[u] * ts;
  for (int c = threadIdx.x; c < columns; c += blockDim.x) {
    float sum = 0.f;
#pragma unroll 4
    for (int j = from; j < to; j++) sum += toFloat(dOut[(i64)order[j] * ds + c]);
    row[c] += scale * sum;
  }
}

// NF4 to bf16. A thread takes 16 weights: 8 bytes of codes, high nibble first; blocks of 64 weights
// share an fp32 scale.
extern "C" __global__ void nf4_dequantise(const u64 *codes, const float *scales, bf16 *out,
                                          i64 sixteens) {
  __shared__ float code[16];
  if (threadIdx.x < 16) {
    const float values[16] = {
        -1.f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f,
        -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0.f,
        0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,
        0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.f};
    code[threadIdx.x] = values[threadIdx.x];
  }
  __syncthreads();
  for (i64 at = (i64)blockIdx.x * blockDim.x + threadIdx.x; at < sixteens;
       at += (i64)gridDim.x * blockDim.x) {
    u64 c = codes[at];
    float scale = scales[at >> 2];
    u32 packed[8];
#pragma unroll
    for (int i = 0; i < 8; i++) {
      u32 pair = (u32)(c >> (8 * i)) & 255u;
      packed[i] = pack(code[pair >> 4] * scale, code[pair & 15] * scale);
    }
    uint4 *o = reinterpret_cast<uint4 *>(out + at * 16);
    o[0] = make_uint4(packed[0], packed[1], packed[2], packed[3]);
    o[1] = make_uint4(packed[4], packed[5], packed[6], packed[7]);
  }
}

struct Cache {
  bf16 *k, *v;
  i64 layerStride;
};

// Stores row .x of k and v as token .z of cache .w, for each of `rows`; width = kvHeads * headDim.
extern "C" __global__ void append_keys_values(const bf16 *k, int ks, const bf16 *v, int vs,
                                              const int4 *rows, const Cache *caches, int layer,
                                              int width) {
  int4 row = rows[blockIdx.x];
  Cache c = caches[row.w];
  i64 to = layer * c.layerStride + (i64)row.z * width;
  bf16 *tk = c.k + to, *tv = c.v + to;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    tk[i] = k[(i64)row.x * ks + i];
    tv[i] = v[(i64)row.x * vs + i];
  }
}
