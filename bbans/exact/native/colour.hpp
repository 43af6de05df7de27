// Mixtures of a pixel's channels, each given the channels before it, from a network's outputs.
#pragma once

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

// starts and freqs (channels, N).
void colour_intervals(const Pixels& pixels, const Tables& tables, const Axis& axis, int64_t* starts, int64_t* freqs,
                      int threads);

// Parameters int32 (N, K) of one channel, which contain those of the channel before.
struct Channel {
    int32_t* weights;
    int32_t* locations;
    int32_t* scales;
};

void open_channel(const Pixels& pixels, const Tables& tables, const Axis& axis, int channel, const Channel& out,
                  int threads);

}  // namespace bbans
