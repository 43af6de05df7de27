#include "colour.hpp"

#include "mixture_rows.hpp"
#include "threads.hpp"

namespace bbans {

namespace {

template <class Count>
void intervals_of(Count K, const Pixels& p, const Tables& t, const Axis& axis, int64_t first, int64_t last,
                  int64_t* starts, int64_t* freqs) {
    Components c;
    int64_t raw[MAX_COMPONENTS];
    for (int64_t i = first; i < last; i++) {
        const int16_t* row = p.outputs + i * 10 * K;
        prior_weights(row, K, t, raw);
        int64_t errors[3];
        for (int channel = 0; channel < p.channels; channel++) {
            normalise(raw, K, c.weight);
            const int64_t value = p.values[i * p.channels + channel], centre = int64_t(8) * p.sums[i * 3 + channel];
            for (int k = 0; k < K; k++) {
                c.location[k] = location(row, K, channel, k, centre, errors) * (1 << FINER);
                c.inverse[k] = t.inverse[row[K * (4 + channel) + k]];
            }
            errors[channel] = axis.centres[value] - centre;
            const Interval found = interval(t, axis, K, c, value, raw);
            starts[channel * p.count + i] = found.start;
            freqs[channel * p.count + i] = found.freq;
        }
    }
}

}  // namespace

void colour_intervals(const Pixels& p, const Tables& t, const Axis& axis, int64_t* starts, int64_t* freqs, int threads,
                      const Blocks* blocks) {
    const NarrowTables narrow(t, axis, blocks);
    in_parts(p.count, parts_of(p.count, threads), [&](int, int64_t first, int64_t last) {
        if (narrow.blocks)
            for (; first + blocks->pixels <= last; first += blocks->pixels)
                blocks->intervals(p, narrow, first, starts, freqs);
        with_count(p.components, [&](auto K) { intervals_of(K, p, t, axis, first, last, starts, freqs); });
    });
}

}  // namespace bbans
