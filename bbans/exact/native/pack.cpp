// Weights in the order in which the kernels read them.

#include <algorithm>
#include <cstdlib>

#include "network.hpp"

namespace bbans {

namespace {

int rounded_up(int n, int unit) { return (n + unit - 1) / unit * unit; }

// Appends the weights of one position of a kernel: [group of columns][channel / pair][output][pair].
template <class Weight>
void append(std::vector<int16_t>& packed, const Kernels& k, int first, int vectors, int channels, Weight&& weight) {
    for (int c = 0; c < channels; c += k.pair)
        for (int o = first * k.lanes; o < (first + vectors) * k.lanes; o++)
            for (int i = 0; i < k.pair; i++) packed.push_back(weight(o, c + i));
}

}  // namespace

Network::Network(const Kernels& kernels, const std::vector<Layer>& layers, const std::vector<Input>& inputs,
                 const std::vector<Step>& steps, bool winograd)
    : kernels_(kernels), inputs_(inputs), steps_(steps), winograd_(winograd) {
    for (const Layer& layer : layers) sides_.push_back(layer.side);
    for (const Input& input : inputs) sources_.push_back({input.channels, rounded_up(input.channels, STRIDE), 0, input.largest});
    for (const Step& step : steps) {
        const int channels = step.terms.empty() ? sources_[step.source].channels : layers[step.terms[0].layer].outputs;
        int largest = 0;
        for (size_t i = 0; i < step.low.size(); i++)
            largest = std::max({largest, std::abs(step.low[i]), std::abs(step.high[i])});
        sources_.push_back({channels, rounded_up(channels, STRIDE), 0, largest});
        if (step.terms.empty()) film_channels_ = 2 * channels;
    }
    for (size_t s = steps.size(); s-- > 0;) {
        const int reach = sources_[inputs.size() + s].reach;
        for (const Term& term : steps[s].terms) {
            int& wanted = sources_[term.source].reach;
            wanted = std::max(wanted, reach + sides_[term.layer] / 2);
        }
        if (steps[s].source >= 0) sources_[steps[s].source].reach = std::max(sources_[steps[s].source].reach, reach);
    }
    packed_.resize(steps.size());
    for (size_t s = 0; s < steps.size(); s++) pack(layers, steps[s], packed_[s]);
}

void Network::pack(const std::vector<Layer>& layers, const Step& step, Packed& p) const {
    const int n = step.terms.empty() ? 0 : layers[step.terms[0].layer].outputs;
    p.vectors = rounded_up(n, kernels_.lanes) / kernels_.lanes;
    const int padded = p.vectors * kernels_.lanes;
    if (step.terms.empty()) {
        p.low = step.low;
        p.high = step.high;
        return;
    }
    const Term& first = step.terms[0];
    p.winograd =
        winograd_ && step.terms.size() == 1 && pack_winograd(layers[first.layer], sources_[first.source].largest, p);
    if (!p.winograd) pack_direct(layers, step, p);
    const int finer = p.winograd ? 2 : 0;  // Winograd's integers are four times the sums
    for (auto* list : {&p.shift, &p.half, &p.odd, &p.low, &p.high}) list->assign(padded, 0);
    for (int o = 0; o < n; o++) {
        const int shift = layers[first.layer].shift[o] + finer;
        p.shift[o] = shift;
        p.half[o] = shift ? (1 << (shift - 1)) - 1 : 0;
        p.odd[o] = shift ? 1 : 0;
        p.low[o] = step.low[step.low.size() == 1 ? 0 : o];
        p.high[o] = step.high[step.high.size() == 1 ? 0 : o];
    }
    for (const Term& term : step.terms) p.bias_rows = std::max(p.bias_rows, layers[term.layer].bias_rows);
    p.bias.assign(size_t(p.bias_rows) * padded, 0);
    for (const Term& term : step.terms) {
        const Layer& layer = layers[term.layer];
        for (int row = 0; row < p.bias_rows; row++)
            for (int o = 0; o < n; o++)
                p.bias[row * padded + o] += layer.bias[std::min(row, layer.bias_rows - 1) * n + o] * (1 << finer);
    }
}

void Network::pack_direct(const std::vector<Layer>& layers, const Step& step, Packed& p) const {
    for (int first = 0; first < p.vectors; first += kernels_.columns) {
        const int columns = std::min(kernels_.columns, p.vectors - first);
        for (const Term& term : step.terms) {
            const Layer& layer = layers[term.layer];
            const int taps = layer.side * layer.side;
            for (int t = 0; t < taps; t++)
                append(p.weights, kernels_, first, columns, rounded_up(layer.inputs, kernels_.pair), [&](int o, int c) {
                    const bool there = o < layer.outputs && c < layer.inputs;
                    return there ? layer.weights[(o * layer.inputs + c) * taps + t] : int16_t(0);
                });
        }
    }
}

// 4 G g G' with 2 G = [2 0 0; 1 1 1; 1 -1 1; 0 0 2]. False if a transformed weight or input could
// exceed 16 bits, or the layer has another shape.
bool Network::pack_winograd(const Layer& layer, int largest, Packed& p) const {
    if (layer.side != 3 || layer.inputs % STRIDE || 4 * largest > INT16_MAX) return false;
    static constexpr int G[4][3] = {{2, 0, 0}, {1, 1, 1}, {1, -1, 1}, {0, 0, 2}};
    std::vector<int16_t> transformed(size_t(layer.outputs) * layer.inputs * 16);
    for (int i = 0; i < layer.outputs * layer.inputs; i++) {
        for (int e = 0; e < 16; e++) {
            int sum = 0;
            for (int t = 0; t < 9; t++) sum += G[e / 4][t / 3] * G[e % 4][t % 3] * layer.weights[i * 9 + t];
            if (sum < INT16_MIN || sum > INT16_MAX) return false;
            transformed[i * 16 + e] = int16_t(sum);
        }
    }
    for (int e = 0; e < 16; e++)
        for (int first = 0; first < p.vectors; first += kernels_.columns)
            append(p.weights, kernels_, first, std::min(kernels_.columns, p.vectors - first), layer.inputs,
                   [&](int o, int c) {
                       return o < layer.outputs ? transformed[(o * layer.inputs + c) * 16 + e] : int16_t(0);
                   });
    return true;
}

}  // namespace bbans
