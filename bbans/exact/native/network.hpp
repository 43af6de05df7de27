// A sequence of layers over maps of any size: rows roll through all layers, so that what lies between
// them stays in the cache.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels.hpp"

namespace bbans {

// A k x k convolution of integers with zero padding: weights (O, I, k, k), biases (rows, O).
struct Layer {
    int outputs, inputs, side, bias_rows;
    std::vector<int16_t> weights;
    std::vector<int32_t> bias;
    std::vector<int32_t> shift;
};

// What a step reads: an input of the network, or the result of an earlier step.
struct Term {
    int layer;
    int source;
};

// y = clip(round(sum of the terms + residual)), or x modulated by scales and offsets.
struct Step {
    std::vector<Term> terms;  // empty: the step modulates `source`
    int source = -1;          // added as it is; -1: nothing
    std::vector<int32_t> low, high;
};

struct Input {
    int channels;
    int largest;  // |value|
};

// A map int16 (rows, columns, channels) that is given or wanted. `spread`: every value stands for
// spread x spread positions.
struct Map {
    int16_t* data;
    int rows, columns, channels;
    int spread = 1;
};

// Scales and offsets of `modulate`, int16 (rows, columns, 2 C).
struct Film {
    const int16_t* data;
    int rows, columns, block;
};

class Network {
  public:
    // Arguments are consistent: the binding has checked them. `winograd`: where it applies; the sums
    // are the same without.
    Network(const Kernels& kernels, const std::vector<Layer>& layers, const std::vector<Input>& inputs,
            const std::vector<Step>& steps, bool winograd);
    // Computes the last step on the grid of `out`, with the biases of one row.
    void run(const std::vector<Map>& inputs, const Film& film, Map out, int bias_row, int threads) const;

    const std::vector<Input>& inputs() const { return inputs_; }
    int outputs() const { return sources_.back().channels; }
    // Channels of the scales and offsets together, 0 if no step modulates.
    int film_channels() const { return film_channels_; }

  private:
    struct Source {
        int channels, stride, reach;  // reach: rows beyond those of the result that are needed
        int largest;
    };
    struct Packed {
        std::vector<int16_t> weights;
        std::vector<int32_t> bias;  // (rows, vectors x lanes)
        std::vector<int32_t> shift, half, odd, low, high;
        int vectors = 0, bias_rows = 1;
        bool winograd = false;
    };
    friend class Rolling;

    void pack(const std::vector<Layer>& layers, const Step& step, Packed& packed) const;
    void pack_direct(const std::vector<Layer>& layers, const Step& step, Packed& packed) const;
    bool pack_winograd(const Layer& layer, int largest, Packed& packed) const;

    const Kernels& kernels_;
    std::vector<Input> inputs_;
    std::vector<Step> steps_;
    std::vector<int> sides_;  // of every layer
    std::vector<Source> sources_;  // inputs, then steps
    std::vector<Packed> packed_;
    bool winograd_;
    int film_channels_ = 0;
};

}  // namespace bbans
