// Mixtures of a block of pixels at once, where that is faster: AVX-512. With the gathers of AVX2 it
// took as long as one symbol at a time, and searches 1.4 times as long.
#pragma once

#include <vector>

#include "colour.hpp"

namespace bbans {

// A channel while it is decoded: its number, the values (N, channels), of which those of the channels
// before are known, the components' weights (N, K) given them, and the frequencies (N,) of its values.
struct Channel {
    int number;
    int64_t* values;
    int32_t* weights;
    int64_t* freqs;
};

struct NarrowTables;

// What a level has for `pixels` pixels at once, from number `first` on.
struct Blocks {
    int pixels;
    void (*intervals)(const Pixels&, const NarrowTables&, int64_t first, int64_t* starts, int64_t* freqs);
    // The symbols of a channel at the cumulative frequencies of `head`; the weights of the next channel.
    void (*symbols)(const Pixels&, const NarrowTables&, const Channel&, int64_t first, const uint64_t* head,
                    int64_t* starts);
};

constexpr int PIXELS_AT_ONCE = 16;

// The tables and the axis in 32 bits, for blocks of pixels.
struct NarrowTables {
    // blocks: of the instruction set, or null.
    NarrowTables(const Tables& tables, const Axis& axis, const Blocks* blocks);

    const Blocks* blocks;  // null also where the axis does not fit, and the rest is not to be read
    const int32_t *logistic, *inverse, *exp2, *boundaries, *centres;
    int32_t n;

private:
    std::vector<int32_t> store;
};

}  // namespace bbans
