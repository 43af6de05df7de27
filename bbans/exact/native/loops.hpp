// The inner loops over `Vectors`, which the including file has defined for one instruction set. Both
// are without external names: a linker that joined those of two files would mix instruction sets.
//
// Sums wrap around 2^32. What a layer returns lies within the bound that was checked when its model
// was read, so that wrapping on the way changes nothing.
#pragma once

#include <type_traits>

#include "kernels.hpp"

namespace bbans {
namespace {

using Int = Vectors::Int;
constexpr int LANES = Vectors::lanes, PAIR = Vectors::pair;

// Sums of R positions and N vectors of outputs, kept in registers.
template <int R, int N>
struct Sums {
    Int at[R][N];

    inline void add(const int16_t* a, int stride, int channels, const int16_t*& w) {
        for (int c = 0; c < channels; c += PAIR) {
            Vectors::Operand x[R];
            for (int r = 0; r < R; r++) x[r] = Vectors::operand(a + r * stride + c);
            for (int n = 0; n < N; n++)
                for (int r = 0; r < R; r++) at[r][n] = Vectors::dot(at[r][n], x[r], w + n * LANES * PAIR);
            w += N * LANES * PAIR;
        }
    }
};

inline void finish(Int sum, const Rounding& f, int o, const int16_t* residual, int16_t* out) {
    const Int shift = Vectors::load(f.shift + o);
    if (residual) sum = Vectors::add(sum, Vectors::shift_left(Vectors::widen(residual + o), shift));
    const Int odd = Vectors::both(Vectors::shift_right(sum, shift), Vectors::load(f.odd + o));
    sum = Vectors::add(Vectors::add(sum, Vectors::load(f.half + o)), odd);
    sum = Vectors::clip(Vectors::shift_right(sum, shift), Vectors::load(f.low + o), Vectors::load(f.high + o));
    Vectors::narrow(out + o, sum);
}

template <int N>
void affine_columns(const AffineRow& row, const int16_t* weights, int first) {
    constexpr int R = Vectors::rows;
    for (int j = 0; j < row.width; j += R) {
        Sums<R, N> sums;
        for (int n = 0; n < N; n++) {
            const Int bias = Vectors::load(row.rounding.bias + (first + n) * LANES);
            for (int r = 0; r < R; r++) sums.at[r][n] = bias;
        }
        const int16_t* w = weights;
        for (int t = 0; t < row.tap_count; t++) {
            const Tap& tap = row.taps[t];
            sums.add(tap.row + j * tap.stride, tap.stride, tap.channels, w);
        }
        for (int r = 0; r < R; r++) {
            const int16_t* residual = row.residual ? row.residual + (j + r) * row.residual_stride : nullptr;
            for (int n = 0; n < N; n++)
                finish(sums.at[r][n], row.rounding, (first + n) * LANES, residual,
                       row.out + (j + r) * row.out_stride);
        }
    }
}

// Calls f with n, which lies in 1..N, as a constant of the compiler.
template <int N, class F>
inline void as_constant(int n, F&& f) {
    if constexpr (N > 1) {
        if (n < N) return as_constant<N - 1>(n, f);
    }
    f(std::integral_constant<int, N>());
}

// Calls f with the first vector and the number of vectors of each group of columns.
template <class F>
inline void for_columns(int vectors, F&& f) {
    for (int first = 0; first < vectors; first += Vectors::columns)
        as_constant<Vectors::columns>(vectors - first < Vectors::columns ? vectors - first : Vectors::columns,
                                      [&](auto n) { f(first, n); });
}

void affine(const AffineRow& row) {
    int channels = 0;
    for (int t = 0; t < row.tap_count; t++) channels += row.taps[t].channels;
    for_columns(row.vectors, [&](int first, auto n) {
        affine_columns<n>(row, row.weights + first * LANES * channels, first);
    });
}

using Short = Vectors::Short;

inline void differences(const Short d[4], Short t[4]) {
    t[0] = Vectors::subtract(d[0], d[2]);
    t[1] = Vectors::add(d[1], d[2]);
    t[2] = Vectors::subtract(d[2], d[1]);
    t[3] = Vectors::subtract(d[1], d[3]);
}

// B' d B of tiles first..first + count - 1; neighbours share two columns, which are computed once.
inline void transform_in(const WinogradRows& rows, int first, int count) {
    for (int c = 0; c < rows.channels; c += Vectors::short_lanes) {
        Short column[4][4];  // [column][row]
        const auto load = [&](int j, Short t[4]) {
            Short d[4];
            for (int i = 0; i < 4; i++) d[i] = Vectors::load_short(rows.in[i] + j * rows.in_stride + c);
            differences(d, t);
        };
        load(2 * first, column[0]);
        load(2 * first + 1, column[1]);
        for (int t = 0; t < count; t++) {
            load(2 * (first + t) + 2, column[2]);
            load(2 * (first + t) + 3, column[3]);
            for (int i = 0; i < 4; i++) {
                const Short d[4] = {column[0][i], column[1][i], column[2][i], column[3][i]};
                Short y[4];
                differences(d, y);
                for (int k = 0; k < 4; k++)
                    Vectors::store_short(rows.transformed + ((4 * i + k) * TILES + t) * rows.channels + c, y[k]);
            }
            for (int i = 0; i < 4; i++) {
                column[0][i] = column[2][i];
                column[1][i] = column[3][i];
            }
        }
    }
}

template <int N>
inline void product_columns(const int16_t* a, int channels, int count, const int16_t* weights, int32_t* out,
                            int outputs) {
    constexpr int R = Vectors::rows;
    for (int t = 0; t < count; t += R) {
        Sums<R, N> sums;
        for (int r = 0; r < R; r++)
            for (int n = 0; n < N; n++) sums.at[r][n] = Vectors::splat(0);
        const int16_t* w = weights;
        sums.add(a + t * channels, channels, channels, w);
        for (int r = 0; r < R; r++)
            for (int n = 0; n < N; n++) Vectors::store(out + (t + r) * outputs + n * LANES, sums.at[r][n]);
    }
}

inline void products(const WinogradRows& rows, int count) {
    const int outputs = rows.vectors * LANES;
    for (int e = 0; e < 16; e++) {
        const int16_t* a = rows.transformed + e * TILES * rows.channels;
        const int16_t* of_element = rows.weights + e * outputs * rows.channels;
        int32_t* out = rows.products + e * TILES * outputs;
        for_columns(rows.vectors, [&](int first, auto n) {
            product_columns<n>(a, rows.channels, count, of_element + first * LANES * rows.channels, out + first * LANES,
                               outputs);
        });
    }
}

// A' m A, the bias and the rounding.
inline void transform_out(const WinogradRows& rows, int first, int count) {
    const int outputs = rows.vectors * LANES;
    for (int t = 0; t < count; t++) {
        for (int o = 0; o < outputs; o += LANES) {
            Int m[4][4], s[2][4];
            for (int e = 0; e < 16; e++)
                m[e / 4][e % 4] = Vectors::load(rows.products + (e * TILES + t) * outputs + o);
            for (int k = 0; k < 4; k++) {
                s[0][k] = Vectors::add(Vectors::add(m[0][k], m[1][k]), m[2][k]);
                s[1][k] = Vectors::subtract(Vectors::subtract(m[1][k], m[2][k]), m[3][k]);
            }
            const Int bias = Vectors::load(rows.rounding.bias + o);
            for (int i = 0; i < 2; i++) {
                const Int left = Vectors::add(Vectors::add(s[i][0], s[i][1]), s[i][2]);
                const Int right = Vectors::subtract(Vectors::subtract(s[i][1], s[i][2]), s[i][3]);
                for (int k = 0; k < 2; k++) {
                    const int at = 2 * (first + t) + k;
                    const int16_t* residual =
                        rows.residual[i] ? rows.residual[i] + at * rows.residual_stride : nullptr;
                    finish(Vectors::add(k ? right : left, bias), rows.rounding, o, residual,
                           rows.out[i] + at * rows.out_stride);
                }
            }
        }
    }
}

void winograd(const WinogradRows& rows) {
    const int tiles = (rows.width + 1) / 2;
    for (int first = 0; first < tiles; first += TILES) {
        const int count = tiles - first < TILES ? tiles - first : TILES;
        transform_in(rows, first, count);
        products(rows, count);
        transform_out(rows, first, count);
    }
}

void modulate(const ModulatedRow& row) {
    const Int low = Vectors::splat(row.low), high = Vectors::splat(row.high), shift = Vectors::splat(6);
    const Int half = Vectors::splat(31), one = Vectors::splat(1);
    for (int j = 0; j < row.width; j++) {
        const int at = j / row.block * row.film_stride;
        for (int c = 0; c < row.channels; c += LANES) {
            const Int x = Vectors::widen(row.in + j * row.in_stride + c);
            const Int product = Vectors::multiply(x, Vectors::widen(row.scale + at + c));
            Int sum = Vectors::add(product, Vectors::shift_left(Vectors::widen(row.offset + at + c), shift));
            const Int odd = Vectors::both(Vectors::shift_right(sum, shift), one);
            sum = Vectors::shift_right(Vectors::add(Vectors::add(sum, half), odd), shift);
            Vectors::narrow(row.out + j * row.out_stride + c, Vectors::clip(sum, low, high));
        }
    }
}

constexpr Kernels table(const char* name, const Blocks* blocks = nullptr) {
    return {name, LANES, PAIR, Vectors::columns, blocks, affine, winograd, modulate};
}

}  // namespace
}  // namespace bbans
