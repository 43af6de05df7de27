// Rows of all layers of a network, rolling: each layer is computed as far as the next one needs it.

#include "network.hpp"

#include <algorithm>
#include <cstring>

#include "threads.hpp"

namespace bbans {

namespace {

constexpr int ROWS = 4;    // of the result that are computed together
constexpr int MARGIN = 2;  // positions of zeros at the left of every row; kernels have sides up to 5
constexpr int MAX_TAPS = 50;

}  // namespace

// The rows of one source that are still needed, as a ring.
struct Ring {
    std::vector<int16_t> data;
    std::vector<int16_t> zeros;  // the rows outside the map
    int capacity = 0, stride = 0, width = 0, height = 0;
    int done = 0;  // the first row that is not yet there

    void allocate(int rows, int channel_stride, int map_height, int map_width) {
        capacity = rows, stride = channel_stride, height = map_height, width = map_width;
        data.assign(size_t(rows) * row_size(), 0);
        zeros.assign(row_size(), 0);
    }
    size_t row_size() const { return size_t(MARGIN + width + MARGIN + SLACK) * stride; }
    // The first position of a row.
    int16_t* row(int y) {
        return (y < 0 || y >= height ? zeros.data() : data.data() + (y % capacity) * row_size()) + MARGIN * stride;
    }
    // Makes what kernels have written beyond the end of a row zeros again.
    void close(int y) {
        std::memset(row(y) + width * stride, 0, size_t(MARGIN + SLACK) * stride * sizeof(int16_t));
    }
};

// One pass over some rows of a network's result.
class Rolling {
  public:
    Rolling(const Network& network, const std::vector<Map>& inputs, const Film& film, Map out, int bias_row)
        : net_(network), inputs_(inputs), film_(film), out_(out), bias_row_(bias_row), rings_(network.sources_.size()) {
        for (size_t i = 0; i < rings_.size(); i++) {
            const auto& source = net_.sources_[i];
            rings_[i].allocate(ROWS + 2 * source.reach + 2, source.stride, out.rows, out.columns);
        }
        int channels = 0, outputs = 0;
        for (size_t s = 0; s < net_.steps_.size(); s++) {
            if (!net_.packed_[s].winograd) continue;
            channels = std::max(channels, net_.sources_[net_.steps_[s].terms[0].source].channels);
            outputs = std::max(outputs, net_.packed_[s].vectors * net_.kernels_.lanes);
        }
        transformed_.assign(size_t(16) * TILES * channels, 0);
        products_.assign(size_t(16) * TILES * outputs, 0);
        size_t spare = 0;
        for (const Ring& ring : rings_) spare = std::max(spare, ring.row_size());
        spare_.assign(spare, 0);
        pad_film(film);
    }

    void run(int first, int last) {
        written_ = first;
        for (size_t i = 0; i < rings_.size(); i++)
            rings_[i].done = std::max(0, first - net_.sources_[i].reach);
        for (int end = first; end < last;) {
            end = std::min(end + ROWS, last);
            for (size_t i = 0; i < rings_.size(); i++) {
                const int until = std::min(out_.rows, end + net_.sources_[i].reach);
                if (i < inputs_.size()) read(i, until);
                else compute(i - inputs_.size(), until);
                rings_[i].done = std::max(rings_[i].done, until);
            }
            write(end);
        }
    }

  private:
    void read(size_t i, int until) {
        const Map& map = inputs_[i];
        Ring& ring = rings_[i];
        for (int y = ring.done; y < until; y++) {
            const int16_t* from = map.data + size_t(y / map.spread) * map.columns * map.channels;
            int16_t* to = ring.row(y);
            const size_t bytes = map.channels * sizeof(int16_t);
            if (map.spread == 1 && map.channels == ring.stride) {
                std::memcpy(to, from, bytes * ring.width);
            } else {
                for (int x = 0; x < ring.width; x++)
                    std::memcpy(to + x * ring.stride, from + x / map.spread * map.channels, bytes);
            }
        }
    }

    void compute(size_t s, int until) {
        const Step& step = net_.steps_[s];
        Ring& ring = rings_[inputs_.size() + s];
        const int first = ring.done;
        if (step.terms.empty()) {
            for (int y = first; y < until; y++) modulated(step, net_.packed_[s], ring, y);
        } else if (net_.packed_[s].winograd) {
            for (int y = first; y < until; y += 2) winograd(step, net_.packed_[s], ring, y, until);
        } else {
            for (int y = first; y < until; y++) affine(step, net_.packed_[s], ring, y);
        }
        for (int y = first; y < until; y++) ring.close(y);
    }

    Rounding rounding(const Network::Packed& p) const {
        const int row = std::min(bias_row_, p.bias_rows - 1);
        return {p.bias.data() + size_t(row) * p.vectors * net_.kernels_.lanes, p.shift.data(), p.half.data(),
                p.odd.data(), p.low.data(), p.high.data()};
    }

    void affine(const Step& step, const Network::Packed& p, Ring& ring, int y) {
        Tap taps[MAX_TAPS];
        int count = 0;
        for (const Term& term : step.terms) {
            Ring& source = rings_[term.source];
            const int side = net_.sides_[term.layer], edge = side / 2, pair = net_.kernels_.pair;
            const int channels = (net_.sources_[term.source].channels + pair - 1) / pair * pair;
            for (int t = 0; t < side * side; t++)
                taps[count++] = {source.row(y + t / side - edge) + (t % side - edge) * source.stride, source.stride,
                                 channels};
        }
        Ring* residual = step.source < 0 ? nullptr : &rings_[step.source];
        net_.kernels_.affine({taps, count, p.weights.data(), p.vectors, rounding(p), residual ? residual->row(y) : nullptr,
                              residual ? residual->stride : 0, ring.row(y), ring.stride, ring.width});
    }

    void winograd(const Step& step, const Network::Packed& p, Ring& ring, int y, int until) {
        Ring& source = rings_[step.terms[0].source];
        Ring* residual = step.source < 0 ? nullptr : &rings_[step.source];
        WinogradRows rows{};
        for (int i = 0; i < 4; i++) rows.in[i] = source.row(y + i - 1) - source.stride;
        for (int i = 0; i < 2; i++) {
            const bool wanted = y + i < until;
            rows.residual[i] = residual ? residual->row(y + i) : nullptr;
            rows.out[i] = wanted ? ring.row(y + i) : spare_.data() + MARGIN * ring.stride;
        }
        rows.in_stride = source.stride;
        rows.channels = source.stride;
        rows.weights = p.weights.data();
        rows.vectors = p.vectors;
        rows.rounding = rounding(p);
        rows.residual_stride = residual ? residual->stride : 0;
        rows.out_stride = ring.stride;
        rows.width = ring.width;
        rows.transformed = transformed_.data();
        rows.products = products_.data();
        net_.kernels_.winograd(rows);
    }

    void modulated(const Step& step, const Network::Packed& p, Ring& ring, int y) {
        Ring& source = rings_[step.source];
        const int16_t* film = padded_film_.data() + size_t(y / film_.block) * film_.columns * 2 * source.stride;
        net_.kernels_.modulate({source.row(y), source.stride, film, film + source.stride, 2 * source.stride, film_.block,
                                source.stride, p.low[0], p.high[0], ring.row(y), ring.stride, ring.width});
    }

    // Scales and offsets with the stride of the rows that they modulate.
    void pad_film(const Film& film) {
        for (const Step& step : net_.steps_) {
            if (!step.terms.empty()) continue;
            const int channels = net_.sources_[step.source].channels, stride = net_.sources_[step.source].stride;
            const int halves = film.rows * film.columns * 2;
            padded_film_.assign(size_t(halves) * stride, 0);
            for (int i = 0; i < halves; i++)
                std::memcpy(padded_film_.data() + size_t(i) * stride, film.data + size_t(i) * channels,
                            channels * sizeof(int16_t));
        }
    }

    void write(int end) {
        Ring& ring = rings_.back();
        for (int y = written_; y < end; y++) {
            const int16_t* from = ring.row(y);
            int16_t* to = out_.data + size_t(y) * out_.columns * out_.channels;
            const size_t bytes = out_.channels * sizeof(int16_t);
            if (out_.channels == ring.stride) {
                std::memcpy(to, from, bytes * ring.width);
            } else {
                for (int x = 0; x < ring.width; x++) std::memcpy(to + x * out_.channels, from + x * ring.stride, bytes);
            }
        }
        written_ = end;
    }

    const Network& net_;
    const std::vector<Map>& inputs_;
    const Film& film_;
    const Map out_;
    const int bias_row_;
    std::vector<Ring> rings_;
    std::vector<int16_t> transformed_, spare_, padded_film_;
    std::vector<int32_t> products_;
    int written_ = 0;
};

void Network::run(const std::vector<Map>& inputs, const Film& film, Map out, int bias_row, int threads) const {
    const int parts = parts_of(out.rows, threads);
    std::vector<Rolling> passes;  // made before any thread, so that memory runs out here or never
    passes.reserve(parts);
    for (int i = 0; i < parts; i++) passes.emplace_back(*this, inputs, film, out, bias_row);
    in_parts(out.rows, parts, [&](int i, int64_t first, int64_t last) { passes[i].run(int(first), int(last)); });
}

}  // namespace bbans
