// Mixtures and messages in Python. Shapes are checked here; values by the callers in Python, which
// check them for every engine, except those that a loop would use as an index.

#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "checks.hpp"
#include "colour.hpp"
#include "gaussian.hpp"
#include "levels.hpp"
#include "maps.hpp"
#include "rans.hpp"

namespace bbans {

namespace {

using Ints = In<int64_t, 1>;
using Matrix = In<int64_t, 2>;

Tables tables(const In<int32_t, 1>& logistic, const Ints& inverse, const Ints& exp2) {
    require(has_shape(logistic, {2 * LOGISTIC_HALF + 1}) && has_shape(inverse, {SCALES}) && has_shape(exp2, {256}),
            "the tables have 32769, 161 and 256 entries");
    return {logistic.data(), inverse.data(), exp2.data()};
}

Axis axis(const Ints& boundaries, const Ints& centres) {
    require(centres.shape(0) >= 1 && boundaries.shape(0) == centres.shape(0) + 1 &&
                int64_t(centres.shape(0)) < int64_t(1) << PRECISION,
            "n values have n centres and n + 1 boundaries");
    return {boundaries.data(), centres.data(), int64_t(centres.shape(0))};
}

template <class Values>
Pixels pixels(const In<int16_t, 2>& outputs, const In<int32_t, 2>& sums, const Values& values, const Axis& axis) {
    const int64_t n = outputs.shape(0), K = outputs.shape(1) / 10, channels = values.shape(1);
    require(int64_t(outputs.shape(1)) == 10 * K && K >= 1 && K <= MAX_COMPONENTS, "outputs are (N, 10 K), K in 1..64");
    require(has_shape(sums, {n, 3}) && int64_t(values.shape(0)) == n && (channels == 1 || channels == 3),
            "sums are (N, 3), values (N, 1 or 3)");
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 4 * K; k < 7 * K; k++) {
            const int16_t scale = outputs.data()[i * 10 * K + k];
            require(scale >= 0 && scale < SCALES, "scale indices lie in 0..160");
        }
    for (int64_t i = 0; i < n * channels; i++)
        require(values.data()[i] >= 0 && values.data()[i] < axis.n, "values lie in 0..n-1");
    return {outputs.data(), sums.data(), values.data(), n, int(K), int(channels)};
}

void colour(In<int16_t, 2> outputs, In<int32_t, 2> sums, Matrix values, Ints boundaries, Ints centres, In<int32_t, 1> logistic,
               Ints inverse, Ints exp2, Out<int64_t, 2> starts, Out<int64_t, 2> freqs, int threads,
               const std::string& level) {
    const Tables t = tables(logistic, inverse, exp2);
    const Axis a = axis(boundaries, centres);
    const Pixels p = pixels(outputs, sums, values, a);
    require(has_shape(starts, {p.channels, p.count}) && has_shape(freqs, {p.channels, p.count}),
            "starts and freqs are (channels, N)");
    const Blocks* blocks = named_level(level).blocks;
    nb::gil_scoped_release unlocked;
    colour_intervals(p, t, a, starts.data(), freqs.data(), threads, blocks);
}

int64_t pop(Out<uint64_t, 1> head, In<uint32_t, 1> words, In<int16_t, 2> outputs, In<int32_t, 2> sums,
            Out<int64_t, 2> values, Ints boundaries, Ints centres, In<int32_t, 1> logistic, Ints inverse, Ints exp2,
            int number, Out<int32_t, 2> weights, Out<int64_t, 1> freqs, int64_t first, int64_t last,
            int threads, const std::string& level) {
    const Tables t = tables(logistic, inverse, exp2);
    const Axis a = axis(boundaries, centres);
    const Pixels p = pixels(outputs, sums, values, a);
    require(number >= 0 && number < p.channels, "a channel is one of those of the values");
    require(has_shape(weights, {p.count, p.components}) && has_shape(freqs, {p.count}),
            "weights are (N, K), frequencies (N,)");
    require(head.shape(0) >= 1 && 0 <= first && first <= last && last <= p.count,
            "symbols first..last-1 are among the N of the channel");
    const Blocks* blocks = named_level(level).blocks;
    nb::gil_scoped_release unlocked;
    return pop_channel(head.data(), head.shape(0), words.data(), words.shape(0), p,
                       {number, values.data(), weights.data(), freqs.data()}, t, a, first, last, threads, blocks);
}

int64_t pop_bins(Out<uint64_t, 1> head, In<uint32_t, 1> words, Ints means, Ints inverse, Ints boundaries, Ints table,
                 bool interpolated, Out<int64_t, 1> bins) {
    int bits = 0;
    while (bits < MAX_BIN_BITS && int64_t(1) << bits < int64_t(boundaries.shape(0)) - 1) bits++;
    const int64_t n = means.shape(0);
    require(int64_t(boundaries.shape(0)) == (int64_t(1) << bits) + 1, "boundaries are those of 2^bits bins");
    require(has_shape(table, {2 * GAUSSIAN_HALF + 1}), "the table has 16385 entries");
    require(head.shape(0) >= 1 && has_shape(inverse, {n}) && has_shape(bins, {n}), "means, sigmas and bins are (N,)");
    for (int64_t i = 0; i < n; i++)
        require(-MEAN_LIMIT <= means.data()[i] && means.data()[i] <= MEAN_LIMIT, "means lie within +-4096");
    nb::gil_scoped_release unlocked;
    return pop_gaussians(head.data(), head.shape(0), words.data(), words.shape(0),
                         {means.data(), inverse.data(), n, boundaries.data(), table.data(), bits, interpolated},
                         bins.data());
}

std::pair<int64_t, int64_t> push(Out<uint64_t, 1> head, In<uint64_t, 1> starts, In<uint64_t, 1> freqs, int precision,
                                 double stop_at, Out<uint32_t, 1> words) {
    const int64_t n = freqs.shape(0);
    require(head.shape(0) >= 1 && has_shape(starts, {n}) && has_shape(words, {n}) && precision >= 0 && precision <= 31,
            "starts, freqs and words are (N,), and precision is 0 to 31 bits");
    nb::gil_scoped_release unlocked;
    const uint64_t total = uint64_t(1) << precision;
    bool valid = true;
    for (int64_t i = 0; i < n; i++) {
        const uint64_t freq = freqs.data()[i];
        valid &= freq > 0 && freq <= total && starts.data()[i] <= total - freq;
    }
    if (!valid) return {-1, 0};  // the caller says why
    const Pushed result = push_rows(head.data(), head.shape(0), starts.data(), freqs.data(), n, precision, stop_at,
                                    words.data());
    return {result.left, result.top};
}

Mixtures mixtures(const Matrix& weights, const Matrix& locations, const Matrix& scales) {
    const int64_t n = weights.shape(0), K = weights.shape(1);
    require(K >= 1 && K <= MAX_COMPONENTS, "a mixture has 1 to 64 components");
    require(has_shape(locations, {n, K}) && has_shape(scales, {n, K}), "weights, locations and scales are (N, K)");
    for (int64_t i = 0; i < n * K; i++)
        require(scales.data()[i] >= 0 && scales.data()[i] < SCALES, "scale indices lie in 0..160");
    return {weights.data(), locations.data(), scales.data(), n, int(K)};
}

void of_values(Matrix weights, Matrix locations, Matrix scales, Ints values, Ints boundaries, Ints centres, In<int32_t, 1> logistic,
               Ints inverse, Ints exp2, Out<int64_t, 1> starts, Out<int64_t, 1> freqs,
               std::optional<Out<int64_t, 2>> after) {
    const Tables t = tables(logistic, inverse, exp2);
    const Axis a = axis(boundaries, centres);
    const Mixtures m = mixtures(weights, locations, scales);
    require(has_shape(values, {m.count}) && has_shape(starts, {m.count}) && has_shape(freqs, {m.count}) &&
                (!after || has_shape(*after, {m.count, m.components})),
            "values, starts and freqs are (N,), weights given the values (N, K)");
    for (int64_t i = 0; i < m.count; i++)
        require(values.data()[i] >= 0 && values.data()[i] < a.n, "values lie in 0..n-1");
    nb::gil_scoped_release unlocked;
    intervals(m, t, a, values.data(), starts.data(), freqs.data(), after ? after->data() : nullptr);
}

void at_frequencies(Matrix weights, Matrix locations, Matrix scales, Ints cf, Ints boundaries, Ints centres,
                    In<int32_t, 1> logistic, Ints inverse, Ints exp2, Out<int64_t, 1> values, Out<int64_t, 1> starts,
                    Out<int64_t, 1> freqs) {
    const Tables t = tables(logistic, inverse, exp2);
    const Axis a = axis(boundaries, centres);
    const Mixtures m = mixtures(weights, locations, scales);
    require(has_shape(cf, {m.count}) && has_shape(values, {m.count}) && has_shape(starts, {m.count}) &&
                has_shape(freqs, {m.count}),
            "cf, values, starts and freqs are (N,)");
    for (int64_t i = 0; i < m.count; i++)
        require(cf.data()[i] >= 0 && cf.data()[i] < int64_t(1) << PRECISION, "cumulative frequencies lie in 0..2^22-1");
    nb::gil_scoped_release unlocked;
    symbols(m, t, a, cf.data(), values.data(), starts.data(), freqs.data());
}

void means(In<int16_t, 3> map, int block, Out<int16_t, 3> out) {
    const int64_t rows = map.shape(0), columns = map.shape(1), channels = map.shape(2);
    require(block >= 1 && block <= 1 << 7 && (block & (block - 1)) == 0, "a block is a power of two of at most 128");
    require(rows >= 1 && columns >= 1 && channels >= 1 &&
                has_shape(out, {(rows + block - 1) / block, (columns + block - 1) / block, channels}),
            "a mean for every channel of a block");
    std::vector<int32_t> sums(channels);
    nb::gil_scoped_release unlocked;
    pool(map.data(), rows, columns, int(channels), block, out.data(), sums.data());
}

}  // namespace

void bind_mixtures(nb::module_& m) {
    m.def("colour_intervals", colour);
    m.def("intervals", of_values, nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(),
          nb::arg(), nb::arg(), nb::arg(), nb::arg().none());
    m.def("symbols", at_frequencies);
    m.def("pool", means);
}

void bind_messages(nb::module_& m) {
    m.def("push_rows", push);
    m.def("pop_channel", pop);
    m.def("pop_bins", pop_bins);
}

}  // namespace bbans
