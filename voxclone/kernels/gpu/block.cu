// A residual block of HiFi-GAN, or one addition of it, in one kernel by Hopper's warpgroup products (wgmma), whose both
// sides lie in shared memory. For up to 128 channels, in bfloat16 or float16.
//
// A thread block makes `times` times of one item and recomputes the halo that its neighbours make too. Row r of its two
// buffers is the time blockIdx.x times - halo + r. A buffer is CHUNKS planes of 8 channels, whose rows of 16 bytes lie one
// after another: what a product reads may begin at any row, and so a tap is just another address. The buffers hold
// leaky ReLUs; what residuals are added to is the leaky ReLU undone, with which the sums of a product begin.
//
// A product sums over 16 values: over two planes or, where there is but one (WIDTH 8), over two taps. Weights come
// through a ring of STAGES pieces, or, where STAGES is 0, all of them stay.
//
// Macros: BFLOAT16 (1 or 0), CHANNELS, WIDTH (the channels, filled up with zeros), GROUPS (of 128 threads), PARTS (of 64
// rows that a group makes), STAGES, BLOCKS (that a multiprocessor holds), PER_RESIDUAL, SLOPE (above 0, at most 1).
// block.py puts instructions.cuh before it.

constexpr int CHUNKS = WIDTH / 8;
constexpr int THREADS = 128 * GROUPS;
constexpr int TOGETHER = WIDTH == 8 ? 2 : 1;         // taps of a piece of weights
constexpr int DEPTH = WIDTH < 64 ? WIDTH : 64;       // input channels of a piece of weights
constexpr int PIECE = TOGETHER * DEPTH * WIDTH / 8;  // in 16 bytes

struct Plan {
    int count;  // convolutions
    int taps;
    int times;
    int halo;
    int plane;  // rows of a buffer
    int dilations[6];
};

__device__ __forceinline__ float leaky(float value, float slope) { return fmaxf(value, value * slope); }
__device__ __forceinline__ float unleaky(float value) { return fminf(value, value * (1.0f / SLOPE)); }
__device__ __forceinline__ Pair activated(Pair pair) {
    return pair_of(leaky(first_of(pair), SLOPE), leaky(second_of(pair), SLOPE));
}

// Pieces of the weights on their way: one into the ring, or all; the group that waits for it is committed for none too.
__device__ __forceinline__ void fetch(uint4* ring, const uint4* weights, int piece, int pieces) {
    const int place = STAGES ? piece % (STAGES + !STAGES) * PIECE : 0, size = STAGES ? PIECE : pieces * PIECE;
    if (piece < pieces)
        for (int each = threadIdx.x; each < size; each += THREADS)
            copy_later(&ring[place + each], &weights[(size_t)piece * PIECE + each]);
    commit_copies();
}

// x and out are (B, length, CHANNELS); the grid is (tiles, B). out = scale (out, if `sums`, + the block of x).
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
residual_block(const uint4* x, const uint4* weights, const float* biases, uint4* out, int length, int sums, float scale,
               const __grid_constant__ Plan plan) {
    extern __shared__ uint4 shared[];
    const int plane = plan.plane, taps = plan.taps, span = plan.times + 2 * plan.halo;
    const int pieces = plan.count * ((taps + TOGETHER - 1) / TOGETHER) * (WIDTH / DEPTH);
    uint4* stream = shared;  // what residuals are added to
    uint4* source = shared;
    uint4* other = shared + CHUNKS * plane;
    uint4* ring = shared + 2 * CHUNKS * plane;
    const int group = same_in_warp(threadIdx.x / 128), warp = threadIdx.x / 32 % 4, lane = threadIdx.x % 32;
    const int start = (int)blockIdx.x * plan.times - plan.halo;
    x += (size_t)blockIdx.y * length * (CHANNELS / 8);
    out += (size_t)blockIdx.y * length * (CHANNELS / 8);
    for (int piece = 0; piece < (STAGES ? STAGES - 2 : 1); ++piece) fetch(ring, weights, piece, pieces);
#pragma unroll 4
    for (int each = threadIdx.x; each < (span + 7) / 8 * 8 * CHUNKS; each += THREADS) {
        const int row = each / (8 * CHUNKS) * 8 + each % 8, chunk = each / 8 % CHUNKS, time = start + row;
        uint4 read = {0, 0, 0, 0};
        if (time >= 0 && time < length && 8 * chunk < CHANNELS) read = x[(size_t)time * (CHANNELS / 8) + chunk];
        uint4 active = {activated(read.x), activated(read.y), activated(read.z), activated(read.w)};
        stream[chunk * plane + row] = active;
    }
    int edge = 0, piece = 0;
#pragma unroll 1
    for (int residual = 0; residual < plan.count; residual += PER_RESIDUAL) {
#pragma unroll
        for (int turn = 0; turn < PER_RESIDUAL; ++turn) {
            const int index = residual + turn, dilation = plan.dilations[index];
            const bool adds = turn == PER_RESIDUAL - 1;
            edge += dilation * (taps / 2);
            const int first = edge + 64 * PARTS * group, own = first + 16 * warp + lane / 4;
            if (STAGES == 0 || PER_RESIDUAL == 1) {  // else what is read next was there before the ring's last barrier
                if (STAGES == 0) wait_for_copies();
                show_to_products();
                __syncthreads();
            }
            float products[PARTS][CHUNKS][4];
#pragma unroll
            for (int chunk = 0; chunk < CHUNKS; ++chunk)
#pragma unroll
                for (int each = 0; each < 4; ++each) {
                    const float bias = biases[8 * chunk + 2 * (lane % 4) + each % 2];
#pragma unroll
                    for (int part = 0; part < PARTS; ++part) products[part][chunk][each] = bias;
                }
            if (adds) {
#pragma unroll
                for (int part = 0; part < PARTS; ++part)
#pragma unroll
                    for (int half = 0; half < 2; ++half)
#pragma unroll
                        for (int chunk = 0; chunk < CHUNKS; ++chunk) {
                            const uint4* row = &stream[chunk * plane + own + 64 * part + 8 * half];
                            const Pair kept = reinterpret_cast<const Pair*>(row)[lane % 4];
                            products[part][chunk][2 * half] += unleaky(first_of(kept));
                            products[part][chunk][2 * half + 1] += unleaky(second_of(kept));
                        }
            }
            const Rows rows = rows_at(source + first - taps / 2 * dilation, TOGETHER == 2 ? dilation : plane);
#pragma unroll 1
            for (int tap = 0; tap < taps; tap += TOGETHER) {
                const int from = TOGETHER == 2 && tap > taps - 2 ? taps - 2 : tap;  // the last tap comes with a zero one
#pragma unroll 1
                for (int depth = 0; depth < CHUNKS; depth += DEPTH / 8) {
                    if (STAGES) {
                        wait_for_copies();
                        show_to_products();
                        wait_for_products<1>();
                        __syncthreads();
                        fetch(ring, weights, piece + STAGES - 2, pieces);
                    }
                    const Rows left = rows + (from * dilation + depth * plane);
                    const Rows right = rows_at(ring + (STAGES ? piece % (STAGES + !STAGES) : piece) * PIECE, WIDTH);
                    begin_products();
#pragma unroll
                    for (int step = 0; step < TOGETHER * DEPTH / 8; step += 2)
#pragma unroll
                        for (int part = 0; part < PARTS; ++part)
                            multiply_rows(products[part], left + (step * plane + 64 * part), right + step * WIDTH);
                    commit_products();
                    ++piece;
                }
            }
            wait_for_products<0>();
            uint4* target = adds && PER_RESIDUAL == 2 ? stream : other;
            const float slope = index == plan.count - 1 ? 1.0f : SLOPE;
#pragma unroll
            for (int part = 0; part < PARTS; ++part)
#pragma unroll
                for (int half = 0; half < 2; ++half) {
                    const int row = own + 64 * part + 8 * half;
                    const bool inside = (unsigned int)(start + row) < (unsigned int)length;
#pragma unroll
                    for (int chunk = 0; chunk < CHUNKS; ++chunk) {
                        const float one = products[part][chunk][2 * half], two = products[part][chunk][2 * half + 1];
                        const Pair made = pair_of(leaky(one, slope), leaky(two, slope));
                        reinterpret_cast<Pair*>(&target[chunk * plane + row])[lane % 4] = inside ? made : 0;
                    }
                }
            biases += WIDTH;
            if (PER_RESIDUAL == 1) {  // the buffers change places
                other = stream;
                stream = target;
            }
            source = target;
        }
    }
    __syncthreads();
#pragma unroll 4
    for (int each = threadIdx.x; each < (plan.times + 7) / 8 * 8 * CHUNKS; each += THREADS) {
        const int made = each / (8 * CHUNKS) * 8 + each % 8, chunk = each / 8 % CHUNKS, time = start + plan.halo + made;
        if (made >= plan.times || time >= length || 8 * chunk >= CHANNELS) continue;
        const uint4 values = source[chunk * plane + plan.halo + made];
        uint4* place = &out[(size_t)time * (CHANNELS / 8) + chunk];
        uint4 before = {0, 0, 0, 0};
        if (sums) before = *place;
        const Pair one[4] = {values.x, values.y, values.z, values.w}, two[4] = {before.x, before.y, before.z, before.w};
        Pair both[4];
#pragma unroll
        for (int pair = 0; pair < 4; ++pair)
            both[pair] = pair_of(scale * (first_of(one[pair]) + first_of(two[pair])),
                                 scale * (second_of(one[pair]) + second_of(two[pair])));
        *place = {both[0], both[1], both[2], both[3]};
    }
}
