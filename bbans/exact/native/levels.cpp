// Which instruction sets this machine has.

#include "levels.hpp"

#include <stdexcept>

#if defined(BBANS_X86) && defined(_MSC_VER)
#include <intrin.h>
#endif

namespace bbans {

#ifdef BBANS_X86
namespace {

#ifdef _MSC_VER
// Bits of leaf 7 that are all set, where the system saves the registers that they need.
bool has(int registers, int ebx, int ecx) {
    int leaf[4];
    __cpuid(leaf, 0);
    if (leaf[0] < 7) return false;
    __cpuid(leaf, 1);
    const bool saved = (leaf[2] >> 27 & 1) && (int(_xgetbv(0)) & registers) == registers;
    __cpuidex(leaf, 7, 0);
    return saved && (leaf[1] & ebx) == ebx && (leaf[2] & ecx) == ecx;
}

bool has_avx2() { return has(0x6, 1 << 5, 0); }
bool has_avx512() { return has(0xe6, 1 << 16 | 1 << 17 | 1 << 30 | int(1u << 31), 1 << 11); }
#else
bool has_avx2() { return __builtin_cpu_supports("avx2"); }
bool has_avx512() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni");
}
#endif

}  // namespace
#endif

std::vector<const Kernels*> levels() {
    std::vector<const Kernels*> result{&portable_kernels};
#ifdef BBANS_X86
    if (has_avx2()) result.push_back(&avx2_kernels);
    if (has_avx2() && has_avx512()) result.push_back(&avx512_kernels);
#endif
#ifdef BBANS_NEON
    result.push_back(&neon_kernels);
#endif
    return result;
}

const Kernels& named_level(const std::string& name) {
    for (const Kernels* kernels : levels())
        if (kernels->name == name) return *kernels;
    throw std::invalid_argument("this machine has no such level; see `levels`");
}

}  // namespace bbans
