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

template <class Count>
int64_t pop(Count K, uint64_t* head, int64_t lanes, const uint32_t* words, int64_t available, const Channel& channel,
            const Tables& tables, const Axis& axis, int64_t first, int64_t last, int64_t* values, int64_t* freqs) {
    Components c;
    int64_t taken = 0;
    for (int64_t begin = first; begin < last; begin += lanes) {
        const int64_t width = std::min(lanes, last - begin);
        for (int64_t i = 0; i < width; i++) {
            const int64_t at = (begin + i) * K;
            for (int k = 0; k < K; k++) {
                c.weight[k] = channel.weights[at + k];
                c.location[k] = int64_t(channel.locations[at + k]) * (1 << FINER);
                c.inverse[k] = tables.inverse[channel.scales[at + k]];
            }
            const uint64_t cf = head[i] & ((uint64_t(1) << PRECISION) - 1);
            const Symbol found = symbol(tables, axis, K, c, int64_t(cf));
            uint64_t h = uint64_t(found.freq) * (head[i] >> PRECISION) + cf - uint64_t(found.start);
            if (h < HEAD_MIN) {
                if (taken == available) return -1;
                h = (h << 32) | words[taken++];
            }
            head[i] = h;
            values[begin + i] = found.value;
            freqs[begin + i] = found.freq;
        }
    }
    return taken;
}

}  // namespace

int64_t pop_mixtures(uint64_t* head, int64_t lanes, const uint32_t* words, int64_t available, const Channel& channel,
                     int components, const Tables& tables, const Axis& axis, int64_t first, int64_t last,
                     int64_t* values, int64_t* freqs) {
    int64_t taken = 0;
    with_count(components, [&](auto K) {
        taken = pop(K, head, lanes, words, available, channel, tables, axis, first, last, values, freqs);
    });
    return taken;
}

}  // namespace bbans
