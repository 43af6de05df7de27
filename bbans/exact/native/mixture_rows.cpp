#include "mixture_rows.hpp"

#include <cstdlib>

namespace bbans {

NarrowTables::NarrowTables(const Tables& tables, const Axis& axis, const Blocks* level)
    : blocks(level), logistic(tables.logistic), n(int32_t(axis.n)) {
    if (!level) return;
    store.resize(SCALES + 256 + 2 * axis.n + 1);
    int32_t* next = store.data();
    // Exact sums of doubles need distances below 2^31: inverse scales have up to 21 bits.
    auto narrowed = [&](const int64_t* values, int64_t count) {
        const int32_t* begin = next;
        for (int64_t i = 0; i < count; i++) {
            if (std::abs(values[i]) >= int64_t(1) << 30) blocks = nullptr;
            *next++ = int32_t(values[i]);
        }
        return begin;
    };
    inverse = narrowed(tables.inverse, SCALES);
    exp2 = narrowed(tables.exp2, 256);
    boundaries = narrowed(axis.boundaries, axis.n + 1);
    centres = narrowed(axis.centres, axis.n);
}

}  // namespace bbans
