// Rows of lanes of a rANS message, as `bbans.coding.blocks` defines them.
#pragma once

#include <cstdint>

#include "mixture_rows.hpp"

namespace bbans {

constexpr uint64_t HEAD_MIN = uint64_t(1) << 31;

// A lane without a symbol, but for the word that it needs where it is below HEAD_MIN then.
inline uint64_t popped(uint64_t head, uint64_t start, uint64_t freq, int precision) {
    return freq * (head >> precision) + (head & ((uint64_t(1) << precision) - 1)) - start;
}

// What is left to push, and the first of the words that were written, from the end of `words`.
struct Pushed {
    int64_t left, top;
};

// Pushes rows from the end, one at least, until none is left or `stop_at` words have been written;
// `words` has room for as many as there are symbols.
Pushed push_rows(uint64_t* head, int64_t lanes, const uint64_t* starts, const uint64_t* freqs, int64_t left,
                 int precision, double stop_at, uint32_t* words);

// Pops the values first..last - 1 of a channel and computes the weights of the next one; returns the
// number of words taken, or -1 if there were too few.
int64_t pop_channel(uint64_t* head, int64_t lanes, const uint32_t* words, int64_t available, const Pixels& pixels,
                    const Channel& channel, const Tables& tables, const Axis& axis, int64_t first, int64_t last,
                    int threads, const Blocks* blocks);

}  // namespace bbans
