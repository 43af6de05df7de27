#include "vectors_avx512.hpp"

#include "loops.hpp"

const bbans::Kernels bbans::avx512_kernels = bbans::table("avx512");
