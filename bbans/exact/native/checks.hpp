// Arguments of the Python interface: arrays of one layout, and their shapes.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>

namespace bbans {

namespace nb = nanobind;

template <class T, int N>
using In = nb::ndarray<const T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
template <class T, int N>
using Out = nb::ndarray<T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;

inline void require(bool condition, const char* message) {
    if (!condition) throw nb::value_error(message);
}

template <class A>
inline bool has_shape(const A& array, std::initializer_list<int64_t> shape) {
    size_t i = 0;
    for (int64_t n : shape)
        if (int64_t(array.shape(i++)) != n) return false;
    return true;
}

}  // namespace bbans
