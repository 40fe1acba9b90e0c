// Weight gradients of adapters, several in one launch: X^T U of wide X [rows, n] and U [rows, ranks],
// few ranks. Tensor-core products (mma.m16n8k16) with columns of X as rows, tokens as the inner
// dimension; sums in a fixed order.

#define TOKENS 64
#define COLUMNS 128
#define LD (COLUMNS + 8)
#define MOST_RANKS 48
#define ULD (MOST_RANKS + 8)
#define TILES (MOST_RANKS / 8)

struct Entry {
  const bf16 *x, *u;
  float *out;
  int xs, us, n, ranks;
  int strip;       // the first of its strips of 128 columns
  int offset;      // of its sums among those of a share
  int transposed;  // out is [ranks, n], not [n, ranks]
  float alpha;
};

struct Entries {
  Entry of[8];
};

__device__ __forceinline__ u32 shared(const void *p) { return (u32)__cvta_generic_to_shared(p); }

// Blocks: strips of all entries, shares of the tokens. partial: [gridDim.y, size].
extern "C" __global__ __launch_bounds__(256, 4) void skinny_gradients(int rows, float *partial,
                                                                      int size, int count,
                                                                      Entries entries) {
  __shared__ __align__(16) bf16 tile[TOKENS * LD];
  __shared__ __align__(16) bf16 ranks[TOKENS * ULD];
  int which = 0;
  while (which + 1 < count && (int)blockIdx.x >= entries.of[which + 1].strip) which++;
  const Entry &e = entries.of[which];
  int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, g = lane >> 2, q = lane & 3;
  int steps = (rows + TOKENS - 1) / TOKENS;
  int from = steps * blockIdx.y / gridDim.y, to = steps * (blockIdx.y + 1) / gridDim.y;
  int first = (blockIdx.x - e.strip) * COLUMNS, tiles = e.ranks / 8;
  int column = first + threadIdx.x % 16 * 8, line = threadIdx.x / 16;
  float sum[TILES][4];
#pragma unroll
  for (int n = 0; n < TILES; n++) sum[n][0] = sum[n][1] = sum[n][2] = sum[n][3] = 0.f;
  for (int step = from; step < to; step++) {
    i64 start = (i64)step * TOKENS;
    uint4 v[4];
#pragma unroll
    for (int i = 0; i < 4; i++) {
      i64 t = start + i * 16 + line;
      v[i] = make_uint4(0, 0, 0, 0);
      if (column < e.n && t < rows) v[i] = *reinterpret_cast<const uint4 *>(e.x + t * e.xs + column);
    }
    for (int i = threadIdx.x; i < TOKENS * tiles; i += 256) {
      int t = i / tiles, r = i % tiles * 8;
      uint4 u = make_uint4(0, 0, 0, 0);
      if (start + t < rows) u = *reinterpret_cast<const uint4 *>(e.u + (start + t) * e.us + r);
      *reinterpret_cast<uint4 *>(ranks + t * ULD + r) = u;
    }
#pragma unroll
    for (int i = 0; i < 4; i++)
      *reinterpret_cast<uint4 *>(tile + (i * 16 + line) * LD + threadIdx.x % 16 * 8) = v[i];
    __syncthreads();
    // A warp has 16 columns.
#pragma unroll
    for (int k = 0; k < TOKENS; k += 16) {
      u32 m[4];
      asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                   : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
                   : "r"(shared(tile + (k + (lane & 7) + ((lane & 16) >> 1)) * LD + warp * 16 +
                                (lane & 8)))
                   : "memory");
#pragma unroll
      for (int n = 0; n < TILES; n++) {
        if (n >= tiles) break;
        u32 b0, b1;
        asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
                     : "=r"(b0), "=r"(b1)
                     : "r"(shared(ranks + (k + (lane & 15)) * ULD + n * 8))
                     : "memory");
        asm volatile(
            "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
            "{%8,%9}, {%0,%1,%2,%3};"
            : "+f"(sum[n][0]), "+f"(sum[n][1]), "+f"(sum[n][2]), "+f"(sum[n][3])
            : "r"(m[0]), "r"(m[1]), "r"(m[2]), "r"(m[3]), "r"(b0), "r"(b1));
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int h = 0; h < 2; h++) {
    int c = first + warp * 16 + h * 8 + g;
    if (c >= e.n) continue;
    float *to = partial + (i64)blockIdx.y * size + e.offset + c * e.ranks + 2 * q;
#pragma unroll
    for (int n = 0; n < TILES; n++)
      if (n < tiles)
        *reinterpret_cast<float2 *>(to + n * 8) = make_float2(sum[n][2 * h], sum[n][2 * h + 1]);
  }
}

// out += alpha * the sums over shares.
extern "C" __global__ void skinny_sums(const float *partial, int size, int shares, int count,
                                       Entries entries) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < size; i += gridDim.x * blockDim.x) {
    int which = 0;
    while (which + 1 < count && i >= entries.of[which + 1].offset) which++;
    const Entry &e = entries.of[which];
    int at = i - e.offset;
    int place = e.transposed ? at % e.n * e.ranks + at / e.n : at;
    float sum = 0.f;
#pragma unroll 4
    for (int s = 0; s < shares; s++) sum += partial[(i64)s * size + e.offset + place];
    e.out[at] += e.alpha * sum;
  }
}
