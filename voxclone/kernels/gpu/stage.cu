// A stage of HiFi-GAN, the mean of its residual blocks, in one kernel: everything between the first read and the last
// write lies in shared memory, and the products are tensor cores'. For up to 64 channels, in bfloat16 or float16.
//
// A thread block makes TIMES times of one item and recomputes the halo that its neighbours make too. Row r of its three
// buffers is the time blockIdx.x TIMES - HALO + r: the stream that residuals are added to, and two of what the next
// convolution reads and the last one made, their leaky ReLU taken. A tap is a row further on, so that the rows of a
// product's left side are just addresses; its right side comes in the order of the registers that hold it (stage.py).
//
// Macros: BFLOAT16 (1 or 0), CHANNELS, WIDTH (16, 32 or 64: the channels, filled up with zeros), TIMES, HALO, WARPS,
// BLOCKS, COUNT (convolutions of a block), PER_RESIDUAL, TAPS_OF_BLOCKS and DILATIONS (comma-separated), SLOPE.

typedef unsigned int Pair;  // two values; the first one is the lower half

#ifndef ON_HOST  // tests/kernels/cuda_on_host.h has the same by plain C++

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

// Four 8 by 8 matrices, whose rows the lanes point at, as a warp's registers.
__device__ __forceinline__ void load_matrices(Pair (&made)[4], const uint4* row) {
    unsigned int address = (unsigned int)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(made[0]), "=r"(made[1]), "=r"(made[2]), "=r"(made[3])
                 : "r"(address)
                 : "memory");
}

// sums (16 by 8) += a (16 by 16) b (16 by 8), of a warp.
__device__ __forceinline__ void multiply(float (&sums)[4], const Pair (&a)[4], Pair b0, Pair b1) {
#if BFLOAT16
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
#else
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
#endif
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

#endif

constexpr int SPAN = TIMES + 2 * HALO;
constexpr int CHUNKS = WIDTH / 8;  // pieces of 16 bytes in a row
constexpr int STEPS = WIDTH / 16;  // of a product's depth, and of its columns
constexpr int THREADS = 32 * WARPS;

__constant__ const int TAPS[BLOCKS] = {TAPS_OF_BLOCKS};
__constant__ const int DILATION[BLOCKS * COUNT] = {DILATIONS};

// Where a piece of a row lies: exchanged by row, so that one piece of eight rows is in all banks.
__device__ __forceinline__ int place(int row, int chunk) {
    return row * CHUNKS + (chunk ^ ((row * CHUNKS / 8) & (CHUNKS - 1)));
}

__device__ __forceinline__ Pair activated(Pair pair) {
    float first = first_of(pair), second = second_of(pair);
    return pair_of(first < 0 ? first * SLOPE : first, second < 0 ? second * SLOPE : second);
}

// x and out are (B, length, CHANNELS); the grid is (tiles, B), of THREADS threads and 3 SPAN CHUNKS pieces of shared
// memory. Weights and biases are of all convolutions in order, see stage.py.
extern "C" __global__ void __launch_bounds__(THREADS)
mean_of_blocks(const uint4* x, const uint4* weights, const float* biases, Pair* out, int length) {
    extern __shared__ uint4 shared[];
    uint4* stream = shared;
    uint4* source = shared + SPAN * CHUNKS;
    uint4* target = shared + 2 * SPAN * CHUNKS;
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int start = (int)blockIdx.x * TIMES - HALO;
    x += (size_t)blockIdx.y * length * (CHANNELS / 8);
    out += (size_t)blockIdx.y * length * (CHANNELS / 2);
#pragma unroll 1
    for (int block = 0; block < BLOCKS; ++block) {
        const int taps = TAPS[block];
        int edge = HALO;  // rows at each end that are not made
        for (int index = 0; index < COUNT; ++index) edge -= DILATION[block * COUNT + index] * (taps / 2);
        __syncthreads();
        for (int piece = threadIdx.x; piece < SPAN * CHUNKS; piece += THREADS) {
            const int row = piece / CHUNKS, chunk = piece % CHUNKS, time = start + row;
            uint4 read = {0, 0, 0, 0};
            if (time >= 0 && time < length && 8 * chunk < CHANNELS) read = x[(size_t)time * (CHANNELS / 8) + chunk];
            stream[place(row, chunk)] = read;
            uint4 active = {activated(read.x), activated(read.y), activated(read.z), activated(read.w)};
            source[place(row, chunk)] = active;
        }
        __syncthreads();
#pragma unroll 1
        for (int index = 0; index < COUNT; ++index) {
            const int dilation = DILATION[block * COUNT + index];
            const bool adds = index % PER_RESIDUAL == PER_RESIDUAL - 1, ends = index == COUNT - 1;
            edge += dilation * (taps / 2);
#pragma unroll 1
            for (int first = edge + 32 * warp; first < SPAN - edge; first += 32 * WARPS) {
                float sums[2][WIDTH / 8][4] = {};
                const uint4* right = weights + lane;
#pragma unroll 1
                for (int tap = 0; tap < taps; ++tap) {
                    const int shifted = first + (tap - taps / 2) * dilation + lane % 16;
#pragma unroll
                    for (int step = 0; step < STEPS; ++step) {
                        Pair left[2][4];
                        for (int half = 0; half < 2; ++half) {
                            int row = shifted + 16 * half;
                            row = row < SPAN ? row : SPAN - 1;  // of a row that is not kept
                            load_matrices(left[half], &source[place(row, 2 * step + lane / 16)]);
                        }
#pragma unroll
                        for (int columns = 0; columns < STEPS; ++columns) {
                            const uint4 b = *right;
                            right += 32;
                            for (int half = 0; half < 2; ++half) {
                                multiply(sums[half][2 * columns], left[half], b.x, b.y);
                                multiply(sums[half][2 * columns + 1], left[half], b.z, b.w);
                            }
                        }
                    }
                }
#pragma unroll
                for (int quarter = 0; quarter < 4; ++quarter) {
                    const int row = first + 8 * quarter + lane / 4, time = start + row;
                    const bool inside = time >= 0 && time < length;
                    if (row >= SPAN - edge) continue;
#pragma unroll
                    for (int chunk = 0; chunk < CHUNKS; ++chunk) {
                        const int column = 8 * chunk + 2 * (lane % 4);
                        float one = sums[quarter / 2][chunk][quarter % 2 * 2] + biases[column];
                        float other = sums[quarter / 2][chunk][quarter % 2 * 2 + 1] + biases[column + 1];
                        Pair* kept = reinterpret_cast<Pair*>(&stream[place(row, chunk)]) + lane % 4;
                        if (adds) {
                            one += first_of(*kept);
                            other += second_of(*kept);
                        }
                        if (!ends) {
                            const Pair made = inside ? pair_of(one, other) : 0;
                            if (adds) *kept = made;
                            reinterpret_cast<Pair*>(&target[place(row, chunk)])[lane % 4] = activated(made);
                        } else if (inside && column < CHANNELS) {
                            Pair* result = &out[(size_t)time * (CHANNELS / 2) + column / 2];
                            if (block > 0) {
                                one += first_of(*result);
                                other += second_of(*result);
                            }
                            const float scale = block == BLOCKS - 1 ? 1.0f / BLOCKS : 1.0f;
                            *result = pair_of(one * scale, other * scale);
                        }
                    }
                }
            }
            weights += taps * STEPS * STEPS * 32;
            biases += WIDTH;
            uint4* read = source;
            source = target;
            target = read;
            __syncthreads();
        }
    }
}
