#pragma once

#include <algorithm>
#include <cstdint>
#include <system_error>
#include <thread>
#include <vector>

namespace bbans {

// The number of stretches into which `count` pieces of work are cut for this many threads.
inline int parts_of(int64_t count, int threads) {
    return int(std::max(int64_t(1), std::min(int64_t(threads), count)));
}

// Calls part(i, first, last) for `parts` stretches of 0..count - 1, each on a thread of its own as far
// as threads can be had. `part` must not throw.
template <class Part>
void in_parts(int64_t count, int parts, Part&& part) {
    const auto stretch = [&](int i) { part(i, count * i / parts, count * (i + 1) / parts); };
    std::vector<std::thread> others;
    others.reserve(parts);
    int here = parts - 1;
    try {
        for (; here > 0; here--) others.emplace_back(stretch, here);
    } catch (const std::system_error&) {  // no more threads: the rest is computed here
    }
    for (; here >= 0; here--) stretch(here);
    for (std::thread& other : others) other.join();
}

}  // namespace bbans
