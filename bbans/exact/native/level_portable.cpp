#include "vectors_portable.hpp"

#include "loops.hpp"

const bbans::Kernels bbans::portable_kernels = bbans::table("portable");
