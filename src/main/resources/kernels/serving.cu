// Products with few rows of x: every weight is read once and bandwidth is the limit. A sum is one
// chain a lane over ascending columns, then lanes and slices of columns in a fixed order, whatever
// the number of rows: a row's result does not depend on the others.
//
// SLICES warps share the columns of ROWS outputs. ROWS and SLICES follow from the matrix alone.

struct Nf4Rows {
  const u32 *codes;
  const float *scales;

  // Eight weights of one row, from column c on, without their scale; 32 copies of the code table,
  // one a lane, so that look-ups do not meet in a bank.
  __device__ __forceinline__ float weights(i64 at, const float (*table)[32], float (&w)[8]) const {
    u32 word = codes[at >> 3];
    int lane = threadIdx.x & 31;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      u32 pair = word >> (8 * i);
      w[2 * i] = table[pair >> 4 & 15][lane];
      w[2 * i + 1] = table[pair & 15][lane];
    }
    return scales[at >> 6];
  }
};

struct Bf16Rows {
  const bf16 *values;

  __device__ __forceinline__ float weights(i64 at, const float (*)[32], float (&w)[8]) const {
    load(values + at, w);
    return 1.f;
  }
};

__device__ const float NF4[16] = {
    -1.f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f,
    -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0.f,
    0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,
    0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.f};

// y[t, n] = alpha * x[t] . w[n] + beta * y[t, n] for at most T rows. GEGLU: the matrix is gate and up
// behind one another, `outs` rows each, and y = gelu(gate) * up; half of ROWS are of gate.
template <int T, int ROWS, int SLICES, bool GEGLU, typename W>
__device__ __forceinline__ void fewRows(const W &w, const bf16 *x, int xs, bf16 *y, int ys,
                                        int rows, int outs, int ins, float alpha, float beta) {
  constexpr int GROUPS = 8 / SLICES;
  __shared__ float table[16][32];
  __shared__ float parts[8][ROWS * T];
  int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
  for (int i = threadIdx.x; i < 512; i += 256) table[i >> 5][i & 31] = NF4[i >> 5];
  __syncthreads();
  constexpr int OUTS = GEGLU ? ROWS / 2 : ROWS;
  int slice = warp % SLICES, first = (blockIdx.x * GROUPS + warp / SLICES) * OUTS;
  float sum[ROWS][T];
#pragma unroll
  for (int r = 0; r < ROWS; r++)
#pragma unroll
    for (int t = 0; t < T; t++) sum[r][t] = 0.f;
  // Slices take whole strides of 256 columns.
  int strides = (ins + 255) / 256, from = strides * slice / SLICES, to = strides * (slice + 1) / SLICES;
  // No branches around the loads, so that those of several strides are under way at once.
  constexpr int AHEAD = T <= 2 ? 5 : T <= 4 ? 2 : 1;
#pragma unroll AHEAD
  for (int s = from; s < to; s++) {
    int c = s * 256 + lane * 8;
    bool in = c < ins;
    if (!in) c = 0;
    float scale[ROWS], v[ROWS][8];
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
      i64 n = min(first + r % OUTS, outs - 1) + (GEGLU && r >= OUTS ? outs : 0);
      float one = w.weights(n * ins + c, table, v[r]);
      scale[r] = in ? one : 0.f;
    }
#pragma unroll
    for (int t = 0; t < T; t++) {
      float f[8];
      load(x + (i64)min(t, rows - 1) * xs + c, f);
#pragma unroll
      for (int r = 0; r < ROWS; r++) {
        float dot = f[0] * v[r][0];
#pragma unroll
        for (int i = 1; i < 8; i++) dot = fmaf(f[i], v[r][i], dot);
        sum[r][t] = fmaf(scale[r], dot, sum[r][t]);
      }
    }
  }
#pragma unroll
  for (int r = 0; r < ROWS; r++)
#pragma unroll
    for (int t = 0; t < T; t++) {
      float all = warpSum(sum[r][t]);
      if (lane == 0) parts[warp][r * T + t] = all;
    }
  __syncthreads();
  for (int i = threadIdx.x; i < GROUPS * OUTS * T; i += 256) {
    int group = i / (OUTS * T), r = i % (OUTS * T) / T, t = i % T;
    int n = (blockIdx.x * GROUPS + group) * OUTS + r;
    if (n < outs && t < rows) {
      float all = 0.f, up = 0.f, slope;
#pragma unroll
      for (int s = 0; s < SLICES; s++) {
        all += parts[group * SLICES + s][r * T + t];
        if (GEGLU) up += parts[group * SLICES + s][(r + OUTS) * T + t];
      }
      bf16 *to = y + (i64)t * ys + n;
      if (GEGLU) {
        // Of gate and up as they would be stored.
        *to = toBf16(gelu(toFloat(toBf16(all)), &slope) * toFloat(toBf16(up)));
        continue;
      }
      *to = toBf16(beta != 0.f ? alpha * all + beta * toFloat(*to) : alpha * all);
    }
  }
}

#define FEW(T, ROWS, SLICES)                                                                    \
  extern "C" __global__ __launch_bounds__(256) void nf4_##T##_##ROWS##_##SLICES(                \
      const u32 *codes, const float *scales, const bf16 *x, int xs, bf16 *y, int ys, int rows,  \
      int outs, int ins, float alpha, float beta) {                                             \
    fewRows<T, ROWS, SLICES, false>(Nf4Rows{codes, scales}, x, xs, y, ys, rows, outs, ins, alpha,     \
                             beta);                                                             \
  }                                                                                             \
  extern "C" __global__ __launch_bounds__(256) void bf16_##T##_##ROWS##_##SLICES(               \
      const bf16 *values, const float *, const bf16 *x, int xs, bf16 *y, int ys, int rows,      \
      int outs, int ins, float alpha, float beta) {                                             \
    fewRows<T, ROWS, SLICES, false>(Bf16Rows{values}, x, xs, y, ys, rows, outs, ins, alpha, beta);     \
  }
#define FEW_SLICED(T) FEW(T, 4, 1) FEW(T, 1, 1) FEW(T, 1, 2) FEW(T, 1, 4) FEW(T, 1, 8)
#define FEW_GEGLU(T)                                                                            \
  extern "C" __global__ __launch_bounds__(256) void nf4_geglu_##T(                              \
      const u32 *codes, const float *scales, const bf16 *x, int xs, bf16 *y, int ys, int rows,  \
      int outs, int ins) {                                                                      \
    fewRows<T, 4, 1, true>(Nf4Rows{codes, scales}, x, xs, y, ys, rows, outs, ins, 1.f, 0.f);    \
  }
FEW_GEGLU(1)
FEW_GEGLU(2)
FEW_GEGLU(4)
FEW_GEGLU(8)
FEW_SLICED(1)
FEW_SLICED(2)
FEW_SLICED(4)
FEW_SLICED(8)

// The most likely token of each row of logits, the lowest of equals, and the log of its probability.
template <int V>
__device__ void mostLikely(const bf16 *logits, int ls, int vocabulary, float *picks) {
  __shared__ float tops[32], sums[32];
  __shared__ int places[32];
  const bf16 *row = logits + (i64)blockIdx.x * ls;
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  float m = -INF, s = 0.f;
  int best = 0x7fffffff;
  for (int c = threadIdx.x * V; c < vocabulary; c += blockDim.x * V) {
    float f[V];
    load(row + c, f);
    float top = m;
#pragma unroll
    for (int i = 0; i < V; i++)
      if (f[i] > top) top = f[i], best = c + i;
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
    int b2 = __shfl_xor_sync(~0u, best, o);
    float top = fmaxf(m, m2);
    if (top > -INF) s = s * __expf(m - top) + s2 * __expf(m2 - top);
    if (m2 > m || (m2 == m && b2 < best)) best = b2;
    m = top;
  }
  if (lane == 0) tops[warp] = m, sums[warp] = s, places[warp] = best;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int i = 1; i < (int)(blockDim.x >> 5); i++) {
      float top = fmaxf(m, tops[i]);
      if (top > -INF) s = s * __expf(m - top) + sums[i] * __expf(tops[i] - top);
      if (tops[i] > m || (tops[i] == m && places[i] < best)) best = places[i];
      m = top;
    }
    picks[2 * blockIdx.x] = (float)best;
    picks[2 * blockIdx.x + 1] = -logf(s);
  }
}

extern "C" __global__ __launch_bounds__(1024) void most_likely_8(const bf16 *logits, int ls,
                                                                 int vocabulary, float *picks) {
  mostLikely<8>(logits, ls, vocabulary, picks);
}
extern "C" __global__ __launch_bounds__(1024) void most_likely_1(const bf16 *logits, int ls,
                                                                 int vocabulary, float *picks) {
  mostLikely<1>(logits, ls, vocabulary, picks);
}

// Several adapters in one batch: consecutive rows of each, y += scale * (x A^T) B^T.
struct LowRankGroup {
  const bf16 *a;
  const bf16 *b[3];
  float scale;
  int parts, fromRow, toRow, ranks;
  int fromColumn[3], toColumn[3], fromRank[3], toRank[3];
  int unused;
};

#define GROUP_ROWS 8

// u = x A^T. Blocks: groups, ranks; `slices` warps share the columns of a rank.
extern "C" __global__ __launch_bounds__(256) void low_rank_down(const LowRankGroup *groups,
                                                                const bf16 *x, int xs, bf16 *u,
                                                                int us, int ins, int slices) {
  __shared__ float parts[8][GROUP_ROWS];
  const LowRankGroup &group = groups[blockIdx.x];
  int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, ranksHere = 8 / slices;
  int slice = warp % slices, rank = blockIdx.y * ranksHere + warp / slices;
  int strides = (ins + 255) / 256, from = strides * slice / slices;
  int to = strides * (slice + 1) / slices;
  for (int row = group.fromRow; row < group.toRow; row += GROUP_ROWS) {
    int rows = min(GROUP_ROWS, group.toRow - row);
    float sum[GROUP_ROWS];
#pragma unroll
    for (int t = 0; t < GROUP_ROWS; t++) sum[t] = 0.f;
    if (rank < group.ranks) {
#pragma unroll 2
      for (int s = from; s < to; s++) {
        int c = s * 256 + lane * 8;
        if (c >= ins) continue;
        float a[8];
        load(group.a + (i64)rank * ins + c, a);
#pragma unroll
        for (int t = 0; t < GROUP_ROWS; t++) {
          if (t >= rows) continue;
          float f[8];
          load(x + (i64)(row + t) * xs + c, f);
#pragma unroll
          for (int i = 0; i < 8; i++) sum[t] = fmaf(f[i], a[i], sum[t]);
        }
      }
    }
#pragma unroll
    for (int t = 0; t < GROUP_ROWS; t++) {
      float all = warpSum(sum[t]);
      if (lane == 0) parts[warp][t] = all;
    }
    __syncthreads();
    if (threadIdx.x < ranksHere * GROUP_ROWS) {
      int k = threadIdx.x / GROUP_ROWS, t = threadIdx.x % GROUP_ROWS;
      int r = blockIdx.y * ranksHere + k;
      if (r < group.ranks && t < rows) {
        float all = 0.f;
        for (int s = 0; s < slices; s++) all += parts[k * slices + s][t];
        u[(i64)(row + t) * us + r] = toBf16(all);
      }
    }
    __syncthreads();
  }
}

// y += scale * u B^T. Blocks: groups, outputs by 256; at most 512 ranks.
extern "C" __global__ __launch_bounds__(256) void low_rank_up(const LowRankGroup *groups,
                                                              const bf16 *u, int us, bf16 *y,
                                                              int ys) {
  __shared__ float ranks[GROUP_ROWS][512];
  const LowRankGroup &group = groups[blockIdx.x];
  int n = blockIdx.y * 256 + threadIdx.x, part = -1;
  for (int p = 0; p < group.parts; p++)
    if (n >= group.fromColumn[p] && n < group.toColumn[p]) part = p;
  for (int row = group.fromRow; row < group.toRow; row += GROUP_ROWS) {
    int rows = min(GROUP_ROWS, group.toRow - row);
    for (int i = threadIdx.x; i < rows * group.ranks; i += 256)
      ranks[i / group.ranks][i % group.ranks] =
          toFloat(u[(i64)(row + i / group.ranks) * us + i % group.ranks]);
    __syncthreads();
    if (part >= 0) {
      int first = group.fromRank[part], rank = group.toRank[part] - first;
      const bf16 *b = group.b[part] + (i64)(n - group.fromColumn[part]) * rank;
      float sum[GROUP_ROWS];
#pragma unroll
      for (int t = 0; t < GROUP_ROWS; t++) sum[t] = 0.f;
      int eights = rank % 8 == 0 ? rank : 0;
      for (int r = 0; r < eights; r += 8) {
        float w[8];
        load(b + r, w);
#pragma unroll
        for (int t = 0; t < GROUP_ROWS; t++)
#pragma unroll
          for (int i = 0; i < 8; i++) sum[t] = fmaf(ranks[t][first + r + i], w[i], sum[t]);
      }
      for (int r = eights; r < rank; r++) {
        float w = toFloat(b[r]);
#pragma unroll
        for (int t = 0; t < GROUP_ROWS; t++) sum[t] = fmaf(ranks[t][first + r], w, sum[t]);
      }
#pragma unroll
      for (int t = 0; t < GROUP_ROWS; t++)
        if (t < rows) {
          bf16 *to = y + (i64)(row + t) * ys + n;
          *to = toBf16(fmaf(group.scale, sum[t], toFloat(*to)));
        }
    }
    __syncthreads();
  }
}
