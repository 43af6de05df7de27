#include "vectors_avx2.hpp"

#include "loops.hpp"

const bbans::Kernels bbans::avx2_kernels = bbans::table("avx2");
