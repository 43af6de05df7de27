#include "maps.hpp"

#include <algorithm>

namespace bbans {

void pool(const int16_t* map, int64_t rows, int64_t columns, int channels, int block, int16_t* out, int32_t* sums) {
    int shift = 0;
    while (1 << shift < block * block) shift++;
    const int32_t half = shift ? (1 << (shift - 1)) - 1 : 0, odd = shift ? 1 : 0;
    for (int64_t y = 0; y < rows; y += block) {
        for (int64_t x = 0; x < columns; x += block) {
            std::fill_n(sums, channels, 0);
            for (int i = 0; i < block; i++) {
                const int16_t* row = map + std::min(y + i, rows - 1) * columns * channels;
                for (int j = 0; j < block; j++) {
                    const int16_t* at = row + std::min(x + j, columns - 1) * channels;
                    for (int c = 0; c < channels; c++) sums[c] += at[c];
                }
            }
            for (int c = 0; c < channels; c++)
                *out++ = int16_t((sums[c] + half + ((sums[c] >> shift) & odd)) >> shift);
        }
    }
}

}  // namespace bbans
