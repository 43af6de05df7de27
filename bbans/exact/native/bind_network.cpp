// `Network` in Python.

#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "bindings.hpp"
#include "checks.hpp"
#include "levels.hpp"
#include "network.hpp"

namespace bbans {

namespace {

constexpr int MAX_SIDE = 5, MAX_SHIFT = 24, MAX_CHANNELS = 1 << 14, MAX_TAPS = 50, MAX_BLOCK = 1 << 10;

using LayerArgs = std::tuple<In<int16_t, 4>, In<int32_t, 2>, In<int8_t, 1>>;
using StepArgs = std::tuple<std::vector<std::pair<int, int>>, int, std::vector<int>, std::vector<int>>;
using InputArgs = std::pair<In<int16_t, 3>, int>;

Layer as_layer(const LayerArgs& args) {
    const auto& [weight, bias, shift] = args;
    require(weight.shape(2) == weight.shape(3) && weight.shape(2) % 2 == 1 && int(weight.shape(2)) <= MAX_SIDE,
            "a kernel is square, with an odd side of at most 5");
    require(weight.shape(0) >= 1 && weight.shape(0) <= MAX_CHANNELS && weight.shape(1) >= 1 &&
                weight.shape(1) <= MAX_CHANNELS,
            "a layer has 1 to 16384 inputs and outputs");
    require(bias.shape(1) == weight.shape(0) && bias.shape(0) >= 1 && shift.shape(0) == weight.shape(0),
            "a layer has a bias and a shift for every output");
    Layer layer{int(weight.shape(0)), int(weight.shape(1)), int(weight.shape(2)), int(bias.shape(0)), {}, {}, {}};
    layer.weights.assign(weight.data(), weight.data() + weight.size());
    layer.bias.assign(bias.data(), bias.data() + bias.size());
    layer.shift.assign(shift.data(), shift.data() + shift.size());
    for (int32_t s : layer.shift) require(s >= 0 && s <= MAX_SHIFT, "shifts lie in 0..24");
    return layer;
}

// Appends the step's number of channels to those of the sources before it.
Step as_step(const StepArgs& args, const std::vector<Layer>& layers, std::vector<int>& channels) {
    const auto& [terms, source, low, high] = args;
    const auto exists = [&](int i) { return i >= 0 && i < int(channels.size()); };
    require(source == -1 || exists(source), "a step reads inputs and earlier steps");
    require(!terms.empty() || source >= 0, "a step without layers modulates a source");
    Step step;
    int outputs = terms.empty() ? channels[source] : 0, taps = 0;
    for (auto [number, from] : terms) {
        require(number >= 0 && number < int(layers.size()) && exists(from), "a step reads inputs and earlier steps");
        const Layer& layer = layers[number];
        require(layer.inputs == channels[from], "a layer reads as many channels as it has inputs");
        require(!outputs || outputs == layer.outputs, "layers that are added have equally many outputs");
        require(layer.shift == layers[terms[0].first].shift, "layers that are added have the same shifts");
        outputs = layer.outputs;
        taps += layer.side * layer.side;
        step.terms.push_back({number, from});
    }
    require(taps <= MAX_TAPS, "the kernels of a step have at most 50 positions");
    require(source == -1 || channels[source] == outputs, "a source that is added has the channels of the step");
    require((low.size() == 1 || int(low.size()) == outputs) && high.size() == low.size(),
            "a step has one range, or one for every output");
    require(!terms.empty() || low.size() == 1, "a step that modulates has one range");
    for (size_t i = 0; i < low.size(); i++)
        require(INT16_MIN <= low[i] && low[i] <= high[i] && high[i] <= INT16_MAX, "ranges lie within 16 bits");
    step.source = source;
    step.low.assign(low.begin(), low.end());
    step.high.assign(high.begin(), high.end());
    channels.push_back(outputs);
    return step;
}

void construct(Network* self, const std::vector<LayerArgs>& layer_args, const std::vector<std::pair<int, int>>& input_args,
               const std::vector<StepArgs>& step_args, const std::string& level, bool winograd) {
    std::vector<Layer> layers;
    for (const LayerArgs& args : layer_args) layers.push_back(as_layer(args));
    std::vector<Input> inputs;
    std::vector<int> channels;
    for (auto [count, largest] : input_args) {
        require(count >= 1 && count <= MAX_CHANNELS && largest >= 0 && largest <= INT16_MAX,
                "an input has 1 to 16384 channels of 16 bits");
        inputs.push_back({count, largest});
        channels.push_back(count);
    }
    std::vector<Step> steps;
    for (const StepArgs& args : step_args) steps.push_back(as_step(args, layers, channels));
    require(!steps.empty(), "a network has at least one step");
    require(std::count_if(steps.begin(), steps.end(), [](const Step& s) { return s.terms.empty(); }) <= 1,
            "one step of a network modulates");
    new (self) Network(named_level(level), layers, inputs, steps, winograd);
}

void run(const Network& network, const std::vector<InputArgs>& input_args, std::optional<In<int16_t, 3>> film,
         int block, Out<int16_t, 3> out, int bias_row, int threads) {
    require(input_args.size() == network.inputs().size(), "a network gets as many maps as it has inputs");
    const int64_t height = out.shape(0), width = out.shape(1);
    require(height >= 1 && width >= 1 && height <= 1 << 24 && width <= 1 << 24, "a map has 1 to 2^24 rows and columns");
    require(int(out.shape(2)) == network.outputs(), "the result has the channels of the last step");
    std::vector<Map> maps;
    for (size_t i = 0; i < input_args.size(); i++) {
        const auto& [map, spread] = input_args[i];
        require(spread >= 1 && spread <= MAX_BLOCK, "a value is spread over 1 to 1024 positions");
        require(int64_t(map.shape(0)) == (height + spread - 1) / spread &&
                    int64_t(map.shape(1)) == (width + spread - 1) / spread &&
                    int(map.shape(2)) == network.inputs()[i].channels,
                "an input has the rows, columns and channels of its place");
        maps.push_back({const_cast<int16_t*>(map.data()), int(map.shape(0)), int(map.shape(1)), int(map.shape(2)), spread});
    }
    Film scales{nullptr, 0, 0, 1};
    if (network.film_channels()) {
        require(film.has_value() && block >= 1 && block <= MAX_BLOCK, "a network that modulates gets scales and offsets");
        require(has_shape(*film, {(height + block - 1) / block, (width + block - 1) / block, network.film_channels()}),
                "there are a scale and an offset for every channel of a block");
        scales = {film->data(), int(film->shape(0)), int(film->shape(1)), block};
    }
    require(bias_row >= 0, "rows of biases are counted from 0");
    nb::gil_scoped_release unlocked;
    network.run(maps, scales, {out.data(), int(height), int(width), int(out.shape(2))}, bias_row, threads);
}

}  // namespace

void bind_network(nb::module_& m) {
    nb::class_<Network>(m, "Network")
        .def("__init__", construct, nb::arg("layers"), nb::arg("inputs"), nb::arg("steps"), nb::arg("level"),
             nb::arg("winograd"))
        .def("run", run, nb::arg("inputs"), nb::arg("film").none(), nb::arg("block"), nb::arg("out"),
             nb::arg("bias_row"), nb::arg("threads"));
    m.def("levels", [] {
        std::vector<std::string> names;
        for (const Kernels* kernels : levels()) names.push_back(kernels->name);
        return names;
    });
}

}  // namespace bbans
