#pragma once

#include <algorithm>
#include <atomic>
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

// A point that all members of a team reach before any goes on.
class Meeting {
public:
    explicit Meeting(int members) : members_(members) {}

    int members() const { return members_; }

    void wait() {
        const int round = round_.load(std::memory_order_acquire);
        if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == members_) {
            arrived_.store(0, std::memory_order_relaxed);
            round_.store(round + 1, std::memory_order_release);
            return;
        }
        for (int spins = 0; round_.load(std::memory_order_acquire) == round;)
            if (++spins > 1000) std::this_thread::yield();  // it may be on this very processor
    }

private:
    const int members_;
    std::atomic<int> arrived_{0}, round_{0};
};

// Calls work(member, meeting) on as many threads as can be had, up to `threads`, at once: they
// may wait for each other. `work` must not throw.
template <class Work>
void as_team(int threads, Work&& work) {
    std::vector<std::thread> others;
    std::atomic<Meeting*> begun{nullptr};
    others.reserve(threads);
    const auto member = [&](int number) {
        Meeting* meeting;
        while (!(meeting = begun.load(std::memory_order_acquire))) std::this_thread::yield();
        work(number, *meeting);
    };
    try {
        for (int number = 1; number < threads; number++) others.emplace_back(member, number);
    } catch (const std::system_error&) {  // no more threads
    }
    Meeting meeting(int(others.size()) + 1);
    begun.store(&meeting, std::memory_order_release);
    work(0, meeting);
    for (std::thread& other : others) other.join();
}

}  // namespace bbans
