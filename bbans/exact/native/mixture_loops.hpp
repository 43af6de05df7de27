// Mixtures of several pixels at once, in doubles that hold integers: every sum and product is exact
// (below 2^53), and quotients are corrected, so that the integers are those of `mixture.hpp`.
#pragma once

#include "kernels.hpp"
#include "mixture_rows.hpp"

namespace bbans {
namespace {

constexpr int N = Real::lanes, GROUPS = PIXELS_AT_ONCE / N;
constexpr double FRACTION = 1.0 / (1 << 20);  // both of inverse scales and of the lower half of a mass
static_assert(12 + FINER == 20 && MASS_BITS == 40);

// Vectors of components, as many as there are where the compiler knows.
template <class Count>
constexpr int room = MAX_COMPONENTS;
template <int K>
constexpr int room<std::integral_constant<int, K>> = K;

template <class Count>
struct RealComponents {
    Real weight[room<Count>], location[room<Count>], inverse[room<Count>];
};

template <class Count>
inline Real component_cdf(const NarrowTables& t, const RealComponents<Count>& c, int k, Real boundary) {
    const Real index = (boundary - c.location[k]) * c.inverse[k] + Real(LOGISTIC_HALF);
    return Real::look_up(t.logistic, least(greatest(index, 0.0), Real(2 * LOGISTIC_HALF)));
}

// F(x) from S(x): floor(mass span / 2^40) + x, by halves of the mass.
inline Real scaled(Real mass, Real span, Real x) {
    const Real high = floored(mass * FRACTION), low = less_product(mass, high, Real(1 << 20));
    return floored((high * span + floored(low * span * FRACTION)) * FRACTION) + x;
}

// As in `mixture.hpp`: floor(2^16 raw / total), and the remainder to the first of the largest.
template <class Count>
inline void normalise(const Real* raw, Count count, Real* weights) {
    Real total = raw[0], best = raw[0], largest = 0.0;
    for (int k = 1; k < count; k++) {
        const Real::Mask better = best < raw[k];
        total = total + raw[k];
        best = choose(better, raw[k], best);
        largest = choose(better, Real(k), largest);
    }
    const Real reciprocal = Real(1 << WEIGHT_BITS) / total;
    Real remainder = double(1 << WEIGHT_BITS);
    for (int k = 0; k < count; k++) {
        Real share = floored(raw[k] * reciprocal);  // within one
        const Real rest = less_product(raw[k] * Real(1 << WEIGHT_BITS), share, total);
        share = choose(rest < 0.0, share - 1.0, choose(rest < total, share, share + 1.0));
        weights[k] = share;
        remainder = remainder - share;
    }
    for (int k = 0; k < count; k++) {
        const Real off = Real(k) - largest;
        weights[k] = choose(off * off < 1.0, weights[k] + remainder, weights[k]);
    }
}

// `raw`, unless null, gets the weights given x.
template <class Count>
inline void real_interval(const NarrowTables& t, Count count, const RealComponents<Count>& c, Real x, Real& start, Real& freq,
                          Real* raw) {
    const Real next = x + 1.0, span = double((1 << PRECISION) - t.n);
    const Real begin = Real::look_up(t.boundaries, x), end = Real::look_up(t.boundaries, next);
    const Real::Mask inner_begin = Real(0.0) < x, inner_end = next < double(t.n);
    Real low = 0.0, high = 0.0;
    for (int k = 0; k < count; k++) {
        const Real lower = choose(inner_begin, component_cdf(t, c, k, begin), 0.0);
        const Real upper = choose(inner_end, component_cdf(t, c, k, end), double(1 << LOGISTIC_BITS));
        low = low + c.weight[k] * lower;
        high = high + c.weight[k] * upper;
        if (raw) raw[k] = c.weight[k] * greatest(upper - lower, 1.0);
    }
    start = scaled(low, span, x);
    freq = scaled(high, span, next) - start;
}

// The parameters of N pixels from number `first` on, but for their weights.
struct Group {
    const Pixels& p;
    const NarrowTables& t;
    const int16_t* rows;
    const int32_t* sums;

    Group(const Pixels& p, const NarrowTables& t, int64_t first)
        : p(p), t(t), rows(p.outputs + first * 10 * p.components), sums(p.sums + first * 3) {}

    template <class Count>
    Real output(Count K, int column) const {
        return Real::strided(rows + column, 10 * K);
    }
    Real centre(int channel) const { return Real(8.0) * Real::strided(sums + channel, 3); }

    template <class Count>
    void prior(Count K, Real* raw) const {
        // the first column has none before it, and is the other half of a pair with the second
        Real logits[room<Count>];
        double first[N];
        for (int i = 0; i < N; i++) first[i] = rows[i * 10 * K];
        Real top = logits[0] = Real::load(first);
        for (int k = 1; k < K; k++) top = greatest(top, logits[k] = output(K, k));
        for (int k = 0; k < K; k++) raw[k] = Real::look_up(t.exp2, least(top - logits[k], 255.0));
    }

    template <class Count>
    void place(Count K, int channel, const Real errors[2], RealComponents<Count>& c) const {
        const Real centred = centre(channel), top = double(LOCATION_TOP);
        for (int k = 0; k < K; k++) {
            Real at = centred + output(K, K * (1 + channel) + k);
            if (channel == 1) {
                at = at + floored(output(K, 7 * K + k) * (errors[0] - output(K, K + k)) * (1.0 / 64));
            } else if (channel == 2) {
                const Real one = output(K, 8 * K + k) * (errors[0] - output(K, K + k));
                const Real two = output(K, 9 * K + k) * (errors[1] - output(K, 2 * K + k));
                at = at + floored((one + two) * (1.0 / 64));
            }
            c.location[k] = least(greatest(at, Real(0.0) - top), top) * double(1 << FINER);
            c.inverse[k] = Real::look_up(t.inverse, output(K, K * (4 + channel) + k)) * FRACTION;
        }
    }
};

// p[0], p[stride], ... of int64.
inline Real values_of(const int64_t* p, int stride) {
    double found[N];
    for (int i = 0; i < N; i++) found[i] = double(p[i * stride]);
    return Real::load(found);
}

template <class Integer>
inline void write(Real x, Integer* p, int stride) {
    double found[N];
    x.store(found);
    for (int i = 0; i < N; i++) p[i * stride] = Integer(found[i]);
}

template <class Count>
void intervals_of(Count K, const Pixels& p, const NarrowTables& t, int64_t first, int64_t* starts, int64_t* freqs) {
    const Group group(p, t, first);
    RealComponents<Count> c;
    Real raw[room<Count>], errors[3];
    group.prior(K, raw);
    for (int channel = 0; channel < p.channels; channel++) {
        normalise(raw, K, c.weight);
        group.place(K, channel, errors, c);
        const Real x = values_of(p.values + first * p.channels + channel, p.channels);
        errors[channel] = Real::look_up(t.centres, x) - group.centre(channel);
        Real start, freq;
        real_interval(t, K, c, x, start, freq, channel + 1 < p.channels ? raw : nullptr);
        write(start, starts + channel * p.count + first, 1);
        write(freq, freqs + channel * p.count + first, 1);
    }
}

// Bisects for the symbols whose intervals contain cf, of several groups at once, since a step of one
// waits for the step before it.
template <class Count>
inline void bisected(const NarrowTables& t, Count K, const RealComponents<Count>* c, const Real* cf, Real* low) {
    const Real n = double(t.n), share = double(t.n) / (1 << PRECISION);
    int step = 1;
    while (2 * step < t.n) step *= 2;
    for (int g = 0; g < GROUPS; g++) low[g] = 0.0;
    for (; step; step /= 2)
        for (int g = 0; g < GROUPS; g++) {
            const Real probe = low[g] + double(step), boundary = Real::look_up(t.boundaries, least(probe, n));
            Real mass = 0.0;
            for (int k = 0; k < K; k++) mass = mass + c[g].weight[k] * component_cdf(t, c[g], k, boundary);
            // F(x) <= cf, that is S(x) (2^22 - n) < (cf + 1 - x) 2^40: a rounded difference has the
            // sign of the exact one
            const Real limit = (cf[g] + 1.0 - probe) * double(1 << (MASS_BITS - PRECISION));
            const Real::Mask above = choose(probe < n, less_product(mass - limit, mass, share), 1.0) < 0.0;
            low[g] = choose(above, probe, low[g]);
        }
}

template <class Count>
void symbols_of(Count K, const Pixels& p, const NarrowTables& t, const Channel& channel, int64_t first,
                const uint64_t* head, int64_t* starts) {
    const int number = channel.number;
    const bool goes_on = number + 1 < p.channels;
    RealComponents<Count> c[GROUPS];
    Real raw[room<Count>], cf[GROUPS], x[GROUPS];
    for (int g = 0; g < GROUPS; g++) {
        const Group group(p, t, first + g * N);
        const int64_t* values = channel.values + (first + g * N) * p.channels;
        if (number == 0) {
            group.prior(K, raw);
            normalise(raw, K, c[g].weight);
        } else {
            for (int k = 0; k < K; k++) c[g].weight[k] = Real::strided(channel.weights + (first + g * N) * K + k, K);
        }
        Real errors[2] = {0.0, 0.0};
        for (int before = 0; before < number; before++)
            errors[before] = Real::look_up(t.centres, values_of(values + before, p.channels)) - group.centre(before);
        group.place(K, number, errors, c[g]);
        double low_bits[N];
        for (int i = 0; i < N; i++) low_bits[i] = double(head[g * N + i] & ((uint64_t(1) << PRECISION) - 1));
        cf[g] = Real::load(low_bits);
    }
    bisected(t, K, c, cf, x);
    for (int g = 0; g < GROUPS; g++) {
        const int64_t at = first + g * N;
        Real start, freq;
        real_interval(t, K, c[g], x[g], start, freq, goes_on ? raw : nullptr);
        write(x[g], channel.values + at * p.channels + number, p.channels);
        write(start, starts + g * N, 1);
        write(freq, channel.freqs + at, 1);
        if (!goes_on) continue;
        normalise(raw, K, c[g].weight);
        for (int k = 0; k < K; k++) write(c[g].weight[k], channel.weights + at * K + k, K);
    }
}

void block_intervals(const Pixels& p, const NarrowTables& t, int64_t first, int64_t* starts, int64_t* freqs) {
    with_count(p.components, [&](auto K) {
        for (int g = 0; g < GROUPS; g++) intervals_of(K, p, t, first + g * N, starts, freqs);
    });
}

void block_symbols(const Pixels& p, const NarrowTables& t, const Channel& channel, int64_t first, const uint64_t* head,
                   int64_t* starts) {
    with_count(p.components, [&](auto K) { symbols_of(K, p, t, channel, first, head, starts); });
}

constexpr Blocks blocks{PIXELS_AT_ONCE, block_intervals, block_symbols};

}  // namespace
}  // namespace bbans
