// Vectors of 8 lanes in plain C++, which compilers turn into whatever the machine has.
#pragma once

#include <cstdint>
#include <cstring>

namespace bbans {
namespace {

struct Vectors {
    static constexpr int lanes = 8;  // of 32 bits
    static constexpr int pair = 1;   // input channels that `dot` takes at once
    static constexpr int rows = 2, columns = 2;  // accumulators of a tile: positions x vectors

    struct Int {
        int32_t v[lanes];
    };
    struct Short {
        int16_t v[lanes];
    };
    struct Operand {
        int32_t v;
    };

    static Int load(const int32_t* p) {
        Int r;
        std::memcpy(r.v, p, sizeof r.v);
        return r;
    }
    static void store(int32_t* p, Int a) { std::memcpy(p, a.v, sizeof a.v); }
    static Int splat(int32_t x) {
        Int r;
        for (int i = 0; i < lanes; i++) r.v[i] = x;
        return r;
    }
    static Operand operand(const int16_t* p) { return {*p}; }
    static Int dot(Int sum, Operand a, const int16_t* w) {
        for (int i = 0; i < lanes; i++) sum.v[i] = wrapped(uint32_t(sum.v[i]) + uint32_t(a.v * w[i]));
        return sum;
    }
    static Int add(Int a, Int b) {
        for (int i = 0; i < lanes; i++) a.v[i] = wrapped(uint32_t(a.v[i]) + uint32_t(b.v[i]));
        return a;
    }
    static Int subtract(Int a, Int b) {
        for (int i = 0; i < lanes; i++) a.v[i] = wrapped(uint32_t(a.v[i]) - uint32_t(b.v[i]));
        return a;
    }
    static Int multiply(Int a, Int b) {
        for (int i = 0; i < lanes; i++) a.v[i] = wrapped(uint32_t(a.v[i]) * uint32_t(b.v[i]));
        return a;
    }
    static Int shift_left(Int a, Int n) {
        for (int i = 0; i < lanes; i++) a.v[i] = wrapped(uint32_t(a.v[i]) << n.v[i]);
        return a;
    }
    static Int shift_right(Int a, Int n) {
        for (int i = 0; i < lanes; i++) a.v[i] >>= n.v[i];
        return a;
    }
    static Int both(Int a, Int b) {
        for (int i = 0; i < lanes; i++) a.v[i] &= b.v[i];
        return a;
    }
    static Int clip(Int a, Int low, Int high) {
        for (int i = 0; i < lanes; i++) {
            a.v[i] = a.v[i] < low.v[i] ? low.v[i] : a.v[i];
            a.v[i] = a.v[i] > high.v[i] ? high.v[i] : a.v[i];
        }
        return a;
    }
    static Int widen(const int16_t* p) {
        Int r;
        for (int i = 0; i < lanes; i++) r.v[i] = p[i];
        return r;
    }
    // values must fit
    static void narrow(int16_t* p, Int a) {
        for (int i = 0; i < lanes; i++) p[i] = int16_t(a.v[i]);
    }

    static Short load_short(const int16_t* p) {
        Short r;
        std::memcpy(r.v, p, sizeof r.v);
        return r;
    }
    static void store_short(int16_t* p, Short a) { std::memcpy(p, a.v, sizeof a.v); }
    static Short add(Short a, Short b) {
        for (int i = 0; i < lanes; i++) a.v[i] = int16_t(a.v[i] + b.v[i]);
        return a;
    }
    static Short subtract(Short a, Short b) {
        for (int i = 0; i < lanes; i++) a.v[i] = int16_t(a.v[i] - b.v[i]);
        return a;
    }
    static constexpr int short_lanes = lanes;

  private:
    static int32_t wrapped(uint32_t x) {
        int32_t r;
        std::memcpy(&r, &x, sizeof r);
        return r;
    }
};

}  // namespace
}  // namespace bbans
