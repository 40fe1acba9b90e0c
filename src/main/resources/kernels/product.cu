// y = x W^T for at most 64 rows of x, each weight read once where it lies, products on tensor cores
// (mma.m16n8k16, bf16 in, fp32 out). Compiled for ROWS (8, 16, 32, 64), TILES of 8 outputs a warp,
// SLICES of the columns in a block, GEGLU and NF4.
//
// A piece is 64 columns, a block of NF4 scales. In it lane 4g + q holds columns 16q to 16q + 15 of
// row g of both operands; the order of a sum's terms is free as long as both agree. NF4 codes are
// looked up two at a time, in 32 copies of a table, one a lane, so that look-ups do not meet in a
// bank; their scale multiplies the piece's sum. The columns are divided into gridDim.y * SLICES
// parts, which follow from the matrix alone, and added up in order: a row's result does not depend
// on the number of rows.

#define MT (ROWS > 16 ? ROWS / 16 : 1)
#define UNITS (8 / SLICES)
#define OUTS (GEGLU ? TILES * 4 : TILES * 8)
#define TABLE (NF4 ? 256 * 32 : 0)

__device__ __forceinline__ void mma(float (&c)[4], u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

#if NF4
#define DEPTH (TILES == 1 ? 4 : TILES == 2 ? 3 : 2)

__device__ __forceinline__ float nf4(int code) {
  float a = code & 1 ? code & 2 ? -0.39491748809814453f : -0.6961928009986877f
                     : code & 2 ? -0.5250730514526367f : -1.f;
  float b = code & 1 ? code & 2 ? 0.f : -0.18477343022823334f
                     : code & 2 ? -0.09105003625154495f : -0.28444138169288635f;
  float c = code & 1 ? code & 2 ? 0.33791524171829224f : 0.16093020141124725f
                     : code & 2 ? 0.24611230194568634f : 0.07958029955625534f;
  float d = code & 1 ? code & 2 ? 1.f : 0.5626170039176941f
                     : code & 2 ? 0.7229568362236023f : 0.44070982933044434f;
  return code & 8 ? code & 4 ? d : c : code & 4 ? b : a;
}

// table[byte * 32 + lane]: the even column's weight (high nibble) in the low half.
__device__ __forceinline__ void fillTable(u32 *table) {
  int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, byte = warp * 32 + lane;
  u32 pair = pack(nf4(byte >> 4), nf4(byte & 15));
#pragma unroll
  for (int i = 0; i < 32; i++)
    table[(warp * 32 + i) * 32 + lane] = __shfl_sync(~0u, pair, i);
}

struct Piece {
  uint2 codes;
  float2 scale;

  // of row n, columns from 16q on; the scales are of the outputs s and s + 1
  __device__ __forceinline__ void read(const u32 *codesOf, const float *scales, int n, int s, int last,
                                       int pieces, int piece, int q) {
    codes = __ldg(reinterpret_cast<const uint2 *>(codesOf + ((i64)n * pieces + piece) * 8) + q);
    scale.x = __ldg(scales + (i64)min(s, last) * pieces + piece);
    scale.y = __ldg(scales + (i64)min(s + 1, last) * pieces + piece);
  }

  __device__ __forceinline__ void weights(const u32 *table, u32 (&b)[8]) const {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      b[i] = table[(codes.x >> (8 * i) & 255) * 32];
      b[4 + i] = table[(codes.y >> (8 * i) & 255) * 32];
    }
  }
};
#else
#define DEPTH (TILES == 1 ? 4 : 2)

struct Piece {
  uint4 first, second;

  __device__ __forceinline__ void read(const u32 *values, const float *, int n, int, int, int pieces,
                                       int piece, int q) {
    const uint4 *p = reinterpret_cast<const uint4 *>(values + ((i64)n * pieces + piece) * 32) + 2 * q;
    first = __ldg(p), second = __ldg(p + 1);
  }

  __device__ __forceinline__ void weights(const u32 *, u32 (&b)[8]) const {
    b[0] = first.x, b[1] = first.y, b[2] = first.z, b[3] = first.w;
    b[4] = second.x, b[5] = second.y, b[6] = second.z, b[7] = second.w;
  }
};
#endif

// values: NF4 codes, or bf16. y is bf16 [rows, outs], or, where `partial` is not null, sums go to
// fp32 partial [gridDim.y, rows, outs]. GEGLU: the matrix is gate and up behind one another, `outs`
// rows each, and y = gelu(gate) * up. adapters: of this layer, with u [rows, us], or null. next: of
// the layer that reads y, whose sums over each 32 columns of y go to nextU [rows, outs / 32, nus].
// chosen: which rows of a bf16 matrix are the outputs; null for all.
extern "C" __global__ __launch_bounds__(256) void product(
    const u32 *values, const float *scales, const bf16 *x, int xs, bf16 *y, int ys, float *partial,
    int rows, int outs, int ins, float alpha, float beta, const LowRankGroup *adapters,
    const int *groupOf, const float *u, int us, const LowRankGroup *next, const int *nextGroupOf,
    float *nextU, int nus, const int *chosen) {
  extern __shared__ __align__(16) u32 memory[];
  float *parts = reinterpret_cast<float *>(memory + TABLE);
  bf16 *made = reinterpret_cast<bf16 *>(parts + 8 * MT * TILES * 128);
  int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, g = lane >> 2, q = lane & 3;
  int slice = warp % SLICES, first = (blockIdx.x * UNITS + warp / SLICES) * OUTS;
  int pieces = ins >> 6, all = gridDim.y * SLICES, part = blockIdx.y * SLICES + slice;
  int from = pieces * part / all, to = pieces * (part + 1) / all;
  letNextStart();
  // Weights do not depend on what came before.
  Piece ahead[DEPTH][TILES];
  int row[TILES], out[TILES], last[TILES];
#pragma unroll
  for (int n = 0; n < TILES; n++) {
    int half = GEGLU && n >= TILES / 2 ? outs : 0;
    int tile = first + (GEGLU && n >= TILES / 2 ? n - TILES / 2 : n) * 8;
    last[n] = half + outs - 1;
    row[n] = min(half + tile + g, last[n]);
    if (chosen) row[n] = chosen[row[n]];
    out[n] = half + tile + 2 * q;
  }
#pragma unroll
  for (int d = 0; d < DEPTH; d++)
    if (from + d < to)
#pragma unroll
      for (int n = 0; n < TILES; n++)
        ahead[d][n].read(values, scales, row[n], out[n], last[n], pieces, from + d, q);
#if NF4
  fillTable(memory);
  __syncthreads();
#endif
  awaitPrevious();
  const u32 *table = memory + lane;
  float total[MT][TILES][4];
#pragma unroll
  for (int m = 0; m < MT; m++)
#pragma unroll
    for (int n = 0; n < TILES; n++)
#pragma unroll
      for (int i = 0; i < 4; i++) total[m][n][i] = 0.f;
  for (int at = from; at < to; at += DEPTH) {
#pragma unroll
    for (int d = 0; d < DEPTH; d++) {
      int piece = at + d;
      if (piece >= to) break;
      u32 b[TILES][8];
#if NF4
      float2 scale[TILES];
#pragma unroll
      for (int n = 0; n < TILES; n++) scale[n] = ahead[d][n].scale;
#endif
#pragma unroll
      for (int n = 0; n < TILES; n++) ahead[d][n].weights(table, b[n]);
      if (piece + DEPTH < to)
#pragma unroll
        for (int n = 0; n < TILES; n++)
          ahead[d][n].read(values, scales, row[n], out[n], last[n], pieces, piece + DEPTH, q);
#pragma unroll
      for (int m = 0; m < MT; m++) {
        const bf16 *in = x + (i64)min(m * 16 + g, rows - 1) * xs + piece * 64 + q * 16;
        uint4 low0 = reinterpret_cast<const uint4 *>(in)[0];
        uint4 low1 = reinterpret_cast<const uint4 *>(in)[1];
        uint4 high0 = make_uint4(0, 0, 0, 0), high1 = high0;
        if (ROWS > 8) {
          in = x + (i64)min(m * 16 + 8 + g, rows - 1) * xs + piece * 64 + q * 16;
          high0 = reinterpret_cast<const uint4 *>(in)[0];
          high1 = reinterpret_cast<const uint4 *>(in)[1];
        }
#pragma unroll
        for (int n = 0; n < TILES; n++) {
#if NF4
          float c[4] = {0.f, 0.f, 0.f, 0.f};
#else
          float(&c)[4] = total[m][n];
#endif
          mma(c, low0.x, high0.x, low0.y, high0.y, b[n][0], b[n][1]);
          mma(c, low0.z, high0.z, low0.w, high0.w, b[n][2], b[n][3]);
          mma(c, low1.x, high1.x, low1.y, high1.y, b[n][4], b[n][5]);
          mma(c, low1.z, high1.z, low1.w, high1.w, b[n][6], b[n][7]);
#if NF4
          total[m][n][0] = fmaf(scale[n].x, c[0], total[m][n][0]);
          total[m][n][1] = fmaf(scale[n].y, c[1], total[m][n][1]);
          total[m][n][2] = fmaf(scale[n].x, c[2], total[m][n][2]);
          total[m][n][3] = fmaf(scale[n].y, c[3], total[m][n][3]);
#endif
        }
      }
    }
  }
#pragma unroll
  for (int m = 0; m < MT; m++)
#pragma unroll
    for (int n = 0; n < TILES; n++)
      reinterpret_cast<float4 *>(parts)[((warp * MT + m) * TILES + n) * 32 + lane] =
          make_float4(total[m][n][0], total[m][n][1], total[m][n][2], total[m][n][3]);
  __syncthreads();
  // The sum over slices of tile n, column c of it, row t.
  auto sum = [&](int unit, int n, int c, int t) {
    int place = (((unit * SLICES * MT + t / 16) * TILES + n) * 32 + (t % 8) * 4 + c / 2) * 4 +
                (t % 16 >= 8 ? 2 : 0) + (c & 1);
    float v = 0.f;
#pragma unroll
    for (int s = 0; s < SLICES; s++) v += parts[place + s * MT * TILES * 128];
    return v;
  };
  constexpr int BLOCK = UNITS * OUTS;
  for (int i = threadIdx.x; i < rows * BLOCK; i += 256) {
    int t = i / BLOCK, c = i % BLOCK, unit = c / OUTS, inUnit = c % OUTS, n = blockIdx.x * BLOCK + c;
    if (n >= outs) continue;
    float v = sum(unit, inUnit / 8, inUnit % 8, t);
    if (!GEGLU && partial) {
      partial[((i64)blockIdx.y * rows + t) * outs + n] = v;
      continue;
    }
    int group = adapters ? groupOf[t] : -1;
    if (group >= 0) v += expand(adapters[group], u + (i64)t * us, n);
    bf16 *place = y + (i64)t * ys + n;
    if (GEGLU) {
      float up = sum(unit, TILES / 2 + inUnit / 8, inUnit % 8, t), slope;
      if (group >= 0) up += expand(adapters[group], u + (i64)t * us, outs + n);
      // Of gate and up as they would be stored.
      bf16 value = toBf16(gelu(toFloat(toBf16(v)), &slope) * toFloat(toBf16(up)));
      *place = value;
      made[t * BLOCK + c] = value;
    } else {
      *place = toBf16(beta != 0.f ? alpha * v + beta * toFloat(*place) : alpha * v);
    }
  }
  if (GEGLU && next) {
    __syncthreads();
    constexpr int SUMS = BLOCK / 32;
    for (int i = threadIdx.x; i < rows * nus * SUMS; i += 256) {
      int t = i / (nus * SUMS), r = i / SUMS % nus, s = i % SUMS;
      int group = nextGroupOf[t];
      int n = blockIdx.x * BLOCK + s * 32;
      if (group < 0 || r >= next[group].ranks || n >= outs) continue;
      const bf16 *a = next[group].a + (i64)r * outs + n, *v = made + t * BLOCK + s * 32;
      float dot = 0.f;
#pragma unroll
      for (int k = 0; k < 32; k += 8) {
        float f[8], w[8];
        load(a + k, w);
        load(v + k, f);
#pragma unroll
        for (int e = 0; e < 8; e++) dot = fmaf(f[e], w[e], dot);
      }
      nextU[((i64)t * (outs / 32) + n / 32) * nus + r] = dot;
    }
  }
}
