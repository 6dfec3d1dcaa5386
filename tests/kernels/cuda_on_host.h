// Runs a CUDA kernel's source on the CPU: what stands before its first line when g++ compiles it as C++.
//
// Each thread is a fiber; warps run one after another from barrier to barrier, forwards or backwards. Copies and products
// happen at once, their registers as the PTX manual lays them out. Shared memory begins as NaN and ends in a guard.

#include <cmath>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ucontext.h>
#include <vector>

#define ON_HOST 1
#define __global__
#define __device__
#define __constant__ static
#define __grid_constant__
#define __shared__
#define __forceinline__ inline
#define __launch_bounds__(...)

struct uint4 {
    unsigned int x, y, z, w;
};
struct Place {
    int x, y;
};
typedef unsigned int Pair;

static Place threadIdx, blockIdx;

namespace host {

enum Waits { RUNNING, FOR_BLOCK, DONE };

struct Fiber {
    ucontext_t context;
    jmp_buf where;
    std::vector<char> stack;
    Waits waits;
    bool started;
};

static std::vector<Fiber> fibers;
static ucontext_t origin;
static jmp_buf scheduler;
static int current;
static void (*entry)();

static void begin() {
    entry();
    fibers[current].waits = DONE;
    _longjmp(scheduler, 1);
}

static void resume(int thread) {
    Fiber& fiber = fibers[thread];
    current = thread;
    threadIdx = {thread, 0};
    fiber.waits = RUNNING;
    if (_setjmp(scheduler) != 0) return;
    if (fiber.started) _longjmp(fiber.where, 1);
    fiber.started = true;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.data();
    fiber.context.uc_stack.ss_size = fiber.stack.size();
    fiber.context.uc_link = &origin;
    makecontext(&fiber.context, begin, 0);
    setcontext(&fiber.context);
}

// Until the warp is at a barrier, or done; false where its lanes part.
static bool run_warp(int warp) {
    int count[3] = {};
    for (int lane = 0; lane < 32; ++lane) resume(32 * warp + lane);
    for (int lane = 0; lane < 32; ++lane) ++count[fibers[32 * warp + lane].waits];
    return count[FOR_BLOCK] == 32 || count[DONE] == 32;
}

static bool run_block(int threads, bool backwards) {
    const int number = threads / 32;
    fibers.resize(threads);
    for (Fiber& fiber : fibers) {
        fiber.stack.resize(1 << 16);
        fiber.started = false;
    }
    for (;;) {
        int done = 0;
        for (int turn = 0; turn < number; ++turn) {
            const int warp = backwards ? number - 1 - turn : turn;
            if (!run_warp(warp)) return false;
            done += fibers[32 * warp].waits == DONE;
        }
        if (done == number) return true;
        if (done != 0) return false;  // some left before a barrier that others wait at
    }
}

static float value(unsigned short bits) {
#if BFLOAT16
    const uint32_t wide = (uint32_t)bits << 16;
    float made;
    std::memcpy(&made, &wide, 4);
    return made;
#else
    _Float16 made;
    std::memcpy(&made, &bits, 2);
    return (float)made;
#endif
}

static unsigned short bits(float value) {
#if BFLOAT16
    uint32_t wide;
    std::memcpy(&wide, &value, 4);
    if (value != value) return 0x7fff;
    return (unsigned short)((wide + 0x7fff + ((wide >> 16) & 1)) >> 16);
#else
    const _Float16 made = (_Float16)value;
    unsigned short bits;
    std::memcpy(&bits, &made, 2);
    return bits;
#endif
}

}  // namespace host

static inline float first_of(Pair pair) { return host::value((unsigned short)pair); }
static inline float second_of(Pair pair) { return host::value((unsigned short)(pair >> 16)); }
static inline Pair pair_of(float first, float second) {
    return host::bits(first) | (Pair)host::bits(second) << 16;
}

static inline void __syncthreads() {
    host::fibers[host::current].waits = host::FOR_BLOCK;
    if (_setjmp(host::fibers[host::current].where) == 0) _longjmp(host::scheduler, 1);
}

static inline void copy_later(uint4* place, const uint4* read) { *place = *read; }
static inline void commit_copies() {}
static inline void wait_for_copies() {}
static inline void show_to_products() {}
static inline void begin_products() {}
static inline void commit_products() {}
template <int STILL>
static inline void wait_for_products() {}

static inline int same_in_warp(int value) { return value; }

struct Rows {
    const uint4* place;
    int second;
};
static inline Rows rows_at(const uint4* place, int second) { return {place, second}; }
static inline Rows operator+(Rows rows, int more) { return {rows.place + more, rows.second}; }

static void multiply_rows(float (&sums)[WIDTH / 8][4], Rows left, Rows right) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4;
    for (int chunk = 0; chunk < WIDTH / 8; ++chunk)
        for (int each = 0; each < 4; ++each) {
            const int row = 16 * warp + lane / 4 + 8 * (each / 2), column = 8 * chunk + 2 * (lane % 4) + each % 2;
            double sum = 0;
            for (int k = 0; k < 16; ++k)
                sum += (double)host::value(((const unsigned short*)&left.place[k / 8 * left.second + row])[k % 8]) *
                       host::value(((const unsigned short*)&right.place[k / 8 * right.second + column])[k % 8]);
            sums[chunk][each] += (float)sum;
        }
}
