// Backward of GeGLU between two adapted layers, and what reads its operands: the gradients of B of
// gate and up, and of A of down. Compiled for one RANK, a multiple of 8. Tensor-core products
// (mma.m16n8k16) with columns as rows, tokens as the inner dimension; sums in a fixed order.

#define TOKENS 32
#define COLUMNS 128
#define LD (COLUMNS + 8)
#define ULD (3 * RANK + 8)
#define TILES (RANK / 8)
#define STAGE (TOKENS * (3 * LD + ULD))


__device__ __forceinline__ void transposed(u32 (&r)[4], u32 p) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(p) : "memory");
}
__device__ __forceinline__ void transposed(u32 &r0, u32 &r1, u32 p) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
               : "=r"(r0), "=r"(r1) : "r"(p) : "memory");
}

// Blocks: strips of 128 columns, shares of the tokens. partial: [gridDim.y, 3, columns, RANK], of
// gate, up and what GeGLU made. u: [rows, 2 * RANK], du: [rows, RANK]. While one tile is worked on in
// place, by the threads that fetched it, the next is on its way.
extern "C" __global__ __launch_bounds__(256, 3) void adapted_geglu_gradient(
    const bf16 *dOut, int ds, const bf16 *gateUp, int gs, bf16 *dGateUp, int dgs, const bf16 *u,
    int us, const bf16 *du, int dus, float *partial, int rows, int columns) {
  extern __shared__ __align__(16) bf16 memory[];
  int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, g = lane >> 2, q = lane & 3;
  int steps = (rows + TOKENS - 1) / TOKENS;
  int from = (int)((i64)steps * blockIdx.y / gridDim.y);
  int to = (int)((i64)steps * (blockIdx.y + 1) / gridDim.y);
  int column = blockIdx.x * COLUMNS + threadIdx.x % 16 * 8, line = threadIdx.x / 16;
  bool inside = column < columns;
  bf16 *mine = memory + line * LD + threadIdx.x % 16 * 8;
  float sum[3][TILES][4];
#pragma unroll
  for (int i = 0; i < 3; i++)
#pragma unroll
    for (int n = 0; n < TILES; n++) sum[i][n][0] = sum[i][n][1] = sum[i][n][2] = sum[i][n][3] = 0.f;

  auto load = [&](int step, int stage) {
    int first = step * TOKENS;
#pragma unroll
    for (int i = 0; i < TOKENS; i += 16) {
      int t = first + i + line;
      bool in = inside && t < rows;
      u32 place = sharedAddress(mine + stage * STAGE + i * LD);
      const bf16 *gate = in ? gateUp + (i64)t * gs + column : gateUp;
      copyOrClear(place, in ? dOut + (i64)t * ds + column : dOut, in);
      copyOrClear(place + TOKENS * LD * 2, gate, in);
      copyOrClear(place + 2 * TOKENS * LD * 2, gate + columns, in);
    }
    constexpr int PIECES = TOKENS * 3 * TILES;
#pragma unroll
    for (int k = 0; k < PIECES; k += 256) {
      int i = k + threadIdx.x, t = i / (3 * TILES), r = i % (3 * TILES) * 8;
      if (k + 256 > PIECES && i >= PIECES) break;
      bool in = first + t < rows;
      i64 row = in ? first + t : 0;
      copyOrClear(sharedAddress(memory + stage * STAGE + 3 * TOKENS * LD + t * ULD + r),
            r < 2 * RANK ? u + row * us + r : du + row * dus + r - 2 * RANK, in);
    }
    commitCopies();
  };

  if (from < to) load(from, 0);
  for (int step = from; step < to; step++) {
    int stage = step - from & 1;
    awaitCopies();
    __syncthreads();
    if (step + 1 < to) load(step + 1, stage ^ 1);
#pragma unroll
    for (int i = 0; i < TOKENS; i += 16) {
      i64 t = (i64)step * TOKENS + i + line;
      bf16 *place = mine + stage * STAGE + i * LD;
      uint4 d = *reinterpret_cast<const uint4 *>(place);
      uint4 a = *reinterpret_cast<const uint4 *>(place + TOKENS * LD);
      uint4 b = *reinterpret_cast<const uint4 *>(place + 2 * TOKENS * LD);
      u32 pd[4] = {d.x, d.y, d.z, d.w}, pg[4] = {a.x, a.y, a.z, a.w}, pu[4] = {b.x, b.y, b.z, b.w};
#pragma unroll
      for (int e = 0; e < 4; e++) {
        float slope0, slope1, d0 = lowHalf(pd[e]), d1 = highHalf(pd[e]);
        float v0 = gelu(lowHalf(pg[e]), &slope0), v1 = gelu(highHalf(pg[e]), &slope1);
        float u0 = lowHalf(pu[e]), u1 = highHalf(pu[e]);
        pd[e] = pack(v0 * u0, v1 * u1);
        pg[e] = pack(d0 * u0 * slope0, d1 * u1 * slope1);
        pu[e] = pack(d0 * v0, d1 * v1);
      }
      uint4 made = make_uint4(pd[0], pd[1], pd[2], pd[3]);
      uint4 dGate = make_uint4(pg[0], pg[1], pg[2], pg[3]);
      uint4 dUp = make_uint4(pu[0], pu[1], pu[2], pu[3]);
      *reinterpret_cast<uint4 *>(place) = made;
      *reinterpret_cast<uint4 *>(place + TOKENS * LD) = dGate;
      *reinterpret_cast<uint4 *>(place + 2 * TOKENS * LD) = dUp;
      if (inside && t < rows) {
        bf16 *out = dGateUp + t * dgs + column;
        *reinterpret_cast<uint4 *>(out) = dGate;
        *reinterpret_cast<uint4 *>(out + columns) = dUp;
      }
    }
    __syncthreads();
    // A warp has 16 columns of all three.
    u32 tiles = sharedAddress(memory + stage * STAGE);
    u32 ranks = tiles + 2 * (3 * TOKENS * LD + (lane & 15) * ULD);
    tiles += 2 * (((lane & 7) + ((lane & 16) >> 1)) * LD + warp * 16 + (lane & 8));
#pragma unroll
    for (int k = 0; k < TOKENS; k += 16) {
#pragma unroll
      for (int i = 0; i < 3; i++) {
        u32 m[4];
        transposed(m, tiles + 2 * ((i == 2 ? 0 : i + 1) * TOKENS + k) * LD);
#pragma unroll
        for (int n = 0; n < TILES; n++) {
          u32 b0, b1;
          transposed(b0, b1, ranks + 2 * (k * ULD + i * RANK + n * 8));
          mma(sum[i][n], m[0], m[1], m[2], m[3], b0, b1);
        }
      }
    }
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
