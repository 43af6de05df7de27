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

// The tables and the axis in 32 bits.
struct NarrowTables {
    NarrowTables(const Tables& tables, const Axis& axis);

    const int32_t* logistic;
    const int32_t *inverse, *exp2, *boundaries, *centres;
    int32_t n;
    bool fits;  // whether the axis does

private:
    std::vector<int32_t> store;
};

// What a level has for `pixels` pixels at once, from number `first` on.
struct Blocks {
    int pixels;
    void (*intervals)(const Pixels&, const NarrowTables&, int64_t first, int64_t* starts, int64_t* freqs);
    // The symbols of a channel at the cumulative frequencies of `head`; the weights of the next channel.
    void (*symbols)(const Pixels&, const NarrowTables&, const Channel&, int64_t first, const uint64_t* head,
                    int64_t* starts);
};

constexpr int PIXELS_AT_ONCE = 16;

}  // namespace bbans
