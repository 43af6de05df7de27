// What each instruction set provides: the inner loops of the networks. Everything else is written once.
#pragma once

#include <cstdint>

namespace bbans {

// Rows of maps are int16, channels last; the channels of a position have a stride that is a multiple
// of STRIDE, with zeros beyond the channels that are there.
constexpr int STRIDE = 16;
constexpr int SLACK = 8;  // positions that kernels may read and write beyond the end of a row
constexpr int TILES = 8;  // Winograd tiles that are transformed at once: their products stay in the first cache

// y = clip(round(sum 2^-shift)): arrays of int32, one entry an output, padded to whole vectors.
struct Rounding {
    const int32_t* bias;
    const int32_t* shift;
    const int32_t* half;  // 2^(shift - 1) - 1, or 0 without a shift
    const int32_t* odd;   // 1, or 0 without a shift: halves are rounded to even
    const int32_t* low;
    const int32_t* high;
};

// A position of a kernel: the row that it reads, from the position that it reads first.
struct Tap {
    const int16_t* row;
    int stride;
    int channels;  // a multiple of `pair`
};

struct AffineRow {
    const Tap* taps;
    int tap_count;
    const int16_t* weights;
    int vectors;  // of outputs
    Rounding rounding;
    const int16_t* residual;  // or null
    int residual_stride;
    int16_t* out;
    int out_stride;
    int width;
};

// Two rows of a 3 x 3 convolution by Winograd's F(2 x 2, 3 x 3), in integers that stand for four
// times the sums.
struct WinogradRows {
    const int16_t* in[4];  // from the position left of the first
    int in_stride;
    int channels;  // a multiple of STRIDE
    const int16_t* weights;
    int vectors;
    Rounding rounding;  // of four times the sums
    const int16_t* residual[2];
    int residual_stride;
    int16_t* out[2];
    int out_stride;
    int width;
    int16_t* transformed;  // 16 x TILES x channels
    int32_t* products;     // 16 x TILES x outputs
};

// y = clip(round((x scale + 64 offset) / 64)) with one scale and offset for a block of positions.
struct ModulatedRow {
    const int16_t* in;
    int in_stride;
    const int16_t* scale;  // of the row's first block
    const int16_t* offset;
    int film_stride;  // from one block to the next
    int block;
    int channels;  // a multiple of STRIDE
    int low, high;
    int16_t* out;
    int out_stride;
    int width;
};

struct Blocks;

struct Kernels {
    const char* name;
    int lanes, pair, columns;
    const Blocks* blocks;  // mixtures of several pixels at once, or null
    void (*affine)(const AffineRow&);
    void (*winograd)(const WinogradRows&);
    void (*modulate)(const ModulatedRow&);
};

extern const Kernels portable_kernels;
#ifdef BBANS_X86
extern const Kernels avx2_kernels, avx512_kernels;
#endif
#ifdef BBANS_NEON
extern const Kernels neon_kernels;
#endif

}  // namespace bbans
