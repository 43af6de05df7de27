// Operations on whole maps, int16 (rows, columns, channels).
#pragma once

#include <cstdint>

namespace bbans {

// Means of blocks x blocks positions, the edges repeated to complete them, halves rounded to even.
// `sums` holds one entry a channel. `block` is a power of two.
void pool(const int16_t* map, int64_t rows, int64_t columns, int channels, int block, int16_t* out, int32_t* sums);

}  // namespace bbans
