#pragma once

#include <string>
#include <vector>

#include "kernels.hpp"

namespace bbans {

// Kernels that this machine can run, slowest first.
std::vector<const Kernels*> levels();

// One of them. Throws invalid_argument on a name of none.
const Kernels& named_level(const std::string& name);

}  // namespace bbans
