#pragma once

#include <nanobind/nanobind.h>

namespace bbans {

void bind_network(nanobind::module_& m);
void bind_mixtures(nanobind::module_& m);
void bind_messages(nanobind::module_& m);

}  // namespace bbans
