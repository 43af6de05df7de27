#include "rans.hpp"

#include <algorithm>

namespace bbans {

Pushed push_rows(uint64_t* head, int64_t lanes, const uint64_t* starts, const uint64_t* freqs, int64_t left,
                 int precision, double stop_at, uint32_t* words) {
    int64_t top = left;
    const int64_t end = left;
    while (left) {
        const int64_t width = left % lanes ? left % lanes : lanes;
        left -= width;
        // The words of a row are in the order of its lanes, so that the last lane's come first here.
        for (int64_t i = width - 1; i >= 0; i--) {
            const uint64_t freq = freqs[left + i];
            uint64_t h = head[i];
            if (h >= freq << (63 - precision)) {
                words[--top] = uint32_t(h);
                h >>= 32;
            }
            const uint64_t quotient = h / freq;
            head[i] = (quotient << precision) + (h - quotient * freq) + starts[left + i];
        }
        if (double(end - top) >= stop_at) break;
    }
    return {left, top};
}

namespace {

// Finds the symbol of pixel i at cf, and the weights of the next channel; returns its start.
template <class Count>
int64_t found_symbol(Count K, const Pixels& p, const Channel& channel, const Tables& t, const Axis& axis, int64_t i,
                     int64_t cf) {
    Components c;
    int64_t raw[MAX_COMPONENTS], errors[2] = {0, 0};
    const int number = channel.number;
    const bool goes_on = number + 1 < p.channels;
    const int16_t* row = p.outputs + i * 10 * K;
    int32_t* weights = channel.weights + i * K;
    int64_t* values = channel.values + i * p.channels;
    if (number == 0) {
        prior_weights(row, K, t, raw);
        normalise(raw, K, c.weight);
    } else {
        for (int k = 0; k < K; k++) c.weight[k] = weights[k];
    }
    for (int before = 0; before < number; before++)
        errors[before] = axis.centres[values[before]] - int64_t(8) * p.sums[i * 3 + before];
    const int64_t centre = int64_t(8) * p.sums[i * 3 + number];
    for (int k = 0; k < K; k++) {
        c.location[k] = location(row, K, number, k, centre, errors) * (1 << FINER);
        c.inverse[k] = t.inverse[row[K * (4 + number) + k]];
    }
    const Symbol found = symbol(t, axis, K, c, cf, goes_on ? raw : nullptr);
    if (goes_on) normalise(raw, K, weights);
    values[number] = found.value;
    channel.freqs[i] = found.freq;
    return found.start;
}

}  // namespace

int64_t pop_channel(uint64_t* head, int64_t lanes, const uint32_t* words, int64_t available, const Pixels& p,
                    const Channel& channel, const Tables& t, const Axis& axis, int64_t first, int64_t last,
                    const Blocks* blocks) {
    const uint64_t mask = (uint64_t(1) << PRECISION) - 1;
    const NarrowTables narrow(t, axis);
    const int64_t at_once = blocks && narrow.fits ? blocks->pixels : 1;
    int64_t taken = 0, starts[PIXELS_AT_ONCE];
    for (int64_t begin = first; begin < last; begin += lanes) {
        const int64_t width = std::min(lanes, last - begin);
        int64_t lane = 0;
        while (lane < width) {
            const int64_t i = begin + lane, count = lane + at_once <= width ? at_once : 1;
            if (count > 1) {
                blocks->symbols(p, narrow, channel, i, head + lane, starts);
            } else {
                with_count(p.components, [&](auto K) {
                    starts[0] = found_symbol(K, p, channel, t, axis, i, int64_t(head[lane] & mask));
                });
            }
            for (int64_t j = 0; j < count; j++, lane++) {
                if (!pop_one(head[lane], uint64_t(starts[j]), uint64_t(channel.freqs[i + j]), PRECISION, words, available,
                             taken))
                    return -1;
            }
        }
    }
    return taken;
}

}  // namespace bbans
