// Networks of random integers on every level of this machine, compared with sums that are written out;
// mixtures and messages on random and hostile words. `test_native_sanitized.py` builds it with
// sanitizers; it also builds for other processors, to be run in an emulator.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "levels.hpp"
#include "maps.hpp"
#include "network.hpp"
#include "rans.hpp"

using namespace bbans;

namespace {

std::mt19937 generator(7);

int draw(int low, int high) { return std::uniform_int_distribution<int>(low, high)(generator); }

void expect(bool condition, const char* what) {
    if (condition) return;
    std::printf("wrong: %s\n", what);
    std::exit(1);
}

Layer random_layer(int outputs, int inputs, int side, int weight) {
    Layer layer{outputs, inputs, side, 2, {}, {}, {}};
    for (int i = 0; i < outputs * inputs * side * side; i++) layer.weights.push_back(int16_t(draw(-weight, weight)));
    for (int i = 0; i < 2 * outputs; i++) layer.bias.push_back(draw(-100000, 100000));
    for (int i = 0; i < outputs; i++) layer.shift.push_back(draw(0, 12));
    return layer;
}

std::vector<int16_t> random_map(int rows, int columns, int channels, int low, int high) {
    std::vector<int16_t> map(size_t(rows) * columns * channels);
    for (int16_t& value : map) value = int16_t(draw(0, 3) ? draw(low, high) : draw(0, 1) ? low : high);
    return map;
}

int rounded(int64_t sum, int shift, int low, int high) {
    const int64_t half = shift ? (int64_t(1) << (shift - 1)) - 1 + (sum >> shift & 1) : 0;
    const int64_t value = (sum + half) >> shift;
    return int(value < low ? low : value > high ? high : value);
}

// One layer and a residual, written out.
std::vector<int16_t> expected(const Layer& l, const std::vector<int16_t>& x, int rows, int columns, int bias_row, int low,
                              int high, const std::vector<int16_t>* residual) {
    std::vector<int16_t> out;
    for (int y = 0; y < rows; y++)
        for (int column = 0; column < columns; column++)
            for (int o = 0; o < l.outputs; o++) {
                int64_t sum = l.bias[bias_row * l.outputs + o];
                for (int t = 0; t < l.side * l.side; t++) {
                    const int r = y + t / l.side - l.side / 2, c = column + t % l.side - l.side / 2;
                    if (r < 0 || r >= rows || c < 0 || c >= columns) continue;
                    for (int i = 0; i < l.inputs; i++)
                        sum += int64_t(x[(size_t(r) * columns + c) * l.inputs + i]) *
                               l.weights[(size_t(o) * l.inputs + i) * l.side * l.side + t];
                }
                if (residual) sum += int64_t((*residual)[out.size()]) * (int64_t(1) << l.shift[o]);
                out.push_back(int16_t(rounded(sum, l.shift[o], low, high)));
            }
    return out;
}

void check_networks() {
    for (int round = 0; round < 30; round++) {
        const int rows = draw(1, 40), columns = draw(1, 40), channels = round % 3 ? draw(1, 40) : 16 * draw(1, 3);
        const int sides[] = {1, 3, 5};
        const Layer first = random_layer(channels, channels, 3, 50), second = random_layer(draw(1, 70), channels, sides[round % 3], 50);
        const std::vector<int16_t> x = random_map(rows, columns, channels, -1023, 1023);
        const int bias_row = draw(0, 1);
        const auto middle = expected(first, x, rows, columns, bias_row, -1000, 1000, &x);
        const auto wanted = expected(second, middle, rows, columns, bias_row, -30000, 30000, nullptr);
        Step one, two;
        one.terms = {{0, 0}};
        one.source = 0;
        one.low = {-1000}, one.high = {1000};
        two.terms = {{1, 1}};
        two.low = {-30000}, two.high = {30000};
        for (const Kernels* kernels : levels())
            for (bool winograd : {true, false}) {
                const Network network(*kernels, {first, second}, {{channels, 1023}}, {one, two}, winograd);
                std::vector<int16_t> out(wanted.size());
                const Map in{const_cast<int16_t*>(x.data()), rows, columns, channels, 1};
                network.run({in}, {nullptr, 0, 0, 1}, {out.data(), rows, columns, second.outputs}, bias_row, draw(1, 3));
                expect(out == wanted, kernels->name);
            }
    }
}

void check_messages() {
    std::vector<int32_t> logistic;
    for (int i = 0; i <= 2 * LOGISTIC_HALF; i++) logistic.push_back(int32_t((int64_t(i) << LOGISTIC_BITS) / (2 * LOGISTIC_HALF)));
    std::vector<int64_t> inverse, exp2(256, 1), boundaries, centres;
    for (int i = 0; i < SCALES; i++) inverse.push_back(1 + (int64_t(1) << (21 - i / 16)));
    for (int i = 0; i <= 256; i++) boundaries.push_back((2 * i - 1) * (int64_t(1) << (UNIT - 1)));
    for (int i = 0; i < 256; i++) centres.push_back(32 * i);
    const Tables tables{logistic.data(), inverse.data(), exp2.data()};
    const Axis axis{boundaries.data(), centres.data(), 256};
    for (int round = 0; round < 40; round++) {
        const int K = draw(1, 7), channels = round % 2 ? 3 : 1;
        const int n = round % 3 ? draw(1, 300) : draw(1, 3000), lanes = round % 3 ? draw(1, 70) : draw(250, 700);
        std::vector<int16_t> outputs;
        std::vector<int32_t> sums;
        for (int i = 0; i < n; i++) {
            for (int k = 0; k < K; k++) outputs.push_back(int16_t(draw(-2048, 2048)));
            for (int k = 0; k < 3 * K; k++) outputs.push_back(int16_t(draw(-8192, 8192)));
            for (int k = 0; k < 3 * K; k++) outputs.push_back(int16_t(draw(0, SCALES - 1)));
            for (int k = 0; k < 3 * K; k++) outputs.push_back(int16_t(draw(-256, 256)));
            for (int c = 0; c < 3; c++) sums.push_back(draw(0, 1020));
        }
        std::vector<int64_t> values(size_t(n) * channels), freqs(size_t(n) * channels), starts(freqs.size());
        const Pixels pixels{outputs.data(), sums.data(), values.data(), n, K, channels};
        std::vector<uint64_t> head(lanes);
        for (uint64_t& h : head) h = (uint64_t(1) << 31) + (uint64_t(generator()) << draw(0, 30));
        std::vector<uint32_t> words(draw(0, 2 * n * channels));
        for (uint32_t& word : words) word = uint32_t(generator());
        const std::vector<uint64_t> before = head;
        std::vector<int32_t> weights(size_t(n) * K);
        const Blocks* blocks[2];
        for (const Blocks*& b : blocks) b = levels()[draw(0, int(levels().size()) - 1)]->blocks;
        int64_t taken = 0;
        bool ended = false;
        for (int c = 0; c < channels && !ended; c++) {
            const Channel channel{c, values.data(), weights.data(), freqs.data() + size_t(c) * n};
            const int64_t more = pop_channel(head.data(), lanes, words.data() + taken, int64_t(words.size()) - taken, pixels,
                                             channel, tables, axis, 0, n, draw(1, 3), blocks[0]);
            ended = more < 0;  // hostile: the words end before the symbols do
            taken += more;
        }
        if (ended) continue;
        std::vector<int64_t> widths(freqs.size());
        colour_intervals(pixels, tables, axis, starts.data(), widths.data(), draw(1, 3), blocks[1]);
        expect(widths == freqs, "frequencies");
        std::vector<uint32_t> back(size_t(n) * channels);
        int64_t end = int64_t(back.size());
        for (int c = channels - 1; c >= 0; c--) {
            const std::vector<uint64_t> s(starts.begin() + size_t(c) * n, starts.begin() + size_t(c + 1) * n);
            const std::vector<uint64_t> f(freqs.begin() + size_t(c) * n, freqs.begin() + size_t(c + 1) * n);
            std::vector<uint32_t> pushed(n);
            const Pushed result = push_rows(head.data(), lanes, s.data(), f.data(), n, PRECISION, 1e18, pushed.data());
            end -= n - result.top;
            std::copy(pushed.begin() + result.top, pushed.end(), back.begin() + end);
        }
        expect(head == before && int64_t(back.size()) - end == taken, "a push undoes a pop");
        expect(std::equal(back.begin() + end, back.end(), words.begin()), "words");
    }
}

void check_pool() {
    const int rows = 19, columns = 21, channels = 3;
    const auto x = random_map(rows, columns, channels, -1023, 1023);
    std::vector<int16_t> out(5 * 6 * channels);
    std::vector<int32_t> sums(channels);
    pool(x.data(), rows, columns, channels, 4, out.data(), sums.data());
    int sum = 0;
    for (int i = 0; i < 16; i++) sum += x[(size_t(i / 4) * columns + i % 4) * channels];
    expect(out[0] == rounded(sum, 4, -32768, 32767), "mean");
}

}  // namespace

int main() {
    check_networks();
    check_messages();
    check_pool();
    for (const Kernels* kernels : levels()) std::printf("%s\n", kernels->name);
}
