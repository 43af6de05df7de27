#include "mixture.hpp"

#include <array>
#include <cmath>

namespace bbans {

const double* quantiles() {
    static const auto table = [] {
        std::array<double, 1 << QUANTILE_BITS> t{};
        for (size_t i = 0; i < t.size(); i++) {
            const double p = (double(i) + 0.5) / double(t.size());
            t[i] = std::log(p / (1 - p));
        }
        return t;
    }();
    return table.data();
}

namespace {

void take(const Mixtures& m, const Tables& t, int64_t i, Components& c) {
    for (int k = 0; k < m.components; k++) {
        const int64_t at = i * m.components + k;
        c.weight[k] = m.weights[at];
        c.location[k] = m.locations[at] * (1 << FINER);
        c.inverse[k] = t.inverse[m.scales[at]];
    }
}

}  // namespace

void intervals(const Mixtures& m, const Tables& t, const Axis& axis, const int64_t* values, int64_t* starts,
               int64_t* freqs, int64_t* after) {
    Components c;
    int64_t raw[MAX_COMPONENTS];
    for (int64_t i = 0; i < m.count; i++) {
        take(m, t, i, c);
        const Interval found = interval(t, axis, m.components, c, values[i], after ? raw : nullptr);
        starts[i] = found.start;
        freqs[i] = found.freq;
        if (after) normalise(raw, m.components, after + i * m.components);
    }
}

void symbols(const Mixtures& m, const Tables& t, const Axis& axis, const int64_t* cf, int64_t* values, int64_t* starts,
             int64_t* freqs) {
    Components c;
    for (int64_t i = 0; i < m.count; i++) {
        take(m, t, i, c);
        const Symbol found = symbol(t, axis, m.components, c, cf[i]);
        values[i] = found.value;
        starts[i] = found.start;
        freqs[i] = found.freq;
    }
}

}  // namespace bbans
