// Mixtures of a pixel's channels, each given the channels before it, from a network's outputs.
#pragma once

#include <algorithm>

#include "mixture.hpp"

namespace bbans {

// N pixels: outputs int16 (N, 10 K), sums int32 (N, 3), values (N, channels).
struct Pixels {
    const int16_t* outputs;
    const int32_t* sums;
    const int64_t* values;
    int64_t count;
    int components, channels;
};

struct Blocks;

// starts and freqs (channels, N). blocks: of the instruction set, or null.
void colour_intervals(const Pixels& pixels, const Tables& tables, const Axis& axis, int64_t* starts, int64_t* freqs,
                      int threads, const Blocks* blocks);

// The weights before any channel is known.
template <class Count>
inline void prior_weights(const int16_t* logits, Count count, const Tables& t, int64_t* raw) {
    int top = logits[0];
    for (int k = 1; k < count; k++) top = std::max(top, int(logits[k]));
    for (int k = 0; k < count; k++) raw[k] = t.exp2[std::min(top - logits[k], 255)];
}

// Locations of a channel in 1/32 grey level; `errors` of the channels before: value minus centre.
inline int64_t location(const int16_t* row, int K, int channel, int k, int64_t centre, const int64_t errors[2]) {
    int64_t coupling = 0;
    if (channel == 1) {
        coupling = (row[7 * K + k] * (errors[0] - row[K + k])) >> 6;
    } else if (channel == 2) {
        coupling = (row[8 * K + k] * (errors[0] - row[K + k]) + row[9 * K + k] * (errors[1] - row[2 * K + k])) >> 6;
    }
    return std::min(std::max(centre + row[K * (1 + channel) + k] + coupling, -LOCATION_TOP), LOCATION_TOP);
}

}  // namespace bbans
