#include "colour.hpp"

#include <algorithm>

#include "threads.hpp"

namespace bbans {

namespace {

constexpr int64_t PIXELS_OF_A_THREAD = 4096;

int parts_of(int64_t count, int threads) {
    return int(std::max(int64_t(1), std::min(int64_t(threads), count / PIXELS_OF_A_THREAD)));
}

// The weights before any channel is known.
template <class Count>
void prior_weights(const int16_t* logits, Count count, const Tables& t, int64_t* raw) {
    int top = logits[0];
    for (int k = 1; k < count; k++) top = std::max(top, int(logits[k]));
    for (int k = 0; k < count; k++) raw[k] = t.exp2[std::min(top - logits[k], 255)];
}

// Locations of a channel in 1/32 grey level; `errors` of the channels before: value minus centre.
int64_t location(const int16_t* row, int K, int channel, int k, int64_t centre, const int64_t errors[2]) {
    int64_t coupling = 0;
    if (channel == 1) {
        coupling = (row[7 * K + k] * (errors[0] - row[K + k])) >> 6;
    } else if (channel == 2) {
        coupling = (row[8 * K + k] * (errors[0] - row[K + k]) + row[9 * K + k] * (errors[1] - row[2 * K + k])) >> 6;
    }
    return std::min(std::max(centre + row[K * (1 + channel) + k] + coupling, -LOCATION_TOP), LOCATION_TOP);
}

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

template <class Count>
void open(Count K, const Pixels& p, const Tables& t, const Axis& axis, int channel, int64_t first, int64_t last,
          const Channel& out) {
    Components c;
    int64_t raw[MAX_COMPONENTS];
    for (int64_t i = first; i < last; i++) {
        const int16_t* row = p.outputs + i * 10 * K;
        int32_t *weights = out.weights + i * K, *locations = out.locations + i * K, *scales = out.scales + i * K;
        if (channel == 0) {
            prior_weights(row, K, t, raw);
        } else {
            for (int k = 0; k < K; k++) {
                c.weight[k] = weights[k];
                c.location[k] = int64_t(locations[k]) * (1 << FINER);
                c.inverse[k] = t.inverse[scales[k]];
            }
            interval(t, axis, K, c, p.values[i * p.channels + channel - 1], raw);
        }
        normalise(raw, K, weights);
        int64_t errors[2] = {0, 0};
        for (int before = 0; before < channel; before++)
            errors[before] = axis.centres[p.values[i * p.channels + before]] - int64_t(8) * p.sums[i * 3 + before];
        for (int k = 0; k < K; k++) {
            locations[k] = int32_t(location(row, K, channel, k, int64_t(8) * p.sums[i * 3 + channel], errors));
            scales[k] = row[K * (4 + channel) + k];
        }
    }
}

}  // namespace

void colour_intervals(const Pixels& p, const Tables& t, const Axis& axis, int64_t* starts, int64_t* freqs, int threads) {
    in_parts(p.count, parts_of(p.count, threads), [&](int, int64_t first, int64_t last) {
        with_count(p.components, [&](auto K) { intervals_of(K, p, t, axis, first, last, starts, freqs); });
    });
}

void open_channel(const Pixels& p, const Tables& t, const Axis& axis, int channel, const Channel& out, int threads) {
    in_parts(p.count, parts_of(p.count, threads), [&](int, int64_t first, int64_t last) {
        with_count(p.components, [&](auto K) { open(K, p, t, axis, channel, first, last, out); });
    });
}

}  // namespace bbans
