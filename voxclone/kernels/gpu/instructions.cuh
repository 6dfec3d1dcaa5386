// What block.cu asks of the machine; tests/kernels/cuda_on_host.h has the same by plain C++.

typedef unsigned int Pair;  // two values; the first one is the lower half

#ifndef ON_HOST

__device__ __forceinline__ float first_of(Pair pair) {
#if BFLOAT16
    return __uint_as_float(pair << 16);
#else
    float value;
    asm("{ .reg .b16 a, b; mov.b32 {a, b}, %1; cvt.f32.f16 %0, a; }" : "=f"(value) : "r"(pair));
    return value;
#endif
}

__device__ __forceinline__ float second_of(Pair pair) {
#if BFLOAT16
    return __uint_as_float(pair & 0xffff0000u);
#else
    float value;
    asm("{ .reg .b16 a, b; mov.b32 {a, b}, %1; cvt.f32.f16 %0, b; }" : "=f"(value) : "r"(pair));
    return value;
#endif
}

__device__ __forceinline__ Pair pair_of(float first, float second) {
    Pair pair;
#if BFLOAT16
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
#else
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
#endif
    return pair;
}

// 16 bytes from global to shared memory, not waited for.
__device__ __forceinline__ void copy_later(uint4* place, const uint4* read) {
    unsigned int address = (unsigned int)__cvta_generic_to_shared(place);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(address), "l"(read) : "memory");
}
__device__ __forceinline__ void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
__device__ __forceinline__ void wait_for_copies() {  // but for those of the last STAGES - 3 commits
    asm volatile("cp.async.wait_group %0;" ::"n"(STAGES ? STAGES - 3 : 0) : "memory");
}

// What this thread wrote to shared memory is seen by the products after the next barrier.
__device__ __forceinline__ void show_to_products() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
__device__ __forceinline__ void begin_products() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void commit_products() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int STILL>
__device__ __forceinline__ void wait_for_products() {
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(STILL) : "memory");
}

__device__ __forceinline__ int same_in_warp(int value) { return __shfl_sync(0xffffffff, value, 0); }

// Where a product reads, the lower half of its descriptor: rows of 8 channels lie 16 bytes apart, 8 values more `second`
// rows after the first. The upper half is 8, the rows from 8 rows to the next.
struct Rows {
    unsigned int low;
};
__device__ __forceinline__ Rows rows_at(const uint4* place, int second) {
    return {(unsigned int)__cvta_generic_to_shared(place) >> 4 | (unsigned int)second << 16};
}
__device__ __forceinline__ Rows operator+(Rows rows, int more) { return {rows.low + more}; }

// sums (64 by WIDTH, of a group of 128 threads) += 64 rows of 16 values by 16 rows of WIDTH weights.
__device__ __forceinline__ void multiply_rows(float (&sums)[WIDTH / 8][4], Rows left, Rows right) {
#if BFLOAT16
    asm volatile(WIDE_PRODUCT_BFLOAT16);
#else
    asm volatile(WIDE_PRODUCT_FLOAT16);
#endif
}

#endif
