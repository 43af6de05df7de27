// Vectors of AVX-512 with VNNI: 16 lanes of 32 bits, products of pairs added in one instruction.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "shorts_x86.hpp"

namespace bbans {
namespace {

struct Vectors : ShortsX86 {
    static constexpr int lanes = 16;
    static constexpr int rows = 8, columns = 3;  // 24 of 32 registers are accumulators

    struct Int {
        __m512i v;
    };
    struct Operand {
        __m512i v;
    };

    using ShortsX86::add;
    using ShortsX86::subtract;

    static Int load(const int32_t* p) { return {_mm512_loadu_si512(p)}; }
    static void store(int32_t* p, Int a) { _mm512_storeu_si512(p, a.v); }
    static Int splat(int32_t x) { return {_mm512_set1_epi32(x)}; }
    static Operand operand(const int16_t* p) {
        return {_mm512_set1_epi32(load_pair(p))};
    }
    static Int dot(Int sum, Operand a, const int16_t* w) {
        return {_mm512_dpwssd_epi32(sum.v, a.v, _mm512_loadu_si512(w))};
    }
    static Int add(Int a, Int b) { return {_mm512_add_epi32(a.v, b.v)}; }
    static Int subtract(Int a, Int b) { return {_mm512_sub_epi32(a.v, b.v)}; }
    static Int multiply(Int a, Int b) { return {_mm512_mullo_epi32(a.v, b.v)}; }
    static Int shift_left(Int a, Int n) { return {_mm512_sllv_epi32(a.v, n.v)}; }
    static Int shift_right(Int a, Int n) { return {_mm512_srav_epi32(a.v, n.v)}; }
    static Int both(Int a, Int b) { return {_mm512_and_si512(a.v, b.v)}; }
    static Int clip(Int a, Int low, Int high) {
        return {_mm512_min_epi32(_mm512_max_epi32(a.v, low.v), high.v)};
    }
    static Int widen(const int16_t* p) {
        return {_mm512_cvtepi16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
    }
    static void narrow(int16_t* p, Int a) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtsepi32_epi16(a.v));
    }
};

}  // namespace
}  // namespace bbans
