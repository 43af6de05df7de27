#pragma once

#include <vector>

#include "kernels.hpp"

namespace bbans {

// Kernels that this machine can run, slowest first.
std::vector<const Kernels*> levels();

}  // namespace bbans
