// Backward of GeGLU between two adapted layers, and what reads its operands: the gradients of B of
// gate and up, and of A of down. Compiled for one RANK, a multiple of 8. Tensor-core products
// (mma.m16n8k16) with columns as rows, tokens as the inner dimension; sums in a fixed order.

#define TOKENS 64
#define COLUMNS 128
#define LD (COLUMNS + 8)
#define ULD (3 * RANK + 8)
#define TILES (RANK / 8)

__device__ __forceinline__ u32 shared(const void *p) { return (u32)__cvta_generic_to_shared(p); }

// Blocks: strips of 128 columns, shares of the tokens. partial: [gridDim.y, 3, columns, RANK], of
// gate, up and what GeGLU made. u: [rows, 2 * RANK], du: [rows, RANK].
extern "C" __global__ __launch_bounds__(256, 3) void adapted_geglu_gradient(
    const bf16 *dOut, int ds, const bf16 *gateUp, int gs, bf16 *dGateUp, int dgs, const bf16 *u,
    int us, const bf16 *du, int dus, float *partial, int rows, int columns) {
  extern __shared__ __align__(16) bf16 memory[];
  bf16 *tiles = memory, *ranks = memory + 3 * TOKENS * LD;
  int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, g = lane >> 2, q = lane & 3;
  int steps = (rows + TOKENS - 1) / TOKENS;
  int from = steps * blockIdx.y / gridDim.y, to = steps * (blockIdx.y + 1) / gridDim.y;
  int column = blockIdx.x * COLUMNS + threadIdx.x % 16 * 8, line = threadIdx.x / 16;
  bool inside = column < columns;
  float sum[3][TILES][4];
#pragma unroll
  for (int i = 0; i < 3; i++)
#pragma unroll
    for (int n = 0; n < TILES; n++) sum[i][n][0] = sum[i][n][1] = sum[i][n][2] = sum[i][n][3] = 0.f;
  for (int step = from; step < to; step++) {
    i64 first = (i64)step * TOKENS;
    for (int i = threadIdx.x; i < TOKENS * 3 * RANK / 8; i += 256) {
      int t = i / (3 * RANK / 8), r = i % (3 * RANK / 8) * 8;
      uint4 v = make_uint4(0, 0, 0, 0);
      if (first + t < rows)
        v = *reinterpret_cast<const uint4 *>(r < 2 * RANK ? u + (first + t) * us + r
                                                          : du + (first + t) * dus + r - 2 * RANK);
      *reinterpret_cast<uint4 *>(ranks + t * ULD + r) = v;
    }
#pragma unroll 1
    for (int half = 0; half < TOKENS; half += 32) {
      uint4 d[2], a[2], b[2];
#pragma unroll
      for (int i = 0; i < 2; i++) {
        i64 t = first + half + i * 16 + line;
        d[i] = a[i] = b[i] = make_uint4(0, 0, 0, 0);
        if (inside && t < rows) {
          d[i] = *reinterpret_cast<const uint4 *>(dOut + t * ds + column);
          a[i] = *reinterpret_cast<const uint4 *>(gateUp + t * gs + column);
          b[i] = *reinterpret_cast<const uint4 *>(gateUp + t * gs + columns + column);
        }
      }
#pragma unroll
      for (int i = 0; i < 2; i++) {
        i64 t = first + half + i * 16 + line;
        u32 pd[4] = {d[i].x, d[i].y, d[i].z, d[i].w}, pg[4] = {a[i].x, a[i].y, a[i].z, a[i].w};
        u32 pu[4] = {b[i].x, b[i].y, b[i].z, b[i].w}, made[4];
#pragma unroll
        for (int e = 0; e < 4; e++) {
          float slope0, slope1, d0 = lowHalf(pd[e]), d1 = highHalf(pd[e]);
          float v0 = gelu(lowHalf(pg[e]), &slope0), v1 = gelu(highHalf(pg[e]), &slope1);
          float u0 = lowHalf(pu[e]), u1 = highHalf(pu[e]);
          made[e] = pack(v0 * u0, v1 * u1);
          pg[e] = pack(d0 * u0 * slope0, d1 * u1 * slope1);
          pu[e] = pack(d0 * v0, d1 * v1);
        }
        uint4 dGate = make_uint4(pg[0], pg[1], pg[2], pg[3]);
        uint4 dUp = make_uint4(pu[0], pu[1], pu[2], pu[3]);
        if (inside && t < rows) {
          *reinterpret_cast<uint4 *>(dGateUp + t * dgs + column) = dGate;
          *reinterpret_cast<uint4 *>(dGateUp + t * dgs + columns + column) = dUp;
        }
        bf16 *place = tiles + (half + i * 16 + line) * LD + threadIdx.x % 16 * 8;
        *reinterpret_cast<uint4 *>(place) = dGate;
        *reinterpret_cast<uint4 *>(place + TOKENS * LD) = dUp;
        *reinterpret_cast<uint4 *>(place + 2 * TOKENS * LD) = make_uint4(made[0], made[1], made[2], made[3]);
      }
    }
    __syncthreads();
    // A warp has 16 columns of all three.
#pragma unroll
    for (int k = 0; k < TOKENS; k += 16) {
#pragma unroll
      for (int i = 0; i < 3; i++) {
        u32 m[4];
        const bf16 *p = tiles + (i * TOKENS + k + (lane & 7) + ((lane & 16) >> 1)) * LD + warp * 16 +
                        (lane & 8);
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
                     : "r"(shared(p))
                     : "memory");
#pragma unroll
        for (int n = 0; n < TILES; n++) {
          u32 b0, b1;
          asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
                       : "=r"(b0), "=r"(b1)
                       : "r"(shared(ranks + (k + (lane & 15)) * ULD + i * RANK + n * 8))
                       : "memory");
          asm volatile(
              "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
              "{%8,%9}, {%0,%1,%2,%3};"
              : "+f"(sum[i][n][0]), "+f"(sum[i][n][1]), "+f"(sum[i][n][2]), "+f"(sum[i][n][3])
              : "r"(m[0]), "r"(m[1]), "r"(m[2]), "r"(m[3]), "r"(b0), "r"(b1));
        }
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < 3; i++)
#pragma unroll
    for (int h = 0; h < 2; h++) {
      int c = blockIdx.x * COLUMNS + warp * 16 + h * 8 + g;
      if (c >= columns) continue;
      float *to = partial + (((i64)blockIdx.y * 3 + i) * columns + c) * RANK + 2 * q;
#pragma unroll
      for (int n = 0; n < TILES; n++)
        *reinterpret_cast<float2 *>(to + n * 8) = make_float2(sum[i][n][2 * h], sum[i][n][2 * h + 1]);
    }
}

// dGate and dUp [columns, RANK] += scale * their sums over shares, dDown [RANK, columns] += its own.
extern "C" __global__ void adapted_geglu_sums(const float *partial, int shares, int columns,
                                              float scale, float *dGate, float *dUp, float *dDown) {
  int size = columns * RANK;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < 3 * size; i += gridDim.x * blockDim.x) {
    int which = i / size, at = i % size;
    int place = which == 2 ? at % columns * RANK + at / columns : at;
    float sum = 0.f;
    for (int s = 0; s < shares; s++) sum += partial[((i64)s * 3 + which) * size + place];
    float *to = which == 0 ? dGate : which == 1 ? dUp : dDown;
    to[at] += which == 2 ? sum : scale * sum;
  }
}
