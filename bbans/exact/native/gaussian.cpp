#include "gaussian.hpp"

#include <algorithm>

#include "rans.hpp"

namespace bbans {

namespace {

// F(i) for 0 < i < 2^bits.
int64_t cumulative(const Gaussians& g, int64_t mean, int64_t inverse, int64_t i) {
    const int64_t distance = (g.boundaries[i] - mean * 512) * inverse, top = 2 * GAUSSIAN_HALF;
    const int64_t index = GAUSSIAN_HALF + (distance >> 22);
    int64_t mass = g.table[std::min(std::max(index, int64_t(0)), top)];
    if (g.interpolated) {
        const int64_t above = g.table[std::min(std::max(index + 1, int64_t(0)), top)];
        mass += ((above - mass) * ((distance >> 12) & 1023)) >> 10;
    }
    return ((mass * ((int64_t(1) << GAUSSIAN_PRECISION) - (int64_t(1) << g.bits))) >> GAUSSIAN_BITS) + i;
}

}  // namespace

int64_t pop_gaussians(uint64_t* head, int64_t lanes, const uint32_t* words, int64_t available, const Gaussians& g,
                      int64_t* bins) {
    int64_t taken = 0;
    for (int64_t n = 0; n < g.count; n++) {
        uint64_t& h = head[n % lanes];
        const int64_t cf = int64_t(h & ((uint64_t(1) << GAUSSIAN_PRECISION) - 1));
        int64_t low = 0, high = int64_t(1) << g.bits, start = 0, end = int64_t(1) << GAUSSIAN_PRECISION;
        while (high - low > 1) {
            const int64_t middle = (low + high) >> 1, value = cumulative(g, g.means[n], g.inverse[n], middle);
            const bool right = value <= cf;
            low = right ? middle : low;
            start = right ? value : start;
            high = right ? high : middle;
            end = right ? end : value;
        }
        bins[n] = low;
        h = popped(h, uint64_t(start), uint64_t(end - start), GAUSSIAN_PRECISION);
        if (h >= HEAD_MIN) continue;
        if (taken == available) return -1;
        h = (h << 32) | words[taken++];
    }
    return taken;
}

}  // namespace bbans
