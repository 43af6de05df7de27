#include "vectors_neon.hpp"

#include "loops.hpp"

const bbans::Kernels bbans::neon_kernels = bbans::table("neon");
