// Prepended to every kernel file. No headers: only the compiler library and the driver are needed.
typedef unsigned char u8;
typedef unsigned short bf16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

#define INF __int_as_float(0x7f800000)

__device__ __forceinline__ float toFloat(bf16 v) { return __uint_as_float((u32)v << 16); }
__device__ __forceinline__ float toFloat(float v) { return v; }
__device__ __forceinline__ float lowHalf(u32 v) { return __uint_as_float(v << 16); }
__device__ __forceinline__ float highHalf(u32 v) { return __uint_as_float(v & 0xffff0000u); }

// Two bfloat16, round to nearest even, low half first in memory.
__device__ __forceinline__ u32 pack(float low, float high) {
  u32 r;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
  return r;
}

__device__ __forceinline__ bf16 toBf16(float v) { return (bf16)(pack(v, 0.f) & 0xffffu); }

template <int V>
__device__ __forceinline__ void load(const bf16 *p, float (&f)[V]) {
  if constexpr (V == 8) {
    uint4 u = *reinterpret_cast<const uint4 *>(p);
    f[0] = lowHalf(u.x), f[1] = highHalf(u.x), f[2] = lowHalf(u.y), f[3] = highHalf(u.y);
    f[4] = lowHalf(u.z), f[5] = highHalf(u.z), f[6] = lowHalf(u.w), f[7] = highHalf(u.w);
  } else if constexpr (V == 4) {
    uint2 u = *reinterpret_cast<const uint2 *>(p);
    f[0] = lowHalf(u.x), f[1] = highHalf(u.x), f[2] = lowHalf(u.y), f[3] = highHalf(u.y);
  } else if constexpr (V == 2) {
    u32 u = *reinterpret_cast<const u32 *>(p);
    f[0] = lowHalf(u), f[1] = highHalf(u);
  } else {
#pragma unroll
    for (int i = 0; i < V; i++) f[i] = toFloat(p[i]);
  }
}

template <int V>
__device__ __forceinline__ void load(const float *p, float (&f)[V]) {
  if constexpr (V == 8) {
    float4 a = reinterpret_cast<const float4 *>(p)[0];
    float4 b = reinterpret_cast<const float4 *>(p)[1];
    f[0] = a.x, f[1] = a.y, f[2] = a.z, f[3] = a.w;
    f[4] = b.x, f[5] = b.y, f[6] = b.z, f[7] = b.w;
  } else if constexpr (V == 4) {
    float4 a = *reinterpret_cast<const float4 *>(p);
    f[0] = a.x, f[1] = a.y, f[2] = a.z, f[3] = a.w;
  } else if constexpr (V == 2) {
    float2 a = *reinterpret_cast<const float2 *>(p);
    f[0] = a.x, f[1] = a.y;
  } else {
#pragma unroll
    for (int i = 0; i < V; i++) f[i] = p[i];
  }
}

template <int V>
__device__ __forceinline__ void store(bf16 *p, const float (&f)[V]) {
  if constexpr (V == 8) {
    uint4 u;
    u.x = pack(f[0], f[1]), u.y = pack(f[2], f[3]);
    u.z = pack(f[4], f[5]), u.w = pack(f[6], f[7]);
    *reinterpret_cast<uint4 *>(p) = u;
  } else if constexpr (V == 4) {
    *reinterpret_cast<uint2 *>(p) = make_uint2(pack(f[0], f[1]), pack(f[2], f[3]));
  } else if constexpr (V == 2) {
    *reinterpret_cast<u32 *>(p) = pack(f[0], f[1]);
  } else {
#pragma unroll
    for (int i = 0; i < V; i++) p[i] = toBf16(f[i]);
  }
}

template <int V>
__device__ __forceinline__ void store(float *p, const float (&f)[V]) {
  if constexpr (V == 8) {
    reinterpret_cast<float4 *>(p)[0] = make_float4(f[0], f[1], f[2], f[3]);
    reinterpret_cast<float4 *>(p)[1] = make_float4(f[4], f[5], f[6], f[7]);
  } else {
#pragma unroll
    for (int i = 0; i < V; i++) p[i] = f[i];
  }
}

__device__ __forceinline__ float warpSum(float v) {
#pragma unroll
  for (int o = 16; o > 0; o >>= 1) v += __shfl_xor_sync(~0u, v, o);
  return v;
}

__device__ __forceinline__ double warpSum(double v) {
#pragma unroll
  for (int o = 16; o > 0; o >>= 1) v += __shfl_xor_sync(~0u, v, o);
  return v;
}

__device__ __forceinline__ float exp2Fast(float x) {
  float r;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x));
  return r;
}

// gelu_tanh(x) and its derivative. The value is rounded step by step as written, so that every
// kernel has the same bits. Beside 1 what is below the normal numbers does not count, hence ftz.
__device__ __forceinline__ float gelu(float x, float *slope) {
  const float a = 0.7978845608028654f, b = 0.044715f;
  float square = __fmul_rn(x, x), inverse;
  float u = __fmul_rn(2.f * a, fmaf(__fmul_rn(b, square), x, x));
  float power = exp2Fast(__fmul_rn(u, 1.4426950408889634f));
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(inverse) : "f"(__fadd_rn(1.f, power)));
  float twice = __fadd_rn(1.f, __fmaf_rn(-2.f, inverse, 1.f));
  float value = __fmul_rn(__fmul_rn(0.5f, x), twice);
  *slope = fmaf(value * inverse, fmaf(6.f * a * b, square, 2.f * a), 0.5f * twice);
  return value;
}

// c += a b^T on tensor cores, 16 rows by 8: lane 4g + q holds rows g and g + 8 of a, row g of b, and
// columns 2q, 2q + 1 of both rows of c.
__device__ __forceinline__ void mma(float (&c)[4], u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

// Keys and values of a sequence.
struct Cache {
  bf16 *k, *v;
  i64 layerStride;
};

// Where attention keeps the gradients of the scores of 64 queries [columns] by 64 keys [rows]: by the
// tile of queries, which has a number of its own since a sequence begins at most one tile anew, and by
// how many tiles before the queries the keys lie.
__device__ __forceinline__ i64 scoreTile(int head, int heads, i64 firstQuery, int sequence, int back,
                                         int slots) {
  return (((firstQuery / 64 + sequence) * heads + head) * slots + back) * (64 * 64);
}

// Adapters of one layer: consecutive rows of each.
struct LowRankGroup {
  const bf16 *a;
  const bf16 *b[3];
  float scale;
  int parts, fromRow, toRow, ranks;
  int fromColumn[3], toColumn[3], fromRank[3], toRank[3];
  int unused;
};

// The adapter of one row: its A, and B where the layer is one matrix; no ranks where there is none.
struct __align__(16) RowAdapter {
  const bf16 *a, *b;
  int ranks;
  float scale;
  int unused[2];
};

__device__ __forceinline__ u32 sharedAddress(const void *p) { return (u32)__cvta_generic_to_shared(p); }

// 16 bytes, or 4, to shared memory, without waiting.
__device__ __forceinline__ void copyAsync(u32 to, const void *from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from) : "memory");
}
__device__ __forceinline__ void copyAsync(void *to, const void *from) {
  copyAsync(sharedAddress(to), from);
}
// 16 bytes, or zeros in their place; from can be read either way.
__device__ __forceinline__ void copyOrClear(u32 to, const void *from, bool in) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(in ? 16 : 0)
               : "memory");
}
__device__ __forceinline__ void copyWord(float *to, const float *from) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(sharedAddress(to)), "l"(from)
               : "memory");
}
__device__ __forceinline__ void awaitCopies() {
  asm volatile("cp.async.wait_all;" ::: "memory");
}
__device__ __forceinline__ void commitCopies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
// All but the last PENDING commits.
template <int PENDING>
__device__ __forceinline__ void awaitCopies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}

// What threads of this block did in shared memory is done before products of warpgroups and copies of
// ranges get there, after a barrier.
__device__ __forceinline__ void beforeAsync() {
#if __CUDA_ARCH__ >= 900
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

// Of all threads of a cluster.
__device__ __forceinline__ void clusterArrive() {
#if __CUDA_ARCH__ >= 900
  asm volatile("barrier.cluster.arrive;" ::: "memory");
#endif
}
__device__ __forceinline__ void clusterWait() {
#if __CUDA_ARCH__ >= 900
  asm volatile("barrier.cluster.wait;" ::: "memory");
#endif
}
__device__ __forceinline__ void clusterBarrier() {
  clusterArrive();
  clusterWait();
}
// The same place in another block of the cluster.
__device__ __forceinline__ u32 inBlock(u32 place, int block) {
  u32 there;
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(place), "r"(block));
  return there;
}
__device__ __forceinline__ void loadCluster(float (&f)[4], u32 place, int block) {
  asm volatile("ld.shared::cluster.v4.f32 {%0, %1, %2, %3}, [%4];"
               : "=f"(f[0]), "=f"(f[1]), "=f"(f[2]), "=f"(f[3])
               : "r"(inBlock(place, block))
               : "memory");
}

// Copies of whole ranges to shared memory: one thread asks for one, and whoever waits for the barrier
// has them. Addresses and sizes are multiples of 16 bytes. Devices before Hopper copy by threads, so
// that a __syncthreads has to follow the wait.
#if __CUDA_ARCH__ >= 900
__device__ __forceinline__ void initBarriers(u64 *barriers, int count) {
  for (int i = 0; i < count; i++)
    asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(sharedAddress(barriers + i)) : "memory");
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
// By one thread, once: how many bytes will come.
__device__ __forceinline__ void expectBytes(u64 *barrier, u32 bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(sharedAddress(barrier)),
               "r"(bytes) : "memory");
}
__device__ __forceinline__ void copyRange(void *to, const void *from, u32 bytes, u64 *barrier) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
          sharedAddress(to)),
      "l"(from), "r"(bytes), "r"(sharedAddress(barrier)) : "memory");
}
__device__ __forceinline__ void awaitBytes(u64 *barrier) {
  asm volatile(
      "{\n.reg .pred p;\nagain:\nmbarrier.try_wait.parity.shared::cta.b64 p, [%0], 0;\n@!p bra again;\n}" ::"r"(
          sharedAddress(barrier)) : "memory");
}
#else
__device__ __forceinline__ void initBarriers(u64 *, int) {}
__device__ __forceinline__ void expectBytes(u64 *, u32) {}
__device__ __forceinline__ void copyRange(void *to, const void *from, u32 bytes, u64 *) {
  for (u32 i = 0; i < bytes; i += 16) copyAsync((u8 *)to + i, (const u8 *)from + i);
}
__device__ __forceinline__ void awaitBytes(u64 *) { awaitCopies(); }
#endif

// Into the cache that all multiprocessors share.
__device__ __forceinline__ void prefetch(const void *p) {
  asm volatile("prefetch.global.L2 [%0];" ::"l"(p));
}

// Where column c of a row lies that is the input of a product: in each 64 columns, pairs 2i of columns
// 16q on follow one another by q, so that what four lanes multiply lies side by side.
__device__ __forceinline__ int ordered(int c) {
  return (c & ~63) + (c >> 1 & 7) * 8 + (c >> 4 & 3) * 2 + (c & 1);
}

// Four matrices of 8 rows by 16 bytes, a row's address from each lane.
__device__ __forceinline__ void loadMatrices(u32 (&r)[4], u32 place) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(place)
               : "memory");
}

__device__ __forceinline__ void prefetchRange(const void *p, u32 bytes) {
#if __CUDA_ARCH__ >= 900
  asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(p), "r"(bytes));
#endif
}

// The kernels of a step follow one another closely: one may start while the one before it still
// runs, and must not touch what that one writes before `awaitPrevious`.
__device__ __forceinline__ void letNextStart() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
__device__ __forceinline__ void awaitPrevious() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// Sooner than by the end of a kernel: how many blocks have left what others wait for. By one thread,
// after a barrier behind which the block's threads are done with it.
__device__ __forceinline__ void signal(u32 *count) {
  asm volatile("red.release.gpu.global.add.u32 [%0], 1;" ::"l"(count) : "memory");
}
// Until so many have. Blocks that signal are all under way before one that waits can begin.
__device__ __forceinline__ void awaitSignals(const u32 *count, u32 expected) {
  u32 have;
  do {
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(have) : "l"(count) : "memory");
  } while (have < expected);
}
// What this thread may read it may also copy as a range.
__device__ __forceinline__ void beforeCopies() {
#if __CUDA_ARCH__ >= 900
  asm volatile("fence.proxy.async.global;" ::: "memory");
#endif
}
