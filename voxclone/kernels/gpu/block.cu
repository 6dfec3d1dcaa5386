// A residual block of HiFi-GAN, or one addition of it, in one kernel by Hopper's warpgroup products (wgmma), whose both
// sides lie in shared memory. For up to 128 channels, in bfloat16 or float16.
//
// A thread block makes `times` times of one item and recomputes the halo that its neighbours make too. Row r of its two
// buffers is the time blockIdx.x times - halo + r. A buffer is CHUNKS planes of 8 channels, whose rows of 16 bytes lie one
// after another: what a product reads may begin at any row, and so a tap is just another address. The buffers hold
// leaky ReLUs; what residuals are added to is the leaky ReLU undone. Weights come through a ring of STAGES pieces.
//
// Macros: BFLOAT16 (1 or 0), CHANNELS, WIDTH (the channels, filled up with zeros), GROUPS (of 128 threads), PARTS (of 64
// rows that a group makes), STAGES, PER_RESIDUAL, SLOPE. block.py puts instructions.cuh before it.

constexpr int CHUNKS = WIDTH / 8;
constexpr int THREADS = 128 * GROUPS;
constexpr int DEPTH = WIDTH < 64 ? WIDTH : 64;       // input channels of a piece of weights
constexpr int PIECE = DEPTH * WIDTH / 8;             // in 16 bytes

struct Plan {
    int count;  // convolutions
    int taps;
    int times;
    int halo;
    int plane;  // rows of a buffer
    int dilations[6];
};

__device__ __forceinline__ float leaky(float value) { return value < 0 ? value * SLOPE : value; }
__device__ __forceinline__ float unleaky(float value) { return value < 0 ? value * (1.0f / SLOPE) : value; }
__device__ __forceinline__ Pair activated(Pair pair) { return pair_of(leaky(first_of(pair)), leaky(second_of(pair))); }

// One piece of the weights on its way into the ring; the group that waits for it is committed for none too.
__device__ __forceinline__ void fetch(uint4* ring, const uint4* weights, int piece, int pieces) {
    if (piece < pieces)
        for (int each = threadIdx.x; each < PIECE; each += THREADS)
            copy_later(&ring[piece % STAGES * PIECE + each], &weights[(size_t)piece * PIECE + each]);
    commit_copies();
}

// x and out are (B, length, CHANNELS); the grid is (tiles, B). out = scale (out, if `sums`, + the block of x).
extern "C" __global__ void __launch_bounds__(THREADS, 1)
residual_block(const uint4* x, const uint4* weights, const float* biases, uint4* out, int length, int sums, float scale,
               const __grid_constant__ Plan plan) {
    extern __shared__ uint4 shared[];
    const int plane = plan.plane, taps = plan.taps, span = plan.times + 2 * plan.halo;
    const int pieces = plan.count * taps * (WIDTH / DEPTH);
    uint4* stream = shared;  // what residuals are added to
    uint4* source = shared;
    uint4* other = shared + CHUNKS * plane;
    uint4* ring = shared + 2 * CHUNKS * plane;
    const int group = threadIdx.x / 128, warp = threadIdx.x / 32 % 4, lane = threadIdx.x % 32;
    const int start = (int)blockIdx.x * plan.times - plan.halo;
    x += (size_t)blockIdx.y * length * (CHANNELS / 8);
    out += (size_t)blockIdx.y * length * (CHANNELS / 8);
    for (int piece = 0; piece < STAGES - 2; ++piece) fetch(ring, weights, piece, pieces);
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
    for (int index = 0; index < plan.count; ++index) {
        const int dilation = plan.dilations[index];
        const bool adds = index % PER_RESIDUAL == PER_RESIDUAL - 1, ends = index == plan.count - 1;
        edge += dilation * (taps / 2);
        const int first = edge + 64 * PARTS * group;
        float products[PARTS][WIDTH / 8][4] = {};
#pragma unroll 1
        for (int tap = 0; tap < taps; ++tap) {
            const uint4* rows = source + first + (tap - taps / 2) * dilation;
#pragma unroll 1
            for (int depth = 0; depth < CHUNKS; depth += DEPTH / 8) {
                wait_for_copies();
                show_to_products();
                wait_for_products<1>();
                __syncthreads();
                fetch(ring, weights, piece + STAGES - 2, pieces);
                const uint4* right = ring + piece % STAGES * PIECE;
                begin_products();
#pragma unroll
                for (int step = 0; step < DEPTH / 8; step += 2)
#pragma unroll
                    for (int part = 0; part < PARTS; ++part)
                        multiply_rows(products[part], rows + (depth + step) * plane + 64 * part, right + step * WIDTH, plane);
                commit_products();
                ++piece;
            }
        }
        wait_for_products<0>();
        uint4* target = adds && PER_RESIDUAL == 2 ? stream : other;
#pragma unroll
        for (int part = 0; part < PARTS; ++part)
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const int row = first + 64 * part + 16 * warp + 8 * half + lane / 4, time = start + row;
                const bool inside = time >= 0 && time < length;
                if (row >= span - edge) continue;
#pragma unroll
                for (int chunk = 0; chunk < CHUNKS; ++chunk) {
                    const int column = 8 * chunk + 2 * (lane % 4);
                    float one = products[part][chunk][2 * half] + biases[column];
                    float two = products[part][chunk][2 * half + 1] + biases[column + 1];
                    if (adds) {
                        const Pair kept = reinterpret_cast<const Pair*>(&stream[chunk * plane + row])[lane % 4];
                        one += unleaky(first_of(kept));
                        two += unleaky(second_of(kept));
                    }
                    if (!ends) one = leaky(one), two = leaky(two);
                    reinterpret_cast<Pair*>(&target[chunk * plane + row])[lane % 4] = inside ? pair_of(one, two) : 0;
                }
            }
        biases += WIDTH;
        if (PER_RESIDUAL == 1) {  // the buffers change places
            other = stream;
            stream = target;
        }
        source = target;
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
