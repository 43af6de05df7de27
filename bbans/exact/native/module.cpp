// The extension module `bbans.exact._native`; `bbans.exact.engines` decides whether it is used.

#include "bindings.hpp"

NB_MODULE(_native, m) {
    m.doc() = "Integer networks, mixtures of logistics and rANS rows, compiled.";
    bbans::bind_network(m);
    bbans::bind_mixtures(m);
    bbans::bind_messages(m);
}
