// Vectors of NEON: 4 lanes of 32 bits, sums of products of 16-bit integers.
#pragma once

#include <arm_neon.h>

#include <cstdint>

namespace bbans {
namespace {

struct Vectors {
    static constexpr int lanes = 4;
    static constexpr int pair = 1;
    static constexpr int rows = 4, columns = 4;  // 16 of 32 registers are accumulators
    static constexpr int short_lanes = 8;

    struct Int {
        int32x4_t v;
    };
    struct Short {
        int16x8_t v;
    };
    struct Operand {
        int16x4_t v;
    };

    static Int load(const int32_t* p) { return {vld1q_s32(p)}; }
    static void store(int32_t* p, Int a) { vst1q_s32(p, a.v); }
    static Int splat(int32_t x) { return {vdupq_n_s32(x)}; }
    static Operand operand(const int16_t* p) { return {vdup_n_s16(*p)}; }
    static Int dot(Int sum, Operand a, const int16_t* w) { return {vmlal_s16(sum.v, a.v, vld1_s16(w))}; }
    static Int add(Int a, Int b) { return {vaddq_s32(a.v, b.v)}; }
    static Int subtract(Int a, Int b) { return {vsubq_s32(a.v, b.v)}; }
    static Int multiply(Int a, Int b) { return {vmulq_s32(a.v, b.v)}; }
    static Int shift_left(Int a, Int n) { return {vshlq_s32(a.v, n.v)}; }
    static Int shift_right(Int a, Int n) { return {vshlq_s32(a.v, vnegq_s32(n.v))}; }
    static Int both(Int a, Int b) { return {vandq_s32(a.v, b.v)}; }
    static Int clip(Int a, Int low, Int high) { return {vminq_s32(vmaxq_s32(a.v, low.v), high.v)}; }
    static Int widen(const int16_t* p) { return {vmovl_s16(vld1_s16(p))}; }
    static void narrow(int16_t* p, Int a) { vst1_s16(p, vqmovn_s32(a.v)); }

    static Short load_short(const int16_t* p) { return {vld1q_s16(p)}; }
    static void store_short(int16_t* p, Short a) { vst1q_s16(p, a.v); }
    static Short add(Short a, Short b) { return {vaddq_s16(a.v, b.v)}; }
    static Short subtract(Short a, Short b) { return {vsubq_s16(a.v, b.v)}; }
};

}  // namespace
}  // namespace bbans
