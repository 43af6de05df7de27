// Vectors of AVX2: 8 lanes of 32 bits, products of pairs of 16-bit integers.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "shorts_x86.hpp"

namespace bbans {
namespace {

struct Vectors : ShortsX86 {
    static constexpr int lanes = 8;
    static constexpr int rows = 2, columns = 6;  // 12 of 16 registers are accumulators

    struct Int {
        __m256i v;
    };
    struct Operand {
        __m256i v;
    };

    using ShortsX86::add;
    using ShortsX86::subtract;

    static Int load(const int32_t* p) { return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))}; }
    static void store(int32_t* p, Int a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a.v); }
    static Int splat(int32_t x) { return {_mm256_set1_epi32(x)}; }
    static Operand operand(const int16_t* p) {
        return {_mm256_set1_epi32(load_pair(p))};
    }
    static Int dot(Int sum, Operand a, const int16_t* w) {
        const __m256i weights = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w));
        return {_mm256_add_epi32(sum.v, _mm256_madd_epi16(a.v, weights))};
    }
    static Int add(Int a, Int b) { return {_mm256_add_epi32(a.v, b.v)}; }
    static Int subtract(Int a, Int b) { return {_mm256_sub_epi32(a.v, b.v)}; }
    static Int multiply(Int a, Int b) { return {_mm256_mullo_epi32(a.v, b.v)}; }
    static Int shift_left(Int a, Int n) { return {_mm256_sllv_epi32(a.v, n.v)}; }
    static Int shift_right(Int a, Int n) { return {_mm256_srav_epi32(a.v, n.v)}; }
    static Int both(Int a, Int b) { return {_mm256_and_si256(a.v, b.v)}; }
    static Int clip(Int a, Int low, Int high) {
        return {_mm256_min_epi32(_mm256_max_epi32(a.v, low.v), high.v)};
    }
    static Int widen(const int16_t* p) {
        return {_mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
    }
    static void narrow(int16_t* p, Int a) {
        const __m128i low = _mm256_castsi256_si128(a.v), high = _mm256_extracti128_si256(a.v, 1);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_packs_epi32(low, high));
    }
};

}  // namespace
}  // namespace bbans
