#include "vectors_avx512.hpp"

#include "loops.hpp"
#include "reals_avx512.hpp"

#include "mixture_loops.hpp"

const bbans::Kernels bbans::avx512_kernels = bbans::table("avx512", &bbans::blocks);
