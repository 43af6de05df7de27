// Mixtures of logistics on the values of a sample, as `bbans.distributions.mixture` and `colour`
// define them: the same integers, one symbol at a time. No result depends on how a float is rounded.
#pragma once

#include <cstdint>
#include <type_traits>

namespace bbans {

constexpr int PRECISION = 22, WEIGHT_BITS = 16, LOGISTIC_BITS = 24, LOGISTIC_HALF = 1 << 14;
constexpr int MASS_BITS = WEIGHT_BITS + LOGISTIC_BITS;
constexpr int FINER = 8;  // bits that boundaries have more than locations
constexpr int UNIT = 13;  // fractional bits of boundaries
constexpr int MAX_COMPONENTS = 64, SCALES = 161;
constexpr int64_t LOCATION_TOP = 1 << 15;

// Tables of `bbans.distributions.tables`; their lengths have been checked.
struct Tables {
    const int32_t* logistic;  // 2^15 + 1: half the size, since it should stay in the cache
    const int64_t* inverse;   // 161
    const int64_t* exp2;      // 256
};

// Where the values of a sample lie: n + 1 boundaries and n centres.
struct Axis {
    Axis(const int64_t* boundaries, const int64_t* centres, int64_t n)
        : boundaries(boundaries), centres(centres), n(n), density(double(n) / double(boundaries[n] - boundaries[0])) {}

    const int64_t* boundaries;
    const int64_t* centres;
    int64_t n;
    double density;  // values in a unit of boundaries, for the start of searches
};

// Calls f with the number of components, as a constant of the compiler for what models use.
template <class F>
inline void with_count(int count, F&& f) {
    if (count == 5) return f(std::integral_constant<int, 5>());
    if (count == 3) return f(std::integral_constant<int, 3>());
    f(count);
}

// Mixture parameters of a symbol, with locations in units of boundaries and inverse scales.
struct Components {
    int64_t weight[MAX_COMPONENTS], location[MAX_COMPONENTS], inverse[MAX_COMPONENTS];
};

inline int64_t logistic_cdf(const Tables& t, int64_t offset, int64_t inverse) {
    int64_t index = ((offset * inverse) >> (12 + FINER)) + LOGISTIC_HALF;
    index = index < 0 ? 0 : index;
    return t.logistic[index > 2 * LOGISTIC_HALF ? 2 * LOGISTIC_HALF : index];
}

// floor(numerator / denominator) for 0 <= numerator < 2^62 and quotients below 2^20, by a reciprocal
// that is within one of it.
inline int64_t divided(int64_t numerator, int64_t denominator, double reciprocal) {
    int64_t quotient = int64_t(double(numerator) * reciprocal);
    const int64_t rest = numerator - quotient * denominator;
    quotient -= rest < 0;
    quotient += rest >= denominator;
    return quotient;
}

// Scales `raw` to a sum of 2^16; the remainder goes to the first of the largest.
template <class Count, class Weight>
inline void normalise(const int64_t* raw, Count count, Weight* weights) {
    int64_t total = 0, remainder = int64_t(1) << WEIGHT_BITS;
    int largest = 0;
    int64_t best = raw[0];
    for (int k = 0; k < count; k++) {
        total += raw[k];
        const bool better = raw[k] > best;  // without a branch, which would be mispredicted
        best = better ? raw[k] : best;
        largest = better ? k : largest;
    }
    const double reciprocal = 1.0 / double(total);
    for (int k = 0; k < count; k++) {
        const int64_t share = divided(raw[k] << WEIGHT_BITS, total, reciprocal);
        weights[k] = Weight(share);
        remainder -= share;
    }
    weights[largest] = Weight(weights[largest] + remainder);
}

struct Interval {
    int64_t start, freq;
};

// The interval of x; `raw`, unless null, gets the weights of the components given x.
template <class Count>
inline Interval interval(const Tables& t, const Axis& axis, Count count, const Components& c, int64_t x, int64_t* raw) {
    const int64_t begin = axis.boundaries[x], end = axis.boundaries[x + 1];
    const int64_t span = (int64_t(1) << PRECISION) - axis.n;
    int64_t low = 0, high = 0;
    for (int k = 0; k < count; k++) {
        const int64_t lower = x > 0 ? logistic_cdf(t, begin - c.location[k], c.inverse[k]) : 0;
        const int64_t upper =
            x + 1 != axis.n ? logistic_cdf(t, end - c.location[k], c.inverse[k]) : int64_t(1) << LOGISTIC_BITS;
        low += c.weight[k] * lower;
        high += c.weight[k] * upper;
        if (raw) raw[k] = c.weight[k] * (upper - lower > 1 ? upper - lower : 1);
    }
    const int64_t start = ((low * span) >> MASS_BITS) + x;
    return {start, ((high * span) >> MASS_BITS) + x + 1 - start};
}

// N mixtures of K components: weights, locations in 1/32 grey level and scale indices, (N, K).
struct Mixtures {
    const int64_t* weights;
    const int64_t* locations;
    const int64_t* scales;
    int64_t count;
    int components;
};

// Intervals of N values; `after`, unless null, gets the weights given the values, (N, K).
void intervals(const Mixtures& mixtures, const Tables& tables, const Axis& axis, const int64_t* values, int64_t* starts,
               int64_t* freqs, int64_t* after);
// The symbols whose intervals contain cf (N,).
void symbols(const Mixtures& mixtures, const Tables& tables, const Axis& axis, const int64_t* cf, int64_t* values,
             int64_t* starts, int64_t* freqs);

// Quantiles of the standard logistic at which searches start.
const double* quantiles();
constexpr int QUANTILE_BITS = 10;

struct Symbol {
    int64_t value, start, freq;
};

// The symbol whose interval contains cf. The search starts at the quantile of the largest component
// and doubles its steps outwards, then bisects; no result depends on where it starts.
// `raw`, unless null, gets the weights of the components given the symbol.
template <class Count>
inline Symbol symbol(const Tables& t, const Axis& axis, Count count, const Components& c, int64_t cf,
                     int64_t* raw = nullptr) {
    const int64_t span = (int64_t(1) << PRECISION) - axis.n, n = axis.n;
    int largest = 0;
    int64_t best = c.weight[0];
    for (int k = 1; k < count; k++) {
        const bool better = c.weight[k] > best;
        best = better ? c.weight[k] : best;
        largest = better ? k : largest;
    }
    const double unit = double((int64_t(1) << (UNIT + 17)) / c.inverse[largest]);
    const double place = double(c.location[largest] - axis.boundaries[0]) +
                         unit * quantiles()[cf >> (PRECISION - QUANTILE_BITS)];
    int64_t middle = int64_t(place * axis.density);
    middle = middle < 1 ? 1 : middle;
    middle = middle > n - 1 ? (n > 1 ? n - 1 : 1) : middle;
    int64_t step = int64_t(unit * axis.density) >> 2;
    step = step < 1 ? 1 : step;
    int64_t low = 0, high = n, first = 0, end = int64_t(1) << PRECISION;
    int64_t lower[MAX_COMPONENTS], upper[MAX_COMPONENTS], at[MAX_COMPONENTS];  // of each component
    for (int k = 0; raw && k < count; k++) {
        lower[k] = 0;
        upper[k] = int64_t(1) << LOGISTIC_BITS;
    }
    while (high - low > 1) {
        int64_t mass = 0;
        const int64_t boundary = axis.boundaries[middle];
        for (int k = 0; k < count; k++) {
            at[k] = logistic_cdf(t, boundary - c.location[k], c.inverse[k]);
            mass += c.weight[k] * at[k];
        }
        const int64_t value = ((mass * span) >> MASS_BITS) + middle;
        if (value <= cf) {
            low = middle;
            first = value;
            for (int k = 0; raw && k < count; k++) lower[k] = at[k];
        } else {
            high = middle;
            end = value;
            for (int k = 0; raw && k < count; k++) upper[k] = at[k];
        }
        if (high == n && middle + step < n) {
            middle += step;
            step *= 2;
        } else if (low == 0 && middle - step > 0) {
            middle -= step;
            step *= 2;
        } else {
            middle = (low + high) >> 1;
        }
    }
    for (int k = 0; raw && k < count; k++)
        raw[k] = c.weight[k] * (upper[k] - lower[k] > 1 ? upper[k] - lower[k] : 1);
    return {low, first, end - first};
}

}  // namespace bbans
