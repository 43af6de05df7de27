// Eight doubles of AVX-512, as the loops of mixtures take them.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace bbans {
namespace {

struct Real {
    static constexpr int lanes = 8;
    using Mask = __mmask8;

    __m512d v;

    Real() = default;
    Real(__m512d v) : v(v) {}
    Real(double x) : v(_mm512_set1_pd(x)) {}

    static Real load(const double* p) { return _mm512_loadu_pd(p); }
    void store(double* p) const { _mm512_storeu_pd(p, v); }
    // p[0], p[stride], ...
    static Real strided(const int32_t* p, int stride) {
        return _mm512_cvtepi32_pd(_mm256_i32gather_epi32(p, steps(stride), 4));
    }
    // The same of 16-bit integers, which are read as the upper halves of pairs: p[-1] is read too.
    static Real strided(const int16_t* p, int stride) {
        const __m256i pairs = _mm256_i32gather_epi32(reinterpret_cast<const int*>(p - 1), steps(stride), 2);
        return _mm512_cvtepi32_pd(_mm256_srai_epi32(pairs, 16));
    }
    // table[index], the index rounded towards zero.
    static Real look_up(const int32_t* table, Real index) {
        return _mm512_cvtepi32_pd(_mm256_i32gather_epi32(table, _mm512_cvttpd_epi32(index.v), 4));
    }

private:
    static __m256i steps(int stride) {
        return _mm256_mullo_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(stride));
    }
};

inline Real operator+(Real a, Real b) { return _mm512_add_pd(a.v, b.v); }
inline Real operator-(Real a, Real b) { return _mm512_sub_pd(a.v, b.v); }
inline Real operator*(Real a, Real b) { return _mm512_mul_pd(a.v, b.v); }
inline Real operator/(Real a, Real b) { return _mm512_div_pd(a.v, b.v); }
inline Real::Mask operator<(Real a, Real b) { return _mm512_cmp_pd_mask(a.v, b.v, _CMP_LT_OQ); }
inline Real choose(Real::Mask m, Real yes, Real no) { return _mm512_mask_blend_pd(m, no.v, yes.v); }
inline Real least(Real a, Real b) { return _mm512_min_pd(a.v, b.v); }
inline Real greatest(Real a, Real b) { return _mm512_max_pd(a.v, b.v); }
inline Real floored(Real a) { return _mm512_roundscale_pd(a.v, _MM_FROUND_TO_NEG_INF); }
inline Real less_product(Real a, Real b, Real c) { return _mm512_fnmadd_pd(b.v, c.v, a.v); }  // a - b c

}  // namespace
}  // namespace bbans
