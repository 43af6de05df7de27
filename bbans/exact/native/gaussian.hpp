// Gaussians over bins of equal mass, as `bbans.distributions.gaussian_bins` defines them.
#pragma once

#include <cstdint>

namespace bbans {

constexpr int GAUSSIAN_PRECISION = 24, GAUSSIAN_BITS = 30, GAUSSIAN_HALF = 1 << 13, MAX_BIN_BITS = 12;
constexpr int64_t MEAN_LIMIT = 1 << 12;

// N latents: means in 1/128 and inverse sigmas (N,), over 2^bits bins with 2^bits + 1 boundaries; the
// table of the normal CDF has 2 GAUSSIAN_HALF + 1 entries.
struct Gaussians {
    const int64_t *means, *inverse;
    int64_t count;
    const int64_t *boundaries, *table;
    int bits;
    bool interpolated;
};

// Pops the bins of all N; returns the number of words taken, or -1 if there were too few.
int64_t pop_gaussians(uint64_t* head, int64_t lanes, const uint32_t* words, int64_t available, const Gaussians& g,
                      int64_t* bins);

}  // namespace bbans
