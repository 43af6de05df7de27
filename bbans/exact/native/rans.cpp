#include "rans.hpp"

#include <algorithm>
#include <vector>

#include "threads.hpp"

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

constexpr int LEAST_LANES = 128;  // of a thread

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

// Pops lanes first..last - 1 of the row of symbols from number `begin` on, but for the words that they
// need afterwards, whose number it returns.
struct Row {
    const Pixels& p;
    const Channel& channel;
    const Tables& t;
    const NarrowTables& narrow;
    const Axis& axis;
    uint64_t* head;
    int64_t begin;

    int64_t pop(int64_t first, int64_t last) const {
        const uint64_t mask = (uint64_t(1) << PRECISION) - 1;
        const Blocks* blocks = narrow.blocks;
        const int64_t at_once = blocks ? blocks->pixels : 1;
        int64_t starts[PIXELS_AT_ONCE], needed = 0;
        for (int64_t lane = first; lane < last;) {
            const int64_t i = begin + lane, count = lane + at_once <= last ? at_once : 1;
            if (count > 1) {
                blocks->symbols(p, narrow, channel, i, head + lane, starts);
            } else {
                with_count(p.components, [&](auto K) {
                    starts[0] = found_symbol(K, p, channel, t, axis, i, int64_t(head[lane] & mask));
                });
            }
            for (int64_t j = 0; j < count; j++, lane++) {
                head[lane] = popped(head[lane], uint64_t(starts[j]), uint64_t(channel.freqs[i + j]), PRECISION);
                needed += head[lane] < HEAD_MIN;
            }
        }
        return needed;
    }
};

}  // namespace

int64_t pop_channel(uint64_t* head, int64_t lanes, const uint32_t* words, int64_t available, const Pixels& p,
                    const Channel& channel, const Tables& t, const Axis& axis, int64_t first, int64_t last, int threads,
                    const Blocks* blocks) {
    const NarrowTables narrow(t, axis, blocks);
    threads = parts_of(lanes / LEAST_LANES, threads);
    int64_t result = 0;
    std::vector<int64_t> needed(2 * threads);  // by each member, in even rows and in odd ones
    as_team(threads, [&](int member, Meeting& meeting) {
        const int members = meeting.members();
        // always the same lanes
        const int64_t from = lanes * member / members, to = lanes * (member + 1) / members;
        int64_t taken = 0;
        int64_t* counts = needed.data();
        for (int64_t begin = first; begin < last; begin += lanes) {
            const int64_t width = std::min(lanes, last - begin), end = std::min(to, width);
            const Row row{p, channel, t, narrow, axis, head, begin};
            counts[member] = row.pop(from, end);
            meeting.wait();
            int64_t next = taken;
            for (int other = 0; other < members; other++) {
                next += other < member ? counts[other] : 0;
                taken += counts[other];
            }
            if (taken > available) {
                taken = -1;
                break;  // as all members do
            }
            for (int64_t lane = from; lane < end; lane++)
                if (head[lane] < HEAD_MIN) head[lane] = (head[lane] << 32) | words[next++];
            counts = counts == needed.data() ? counts + threads : needed.data();
        }
        if (member == 0) result = taken;
    });
    return result;
}

}  // namespace bbans
