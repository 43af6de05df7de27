// Vectors of 16 lanes of 16 bits, as AVX2 has them: with 48 channels three of them fill no wider one.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace bbans {
namespace {

struct ShortsX86 {
    static constexpr int short_lanes = 16;
    static constexpr int pair = 2;  // input channels that `dot` takes at once

    struct Short {
        __m256i v;
    };

    static Short load_short(const int16_t* p) {
        return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
    }
    static void store_short(int16_t* p, Short a) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a.v);
    }
    static Short add(Short a, Short b) { return {_mm256_add_epi16(a.v, b.v)}; }
    static Short subtract(Short a, Short b) { return {_mm256_sub_epi16(a.v, b.v)}; }

    // Two neighbouring integers, as one of 32 bits.
    static int32_t load_pair(const int16_t* p) {
        int32_t two;
        std::memcpy(&two, p, sizeof two);
        return two;
    }
};

}  // namespace
}  // namespace bbans
