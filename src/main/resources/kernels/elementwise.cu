// Operations on whole arrays [rows, columns] with row strides. V values a thread: 8 where columns,
// strides and addresses allow it (the host decides), else 1.

#define EACH(V)                                                                          \
  i64 perRow = columns / V, all = perRow * rows;                                         \
  for (i64 at = (i64)blockIdx.x * blockDim.x + threadIdx.x, step = (i64)gridDim.x * blockDim.x; \
       at < all; at += step)
// Division of 32 bits where that is enough: it is much cheaper.
#define PLACE(V)                                                                    \
  i64 row = all >> 32 == 0 ? (i64)((u32)at / (u32)perRow) : at / perRow;            \
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

// And, where out is not null, the forward result once more.
template <int V>
__device__ void gegluGradientOf(const bf16 *dOut, int ds, const bf16 *gateUp, int gs, bf16 *dGateUp,
                                int dgs, bf16 *out, int os, int rows, int columns) {
  EACH(V) {
    PLACE(V)
    float d[V], g[V], u[V], o[V], slope;
    load(dOut + row * ds + column, d);
    load(gateUp + row * gs + column, g);
    load(gateUp + row * gs + columns + column, u);
#pragma unroll
    for (int i = 0; i < V; i++) {
      float value = gelu(g[i], &slope);
      o[i] = value * u[i];
      g[i] = d[i] * u[i] * slope;
      u[i] = d[i] * value;
    }
    store(dGateUp + row * dgs + column, g);
    store(dGateUp + row * dgs + columns + column, u);
    if (out) store(out + row * os + column, o);
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
                                                int gs, bf16 *dGateUp, int dgs, bf16 *out,       \
                                                int os, int rows, int columns) {                 \
    gegluGradientOf<V>(dOut, ds, gateUp, gs, dGateUp, dgs, out, os, rows, columns);              \
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

// Weight values of NF4 codes, in shared memory.
__device__ __forceinline__ void codeTable(float (&code)[16]) {
  if (threadIdx.x < 16) {
    const float values[16] = {
        -1.f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f,
        -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0.f,
        0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,
        0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.f};
    code[threadIdx.x] = values[threadIdx.x];
  }
  __syncthreads();
}

// NF4 to bf16, 16 weights: 8 bytes of codes, high nibble first; blocks of 64 weights share an fp32
// scale. Rows of the result are `stride` apart.
__device__ __forceinline__ void dequantise(const u64 *codes, const float *scales, bf16 *out,
                                           int stride, int sixteensPerRow, i64 at,
                                           const float (&code)[16]) {
  u64 c = codes[at];
  float scale = scales[at >> 2];
  u32 packed[8];
#pragma unroll
  for (int i = 0; i < 8; i++) {
    u32 pair = (u32)(c >> (8 * i)) & 255u;
    packed[i] = pack(code[pair >> 4] * scale, code[pair & 15] * scale);
  }
  u32 row = (u32)at / (u32)sixteensPerRow;
  uint4 *o = reinterpret_cast<uint4 *>(out + (i64)row * stride + (at - (i64)row * sixteensPerRow) * 16);
  o[0] = make_uint4(packed[0], packed[1], packed[2], packed[3]);
  o[1] = make_uint4(packed[4], packed[5], packed[6], packed[7]);
}

extern "C" __global__ void nf4_dequantise(const u64 *codes, const float *scales, bf16 *out,
                                          int stride, int sixteensPerRow, i64 sixteens) {
  __shared__ float code[16];
  codeTable(code);
  for (i64 at = (i64)blockIdx.x * blockDim.x + threadIdx.x; at < sixteens;
       at += (i64)gridDim.x * blockDim.x)
    dequantise(codes, scales, out, stride, sixteensPerRow, at, code);
}

// [W ; A]: the matrix, and 16 times `extra` values of A behind its last row.
extern "C" __global__ void nf4_extend(const u64 *codes, const float *scales, bf16 *out, int stride,
                                      int sixteensPerRow, i64 sixteens, const bf16 *a, i64 extra) {
  __shared__ float code[16];
  codeTable(code);
  for (i64 at = (i64)blockIdx.x * blockDim.x + threadIdx.x; at < sixteens + extra;
       at += (i64)gridDim.x * blockDim.x) {
    if (at < sixteens) {
      dequantise(codes, scales, out, stride, sixteensPerRow, at, code);
    } else {
      const uint4 *from = reinterpret_cast<const uint4 *>(a) + (at - sixteens) * 2;
      uint4 *to = reinterpret_cast<uint4 *>(out) + at * 2;
      to[0] = from[0];
      to[1] = from[1];
    }
  }
}

// [W | scale * B]: behind each row the ranks of its part, zero for other parts' ranks. Parts follow
// one another by rows up to toRow.
extern "C" __global__ void nf4_widen(const u64 *codes, const float *scales, bf16 *out, int stride,
                                     int sixteensPerRow, i64 sixteens, int ranks, float scale,
                                     const bf16 *b0, int toRow0, int fromRank0, int rank0,
                                     const bf16 *b1, int toRow1, int fromRank1, int rank1,
                                     const bf16 *b2, int toRow2, int fromRank2, int rank2) {
  __shared__ float code[16];
  codeTable(code);
  int eights = ranks / 8;
  i64 all = sixteens + (i64)max(toRow0, max(toRow1, toRow2)) * eights;
  for (i64 at = (i64)blockIdx.x * blockDim.x + threadIdx.x; at < all;
       at += (i64)gridDim.x * blockDim.x) {
    if (at < sixteens) {
      dequantise(codes, scales, out, stride, sixteensPerRow, at, code);
      continue;
    }
    i64 row = (u32)(at - sixteens) / (u32)eights;
    int column = (int)(at - sixteens - row * eights) * 8;
    bool first = row < toRow0, second = !first && row < toRow1;
    const bf16 *b = first ? b0 : second ? b1 : b2;
    int fromRank = first ? fromRank0 : second ? fromRank1 : fromRank2;
    int rank = first ? rank0 : second ? rank1 : rank2;
    i64 within = row - (first ? 0 : second ? toRow0 : toRow1);
    float f[8] = {0.f, 0.f, 0.f, 0.f, 0.f, 0.f, 0.f, 0.f};
    if (column >= fromRank && column < fromRank + rank) {
      load(b + within * rank + column - fromRank, f);
#pragma unroll
      for (int i = 0; i < 8; i++) f[i] *= scale;
    }
    store(out + row * stride + sixteensPerRow * 16 + column, f);
  }
}

// to[row, c] = scale * b[row, c - fromRank] for the columns of its `rank` ranks, else 0, for `rows`
// rows of `ranks` columns: the low-rank part of a widened matrix. 8 columns a thread.
extern "C" __global__ void low_rank_columns(const bf16 *b, int rank, int fromRank, float scale,
                                            bf16 *to, int stride, int rows, int ranks) {
  int columns = ranks;
  EACH(8) {
    PLACE(8)
    float f[8] = {0.f, 0.f, 0.f, 0.f, 0.f, 0.f, 0.f, 0.f};
    if (column >= fromRank && column < fromRank + rank) {
      load(b + row * rank + column - fromRank, f);
#pragma unroll
      for (int i = 0; i < 8; i++) f[i] *= scale;
    }
    store(to + row * stride + column, f);
  }
}

struct Copy {
  const float *from;
  bf16 *to;
  i64 size;
};

// fp32 to bf16 of many arrays; blocks x count the arrays.
extern "C" __global__ void to_bf16_all(const Copy *copies) {
  Copy c = copies[blockIdx.x];
  for (i64 i = blockIdx.y * blockDim.x + threadIdx.x; i < c.size; i += gridDim.y * blockDim.x)
    c.to[i] = toBf16(c.from[i]);
}

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
